"""Which CDRs a page has: a stretch of the numbers of each party that asks.

Numbers have no gaps, and `made_at` never falls as they rise. So what lies between two moments is a
stretch of numbers, how many there are is a subtraction, and an offset is a number: a page costs the
same whether it is the first or the last of a million, and none changes while the list grows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, LiteralString, NamedTuple

from roaming_ocpi.cdrs.telling.excerpt import EXCERPT
from roaming_ocpi.server.calls import OcpiRefusedError, PageAsked

STRETCHES: LiteralString = """
SELECT asked.party,
    coalesce((
        SELECT number FROM roaming_cdr AS one WHERE one.party = asked.party
        AND one.made_at < %(date_from)s::timestamptz ORDER BY made_at DESC, number DESC LIMIT 1
    ), 0),
    coalesce((
        SELECT number FROM roaming_cdr AS one WHERE one.party = asked.party
        AND (%(date_to)s::timestamptz IS NULL OR one.made_at < %(date_to)s::timestamptz)
        ORDER BY made_at DESC, number DESC LIMIT 1
    ), 0)
FROM unnest(%(parties)s::text[]) AS asked (party) ORDER BY asked.party
"""
PAGE: LiteralString = (
    f"{EXCERPT} WHERE party = %(party)s AND number > %(low)s AND number <= %(high)s"
    " ORDER BY number LIMIT %(limit)s"
)
OWN: LiteralString = f"{EXCERPT} WHERE lower(cdr_id) = lower(%s) AND party = ANY (%s)"
AFTER: Final = "after"
_CURSOR: Final = re.compile(r"([A-Z]{2}-[A-Z0-9]{3}):(\d{1,15})", re.ASCII)


class NumberStretch(NamedTuple):
    """Numbers of a party: above `low`, up to `high`."""

    party: str
    low: int
    high: int

    @property
    def length(self) -> int:
        """How many they are."""
        return max(0, self.high - self.low)


class CdrPage(NamedTuple):
    """What is read for one page, in this order, and how many there are in all."""

    stretches: Sequence[NumberStretch]
    total: int


def page_of(found: Sequence[NumberStretch], asked: PageAsked, query: Mapping[str, str]) -> CdrPage:
    """Return which numbers the page is that is *asked* for, of all that are *found*.

    Raises:
        OcpiRefusedError: If `after` is none of ours.
    """
    total = sum(each.length for each in found)
    behind = query.get(AFTER)
    rest = _behind(found, behind) if behind is not None else _from(found, asked.offset)
    stretches = []
    left = asked.limit
    for each in rest:
        high = min(each.high, each.low + left)
        if high > each.low:
            stretches.append(each._replace(high=high))
            left -= high - each.low
    return CdrPage(stretches, total)


def next_query(
    page: CdrPage, found: Sequence[NumberStretch], asked: PageAsked
) -> Mapping[str, str] | None:
    """Return how the next page is asked for; None: there is none."""
    if not page.stretches:
        return None
    last, end = page.stretches[-1], next(e for e in reversed(found) if e.length)
    if (last.party, last.high) == (end.party, end.high):
        return None
    length = sum(each.length for each in page.stretches)
    return {"offset": str(asked.offset + length), AFTER: f"{last.party}:{last.high}"}


def stretches_asked(parties: frozenset[str], asked: PageAsked) -> dict[str, Any]:
    """Return the parameters of STRETCHES."""
    return {
        "parties": sorted(parties),
        "date_from": asked.date_from,
        "date_to": asked.date_to,
    }


def _behind(found: Sequence[NumberStretch], cursor: str) -> list[NumberStretch]:
    matched = _CURSOR.fullmatch(cursor)
    if matched is None:
        message = f"{AFTER} must be what the link to the next page has"
        raise OcpiRefusedError.invalid(message)
    party, number = matched[1], int(matched[2])
    return [
        each._replace(low=max(each.low, number)) if each.party == party else each
        for each in found
        if each.party >= party
    ]


def _from(found: Sequence[NumberStretch], offset: int) -> list[NumberStretch]:
    rest = []
    for each in found:
        skipped = min(offset, each.length)
        offset -= skipped
        rest.append(each._replace(low=each.low + skipped))
    return rest
