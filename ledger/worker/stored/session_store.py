"""The rows of sessions in their table: which are read back for a record, how they are written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString

import msgspec
from psycopg import Connection
from psycopg.rows import class_row

from ledger.log.envelope import Validation
from ledger.rating.decisions import Moment
from ledger.sessions.states import UNFINISHED
from ledger.worker.session_rows import NEXT_DAY, SessionRow, WaitsSince

A_WEEK: Final = timedelta(days=7)
UPSERT: LiteralString = """
INSERT INTO session SELECT * FROM json_populate_recordset(NULL::session, %s::json)
ON CONFLICT (session_id) DO UPDATE SET
    state = excluded.state, revision = excluded.revision,
    flags = excluded.flags, blockers = excluded.blockers,
    reasons = excluded.reasons, evse_id = excluded.evse_id, connector_id = excluded.connector_id,
    token_uid = excluded.token_uid, started_at = excluded.started_at,
    ended_at = excluded.ended_at, stop_reason = excluded.stop_reason,
    energy_wh = excluded.energy_wh,
    meter_start_wh = excluded.meter_start_wh, meter_stop_wh = excluded.meter_stop_wh,
    register_wh = excluded.register_wh, first_fact_at = excluded.first_fact_at,
    last_fact_at = excluded.last_fact_at, heard_at = excluded.heard_at,
    validations = excluded.validations, facts_from = excluded.facts_from,
    "window" = excluded."window", told_gross = excluded.told_gross,
    is_refused = excluded.is_refused
"""
RUNNING_OVER: LiteralString = """
SELECT * FROM (
    SELECT * FROM session WHERE partition = %(partition)s AND state = 'open'
    AND state IN ('open', 'waiting') AND started_at < %(ends_at)s
    UNION ALL
    SELECT * FROM session WHERE partition = %(partition)s AND ended_at >= %(ends_at)s
    AND started_at < %(ends_at)s AND state IN ('waiting', 'held', 'rated', 'released')
) AS running WHERE NOT EXISTS (
    SELECT FROM accrued_session AS accrued
    WHERE accrued.session_id = running.session_id AND accrued.month = %(month)s
) ORDER BY session_id
"""
# Of a transaction every session from some on: with one left out another one would be folded. Stops
# without an id share theirs, and have nothing else in common. Since when is asked once a station.
OF_STATIONS: LiteralString = """
WITH wanted AS MATERIALIZED (
    SELECT station_id, least(%(since)s, (
        SELECT min(first_fact_at) FROM unfinished_session AS unfinished
        WHERE unfinished.station_id = asked.station_id
    )) AS since
    FROM unnest(%(stations)s::text[]) AS asked (station_id)
)
SELECT session.* FROM session JOIN (
    SELECT station_id, transaction_ref, array_agg(session_id) AS session_ids,
           min(coalesce(facts_from, '-infinity')) AS begins
    FROM session AS late JOIN wanted USING (station_id)
    WHERE station_id = ANY (%(stations)s)
      AND (state = ANY (%(states)s) OR last_fact_at >= wanted.since)
    GROUP BY station_id, transaction_ref
) AS late USING (station_id, transaction_ref)
WHERE coalesce(session.facts_from, '-infinity') >= late.begins
  AND (transaction_ref NOT IN ('', '-') OR session_id = ANY (session_ids))
"""
# The same of one station, by indexes alone: what was heard of since began at most a week before.
OF_STATION_NOW: LiteralString = """
SELECT session.* FROM (
    SELECT transaction_ref, array_agg(session_id) AS session_ids,
           min(coalesce(facts_from, '-infinity')) AS begins
    FROM (
        SELECT session_id, transaction_ref, facts_from FROM unfinished_session
        WHERE station_id = %(station_id)s
        UNION
        SELECT session_id, transaction_ref, facts_from FROM session
        WHERE station_id = %(station_id)s AND last_fact_at >= %(since)s
          AND started_at IS NOT NULL AND coalesce(started_at, first_fact_at) >= %(begun)s
    ) AS heard
    GROUP BY transaction_ref
) AS late
CROSS JOIN LATERAL (
    SELECT * FROM session
    WHERE station_id = %(station_id)s AND session.transaction_ref = late.transaction_ref
      AND coalesce(facts_from, '-infinity') >= late.begins
      AND (transaction_ref NOT IN ('', '-') OR session_id = ANY (session_ids))
    OFFSET 0
) AS session
"""
FIRST_UNFINISHED: LiteralString = """
SELECT min(first_fact_at) FROM unfinished_session WHERE station_id = %s
"""
AROUND: LiteralString = """
SELECT * FROM session
WHERE station_id = %s AND last_fact_at >= %s AND first_fact_at <= %s
"""
# What began last at a place before a session ended; more would be a crowd, and that is held. Asked
# for as the index has it, that the lists of sessions have too.
BESIDE: LiteralString = """
SELECT * FROM session
WHERE station_id = %s AND coalesce(started_at, first_fact_at) < %s AND started_at IS NOT NULL
  AND state <> 'replaced' AND coalesce(evse_id, connector_id) = %s
ORDER BY coalesce(started_at, first_fact_at) DESC LIMIT 10
"""
AFTER: LiteralString = """
SELECT * FROM session
WHERE station_id = %s AND coalesce(started_at, first_fact_at) > %s AND started_at IS NOT NULL
  AND state <> 'replaced' AND NOT flags @> '{dissolved}'
  AND coalesce(evse_id, connector_id) IS NOT DISTINCT FROM %s
ORDER BY coalesce(started_at, first_fact_at) LIMIT 10
"""
# What lay at a moment at a place. Who is longer than a week is not looked for.
LYING_AT: LiteralString = """
SELECT * FROM session
WHERE station_id = %s AND coalesce(started_at, first_fact_at) BETWEEN %s AND %s AND ended_at > %s
  AND started_at IS NOT NULL AND state <> 'replaced' AND coalesce(evse_id, connector_id) = %s
"""
# As `SessionRow.waits_since` says of each.
WATCHED: LiteralString = """
SELECT station_id, greatest(min(last_fact_at) FILTER (WHERE is_silent), max(heard_at)),
       min(last_fact_at) FILTER (WHERE NOT is_silent), bool_or(is_silent)
FROM (
    SELECT *, state = 'open' AND NOT flags && '{stop_lost,stop_not_held}' AS is_silent
    FROM unfinished_session WHERE partition = %s
) AS unfinished
GROUP BY station_id
"""
VALIDATED: LiteralString = """
INSERT INTO validation (partition, position, line, session_id, station_id, code, validated_by,
    validated_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""
OF_SESSIONS: LiteralString = "SELECT * FROM session WHERE session_id = ANY (%s)"
# From the session on that what is dated then belongs to: all of them, where none began by then.
SINCE: LiteralString = """
SELECT session.* FROM unnest(%s::text[], %s::text[], %s::timestamptz[])
    AS wanted (station_id, transaction_ref, at)
CROSS JOIN LATERAL (
    SELECT max(facts_from) AS begins FROM session AS older
    WHERE older.station_id = wanted.station_id AND older.state <> 'replaced'
      AND older.transaction_ref = wanted.transaction_ref AND older.facts_from <= wanted.at
) AS known
JOIN session ON session.station_id = wanted.station_id
    AND session.transaction_ref = wanted.transaction_ref
    AND (known.begins IS NULL OR session.facts_from >= known.begins)
"""


def load_watched(connection: Connection[Any], partition: int) -> dict[str, WaitsSince]:
    """Return the stations of *partition* with unfinished sessions, and since when those wait."""
    rows = connection.execute(WATCHED, (partition,)).fetchall()
    return {
        station_id: WaitsSince(silent_since if is_silent else None, waiting_since)
        for station_id, silent_since, waiting_since, is_silent in rows
    }


def load_stations(
    connection: Connection[Any], stations: Iterable[str], *, since: datetime
) -> list[SessionRow]:
    """Return the rows of *stations* with something new, and what came after each by its id.

    That is: unfinished, or with a fact since then or since the first unfinished session began.
    """
    cursor = connection.cursor(row_factory=class_row(SessionRow))
    asked = {"stations": list(stations), "states": list(UNFINISHED), "since": since}
    return cursor.execute(OF_STATIONS, asked).fetchall()


def load_station_now(
    connection: Connection[Any], station_id: str, *, since: datetime
) -> tuple[list[SessionRow], datetime]:
    """Return what `load_stations` does for one station, for who decides nothing, and since when.

    However long the station's history is; a session of more than a week is left out, where it is
    no unfinished one.
    """
    first = connection.execute(FIRST_UNFINISHED, (station_id,)).fetchone()
    if first is not None and first[0] is not None:
        since = min(since, first[0])
    wanted = {"station_id": station_id, "since": since, "begun": since - A_WEEK}
    with connection.cursor(row_factory=class_row(SessionRow)) as cursor:
        return cursor.execute(OF_STATION_NOW, wanted).fetchall(), since


def load_sessions(connection: Connection[Any], session_ids: Iterable[str]) -> list[SessionRow]:
    """Return the rows of *session_ids*."""
    cursor = connection.cursor(row_factory=class_row(SessionRow))
    return cursor.execute(OF_SESSIONS, (list(session_ids),)).fetchall()


def load_around(connection: Connection[Any], row: SessionRow) -> list[SessionRow]:
    """Return the sessions of its station that may bear on *row*: those until the next day."""
    cursor = connection.cursor(row_factory=class_row(SessionRow))
    until = row.last_fact_at + NEXT_DAY
    return cursor.execute(AROUND, (row.station_id, row.first_fact_at, until)).fetchall()


def load_running_over(
    connection: Connection[Any], partition: int, ends_at: datetime, month: str
) -> list[SessionRow]:
    """Return the sessions that ran at *ends_at*, of which nothing is accrued in *month* yet."""
    cursor = connection.cursor(row_factory=class_row(SessionRow))
    asked = {"partition": partition, "ends_at": ends_at, "month": month}
    return cursor.execute(RUNNING_OVER, asked).fetchall()


def load_beside(
    connection: Connection[Any], station_id: str, place: int, ended_at: datetime
) -> list[SessionRow]:
    """Return the last sessions that began at a place before *ended_at*."""
    cursor = connection.cursor(row_factory=class_row(SessionRow))
    return cursor.execute(BESIDE, (station_id, ended_at, place)).fetchall()


def load_after(connection: Connection[Any], row: SessionRow) -> list[SessionRow]:
    """Return the next sessions that began at the place of that of *row*."""
    place = row.connector_id if row.evse_id is None else row.evse_id
    return load_next(connection, row.station_id, place, row.started_at)


def load_next(
    connection: Connection[Any], station_id: str, place: int | None, at: datetime | None
) -> list[SessionRow]:
    """Return the next sessions that began at a place after a moment."""
    cursor = connection.cursor(row_factory=class_row(SessionRow))
    return cursor.execute(AFTER, (station_id, at, place)).fetchall()


def load_lying_at(
    connection: Connection[Any], station_id: str, place: int, at: datetime
) -> list[SessionRow]:
    """Return the sessions at a place that had begun and were not over *at* a moment."""
    cursor = connection.cursor(row_factory=class_row(SessionRow))
    return cursor.execute(LYING_AT, (station_id, at - A_WEEK, at, at, place)).fetchall()


def load_since(
    connection: Connection[Any], wanted: Mapping[tuple[str, str], datetime]
) -> list[SessionRow]:
    """Return the rows of (station, transaction) pairs, however old.

    Those from the session on that something dated as given with each belongs to.
    """
    cursor = connection.cursor(row_factory=class_row(SessionRow))
    stations, transactions = zip(*wanted, strict=True)
    parameters = (list(stations), list(transactions), list(wanted.values()))
    return cursor.execute(SINCE, parameters).fetchall()


def store_rows(
    connection: Connection[Any], rows: Iterable[SessionRow], gone: Iterable[str]
) -> None:
    """Write *rows* as they are now; delete the sessions *gone*."""
    dropped = list(gone)
    if dropped:
        connection.execute("DELETE FROM session WHERE session_id = ANY (%s)", (dropped,))
    encoded = msgspec.json.encode(list(rows))
    if encoded != b"[]":
        connection.execute(UPSERT, (encoded.decode(),))


def validated(
    moment: Moment, line: int, row: SessionRow, validation: Validation
) -> tuple[object, ...]:
    """Return what `store_validations` writes of a validation at *line* of the record *moment*."""
    return (
        moment.partition,
        moment.position,
        line,
        row.session_id,
        row.station_id,
        validation.code,
        validation.by,
        validation.received_at,
    )


def store_validations(connection: Connection[Any], rows: Sequence[tuple[object, ...]]) -> None:
    """Write who validated which session with what code, at which line."""
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(VALIDATED, rows)
