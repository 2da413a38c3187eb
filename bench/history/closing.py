"""`close_million`, `trial_balance_million`: closing a month in which a million sessions were rated.

Two thousand sessions are worked off and invoiced, and their rows of the books then multiplied
where they lie; their stations' energy is kept up by then. Closing is all that `wattledger period`
does: soft-close with the marks of every partition, checklist, trial balance, reports, sign-off,
close; in seconds of real time. Left out is the replay, which is measured apart.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import chain
from typing import Any, Final

from psycopg import Connection, sql

from bench.peers.worked_log import declare, empty_log, fill, worked_off
from bench.run import Row, beside
from bench.worker_mix import STATIONS, mixed, station_name
from deploy.postgres.embedded import EmbeddedPostgres
from deploy.running.turns import work_off
from ledger.database import connect
from ledger.desk.closing.desk import period_desk
from ledger.log.envelope import Tick
from ledger.log.postgres import PostgresEventLog
from projections.closing.gathering import MonthGathering
from projections.closing.month_balance import month_balance
from projections.closing.period_scope import PeriodScope
from projections.energy.keeper import EnergyKeeper

_SESSIONS: Final = 1_000_000
_MADE: Final = 2_000
_LINES_A_SESSION: Final = 22
_LINES_A_RECORD: Final = 100
_SECONDS_MAX: Final = 60.0
_MONTH: Final = "2026-03"
APRIL: Final = datetime(2026, 4, 1, 2, tzinfo=UTC)
_CLOSED_AT: Final = datetime(2026, 4, 2, 8, tzinfo=UTC)
_AGAIN: Final = "{} || '~' || again"
_MULTIPLIED: Final = {
    "session": {"session_id": _AGAIN},
    "session_decision": {"session_id": _AGAIN, "number": "{} + 1000000 * again"},
    "rated_line": {"session_id": _AGAIN},
    "invoiced_session": {"session_id": _AGAIN},
    "journal_entry": {"entry_id": _AGAIN, "session_id": _AGAIN},
}
"""Which rows each session has, and what of a row must be another one's."""


def rows(_seconds: float) -> list[Row]:
    """Measure one close."""
    with empty_log() as postgres:
        _million_sessions(postgres)
        balance, close = _timed(postgres)
    peer = "at most"
    unit = f"seconds, over {_SESSIONS:,} sessions"
    return [
        beside("close_million", close, unit, peer, _SECONDS_MAX, is_cost=True),
        beside("trial_balance_million", balance, unit, peer, _SECONDS_MAX, is_cost=True),
    ]


def _million_sessions(postgres: EmbeddedPostgres) -> None:
    declare(postgres, map(station_name, range(STATIONS)))
    lines = chain(mixed(_MADE * _LINES_A_SESSION), [Tick(received_at=APRIL)])
    fill(postgres, lines, lines_a_record=_LINES_A_RECORD)
    worked_off(postgres, "books")
    with connect(postgres.dsn) as connection, PostgresEventLog(postgres.dsn) as log:
        work_off(postgres.dsn, log)
        EnergyKeeper(connection).take_in()
        # No trigger takes the copies for news.
        connection.execute("SET session_replication_role = replica")
        for table, others in _MULTIPLIED.items():
            _multiply(connection, table, others, _SESSIONS // _MADE - 1)
        counted = (
            "SELECT count(*) FROM journal_entry WHERE entry_id LIKE 'rated:%%' AND period = %s"
        )
        assert connection.execute(counted, (_MONTH,)).fetchone() == (_SESSIONS,)
        connection.execute("VACUUM ANALYZE")


def _multiply(connection: Connection[Any], table: str, others: dict[str, str], times: int) -> None:
    """Write every row of *table* so often again, with *others* in some columns."""
    columns: Iterable[str] = [
        name
        for (name,) in connection.execute(
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_schema = 'books' AND table_name = %s ORDER BY ordinal_position",
            (table,),
        )
    ]
    values = (others.get(name, "{}").format(f'"{name}"') for name in columns)
    statement = (
        "INSERT INTO {table} SELECT {values} FROM {table}, generate_series(1, {times}) again"
    )
    connection.execute(
        sql.SQL(statement).format(
            table=sql.Identifier(table),
            values=sql.SQL(", ").join(map(sql.SQL, values)),
            times=sql.Literal(times),
        )
    )


def _timed(postgres: EmbeddedPostgres) -> tuple[float, float]:
    """Return the seconds of a trial balance, and those of a close with its own."""
    with (
        connect(postgres.dsn) as connection,
        PostgresEventLog(postgres.dsn) as log,
        period_desk(connection, log, work_off) as desk,
    ):
        began = time.perf_counter()
        assert month_balance(connection, _MONTH).is_balanced
        balanced = time.perf_counter()
        scope = PeriodScope(connection, None, _MONTH)
        entity = scope.legal_entity
        desk.soft_close(entity, _MONTH, by="one", at=_CLOSED_AT)
        kept = MonthGathering(connection, scope, replay=None).kept()
        for item in kept.checklist:
            if not item.is_empty:
                desk.sign_off(entity, _MONTH, item, by="other", at=_CLOSED_AT, reason="measured")
        desk.close(entity, _MONTH, kept, by="other", at=_CLOSED_AT)
        return balanced - began, time.perf_counter() - balanced
