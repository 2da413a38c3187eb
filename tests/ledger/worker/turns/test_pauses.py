"""A partition in trouble rests, twice as long each time, and its others do not wait for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from ledger.worker import worker as worker_module
from ledger.worker.stored.session_store import store_rows
from ledger.worker.worker import FencedError, Worker
from tests.charging_day import write_log
from tests.faults.broken_books import PARTITION, PARTITION_MODULE, rows, states, story
from tests.ledger.worker.turns.noted_log import Clock, noted_worker

TICK = 2**-9
"""A time so short that it is the least: exact in a float."""


class Trouble:
    """What keeps the books from being written while `is_on`; `tries` counts how often."""

    def __init__(self) -> None:
        self.is_on, self.tries = True, 0

    def store_rows(self, *given: Any) -> None:  # noqa: ANN401 - handed on
        self.tries += 1
        if self.is_on:
            raise psycopg.errors.UndefinedTable
        store_rows(*given)


@pytest.fixture
def trouble(monkeypatch: pytest.MonkeyPatch) -> Trouble:
    trouble = Trouble()
    monkeypatch.setattr(f"{PARTITION_MODULE}.store_rows", trouble.store_rows)
    return trouble


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(worker_module, "monotonic", clock)
    return clock


@pytest.fixture
def worker(database: str) -> Iterator[Worker]:
    write_log(database, story(), lines_a_record=2)
    dsn = make_conninfo(database, application_name="follows")
    with noted_worker(dsn, group_records=1) as (_, worker):
        yield worker


def test_each_time_it_rests_twice_as_long_and_no_longer_than_a_minute(
    worker: Worker, trouble: Trouble, clock: Clock
) -> None:
    for number, seconds in enumerate((1, 2, 4, 8, 16, 32, 60, 60), 1):
        assert (worker.take_turns(), trouble.tries) == (0, number)
        assert worker.resting() == [PARTITION]
        clock.now += seconds - TICK
        assert (worker.take_turns(), trouble.tries) == (0, number)
        clock.now += TICK


def test_after_its_trouble_it_goes_on_from_its_tables(
    database: str, worker: Worker, trouble: Trouble, clock: Clock
) -> None:
    worker.take_turns()
    trouble.is_on = False
    clock.now += 1
    while worker.take_turns():
        assert worker.resting() == []

    assert states(database) == {"11": "held", "12": "held", "21": "held"}
    trouble.is_on = True
    write_log(database, story())
    for _ in range(2):
        assert worker.take_turns() == 0
        clock.now += 1 - TICK
    clock.now += TICK
    tries = trouble.tries
    worker.take_turns()
    assert trouble.tries == tries + 1, "it rested a second, as at first"


def test_who_goes_on_without_trouble_is_not_opened_anew(
    database: str, worker: Worker, trouble: Trouble
) -> None:
    trouble.is_on = False
    worker.take_turns()
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE books.worker_position SET next_position = next_position + 1")

    with pytest.raises(FencedError, match=f"partition {PARTITION} is no longer at"):
        worker.take_turns()


def test_a_position_that_is_gone_after_a_rest_is_another_worker_s(
    database: str, worker: Worker, trouble: Trouble, clock: Clock
) -> None:
    worker.take_turns()
    clock.now += 1
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DELETE FROM books.worker_position")
        connection.execute(
            "CREATE RULE none AS ON INSERT TO books.worker_position DO INSTEAD NOTHING"
        )

    assert trouble.tries == 1
    with pytest.raises(FencedError, match=f"partition {PARTITION} is no longer at 0"):
        worker.take_turns()


def test_a_lost_connection_is_no_trouble_of_a_partition(database: str, worker: Worker) -> None:
    rows(
        database,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'follows'",
    )

    with pytest.raises(psycopg.OperationalError):
        worker.take_turns()


def test_each_turn_says_that_the_worker_goes_on(worker: Worker, trouble: Trouble) -> None:
    beats = 0

    def beat() -> None:
        nonlocal beats
        beats += 1

    worker.beat = beat
    for number in range(1, 4):
        trouble.is_on = number == 2
        worker.take_turns()
        assert beats == number
