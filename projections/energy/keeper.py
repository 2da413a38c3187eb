"""Keeps the energy of stations up: takes in what came of each since it was counted last.

What came is noted in the transaction of its cause (table `energy_news`), and taken away in that of
its count: a kill leaves it counted or still to be counted. A station is counted from where it was
settled last (`projections.energy.chapters`), whoever counts it; two never count one at a time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal, localcontext
from typing import Any, Final, LiteralString

import msgspec
from psycopg import Connection

from ledger.declared.declarations import Declarations, Kind
from ledger.declared.store import load_declarations
from ledger.facts.flags import Flag
from ledger.facts.station_traits import StationTraits
from projections.balances.allotted import SessionDay, allotted
from projections.balances.energy import by_session
from projections.energy.carried import Carried, FactRow
from projections.energy.chapters import SESSIONS_MIN, Recounted, recounted
from projections.energy.tables import NAMELESS, KeptRow, KnownSession, SettledRow, StationTables
from tariffs.quantities import EXACT

_LOCK: Final = 0x656E6572
_BATCH: Final = 50
"""Chapters that are read at once, after the last one."""
_WAITING: LiteralString = """
SELECT station_id FROM energy_news WHERE %(station)s::text IS NULL OR station_id = %(station)s
GROUP BY station_id ORDER BY station_id
"""
_TAKE_NEWS: LiteralString = """
DELETE FROM energy_news WHERE station_id = %s RETURNING position, session_id
"""
_DECLARED: LiteralString = """
SELECT (SELECT version FROM energy_declared), (SELECT max(version) FROM declaration)
"""
_SAID_OF_PLACES: LiteralString = """
SELECT DISTINCT kind, key FROM declaration
WHERE version > %s AND version <= %s AND kind IN ('station', 'site', 'policy')
"""
_STATIONS: LiteralString = "SELECT station_id, traits, heard_at FROM energy_station"
_NAMED_STATIONS: LiteralString = _STATIONS + " WHERE station_id = ANY (%s)"
_KNOWN: LiteralString = "SELECT traits, heard_at FROM energy_station WHERE station_id = %s"
_KNOW: LiteralString = """
INSERT INTO energy_station (station_id, traits, heard_at) VALUES (%s, %s, %s)
ON CONFLICT (station_id) DO UPDATE SET traits = excluded.traits, heard_at = excluded.heard_at
"""
_CHAPTER_MAX: Final = 2**31 - 1

Progress = Callable[[int, int], None]
"""Told how many stations are done, and of how many."""


class _News:
    """What came of a station: facts from `position` on, sessions that `moved`; or all is new."""

    def __init__(self, rows: Iterable[tuple[int | None, str | None]]) -> None:
        rows = list(rows)
        self.positions = [position for position, _ in rows if position is not None]
        self.moved = {session_id for _, session_id in rows if session_id is not None}
        self.is_whole = any(position is None and moved is None for position, moved in rows)


class EnergyKeeper:
    """Counts stations on one connection, which is in no transaction."""

    def __init__(self, connection: Connection[Any], *, sessions_min: int = SESSIONS_MIN) -> None:
        self._connection, self._sessions_min = connection, sessions_min
        self._declarations = Declarations()

    def waiting(self, station_id: str | None = None) -> list[str]:
        """Return of which stations something came that is not counted yet: of all, or of one."""
        self._look_at_declarations()
        rows = self._connection.execute(_WAITING, {"station": station_id})
        return [station for (station,) in rows]

    def has_news(self, station_id: str) -> bool:
        """Whether something came of a station that is not counted yet."""
        return bool(self._connection.execute(_WAITING, {"station": station_id}).fetchall())

    def take_in(
        self,
        station_id: str | None = None,
        *,
        progress: Progress | None = None,
        is_over: Callable[[], bool] = lambda: False,
    ) -> int:
        """Count what came of every station, or of one; return how many had news.

        *is_over* is asked before each station whether to stop.
        """
        waiting = self.waiting(station_id)
        for number, station in enumerate(waiting):
            if is_over():
                return number
            if progress is not None:
                progress(number, len(waiting))
            self.count(station)
        return len(waiting)

    def count(self, station_id: str) -> None:
        """Count what came of a station, in a transaction of its own."""
        with self._alone(station_id), self._connection.transaction():
            self._connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            found = self._connection.execute(_TAKE_NEWS, (station_id,)).fetchall()
            if found:
                self._declarations = load_declarations(self._connection, known=self._declarations)
                with localcontext(EXACT):
                    self._count(StationTables(self._connection, station_id), station_id, found)

    def _look_at_declarations(self) -> None:
        """Have stations counted anew that master data says something else of than they had.

        Only stations, sites and policies do: a hundred thousand tokens are no reason to look.
        """
        [(known, newest)] = self._connection.execute(_DECLARED).fetchall()
        if newest is None or known >= newest:
            return
        with self._connection.transaction():
            self._connection.execute("SELECT FROM energy_declared FOR UPDATE")
            [(known, newest)] = self._connection.execute(_DECLARED).fetchall()
            rows = self._told_otherwise(known, newest)
            changed = [
                station
                for station, traits, heard_at in rows
                if _encoded(self._declarations.traits(station, heard_at)) != traits
            ]
            with self._connection.cursor() as cursor:
                cursor.executemany(
                    "INSERT INTO energy_news (station_id) VALUES (%s)", [(s,) for s in changed]
                )
            self._connection.execute("UPDATE energy_declared SET version = %s", (newest,))

    def _told_otherwise(self, known: int, newest: int) -> Sequence[tuple[str, str, datetime]]:
        """Return the stations of which something was said in versions after *known*."""
        said = self._connection.execute(_SAID_OF_PLACES, (known, newest)).fetchall()
        if not said:
            return []
        self._declarations = load_declarations(self._connection, known=self._declarations)
        is_wide = any(kind != Kind.STATION for kind, _ in said)
        query = _STATIONS if is_wide else _NAMED_STATIONS
        asked = () if is_wide else ([station for _, station in said],)
        return self._connection.execute(query, asked).fetchall()

    @contextmanager
    def _alone(self, station_id: str) -> Iterator[None]:
        """Hold the station: before the transaction, which sees what was committed by its start."""
        key = (_LOCK, station_id)
        self._connection.execute("SELECT pg_advisory_lock(%s, hashtext(%s))", key)
        try:
            yield
        finally:
            self._connection.execute("SELECT pg_advisory_unlock(%s, hashtext(%s))", key)

    def _count(
        self,
        tables: StationTables,
        station_id: str,
        found: Sequence[tuple[int | None, str | None]],
    ) -> None:
        news = _News(found)
        known = self._connection.execute(_KNOWN, (station_id,)).fetchone()
        is_whole = news.is_whole or known is None
        heard_at = tables.heard_at(0 if is_whole else min(news.positions, default=2**62))
        if known is not None and not is_whole:
            heard_at = max(known[1], heard_at) if heard_at else known[1]
        if heard_at is None:
            self._forget(tables, station_id)
            return
        traits = self._declarations.traits(station_id, heard_at)
        encoded = _encoded(traits)
        is_whole = is_whole or (known is not None and known[0] != encoded)
        moved = tables.sessions((), news.moved)
        counting = _Counting(tables, station_id, traits, news, moved, is_whole=is_whole)
        tables.sum_up(counting.run(self._sessions_min))
        self._connection.execute(_KNOW, (station_id, encoded, heard_at))

    def _forget(self, tables: StationTables, station_id: str) -> None:
        """Remove all of a station that told nothing: its facts were taken away."""
        days = tables.remove(0)
        tables.settle(0, ())
        tables.sum_up(days)
        self._connection.execute("DELETE FROM energy_station WHERE station_id = %s", (station_id,))


class _Counting:
    """One count of one station."""

    def __init__(
        self,
        tables: StationTables,
        station_id: str,
        traits: StationTraits,
        news: _News,
        moved: Sequence[KnownSession],
        *,
        is_whole: bool,
    ) -> None:
        self._tables, self._station, self._traits = tables, station_id, traits
        self._news, self._moved, self._is_whole = news, moved, is_whole
        self._known: dict[str, KnownSession] = {}

    def run(self, sessions_min: int) -> set[date]:
        """Count, and keep what comes of it; return the days that may have changed."""
        moved = self._settled_rows()
        counted = recounted(
            self._station,
            self._tables.rows,
            self._traits,
            () if self._is_whole else self._chapters(moved),
            first=self._first,
            sessions_min=sessions_min,
        )
        days = self._tables.remove(counted.begins)
        self._tables.settle(
            counted.begins,
            [(each.number, each.later) for each in counted.chapters if each.later is not None],
        )
        for chapter in counted.chapters:
            self._tables.add_days(chapter.number, chapter.days)
            days |= {day.day for day in chapter.days}
        rows = [*self._rows(counted)]
        before = {key: some for key, some in moved.items() if some[0].chapter < counted.begins}
        if before:
            days |= self._replace(before, counted.begins)
            rows += self._again(before)
        self._tables.add_sessions(rows)
        return days | {row.part.day for row in rows}

    def _settled_rows(self) -> dict[tuple[str, str], list[SettledRow]]:
        """Return what is kept of the transactions of sessions that moved, by `_key`."""
        wanted = {_key(each.transaction_ref, each.session_id) for each in self._moved}
        found: defaultdict[tuple[str, str], list[SettledRow]] = defaultdict(list)
        for row in self._tables.kept({reference for reference, _ in wanted}):
            key = _key(row.transaction_ref, row.session_id)
            if key in wanted:
                found[key].append(row)
        return dict(found)

    def _chapters(
        self, moved: dict[tuple[str, str], list[SettledRow]]
    ) -> Iterator[tuple[int, Carried]]:
        """Yield the settled chapters that may be gone on from, the latest first."""
        position = min(self._news.positions, default=2**62)
        # Who has a register first hangs on what is decided; what has no row yet is to get one.
        opened = min(
            (row.chapter for some in moved.values() for row in some if row.is_shared),
            default=_CHAPTER_MAX,
        )
        rowless = [
            each.last_fact_at
            for each in self._moved
            if _key(each.transaction_ref, each.session_id) not in moved
        ]
        since = min(rowless, default=None)
        before, limit = _CHAPTER_MAX, 1
        while chapters := self._tables.chapters(before, limit=limit):
            for number, carried in chapters:
                is_before = carried.position <= position and number < opened
                if is_before and (since is None or carried.at < since):
                    yield number, carried
            before, limit = chapters[-1][0], _BATCH

    def _first(self, rows: Sequence[FactRow]) -> Collection[str]:
        references = {row.transaction_ref for row in rows}.difference(NAMELESS)
        known = self._tables.sessions(references)
        self._known |= {each.session_id: each for each in known}
        return self._tables.ratings(each.session_id for each in known)

    def _rows(self, counted: Recounted) -> Iterator[KeptRow]:
        """Yield what became of the sessions of the chapters that were counted."""
        carried = counted.counted.carried
        if self._is_whole or carried is None:
            known = self._tables.all_sessions()
        else:
            references = {row.transaction_ref for row in counted.counted.rows}
            known = self._tables.sessions(references.difference(NAMELESS))
            known += self._tables.nameless_sessions(carried.at)
        days = [day for chapter in counted.chapters for day in chapter.days]
        drawn, shared = by_session(days)
        parts = self._allotted(drawn, shared, known)
        worker = {each.session_id: each for each in known}
        folded = {each.session_id: each for each in counted.counted.rises.sessions}
        chapters = {
            session_id: chapter.number
            for chapter in counted.chapters
            for day in chapter.days
            for session_id in day.sessions
        }
        for part in parts:
            session = folded.get(part.session_id)
            if session is not None:
                reference = session.transaction_ref
            else:
                reference = worker[part.session_id].transaction_ref
            chapter = chapters.get(part.session_id)
            if chapter is None:
                chapter = counted.chapter_at(reference, worker[part.session_id].last_fact_at)
            yield KeptRow(
                transaction_ref=reference,
                chapter=chapter,
                is_shared=session is not None and Flag.REGISTER_SHARED in session.flags,
                is_told=part.session_id in drawn,
                part=part,
            )

    def _replace(self, moved: dict[tuple[str, str], list[SettledRow]], begins: int) -> set[date]:
        references = {reference for reference, _ in moved}
        return self._tables.remove_sessions(
            references, {session_id for _, session_id in moved if session_id}, begins
        )

    def _again(self, moved: dict[tuple[str, str], list[SettledRow]]) -> Iterator[KeptRow]:
        """Yield what became of sessions that moved, though nothing was told of them."""
        references = [reference for reference, session_id in moved if not session_id]
        known = self._tables.sessions(references, [key[1] for key in moved if key[1]])
        drawn: defaultdict[str, dict[date, Decimal]] = defaultdict(dict)
        shared: defaultdict[str, dict[date, Decimal]] = defaultdict(dict)
        chapters: dict[tuple[str, str], int] = {}
        keys = {each.session_id: _key(each.transaction_ref, each.session_id) for each in known}
        for key, rows in moved.items():
            chapters[key] = rows[0].chapter
            for row in rows:
                if row.is_told:
                    keys[row.session_id] = key
                    drawn[row.session_id][row.day] = row.drawn_wh
                    shared[row.session_id][row.day] = row.shared_wh
        for part in self._allotted(drawn, shared, known):
            key = keys[part.session_id]
            yield KeptRow(
                transaction_ref=key[0],
                chapter=chapters[key],
                is_shared=False,
                is_told=part.session_id in drawn,
                part=part,
            )

    def _allotted(
        self,
        drawn: Mapping[str, Mapping[date, Decimal]],
        shared: Mapping[str, Mapping[date, Decimal]],
        known: Sequence[KnownSession],
    ) -> Iterator[SessionDay]:
        rated = self._tables.ratings(each.session_id for each in known)
        return allotted(
            drawn,
            shared,
            states={each.session_id: each.state for each in known if each.state != "replaced"},
            rated=rated,
            invoiced=self._tables.documented(rated),
            time_zone=self._traits.time_zone,
        )


def _key(reference: str, session_id: str) -> tuple[str, str]:
    """Return what is decided about together: a transaction, or what names none."""
    return (reference, session_id if reference in NAMELESS else "")


def _encoded(traits: StationTraits) -> str:
    return msgspec.json.encode(traits).decode()
