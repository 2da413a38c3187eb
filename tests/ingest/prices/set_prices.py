"""A server whose prices a test sets, and a station that answers what it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from dataclasses import replace as dataclass_replace
from decimal import Decimal
from typing import Any

from ingest.directory import PriceTerms
from ingest.edge.server import DEFAULT_MANNERS, Manners
from ingest.prices.price import (
    FinalPrice,
    GoingOn,
    PriceQuestion,
    RunningTransaction,
    ShownPrice,
    Stops,
)
from ledger.log.envelope import Frame
from ledger.log.event_log import partition_of
from ledger.master_data.assignments import NO_LIMITS, SessionLimits
from ledger.payments.topping_up.credit import MoneySoFar
from tests.edge import PASSWORD, Edge, Station, open_edge
from tests.fakes import NOON, FixedDirectory

AT_END = PriceTerms(is_telling=True)
RUNNING = PriceTerms(is_telling=True, every_seconds=0.05)
QUICK = dataclass_replace(DEFAULT_MANNERS, price_seconds=0.3)


def euros(amount: str) -> ShownPrice:
    return ShownPrice(Decimal(amount), "EUR", NOON, Decimal(1500))


@dataclass
class SetPrices:
    """Prices that the test sets: the final one once `taken` is set, and the one so far."""

    last: ShownPrice | None = None
    now: ShownPrice | None = None
    taken: asyncio.Event = field(default_factory=asyncio.Event)
    failure: Exception | None = None
    asked: list[PriceQuestion] = field(default_factory=list)
    priced: int = 0
    gate: asyncio.Event | None = None
    limits: SessionLimits = NO_LIMITS
    energy_wh: Decimal | None = None
    money: MoneySoFar | None = None
    open: list[str] = field(default_factory=list)
    looked_up: int = 0

    async def going_on(self, station_id: str, partition: int) -> list[GoingOn]:
        assert (station_id, partition) == ("CP1", partition_of("CP1", partitions=4))
        self.looked_up += 1
        return [GoingOn(each, NOON) for each in self.open]

    async def final(self, line: PriceQuestion) -> FinalPrice:
        self.asked.append(line)
        if self.failure is not None:
            raise self.failure
        is_taken = self.taken.is_set()
        return FinalPrice(is_taken, self.last if is_taken else None)

    async def so_far(self, line: PriceQuestion) -> RunningTransaction | None:
        self.priced += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.now is None and self.limits == NO_LIMITS and self.money is None:
            return None
        return RunningTransaction(
            session=f"{line.station_id}/{line.transaction_ref}",
            price=self.now,
            limits=self.limits,
            energy_wh=self.energy_wh,
            started_at=NOON,
            money=self.money,
        )


def event(kind: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    info = {"transactionId": "tx-1"}
    return {"eventType": kind, "seqNo": 0, "transactionInfo": info, **more}


@asynccontextmanager
async def told(
    prices: SetPrices,
    terms: PriceTerms = AT_END,
    *,
    protocol: str = "ocpp2.0.1",
    manners: Manners = QUICK,
    stops: Stops | None = None,
) -> AsyncIterator[tuple[Edge, Station]]:
    directory = FixedDirectory({"CP1": PASSWORD}, terms=terms)
    opened = open_edge(directory=directory, prices=prices, manners=manners, stops=stops)
    async with opened as edge, edge.station(protocol=protocol) as station:
        yield edge, station


def ours(edge: Edge) -> list[Frame]:
    """Return our calls, but for what an end after an outage is asked."""
    out = [each for each in edge.frames() if each.direction == "out"]
    return [each for each in out if "GetTransactionStatus" not in each.frame]


async def answered(station: Station, result: Any = None) -> Any:  # noqa: ANN401 - any JSON
    """Take the next call to the station and answer it; return the call."""
    async with asyncio.timeout(60):
        call = station.asked.pop(0) if station.asked else await station.receive()
    await station.socket.send(json.dumps([3, call[1], {} if result is None else result]))
    return call
