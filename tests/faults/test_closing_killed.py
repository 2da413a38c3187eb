"""Who closes a month, or opens it, is killed at random: all of it has happened, or nothing."""

from __future__ import annotations

import multiprocessing
import random
import time
from typing import Final

import pytest

from ledger.database import connect
from ledger.periods.periods import AccountingPeriods
from ledger.periods.record import PeriodState
from projections.balances.trial import trial_balance
from tests.charging_day import PARTITIONS
from tests.faults.broken_books import is_identical, rows
from tests.faults.closing_process import close_for_ever, state_of
from tests.faults.running_system import wait_until
from tests.ledger.desk.closing.books_of_march import (
    ENTITY,
    MARCH,
    books_of_march,
    desk_of,
    work_off,
)

_CONTEXT: Final = multiprocessing.get_context("forkserver")
_HELD_UP: Final = """
SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
_OTHERS: Final = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
_MARKS: Final = "SELECT partition, number, month, act FROM period_mark ORDER BY partition, number"


def kill_while_closing(dsn: str, kills: int, *, seed: int) -> int:
    """Have who closes and opens killed; check after each kill; return how many marks there are."""
    chance = random.Random(seed)
    _CONTEXT.set_forkserver_preload(["tests.faults.closing_process"])
    for _ in range(kills):
        process = _CONTEXT.Process(target=close_for_ever, args=(dsn,), daemon=True)
        process.start()
        before = moves(dsn)
        wait_until(lambda: moves(dsn) > before, "something is decided")  # noqa: B023
        # At once, or some steps later.
        time.sleep(chance.choice([0, 0.01, 0.05, 0.2]) * chance.random())
        assert process.is_alive(), "who closes ended by itself"
        process.kill()
        process.join()
        assert_whole(dsn)
    return len(rows(dsn, _MARKS)) // (PARTITIONS + 1)


def moves(dsn: str) -> int:
    with AccountingPeriods(dsn) as periods:
        return len(periods.find(ENTITY, MARCH).moves)


def assert_whole(dsn: str) -> None:
    """Assert that each partition, the documents and the record say the same, once carried."""
    with desk_of(dsn):
        pass  # it carries what the killed one put into the outbox
    work_off(dsn, None)  # type: ignore[arg-type] # it needs no log
    with AccountingPeriods(dsn) as periods:
        period = periods.find(ENTITY, MARCH)
        recorded = [(mark.number, mark.month, str(mark.act)) for mark in periods.document_marks()]
    marks = rows(dsn, _MARKS)
    for partition in range(-1, PARTITIONS):
        assert [tuple(mark[1:]) for mark in marks if mark[0] == partition] == recorded
    assert [number for number, _, _ in recorded] == list(range(1, period.number + 1))
    closed = rows(dsn, "SELECT month FROM closed_period")
    is_closed = state_of(dsn) in {PeriodState.CLOSED, PeriodState.REOPENING}
    assert (closed == [(MARCH,)]) is is_closed, closed
    assert all(each.is_intact for each in period.closes)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("table", ["period_mark", "outbox", "closed_period"])
def test_killed_before_what_it_writes_last_nothing_has_happened(database: str, table: str) -> None:
    """Held up at the first row that it writes to a table, and killed there."""
    books_of_march(database)
    _CONTEXT.set_forkserver_preload(["tests.faults.closing_process"])
    for _ in range(3):
        with connect(database) as connection, connection.transaction():
            connection.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE".encode())
            process = _CONTEXT.Process(target=close_for_ever, args=(database,), daemon=True)
            process.start()
            wait_until(lambda: rows(database, _HELD_UP) != [], "it is held up")
            process.kill()
            process.join()
        # The server goes on with the statement, and finds nobody to tell.
        wait_until(lambda: rows(database, _OTHERS) == [], "the server sees that it is gone")
        assert_whole(database)
    assert is_identical(database)


@pytest.mark.timeout(300)
def test_a_month_is_closed_and_opened_whole_whoever_is_killed(database: str) -> None:
    books_of_march(database)
    with connect(database) as connection:
        before = trial_balance(connection)

    assert kill_while_closing(database, 8, seed=1) > 2

    with connect(database) as connection:
        assert trial_balance(connection) == before
    assert is_identical(database)


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("seed", range(2, 5))
def test_months_hold_through_a_hundred_kills(database: str, seed: int) -> None:
    books_of_march(database)

    assert kill_while_closing(database, 100, seed=seed) > 20

    assert is_identical(database)
