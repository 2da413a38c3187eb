"""Lists in pages: how many, and from where the next ones go on."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, TypeVar

import msgspec
from litestar.exceptions import HTTPException
from litestar.params import QueryParameter

T = TypeVar("T")
LIMIT: Final = 50
LIMIT_MAX: Final = 1_000
Limit = Annotated[int, QueryParameter(ge=1, le=LIMIT_MAX, description="At most so many")]
Cursor = Annotated[
    str | None, QueryParameter(max_length=4_000, description="`next` of the page before")
]


class BadCursorError(HTTPException):
    """A cursor that no page gave."""

    status_code = 404

    def __init__(self) -> None:
        super().__init__(detail="this cursor is of no page: leave it out for the first one")


def cursor_of(key: object) -> str:
    """Return the cursor of what follows *key*."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode()


def cut(
    found: Sequence[T], limit: int, key: Callable[[T], object]
) -> tuple[Sequence[T], str | None]:
    """Return the first *limit* and the cursor of what follows them, None where nothing does.

    *found* has one more than a page, if there is one.
    """
    shown = found[:limit]
    return shown, cursor_of(key(shown[-1])) if len(found) > limit else None


def key_of(cursor: str, kind: Any) -> Any:  # noqa: ANN401 - the key of a page
    """Return the key in a *cursor*, which is a *kind*.

    Raises:
        BadCursorError: If it is none.
    """
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(cursor), type=kind)
    except (binascii.Error, ValueError, UnicodeError) as error:
        raise BadCursorError from error
