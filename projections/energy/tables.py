"""The tables of the energy that is kept up: what a count reads of them, and what it writes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, LiteralString, NamedTuple

import msgspec
from psycopg import Connection

from ledger.facts.station_facts import NO_ID
from ledger.facts.stored import unpack_facts
from ledger.rating.decisions import SessionRated
from ledger.rating.stored import unpack_decision
from projections.balances.allotted import SessionDay
from projections.balances.documented import documented_wh
from projections.balances.station_energy import DayEnergy
from projections.energy.carried import Carried, FactRow

NAMELESS: Final = ("", NO_ID)
_ALL_FACTS: LiteralString = """
SELECT transaction_ref, position, facts FROM fact WHERE station_id = %s ORDER BY position
"""
_FACTS_SINCE: LiteralString = """
SELECT transaction_ref, position, facts FROM fact WHERE station_id = %s AND position >= %s
ORDER BY position
"""
_FACTS_BETWEEN: LiteralString = """
SELECT transaction_ref, position, facts FROM fact
WHERE station_id = %s AND position >= %s AND position < %s ORDER BY position
"""
_NAMELESS_BEFORE: LiteralString = """
SELECT transaction_ref, position, facts FROM fact
WHERE station_id = %s AND transaction_ref = ANY (%s) AND received_until >= %s AND position < %s
ORDER BY position
"""
_AROUND: LiteralString = """
SELECT (
    SELECT carried FROM energy_chapter
    WHERE station_id = %(station)s AND at < %(first)s ORDER BY at DESC LIMIT 1
), (
    SELECT position FROM energy_chapter
    WHERE station_id = %(station)s AND at >= %(last)s ORDER BY at LIMIT 1
)
"""
_LAST_HEARD: LiteralString = """
SELECT received_until FROM fact WHERE station_id = %s AND position <= %s
ORDER BY position DESC LIMIT 1
"""
_IS_KNOWN: LiteralString = """
SELECT EXISTS (
    SELECT FROM fact WHERE station_id = %s AND transaction_ref = ANY (%s) AND position < %s
)
"""
_HEARD: LiteralString = """
SELECT max(received_until) FROM fact WHERE station_id = %s AND position >= %s
"""
_CHAPTERS: LiteralString = """
SELECT chapter, carried FROM energy_chapter WHERE station_id = %s AND chapter < %s
ORDER BY chapter DESC LIMIT %s
"""
_SESSIONS: LiteralString = """
SELECT session_id, transaction_ref, state, last_fact_at FROM session
WHERE station_id = %s AND (transaction_ref = ANY (%s) OR session_id = ANY (%s))
"""
_ALL_SESSIONS: LiteralString = """
SELECT session_id, transaction_ref, state, last_fact_at FROM session WHERE station_id = %s
"""
_NAMELESS_SESSIONS: LiteralString = """
SELECT session_id, transaction_ref, state, last_fact_at FROM session
WHERE station_id = %s AND transaction_ref = ANY (%s) AND last_fact_at > %s
"""
_RATINGS: LiteralString = """
SELECT body FROM final_decision
WHERE session_id = ANY (%s) AND kind IN ('rated', 'released', 'corrected')
"""
_ROWS_OF: LiteralString = """
SELECT transaction_ref, session_id, day, chapter, drawn_wh, shared_wh, is_shared, is_told
FROM session_energy WHERE station_id = %s AND transaction_ref = ANY (%s)
"""
_REMOVED: Sequence[LiteralString] = (
    "DELETE FROM register_day WHERE station_id = %s AND chapter >= %s RETURNING day",
    "DELETE FROM session_energy WHERE station_id = %s AND chapter >= %s RETURNING day",
)
_REPLACED: LiteralString = """
DELETE FROM session_energy WHERE station_id = %s AND transaction_ref = ANY (%s)
  AND chapter < %s AND (NOT transaction_ref = ANY (%s) OR session_id = ANY (%s)) RETURNING day
"""
_THINNED: LiteralString = """
DELETE FROM energy_chapter WHERE station_id = %s AND (
    chapter >= %s OR (chapter < %s AND chapter %% 4 <> 0)
)
"""
_SETTLE: LiteralString = """
INSERT INTO energy_chapter (station_id, chapter, at, position, carried) VALUES (%s, %s, %s, %s, %s)
"""
_KEPT_CLOSE: Final = 8
"""So many of the last chapters can be opened again each, of those before every fourth."""
_REGISTER_COPY: LiteralString = """
COPY register_day (station_id, chapter, day, metered_wh, taken_wh, unattributed_wh) FROM STDIN
"""
_SESSION_COPY: LiteralString = """
COPY session_energy (station_id, transaction_ref, session_id, day, chapter, drawn_wh, shared_wh,
    is_shared, is_told, state, decided_as, billed_wh, free_wh, late_wh, invoiced_wh,
    no_invoice_wh) FROM STDIN
"""
_SUMS: LiteralString = """
metered_wh, billed_wh, free_wh, held_for_decision_wh, waiting_wh, open_wh, written_off_wh,
unattributed_wh, late_wh, dropped_wh, invoiced_wh, no_invoice_wh
"""
_DAYS: LiteralString = """
WITH gone AS (
    DELETE FROM energy_day WHERE station_id = %(station)s AND day = ANY (%(days)s)
), part AS (
    SELECT day, metered_wh, 0 AS billed_wh, 0 AS free_wh, '' AS state, 0 AS unpaid_wh,
           unattributed_wh, 0 AS late_wh, metered_wh - taken_wh AS dropped_wh,
           0 AS invoiced_wh, 0 AS no_invoice_wh
    FROM register_day WHERE station_id = %(station)s AND day = ANY (%(days)s)
    UNION ALL
    SELECT day, 0, billed_wh, free_wh, state,
           CASE WHEN decided_as IS NULL THEN drawn_wh - shared_wh ELSE 0 END, late_wh, late_wh, 0,
           invoiced_wh, no_invoice_wh
    FROM session_energy WHERE station_id = %(station)s AND day = ANY (%(days)s)
)
SELECT day, sum(metered_wh), sum(billed_wh), sum(free_wh),
    coalesce(sum(unpaid_wh) FILTER (WHERE state = 'held'), 0),
    coalesce(sum(unpaid_wh) FILTER (WHERE state NOT IN ('held', 'open', 'written_off')), 0),
    coalesce(sum(unpaid_wh) FILTER (WHERE state = 'open'), 0),
    coalesce(sum(unpaid_wh) FILTER (WHERE state = 'written_off'), 0),
    sum(unattributed_wh), sum(late_wh), sum(dropped_wh), sum(invoiced_wh), sum(no_invoice_wh)
FROM part GROUP BY day
"""
_DAY_COPY: LiteralString = "COPY energy_day (station_id, day," + _SUMS + ") FROM STDIN"
_MONTHS: LiteralString = """
WITH wanted AS (
    SELECT DISTINCT date_trunc('month', day)::date AS month FROM unnest(%(days)s::date[]) AS day
), gone AS (
    DELETE FROM energy_month
    WHERE station_id = %(station)s AND month IN (SELECT month FROM wanted)
)
SELECT month, count(*), count(*) FILTER (
        WHERE metered_wh - dropped_wh <> billed_wh + free_wh + held_for_decision_wh + waiting_wh
            + open_wh + written_off_wh + unattributed_wh
    ), sum(metered_wh), sum(billed_wh), sum(free_wh), sum(held_for_decision_wh), sum(waiting_wh),
    sum(open_wh), sum(written_off_wh), sum(unattributed_wh), sum(late_wh), sum(dropped_wh),
    sum(invoiced_wh), sum(no_invoice_wh)
FROM wanted JOIN energy_day ON day >= month AND day < month + interval '1 month'
WHERE station_id = %(station)s GROUP BY month
"""
_MONTH_COPY: LiteralString = (
    "COPY energy_month (station_id, month, days, days_off," + _SUMS + ") FROM STDIN"
)
_TOTAL: LiteralString = """
WITH gone AS (DELETE FROM energy_total WHERE station_id = %(station)s)
SELECT sum(days), sum(days_off), sum(metered_wh), sum(billed_wh), sum(free_wh),
    sum(held_for_decision_wh), sum(waiting_wh), sum(open_wh), sum(written_off_wh),
    sum(unattributed_wh), sum(late_wh), sum(dropped_wh), sum(invoiced_wh), sum(no_invoice_wh)
FROM energy_month WHERE station_id = %(station)s GROUP BY station_id
"""
_TOTAL_COPY: LiteralString = (
    "COPY energy_total (station_id, days, days_off," + _SUMS + ") FROM STDIN"
)
_ADDED_UP: Final = ((_DAYS, _DAY_COPY), (_MONTHS, _MONTH_COPY), (_TOTAL, _TOTAL_COPY))
_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(Carried)


class KnownSession(NamedTuple):
    """A session as the worker has it."""

    session_id: str
    transaction_ref: str
    state: str
    last_fact_at: datetime


class SettledRow(NamedTuple):
    """What is kept of a session's day, without what became of it."""

    transaction_ref: str
    session_id: str
    day: date
    chapter: int
    drawn_wh: Decimal
    shared_wh: Decimal
    is_shared: bool
    is_told: bool


class KeptRow(NamedTuple):
    """A session's day as it is to be kept."""

    transaction_ref: str
    chapter: int
    is_shared: bool
    is_told: bool
    part: SessionDay


class StationTables:
    """The rows of one station, within the caller's transaction."""

    def __init__(self, connection: Connection[Any], station_id: str) -> None:
        self._connection, self._station = connection, station_id

    def heard_at(self, position: int) -> datetime | None:
        """Return when the last fact from *position* on was received."""
        [(found,)] = self._connection.execute(_HEARD, (self._station, position)).fetchall()
        return found  # type: ignore[no-any-return]

    def rows(self, carried: Carried | None) -> list[FactRow] | None:
        """Return the facts since something was settled; None: a transaction of then goes on."""
        if carried is None:
            return self._rows(_ALL_FACTS, (self._station,))
        news = self._rows(_FACTS_SINCE, (self._station, carried.position))
        named = sorted({row.transaction_ref for row in news}.difference(NAMELESS))
        asked = (self._station, named, carried.position)
        [(is_known,)] = self._connection.execute(_IS_KNOWN, asked).fetchall()
        if is_known:
            return None
        since = (self._station, list(NAMELESS), carried.read_since, carried.position)
        return self._rows(_NAMELESS_BEFORE, since) + news

    def rows_around(self, first: datetime, last: datetime) -> tuple[Carried | None, list[FactRow]]:
        """Return the facts around what was told from *first* to *last*, and what was settled then.

        None: nothing was, and they are all from the beginning.
        """
        asked = {"station": self._station, "first": first, "last": last}
        [(packed, until)] = self._connection.execute(_AROUND, asked).fetchall()
        carried = None if packed is None else _DECODER.decode(packed)
        begins = 0 if carried is None else carried.position
        query, bounds = _FACTS_SINCE, (self._station, begins)
        rows = (
            self._rows(query, bounds)
            if until is None
            else self._rows(_FACTS_BETWEEN, (*bounds, until))
        )
        if carried is not None:
            since = (self._station, list(NAMELESS), carried.read_since, carried.position)
            rows = self._rows(_NAMELESS_BEFORE, since) + rows
        return carried, rows

    def last_heard_at(self, position: int) -> datetime | None:
        """Return when what stands up to *position* was received, the last of it."""
        row = self._connection.execute(_LAST_HEARD, (self._station, position)).fetchone()
        return None if row is None else row[0]

    def _rows(self, query: LiteralString, asked: tuple[object, ...]) -> list[FactRow]:
        return [
            FactRow(reference, position, unpack_facts(packed))
            for reference, position, packed in self._connection.execute(query, asked, binary=True)
        ]

    def chapters(self, before: int, *, limit: int) -> list[tuple[int, Carried]]:
        """Return the settled chapters before one, the latest first."""
        rows = self._connection.execute(_CHAPTERS, (self._station, before, limit)).fetchall()
        return [(number, _DECODER.decode(carried)) for number, carried in rows]

    def sessions(
        self, references: Collection[str], session_ids: Collection[str] = ()
    ) -> list[KnownSession]:
        """Return the sessions of transactions, or of these ids."""
        asked = (self._station, list(references), list(session_ids))
        return [KnownSession(*row) for row in self._connection.execute(_SESSIONS, asked)]

    def all_sessions(self) -> list[KnownSession]:
        """Return every session."""
        rows = self._connection.execute(_ALL_SESSIONS, (self._station,))
        return [KnownSession(*row) for row in rows]

    def nameless_sessions(self, since: datetime) -> list[KnownSession]:
        """Return those of no transaction that were told of after *since*."""
        asked = (self._station, list(NAMELESS), since)
        return [KnownSession(*row) for row in self._connection.execute(_NAMELESS_SESSIONS, asked)]

    def ratings(self, session_ids: Iterable[str]) -> dict[str, SessionRated]:
        """Return what holds of those that were rated."""
        rows = self._connection.execute(_RATINGS, (list(session_ids),)).fetchall()
        decisions = [unpack_decision(body) for (body,) in rows]
        return {each.session_id: each for each in decisions if isinstance(each, SessionRated)}

    def documented(self, rated: Mapping[str, SessionRated]) -> dict[str, Decimal]:
        """Return what of *rated* sessions stands on invoices."""
        return documented_wh(self._connection, rated)

    def kept(self, references: Collection[str]) -> list[SettledRow]:
        """Return what is kept of transactions."""
        rows = self._connection.execute(_ROWS_OF, (self._station, list(references)))
        return [SettledRow(*row) for row in rows]

    def remove(self, chapter: int) -> set[date]:
        """Remove what was counted from *chapter* on; return its days."""
        days: set[date] = set()
        for statement in _REMOVED:
            days |= {
                day for (day,) in self._connection.execute(statement, (self._station, chapter))
            }
        return days

    def remove_sessions(
        self, references: Collection[str], session_ids: Collection[str], before: int
    ) -> set[date]:
        """Remove what became of sessions of earlier chapters; return its days."""
        asked = (self._station, list(references), before, list(NAMELESS), list(session_ids))
        return {day for (day,) in self._connection.execute(_REPLACED, asked)}

    def settle(self, begins: int, settled: Sequence[tuple[int, Carried]]) -> None:
        """Note which chapters are *settled* from *begins* on, and forget some of long ago."""
        asked = (self._station, begins, begins - _KEPT_CLOSE)
        self._connection.execute(_THINNED, asked)
        for number, carried in settled:
            self._connection.execute(
                _SETTLE,
                (self._station, number, carried.at, carried.position, _ENCODER.encode(carried)),
            )

    def add_days(self, chapter: int, days: Iterable[DayEnergy]) -> None:
        """Add what the registers told."""
        self._copy(
            _REGISTER_COPY,
            (
                (self._station, chapter, d.day, d.metered_wh, d.taken_wh, d.unattributed_wh)
                for d in days
            ),
        )

    def add_sessions(self, rows: Iterable[KeptRow]) -> None:
        """Add what became of sessions."""
        self._copy(
            _SESSION_COPY,
            (
                (
                    self._station,
                    row.transaction_ref,
                    row.part.session_id,
                    row.part.day,
                    row.chapter,
                    row.part.drawn_wh,
                    row.part.shared_wh,
                    row.is_shared,
                    row.is_told,
                    row.part.state,
                    row.part.decided_as,
                    row.part.billed_wh,
                    row.part.free_wh,
                    row.part.late_wh,
                    row.part.invoiced_wh,
                    row.part.no_invoice_wh,
                )
                for row in rows
            ),
        )

    def sum_up(self, days: Collection[date]) -> None:
        """Add up *days* again, their months, and all months."""
        asked = {"station": self._station, "days": sorted(days)}
        for query, copy in _ADDED_UP:
            rows = self._connection.execute(query, asked).fetchall()
            self._copy(copy, ((self._station, *row) for row in rows))

    def _copy(self, statement: LiteralString, rows: Iterable[tuple[object, ...]]) -> None:
        with self._connection.cursor().copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
