"""Runs visits: moves them on, and calls the stations where they are to start, or to stop.

One process does at a time. A station is called outside every transaction, and what came of the call
is noted then; a kill between the two leaves a visit that is called again under the same id, and
hears what came of the first call.
"""

from __future__ import annotations

import asyncio
import logging
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
    WantedCall,
    WantedEnd,
    WantedStart,
)
from ledger.payments.visits.charged import charged_sessions
from ledger.payments.visits.kept import live_visits, note_call
from ledger.payments.visits.moving import MovedVisits, VisitStep, move_visits
from ledger.payments.visits.raising import HoldRaiser, PriceNow
from ledger.payments.visits.visit import CardVisit, VisitState
from ledger.persons.store import SPELT

LEASE: Final = "visits"
LEASE_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.5
"""A driver stands there and waits."""
CALL_SECONDS: Final = 30.0
AGAIN_SECONDS: Final = 30.0
"""After how long a station is told again to stop what goes on; twice as long each time."""
AGAIN_SECONDS_MAX: Final = 600.0
AT_ONCE: Final = 64
ERASED: Final = "erased"
_LOGGER: Final = logging.getLogger(__name__)


class _Call:
    """A call to a station that is to be made."""

    __slots__ = ("id", "session_id", "visit", "wanted")

    def __init__(
        self, visit: CardVisit, call_id: UUID, wanted: WantedCall, session_id: str = ""
    ) -> None:
        self.visit, self.id, self.wanted, self.session_id = visit, call_id, wanted, session_id


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
        self._dsn, self._calls, self._raiser = dsn, calls, HoldRaiser(price_now)
        self._now, self._holder = now, holder
        self._newest = NewestDeclarations()
        self._connection: Connection[Any] | None = None
        self._lease: Lease | None = None
        self._calling: dict[UUID, asyncio.Task[None]] = {}
        # Of sessions that are to end: how often that was said, and when it is said again.
        self._ending: dict[str, tuple[int, float]] = {}

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
        (moved, without_car), calls = await asyncio.to_thread(self._look)
        for visit in without_car[:AT_ONCE]:
            is_away = not await self._calls.is_connected(visit.station_id)
            no_car = partial(self._no_car, visit, is_away=is_away)
            moved += await asyncio.to_thread(no_car)
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

    def _look(self) -> tuple[MovedVisits, list[_Call]]:
        if self._connection is None:
            self._connection = connect(self._dsn)
        connection, now = self._connection, self._now()
        if self._lease is None:
            self._lease = take_lease(connection, LEASE, holder=self._holder, seconds=LEASE_SECONDS)
            if self._lease is None:
                return MovedVisits(0, []), []
        with connection.transaction():
            hold_lease(connection, self._lease, seconds=LEASE_SECONDS)
        declared = self._newest.of(connection)
        moved = move_visits(connection, declared, now)
        self._raiser.run_once(connection, declared, now)
        return moved, [*self._starts(connection), *self._ends(connection)]

    def _no_car(self, visit: CardVisit, *, is_away: bool) -> bool:
        if self._connection is None:
            return False
        declared = self._newest.of(self._connection)
        return VisitStep(self._connection, declared, self._now()).no_car(visit, is_away=is_away)

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
        open_now = [
            (visit, session)
            for visit in lost
            for session in charged.get(visit.number, ())
            if session.is_open
        ]
        known = {session.session_id for _, session in open_now}
        self._ending = {each: told for each, told in self._ending.items() if each in known}
        calls = []
        for visit, session in open_now:
            attempt, due_at = self._ending.get(session.session_id, (0, 0.0))
            if due_at <= monotonic():
                wanted = WantedEnd(session.transaction_ref)
                call_id = visit.ending_call(session.session_id, attempt)
                calls.append(_Call(visit, call_id, wanted, session.session_id))
        return calls[:AT_ONCE]

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
                # Whatever it says: while its session goes on nobody pays for it.
                attempt, _ = self._ending.get(call.session_id, (0, 0.0))
                pause = min(AGAIN_SECONDS * 2 ** min(attempt, 10), AGAIN_SECONDS_MAX)
                self._ending[call.session_id] = attempt + 1, monotonic() + pause
        except (psycopg.Error, LedgerError) as error:
            # It is made again, under the same id.
            _LOGGER.warning("%s waits for its station: %s", by, type(error).__name__)

    def _note(self, visit: CardVisit, result: str) -> None:
        with connect(self._dsn) as connection:
            note_call(connection, visit, result)
