"""Runs visits: moves them on, and calls the stations where they are to start, or to stop.

One process does at a time. A station is called outside every transaction, and what came of the call
is noted then; a kill between the two leaves a visit that is called again under the same id, and
hears what came of the first call.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from datetime import datetime
from functools import partial
from time import monotonic
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg import Connection

from ledger.database import connect
from ledger.declared.store import NewestDeclarations
from ledger.errors import LedgerError
from ledger.leases import Lease, LeaseLostError, hold_lease, leave, take_lease
from ledger.partners.station_calls import (
    StationCalls,
    StationResult,
    WantedCall,
    WantedEnd,
    WantedStart,
)
from ledger.payments.visits.charged import charged_sessions
from ledger.payments.visits.kept import live_visits, note_call
from ledger.payments.visits.moving import move_visits
from ledger.payments.visits.raising import PriceNow, raise_holds
from ledger.payments.visits.visit import CardVisit, VisitState
from ledger.persons.store import SPELT

LEASE: Final = "visits"
LEASE_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.5
"""A driver stands there and waits."""
CALL_SECONDS: Final = 30.0
AGAIN_SECONDS: Final = 30.0
"""After how long a station that is away is told again to stop."""
AT_ONCE: Final = 64
ERASED: Final = "erased"
_LOGGER: Final = logging.getLogger(__name__)


class _Call:
    """A call to a station that is to be made."""

    __slots__ = ("id", "visit", "wanted")

    def __init__(self, visit: CardVisit, call_id: UUID, wanted: WantedCall) -> None:
        self.visit, self.id, self.wanted = visit, call_id, wanted


class VisitRunner:
    """Runs visits for one process, while it holds the lease; *price_now* says what one costs."""

    def __init__(
        self,
        dsn: str,
        calls: StationCalls,
        price_now: PriceNow,
        now: Callable[[], datetime],
        holder: str,
    ) -> None:
        self._dsn, self._calls, self._price_now = dsn, calls, price_now
        self._now, self._holder = now, holder
        self._newest = NewestDeclarations()
        self._connection: Connection[Any] | None = None
        self._lease: Lease | None = None
        self._calling: dict[UUID, asyncio.Task[None]] = {}
        self._ended: dict[UUID, float] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Run visits until *stop* is set; what is under way is found again by the next."""
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                try:
                    await self.run_once()
                except (psycopg.Error, LeaseLostError) as error:
                    _LOGGER.warning("visits wait: %s", type(error).__name__)
                    await asyncio.to_thread(self._leave)
                await asyncio.wait({stopping}, timeout=LOOK_SECONDS)
        finally:
            stopping.cancel()
            await self.close()

    async def run_once(self) -> int:
        """Move visits on and begin the calls that follow; return how many were moved."""
        moved, calls = await asyncio.to_thread(self._look)
        self._calling = {key: task for key, task in self._calling.items() if not task.done()}
        for call in calls:
            if call.id not in self._calling and len(self._calling) < AT_ONCE:
                self._calling[call.id] = asyncio.create_task(self._call(call))
        return moved

    async def called(self) -> None:
        """Wait until the calls that are under way have come back."""
        await asyncio.gather(*self._calling.values())

    async def close(self) -> None:
        """End what is under way, and let another process go on."""
        for task in self._calling.values():
            task.cancel()
        await asyncio.gather(*self._calling.values(), return_exceptions=True)
        await asyncio.to_thread(self._leave)

    def _leave(self) -> None:
        connection, self._connection = self._connection, None
        lease, self._lease = self._lease, None
        leave(connection, lease)

    def _look(self) -> tuple[int, list[_Call]]:
        if self._connection is None:
            self._connection = connect(self._dsn)
        connection, now = self._connection, self._now()
        if self._lease is None:
            self._lease = take_lease(connection, LEASE, holder=self._holder, seconds=LEASE_SECONDS)
            if self._lease is None:
                return 0, []
        with connection.transaction():
            hold_lease(connection, self._lease, seconds=LEASE_SECONDS)
        declared = self._newest.of(connection)
        moved = move_visits(connection, declared, now)
        raise_holds(connection, declared, self._price_now, now)
        return moved, [*self._starts(connection), *self._ends(connection)]

    def _starts(self, connection: Connection[Any]) -> list[_Call]:
        """Return the calls that start visits, of which nothing is known yet."""
        calls = []
        starting = live_visits(connection, [VisitState.STARTING])
        for visit in (each for page in starting for each in page):
            if visit.called is not None or visit.starting_call in self._calling:
                continue
            row = connection.execute(SPELT, (visit.token_uid,)).fetchone()
            if row is None:
                note_call(connection, visit, ERASED)
                continue
            wanted = WantedStart(row[0], visit.evse_id)
            calls.append(_Call(visit, visit.starting_call, wanted))
        return calls

    def _ends(self, connection: Connection[Any]) -> list[_Call]:
        """Return the calls that end sessions of which nothing is held any more."""
        pages = live_visits(connection, [VisitState.CHARGING])
        lost = [each for page in pages for each in page if not each.held_minor]
        charged = charged_sessions(connection, lost)
        return [
            _Call(visit, visit.ending_call, WantedEnd(session.transaction_ref))
            for visit in lost
            if self._ended.get(visit.ending_call, 0.0) <= monotonic()
            for session in charged.get(visit.number, ())
            if session.is_open
        ][:AT_ONCE]

    async def _call(self, call: _Call) -> None:
        visit = call.visit
        by = f"visit {visit.number}"
        try:
            came = await self._calls.call(
                call.id, visit.station_id, call.wanted, by=by, seconds=CALL_SECONDS
            )
            if isinstance(call.wanted, WantedStart):
                note = partial(self._note, visit, came.result.value)
                await asyncio.to_thread(note)
            else:
                is_away = came.result is StationResult.FAILED
                self._ended[call.id] = monotonic() + AGAIN_SECONDS if is_away else math.inf
        except (psycopg.Error, LedgerError) as error:
            # It is made again, under the same id.
            _LOGGER.warning("%s waits for its station: %s", by, type(error).__name__)

    def _note(self, visit: CardVisit, result: str) -> None:
        with connect(self._dsn) as connection:
            note_call(connection, visit, result)
