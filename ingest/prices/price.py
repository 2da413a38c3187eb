"""What a session costs, as its station is told, and where that is asked: the port `Prices`."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, Protocol

from ledger.log.event_log import Position


class ShownPrice(NamedTuple):
    """What a session costs, taxes included, with the decimals of its currency.

    Of one that goes on: until which sign of it, what its register showed then (Wh), and whether
    its vehicle only stands there.
    """

    gross: Decimal
    currency: str
    until: datetime
    register_wh: Decimal | None = None
    is_idle: bool = False


class PriceQuestion(NamedTuple):
    """A transaction of a station, and the line of the log up to which it is to be priced."""

    station_id: str
    transaction_ref: str
    at: Position
    received_at: datetime


class FinalPrice(NamedTuple):
    """What a line made of a transaction's price; None: it has none (yet).

    `is_taken`: the line was worked through. Until then nothing is known.
    """

    is_taken: bool
    price: ShownPrice | None = None


class Prices(Protocol):
    """Where prices are asked; it may take its time, and raises nothing but psycopg's errors."""

    async def final(self, line: PriceQuestion) -> FinalPrice:
        """Return at what the session is rated that *line* ends, as far as that is known now."""

    async def so_far(self, line: PriceQuestion) -> ShownPrice | None:
        """Return what the session costs so far, as far as is known now; None where nobody knows."""
