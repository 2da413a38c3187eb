"""What a session costs, as its station is told, and where that is asked: the port `Prices`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple, Protocol

from ledger.log.event_log import Position
from ledger.master_data.assignments import SessionLimits
from ledger.payments.topping_up.credit import MoneySoFar

LOOK_SECONDS: Final = 0.02


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


class RunningTransaction(NamedTuple):
    """A transaction that goes on: what it costs so far, how far it is and how far it may go.

    `session` is the id of what it is in the books. The price is None where a person would have to
    decide about it if it ended now. `money`: what it may cost, where its payer has only so much.
    """

    session: str
    price: ShownPrice | None
    limits: SessionLimits
    energy_wh: Decimal | None
    started_at: datetime
    money: MoneySoFar | None = None


class PriceQuestion(NamedTuple):
    """A transaction of a station, and the line of the log up to which it is to be priced."""

    station_id: str
    transaction_ref: str
    at: Position
    received_at: datetime


class GoingOn(NamedTuple):
    """A transaction that goes on by what the books hold, and when it was heard of last."""

    transaction_ref: str
    heard_at: datetime


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

    async def so_far(self, line: PriceQuestion) -> RunningTransaction | None:
        """Return how far the transaction is, as far as is known now; None where nobody knows."""

    async def going_on(self, station_id: str, partition: int) -> Sequence[GoingOn]:
        """Return what goes on at a station, whose lines stand in that partition of the log."""


async def taken(prices: Prices, line: PriceQuestion) -> FinalPrice:
    """Return what *line* made of its transaction's price, once it was worked through."""
    while True:
        found = await prices.final(line)
        if found.is_taken:
            return found
        await asyncio.sleep(LOOK_SECONDS)


class WantedStop(NamedTuple):
    """A transaction that is to be stopped, of which session, why, and for the how-manieth time."""

    station_id: str
    protocol: str
    transaction_ref: str
    session: str
    why: str
    attempt: int


class Stops(Protocol):
    """Where transactions are stopped. Who asks for the same attempt again makes no second call."""

    async def stop(self, wanted: WantedStop) -> bool:
        """Have a transaction stopped; return whether its station said that it will."""
