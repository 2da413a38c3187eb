"""Pages of lists that are made anew at each request, and stay stable all the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol, TypeVar

from roaming_ocpi.server.calls import OcpiRefusedError, PageAsked

AFTER: Final = "after"
"""The parameter of a page that begins after a number, whatever happens to those before."""
_DIGITS_MAX: Final = 19


class Created(Protocol):
    """Something with a number that says when it came, and never changes."""

    @property
    def created(self) -> int:
        """The number."""


_C = TypeVar("_C", bound=Created)


def is_asked(moment: datetime, asked: PageAsked) -> bool:
    """Whether what was last updated at *moment* is among what is *asked* for."""
    is_later = asked.date_from is None or moment >= asked.date_from
    return is_later and (asked.date_to is None or moment < asked.date_to)


def page_of(
    matching: Sequence[_C], asked: PageAsked, query: Mapping[str, str]
) -> tuple[Sequence[_C], Mapping[str, str] | None]:
    """Return a page of those that match the filters, and where the next one begins.

    It begins after the last one of this page, not at an offset: one that leaves the list because
    it was updated meanwhile moves no other one out of sight.
    """
    after = query.get(AFTER)
    if after is None:
        rest = matching[asked.offset :]
    elif after.isascii() and after.isdigit() and len(after) < _DIGITS_MAX:
        rest = [each for each in matching if each.created > int(after)]
    else:
        message = "after must be the number that a link of ours had"
        raise OcpiRefusedError.invalid(message)
    page = rest[: asked.limit]
    if len(rest) <= asked.limit:
        return page, None
    return page, {AFTER: str(page[-1].created)}
