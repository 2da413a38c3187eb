"""What a log with a bad stop leads to, for tests that break something on its way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from deploy.running.replay import replay_and_compare
from ingest.facts.translate import translate
from ledger.asides.stored import listed_asides
from ledger.database import connect
from ledger.desk.taking_again import TakenAgain, take_again
from ledger.log.event_log import EventLog, partition_of
from ledger.log.postgres import PostgresEventLog
from ledger.worker.worker import Worker
from tests.charging_day import PARTITIONS, Timed, at, meter16, start16, stop16

BAD, GOOD = "CS-OLD-1", "CS-OLD-2"
PARTITION = partition_of(BAD, partitions=PARTITIONS)
ORDER = "ORDER BY 1, 2, 3"
BOOKS = {
    "decisions": f"SELECT session_id, position, sha256 FROM session_decision {ORDER}",
    "sessions": f"SELECT session_id, state, reasons, energy_wh FROM session {ORDER}",
    "asides": f"SELECT position, line, station_id, set_aside_at, reason, why, taken_at"
    f" FROM line_set_aside {ORDER}, 4",
}

PLAIN = translate
PARTITION_MODULE = "ledger.worker.partition"
Broken = Callable[[pytest.MonkeyPatch], None]


def rows(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with connect(dsn) as connection:
        return connection.execute(query.encode()).fetchall()


def work(dsn: str, log: EventLog | None = None, **options: Any) -> None:  # noqa: ANN401 - handed on
    """Let a worker take all that *log* holds."""
    with PostgresEventLog(dsn) as own:
        chosen: dict[str, Any] = {"partitions": range(PARTITIONS), "translate": translate}
        with Worker(dsn, log=log or own, **(chosen | options)) as worker:
            while worker.run_once():
                pass


def asides(dsn: str) -> list[tuple[Any, ...]]:
    return rows(dsn, "SELECT station_id, reason, taken_at IS NULL FROM line_set_aside " + ORDER)


def states(dsn: str) -> dict[str, str]:
    return dict(rows(dsn, "SELECT transaction_ref, state FROM session"))


def is_identical(dsn: str) -> bool:
    with PostgresEventLog(dsn) as log:
        return replay_and_compare(dsn, log).is_identical


def let_again(dsn: str, minutes: float) -> list[TakenAgain]:
    """Let all that is set aside be taken again."""
    with connect(dsn) as connection, PostgresEventLog(dsn) as log:
        return take_again(
            connection,
            listed_asides(connection),
            by="ann",
            at=at(minutes),
            log=log,
            work_off=work,
        )


def story() -> list[Timed]:
    """Return what two stations of one partition say; the bad one's stop tells 6,666 Wh."""
    return [
        start16(BAD, 1, 11, "FLEET1", 1000),
        start16(GOOD, 1, 21, "FLEET1", 1000),
        meter16(BAD, 5, 11, 2000),
        meter16(GOOD, 5, 21, 2000),
        stop16(BAD, 60, 11, 6666),
        stop16(GOOD, 60, 21, 6000),
        start16(BAD, 70, 12, "FLEET1", 7000),
        stop16(BAD, 90, 12, 8000),
    ]
