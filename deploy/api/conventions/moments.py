"""Moments in a query: always with their zone."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from litestar.exceptions import ValidationException
from litestar.params import QueryParameter

Moment = Annotated[
    datetime | None,
    QueryParameter(
        description="With its zone: 2026-03-01T00:00:00Z", schema_extra={"format": "date-time"}
    ),
]


def with_zone(*moments: datetime | None) -> None:
    """See that all *moments* say their zone.

    Raises:
        ValidationException: If one says none: it would be a day off somewhere.
    """
    if any(each is not None and each.tzinfo is None for each in moments):
        message = "a moment has its zone: 2026-03-01T00:00:00Z"
        raise ValidationException(message)
