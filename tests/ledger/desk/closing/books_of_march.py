"""Books whose March is over: the charging day of 2 March, and the desk where months are closed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from ledger.database import connect
from ledger.desk.closing.desk import KeptReports, PeriodDesk, period_desk
from ledger.log.event_log import EventLog
from ledger.log.postgres import PostgresEventLog
from ledger.periods.record import ChecklistItem
from tests.charging_day import MORNING, charging_day, declare_fleet, tick, write_log
from tests.projections.books_of_a_day import work

MARCH, APRIL, MAY = "2026-03", "2026-04", "2026-05"
MARCH_ENDS = datetime(2026, 3, 31, 22, tzinfo=UTC)
"""By the calendar of Berlin."""
HOUR = timedelta(hours=1)
IN_APRIL = datetime(2026, 4, 2, 8, tzinfo=UTC)
IN_MAY, IN_JUNE = datetime(2026, 5, 3, 8, tzinfo=UTC), datetime(2026, 6, 3, 8, tzinfo=UTC)
ENTITY = "watt"
NOTHING_KEPT = KeptReports(number=1, checklist=(), trial_balance=b"{}", reports=b"{}")
"""Gathered after the first soft-close."""


def minutes(at: datetime) -> float:
    """Return a moment as the charging day counts them."""
    return (at - MORNING) / timedelta(minutes=1)


def books_of_march(dsn: str) -> str:
    """Work the charging day off and let time pass until March is over."""
    day = charging_day(declare_fleet(dsn))
    write_log(dsn, [*day, *tick(minutes(MARCH_ENDS + 2 * HOUR))], lines_a_record=1)
    work(dsn)
    return dsn


def work_off(dsn: str, _log: EventLog) -> None:
    """Take the worker's and the invoicer's turn."""
    work(dsn)


@contextmanager
def desk_of(dsn: str, *, works: bool = True) -> Iterator[PeriodDesk]:
    """Yield the desk on the books; *works*: it takes the worker's turn."""
    with (
        connect(dsn) as connection,
        PostgresEventLog(dsn) as log,
        period_desk(connection, log, work_off if works else None) as desk,
    ):
        yield desk


def item(name: str = "held", count: int = 2, digest: str = "d") -> ChecklistItem:
    return ChecklistItem(item=name, count=count, digest=digest)


def soft_closed(dsn: str, month: str = MARCH, at: datetime = IN_APRIL) -> str:
    with desk_of(dsn) as desk:
        desk.soft_close(ENTITY, month, by="ann", at=at)
    return dsn


def nothing_kept(dsn: str, month: str = MARCH) -> KeptReports:
    """Return that nothing is kept of a month as it stands now."""
    query = "SELECT month, max(number) FROM period_mark WHERE partition = -1 GROUP BY month"
    return replace(NOTHING_KEPT, number=dict(rows(dsn, query))[month])


def closed(dsn: str, month: str = MARCH, at: datetime = IN_APRIL) -> str:
    soft_closed(dsn, month, at)
    with desk_of(dsn) as desk:
        desk.close(ENTITY, month, nothing_kept(dsn, month), by="bob", at=at)
    return dsn


def rows(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        connection.execute("SET search_path = books, inputs, persons")
        return connection.execute(query.encode()).fetchall()
