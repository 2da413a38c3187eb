"""Moments in a query: always with their zone."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from litestar.exceptions import ValidationException
from litestar.params import QueryParameter

Moment = Annotated[
    str | None,
    QueryParameter(
        max_length=40,
        description="With its zone: 2026-03-01T00:00:00Z",
        schema_extra={"format": "date-time"},
    ),
]
_Zoned = Annotated[datetime, msgspec.Meta(tz=True)]


def moment_in(text: str | None) -> datetime | None:
    """Return the moment that a query says; None: it says none.

    Raises:
        ValidationException: If it is none, or says no zone: it would be a day off somewhere.
    """
    if text is None:
        return None
    try:
        return msgspec.convert(text, _Zoned, strict=True)
    except msgspec.ValidationError as error:
        message = f"{text!r} is no moment with its zone, as 2026-03-01T00:00:00Z is"
        raise ValidationException(message) from error
