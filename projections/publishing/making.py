"""Events as they are made: where they stand, and how numbers and moments are told."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec

from projections.publishing.event_types import DecisionEvent
from tariffs.currencies import currency_exponent
from tariffs.quantities import minor_text, plain

_ENCODER: Final = msgspec.json.Encoder()


class Numbered(NamedTuple):
    """Where a decision stands: who numbered it, and its number there."""

    source: str
    number: int


def make_event(
    event_type: type[DecisionEvent],
    body: msgspec.Struct,
    *,
    numbered: Numbered,
    key: str,
    decided_at: datetime,
    sha256: str,
) -> DecisionEvent:
    """Return the event of that type with *body*, which must be of the type's own."""
    made: Any = event_type
    event: DecisionEvent = made(
        id=f"{numbered.source}/{numbered.number}",
        schema=event_type.version,
        source=numbered.source,
        number=numbered.number,
        key=key,
        decided_at=in_utc(decided_at),
        sha256=sha256,
        body=body,
    )
    return event


def in_utc(moment: datetime) -> datetime:
    """Return *moment* as events tell it."""
    return moment.astimezone(UTC)


def numeral(number: Decimal) -> str:
    """Return *number* as events tell it: all digits, no exponent, no zeros for nothing."""
    return f"{plain(number):f}"


def amount(minor: int, currency: str) -> str:
    """Return *minor* units of *currency* as events tell them: 1230 of EUR are "12.30"."""
    return minor_text(minor, currency_exponent(currency))


def encode_event(event: DecisionEvent) -> bytes:
    """Return *event* as JSON."""
    return _ENCODER.encode(event)
