"""How much a group takes: as much as it could do, half where it raises, and more again."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import count
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from ingest.facts.translate import translate
from ledger.asides.aside import LinesRaiseError
from ledger.facts.station_facts import StationFact
from ledger.log.envelope import Frame
from ledger.sessions.station_fold import StationFold
from ledger.worker import worker as worker_module
from ledger.worker.stored.session_store import store_rows
from ledger.worker.worker import GROUP_LINES, GROUP_RECORDS, WAIT_SECONDS
from tests.charging_day import (
    Timed,
    meter16,
    start16,
    stop16,
    write_log,
)
from tests.faults.broken_books import BAD, PARTITION, PARTITION_MODULE, asides, rows
from tests.ledger.worker.turns.noted_log import Clock, noted_worker


def readings(count: int) -> list[Timed]:
    """Return what comes after a start, each worth a line."""
    return [meter16(BAD, 2 + number / 10, 1, 10.0 * number) for number in range(count)]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(worker_module, "monotonic", clock)
    monkeypatch.setattr(f"{PARTITION_MODULE}.monotonic", lambda: 0.0)
    return clock


def test_the_first_group_is_as_large_as_one_may_be(database: str) -> None:
    write_log(database, readings(3), lines_a_record=1)

    with noted_worker(database) as (log, worker):
        assert (worker.run_once(), worker.records_done) == (3, 3)
        worker.run_once()

    assert log.asked == [(0, GROUP_RECORDS, GROUP_LINES), (3, GROUP_RECORDS, GROUP_LINES)]


def test_what_could_be_done_in_time_says_how_much_is_read(
    database: str, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr(worker_module, "GROUP_LINES", 20)
    write_log(database, readings(150), lines_a_record=3)

    done = []
    with noted_worker(database) as (log, worker):
        for is_slow in (True, False, True, False, False, False, False, False, False, False):
            clock.step = 2.0 if is_slow else 0.0
            done.append(worker.run_once())

    # One record is always taken. Whoever was in time reads a quarter more, a bit at the least.
    assert [lines for _, _, lines in log.asked] == [20, 3, 4, 3, 4, 8, 12, 16, 20, 20]
    assert done == [3, 3, 3, 3, 6, 9, 12, 18, 21, 21]
    assert worker.records_done == sum(done) // 3


@pytest.mark.parametrize(("seconds", "done"), [(2.0, 2), (2.0 + 2**-9, 3)])
def test_a_group_takes_records_until_its_time_is_over(
    database: str, clock: Clock, seconds: float, done: int
) -> None:
    write_log(database, readings(9), lines_a_record=1)

    with noted_worker(database, group_seconds=seconds) as (_, worker):
        clock.step = 1.0
        assert worker.run_once() == done


@pytest.mark.parametrize(("prepared_in", "done"), [(0.0, 2), (3.0, 5), (3.0 + 2**-9, 6)])
def test_what_it_takes_to_have_stations_in_mind_takes_no_time_from_a_group(
    database: str, monkeypatch: pytest.MonkeyPatch, clock: Clock, prepared_in: float, done: int
) -> None:
    passed = iter([0.0, prepared_in])
    monkeypatch.setattr(f"{PARTITION_MODULE}.monotonic", lambda: next(passed))
    write_log(database, readings(9), lines_a_record=1)

    with noted_worker(database, group_seconds=2.0) as (_, worker):
        clock.step = 1.0
        assert worker.run_once() == done


@pytest.mark.usefixtures("clock")
def test_a_clock_that_stands_still_ends_a_group_without_time(database: str) -> None:
    write_log(database, readings(9), lines_a_record=1)

    with noted_worker(database, group_seconds=0.0) as (_, worker):
        assert worker.run_once() == 1


def refuse_register(dsn: str, *, wh: int) -> None:
    """Let the books refuse a session whose register says *wh*: a fault of one line's content."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"ALTER TABLE books.session ADD CHECK (register_wh <> {wh})".encode())


def test_a_group_that_raises_is_halved_until_its_record_is_found_and_then_doubled(
    database: str,
) -> None:
    # Each record begins a session; the sixth one's cannot be stored.
    starts = [start16(BAD, 2 + n, n + 1, "FLEET1", 100 * n, connector=n + 1) for n in range(12)]
    write_log(database, [*readings(1), *starts], lines_a_record=1)
    refuse_register(database, wh=500)

    with noted_worker(database, group_records=12) as (log, worker):
        while worker.run_once():
            pass
        assert not worker._asides[PARTITION]  # noqa: SLF001 - what is in the table must not pile up

    assert [(start, records) for start, records, _ in log.asked] == [
        *[(0, 12), (0, 12), (0, 6)],
        *[(6, 12), (6, 12), (6, 3), (6, 3), (6, 1), (6, 1), (6, 1)],
        *[(7, 2), (9, 4), (13, 8)],
    ]
    assert asides(database) == [(BAD, "not_taken", True)]


def test_a_group_whose_fold_names_its_line_ends_with_that_record(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = StationFold.sessions

    def fail(fold: StationFold, transaction: str) -> Any:  # noqa: ANN401 - handed on
        if transaction in {"5", "8"}:
            raise ZeroDivisionError
        return sessions(fold, transaction)

    monkeypatch.setattr(StationFold, "sessions", fail)
    starts = [start16(BAD, 2 + n, n + 1, "FLEET1", 100 * n, connector=n + 1) for n in range(9)]
    write_log(database, [*readings(1), *starts], lines_a_record=1)

    with noted_worker(database, group_records=12) as (log, worker):
        while worker.run_once():
            pass

    assert [(start, records) for start, records, _ in log.asked] == [
        *[(0, 12), (0, 6), (6, 12), (6, 3), (9, 6), (10, 12)]
    ]
    assert asides(database) == [(BAD, "not_folded", True)] * 2


def test_a_fold_that_fails_without_the_lines_that_it_named_ends_the_worker(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it says something else each time: or it would be tried for ever."""
    times = count()

    def fail(fold: StationFold, transaction: str) -> Any:  # noqa: ANN401 - handed on
        raise ZeroDivisionError(fold.station_id, transaction, next(times))

    def elsewhere(frame: Frame, *, position: int, line: int) -> Sequence[StationFact]:
        return translate(frame, position=position, line=line + 7)

    monkeypatch.setattr(StationFold, "sessions", fail)
    write_log(database, [start16(BAD, 2, 1, "FLEET1", 0), stop16(BAD, 3, 1, 7)], lines_a_record=1)

    with noted_worker(database, translate=elsewhere) as (_, worker):
        with pytest.raises(LinesRaiseError):
            worker.run_once()
        assert next(times) < 20


def test_only_a_group_that_lost_a_lock_keeps_the_others_from_all_keys(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_log(database, readings(4), lines_a_record=1)
    locks, losses = 0, [psycopg.errors.DeadlockDetected]

    def locked(connection: object) -> None:
        nonlocal locks
        del connection
        locks += 1

    def lose(connection: Any, changed: Any, gone: Any) -> None:  # noqa: ANN401 - handed on
        if losses:
            raise losses.pop()
        store_rows(connection, changed, gone)

    monkeypatch.setattr(worker_module, "lock_all", locked)
    monkeypatch.setattr(f"{PARTITION_MODULE}.store_rows", lose)
    with noted_worker(database, group_records=2) as (_, worker):
        assert worker.run_once() == 2
        assert locks == 1
        assert worker.run_once() == 2
        assert locks == 1


def test_a_worker_follows_until_it_is_told_to_stop(database: str) -> None:
    write_log(database, readings(3), lines_a_record=1)
    stop = threading.Event()

    with noted_worker(database) as (log, worker):
        log.waiting = lambda: stop.set() if len(log.waited) == 3 else None
        worker.run(stop)
        assert log.waited == [0, WAIT_SECONDS, WAIT_SECONDS]
        worker.run(stop)
        assert len(log.waited) == 3


def test_a_closed_worker_leaves_no_connection(database: str) -> None:
    write_log(database, [], lines_a_record=1)
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'follows'"
    with noted_worker(make_conninfo(database, application_name="follows")) as (_, worker):
        assert rows(database, query) == [(1,)]
    for _ in range(1_200):  # the server takes its time
        if rows(database, query) == [(0,)]:
            break
        threading.Event().wait(0.05)
    assert rows(database, query) == [(0,)]
    assert worker.positions() == {PARTITION: 0}
