"""Bring back to mind what a record may change: rows of sessions, and stored facts.

It decides nothing: how much is in mind already, by chance or by a larger group, shows in no result.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg import Connection

from ledger.facts.flags import Flag
from ledger.facts.station_facts import ConnectorStatusChanged, StationFact
from ledger.facts.station_traits import StationTraits
from ledger.rating.decisions import Moment
from ledger.sessions.overlap import overlapping
from ledger.sessions.segments import AN_INSTANT, dated
from ledger.sessions.session import ChargingSession
from ledger.sessions.states import SessionState
from ledger.sessions.told import place_of_status
from ledger.worker.fact_shelf import FactShelf, TransactionKey
from ledger.worker.judging.at_rest import Extents
from ledger.worker.judging.extent import Extent, horizon_of_rows
from ledger.worker.judging.findings import Findings
from ledger.worker.live_folds import LiveFolds
from ledger.worker.loose_facts import NO_TRANSACTION
from ledger.worker.session_rows import RECENT, SessionRow
from ledger.worker.station_memory import StationMemory
from ledger.worker.stored.session_store import (
    load_after,
    load_beside,
    load_lying_at,
    load_next,
    load_sessions,
    load_since,
    load_stations,
)

Named = Mapping[str, Mapping[str, Sequence[StationFact]]]
"""Facts of records by station and transaction."""


class Recollection:
    """Reads rows into the memories of stations, and facts onto the shelf."""

    def __init__(
        self,
        connection: Connection[Any],
        shelf: FactShelf,
        findings: Findings,
        folds: LiveFolds,
        traits: Callable[[str, datetime], StationTraits],
    ) -> None:
        self._connection, self._shelf, self._findings = connection, shelf, findings
        self._folds, self._traits = folds, traits

    def recall(
        self, memories: Mapping[str, StationMemory], wanted: Mapping[TransactionKey, datetime]
    ) -> None:
        """Bring back the sessions that what is dated so belongs to, and later ones, however old."""
        if not wanted:
            return
        rows: defaultdict[str, list[SessionRow]] = defaultdict(list)
        for row in load_since(self._connection, wanted):
            if row.session_id not in self._findings.gone:
                rows[row.station_id].append(row)
        dates: defaultdict[str, dict[str, datetime]] = defaultdict(dict)
        for (station_id, transaction), at in wanted.items():
            dates[station_id][transaction] = at
        for station_id, transactions in dates.items():
            memories[station_id].learn(rows[station_id], transactions)

    def prefetch(
        self, memories: Mapping[str, StationMemory], named: Named, since: datetime
    ) -> None:
        """Read the stored facts of the *named* stations at once; `judge` reads the rest."""
        wanted: dict[TransactionKey, datetime] = {}
        for station_id, facts in named.items():
            live, memory = self._folds.get(station_id), memories[station_id]
            traits = self._traits(station_id, since)
            dates = _dates(memory, facts, traits)
            horizon = horizon_of_rows(since - RECENT, memory.unfinished)
            # An open fold hardly lacks anything but what is named; `judge` reads what it does.
            found: Mapping[str, Extent] = {key: Extent([], at, at) for key, at in dates.items()}
            if live is None:
                found = memory.extents(dates, since)
            for transaction, extent in found.items():
                begins = live.lacks(transaction, extent) if live else extent.told_from
                if begins is not None:
                    wanted[station_id, transaction] = extent.received_since(begins)
            if live is None:
                wanted[station_id, NO_TRANSACTION] = horizon.whole_since
        self._shelf.fetch(wanted.items())

    def extent(
        self,
        station_id: str,
        memory: StationMemory,
        named: Mapping[str, Sequence[StationFact]],
        moment: Moment,
    ) -> Extents:
        """Return which transactions take part and how far back; have all their rows in mind."""
        traits = self._traits(station_id, moment.at)
        begun = [row.first_fact_at for row in memory.unfinished]
        since = min([moment.at - RECENT, *begun])
        if since < memory.since:
            rows = load_stations(self._connection, [station_id], since=since)
            memory.absorb((r for r in rows if r.session_id not in self._findings.gone), since)
        while True:
            dates = _dates(memory, named, traits)
            extent = memory.extents(dates, moment.at)
            lacking = memory.lacking(extent)
            if not lacking:
                return extent
            wanted = {(station_id, transaction): at for transaction, at in lacking.items()}
            self.recall({station_id: memory}, wanted)

    def beside(
        self, session: ChargingSession, memory: StationMemory, moment: Moment
    ) -> ChargingSession:
        """Return the session, held where one of long ago has a part of its register.

        Those of its own transaction, of the last hours and unfinished ones the fold lays beside it;
        where none of them came before, the last one there may have been yesterday.
        """
        window, ended_at = session.window, session.ended_at
        if ended_at is None or window is None or window.place is None:
            return session
        live = self._folds.get(session.station_id)
        if window.starts_at >= moment.at - RECENT and live and live.has_before(window):
            return session
        station_id, place = session.station_id, window.place
        stored = load_beside(self._connection, station_id, place, ended_at)
        if ended_at < moment.at - RECENT:  # what began after it may be out of mind, too
            stored += load_next(self._connection, station_id, place, ended_at - AN_INSTANT)
        # Of the thousands that may be in mind hardly any is not stored as it is there.
        rows = {row.session_id: memory.rows.get(row.session_id, row) for row in stored}
        rows |= self._findings.changed_at(station_id)
        lies = [
            row.lies
            for row in rows.values()
            if row.transaction_ref != session.transaction_ref
            and row.state is not SessionState.REPLACED
            and row.session_id not in self._findings.gone
        ]
        around = [window, *(each for each in lies if each and each.place == window.place)]
        around.sort(key=lambda each: each.starts_at)
        is_shared = around.index(window) in overlapping(around)
        return session.flagged(Flag.REGISTER_SHARED) if is_shared else session

    def after(self, row: SessionRow, memory: StationMemory) -> Iterator[SessionRow]:
        """Yield those that began after it at its place, stored or in mind, and others in mind."""
        stored = {each.session_id: each for each in load_after(self._connection, row)}
        known = stored | memory.rows
        yield from (each for key, each in known.items() if key not in self._findings.gone)

    def over_at(
        self, memory: StationMemory, state: ConnectorStatusChanged, at: datetime
    ) -> set[str]:
        """Return the transactions whose sessions were over before a *state* came that is of theirs.

        It comes late; nearly every state is of now, and dated after all that is over.
        """
        place = place_of_status(state)
        if place is None or state.charging_state is None:
            return set()
        dated_at = dated(state, self._traits(state.station_id, at))
        lying = memory.lying_at(place, dated_at)
        if dated_at < memory.since:
            stored = load_lying_at(self._connection, state.station_id, place, dated_at)
            lying += [row for row in stored if row.session_id not in memory.rows]
        return {
            row.transaction_ref
            for row in lying
            if row.state is not SessionState.REPLACED and row.session_id not in self._findings.gone
        }

    def sessions(self, memory: StationMemory, session_ids: Iterable[str]) -> None:
        """Bring back rows by their own ids, as of stops that name no transaction."""
        unknown = list(session_ids)
        for row in load_sessions(self._connection, unknown) if unknown else ():
            if row.session_id not in self._findings.gone:
                memory.hold(row)


def _dates(
    memory: StationMemory, named: Mapping[str, Sequence[StationFact]], traits: StationTraits
) -> dict[str, datetime]:
    """Return since when sessions of the transactions in *named* are concerned."""
    return {
        transaction: memory.date(facts, transaction, traits)
        for transaction, facts in named.items()
        if transaction != NO_TRANSACTION
    }
