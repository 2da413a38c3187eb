"""Sessions of partners' drivers while they last: told at the start, and on change now and then.

A look takes the sessions of which something was heard since the last one, and folds the stations
where they are: what is going on there, not what is long decided. Whose driver it is, the session
itself says; the others are remembered by their ids alone, while they last.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString, NamedTuple

import psycopg
from msgspec.structs import replace
from psycopg import Connection

from ledger.database import connect
from ledger.declared.store import NewestDeclarations
from ledger.leases import Lease, LeaseLostError, hold_lease, leave, take_lease
from ledger.rating.allowances import ReadAllowances
from ledger.rating.entitlements import Entitlements
from ledger.worker.session_rows import RECENT
from ledger.worker.station_now import StationNow, station_now
from roaming_ocpi.sessions.rows import keep_session
from roaming_ocpi.sessions.running import PartnersSession, running_session
from roaming_ocpi.sessions.told import SessionStatus, decode_told

LEASE: Final = "roaming_sessions"
LEASE_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 2.0
_LOGGER: Final = logging.getLogger(__name__)

_UNFINISHED: LiteralString = """
SELECT session_id, station_id, last_fact_at, heard_at FROM unfinished_session
WHERE token_uid IS NOT NULL AND NOT is_refused
"""
_TOLD: LiteralString = """
SELECT session_id, sign, last_updated FROM roaming_session WHERE status = 'ACTIVE'
"""
# Nothing is billed for it: it was dissolved into others, or a person wrote it off.
_GONE: LiteralString = """
SELECT told.party, told.body FROM roaming_session AS told JOIN session USING (session_id)
WHERE told.status = 'ACTIVE' AND session.state IN ('replaced', 'written_off')
"""


class _Unfinished(NamedTuple):
    session_id: str
    station_id: str
    last_fact_at: datetime
    heard_at: datetime


class _Told(NamedTuple):
    """Up to which sign a partner was told of a session, when, and how often it wants to be."""

    sign: datetime | None
    at: datetime
    every: timedelta = timedelta(0)


class LiveSessions:
    """Tells partners of sessions, for one process, while it holds the lease.

    Args:
        dsn: The database.
        holder: What this process is called.
        now: The product's clock.
    """

    def __init__(self, dsn: str, *, holder: str, now: Callable[[], datetime]) -> None:
        self._dsn, self._holder, self._now = dsn, holder, now
        self._newest = NewestDeclarations()
        self._told: dict[str, _Told] | None = None
        self._of_others: set[str] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Tell partners until *stop* is set. A database that is away is tried again."""
        while not stop.is_set():
            try:
                await self._lead(stop)
            except (psycopg.OperationalError, LeaseLostError) as error:
                _LOGGER.warning("partners are not told of sessions for now: %s", error)
                await _pause(stop)

    async def _lead(self, stop: asyncio.Event) -> None:
        connection = await asyncio.to_thread(connect, self._dsn)
        lease: Lease | None = None
        self._told = None
        try:
            while not stop.is_set():
                lease = lease or await asyncio.to_thread(
                    take_lease, connection, LEASE, holder=self._holder, seconds=LEASE_SECONDS
                )
                if lease is not None:
                    await asyncio.to_thread(self.look, connection, lease)
                await _pause(stop)
        finally:
            await asyncio.to_thread(leave, connection, lease)

    def look_once(self) -> int:
        """Tell what is new by now, unless another process does; return of how many sessions."""
        lease: Lease | None = None
        connection = connect(self._dsn)
        try:
            lease = take_lease(connection, LEASE, holder=self._holder, seconds=LEASE_SECONDS)
            return 0 if lease is None else self.look(connection, lease)
        finally:
            leave(connection, lease)

    def look(self, connection: Connection[Any], lease: Lease) -> int:
        """Tell what is new since the last look; return of how many sessions.

        Raises:
            LeaseLostError: If another process took the lease.
        """
        now = self._now()
        with connection.transaction():
            hold_lease(connection, lease, seconds=LEASE_SECONDS)
            self._end_what_is_gone(connection, now)
        unfinished = [_Unfinished(*row) for row in connection.execute(_UNFINISHED)]
        told = self._told_of(connection)
        self._forget({each.session_id for each in unfinished})
        by_station: dict[str, list[_Unfinished]] = defaultdict(list)
        for each in unfinished:
            if self._is_due(each, told, now):
                by_station[each.station_id].append(each)
        return sum(
            self._tell(connection, lease, station, due, now) for station, due in by_station.items()
        )

    def _told_of(self, connection: Connection[Any]) -> dict[str, _Told]:
        if self._told is None:
            rows = connection.execute(_TOLD)
            self._told = {session: _Told(sign, at) for session, sign, at in rows}
        return self._told

    def _is_due(self, each: _Unfinished, told: dict[str, _Told], now: datetime) -> bool:
        if each.session_id in self._of_others:
            return False
        last = told.get(each.session_id)
        if last is None:
            return True
        return last.sign != each.last_fact_at and now - last.at >= last.every

    def _forget(self, unfinished: set[str]) -> None:
        self._of_others &= unfinished
        if self._told is not None:
            self._told = {key: told for key, told in self._told.items() if key in unfinished}

    def _tell(
        self,
        connection: Connection[Any],
        lease: Lease,
        station: str,
        due: Sequence[_Unfinished],
        now: datetime,
    ) -> int:
        """Tell of the sessions *due* at a station; one that cannot be folded hides no other."""
        count = 0
        found = self._folded(connection, station, max(each.heard_at for each in due))
        validations = {row.session_id: tuple(row.validations) for row in found.unfinished}
        for each in due:
            session = found.sessions.get(each.session_id)
            if session is None:
                continue
            entitled = Entitlements(
                validations=validations[each.session_id], allowances=ReadAllowances(connection)
            )
            running = running_session(session, self._newest.of(connection), entitled)
            if running is not None:
                count += self._keep(connection, lease, running, each, now)
            elif session.started_at is not None:
                self._of_others.add(each.session_id)
        return count

    def _keep(
        self,
        connection: Connection[Any],
        lease: Lease,
        running: PartnersSession,
        each: _Unfinished,
        now: datetime,
    ) -> bool:
        with connection.transaction():
            hold_lease(connection, lease, seconds=LEASE_SECONDS)
            is_news = keep_session(
                connection,
                running.party,
                running.told,
                now=now,
                sign=each.last_fact_at,
                is_sent=running.partner.live_sessions,
            )
        assert self._told is not None, "read before anything is due"
        every = timedelta(seconds=running.partner.session_every_s)
        self._told[each.session_id] = _Told(each.last_fact_at, now, every)
        return is_news

    def _folded(self, connection: Connection[Any], station: str, heard_at: datetime) -> StationNow:
        known = self._newest.of(connection)
        try:
            return station_now(connection, known, station, heard_at - RECENT)
        except psycopg.Error:
            raise
        except Exception:
            _LOGGER.exception("what goes on at %s cannot be told to partners", station)
            return StationNow([], {}, 0)

    def _end_what_is_gone(self, connection: Connection[Any], now: datetime) -> None:
        for party, body in connection.execute(_GONE).fetchall():
            told = replace(decode_told(body), status=SessionStatus.INVALID, total=None, periods=())
            keep_session(connection, party, told, now=now)


async def _pause(stop: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(LOOK_SECONDS):
            await stop.wait()
