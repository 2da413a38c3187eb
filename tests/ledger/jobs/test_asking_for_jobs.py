"""Who may ask for how much at once, and what is fenced off from whom."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from psycopg import Connection

from ledger.database import connect
from ledger.jobs.asking import (
    WAITING_MAX,
    JobOverError,
    TooManyJobsError,
    ask_for,
    cancel_job,
    find_job,
    jobs_of,
    parameters_of,
)
from ledger.jobs.files import JobFile, read_file
from ledger.jobs.taking import (
    JobTakenError,
    TakenJob,
    fail_job,
    finish_job,
    forget_files,
    hold_job,
    take_job,
    tell_progress,
)
from tests.ledger.jobs.example_work import NOW


@pytest.fixture
def connection(database: str) -> Iterator[Connection[Any]]:
    with connect(database) as opened:
        yield opened


def asked(connection: Connection[Any], parameters: object, by: str = "anna") -> int:
    return ask_for(connection, "add", parameters, subject="s", by=by, at=NOW)


def taken_by(connection: Connection[Any], runner: str) -> TakenJob:
    taken = take_job(connection, {"add"}, runner=runner, seconds=30, at=NOW)
    assert taken is not None
    return taken


def test_who_asks_twice_gets_the_same_job_until_it_is_over(connection: Connection[Any]) -> None:
    first = asked(connection, {"b": 1, "a": 2})

    assert asked(connection, {"a": 2, "b": 1}) == first
    assert asked(connection, {"a": 2, "b": 1}, by="ben") != first
    assert parameters_of(connection, first) == b'{"a":2,"b":1}'
    cancel_job(connection, first, by="anna", at=NOW)
    assert asked(connection, {"a": 2, "b": 1}) > first


def test_nobody_fills_the_queue_alone(connection: Connection[Any]) -> None:
    mine = [asked(connection, number) for number in range(WAITING_MAX)]

    with pytest.raises(TooManyJobsError, match="wait for one, or cancel one"):
        asked(connection, "one more")
    hers = asked(connection, "one more", by="ben")

    assert taken_by(connection, "r").number == mine[0]
    assert taken_by(connection, "r").number == hers, "who has none running goes first"
    assert taken_by(connection, "r").number == mine[1]


def test_lists_are_read_by_page_and_subject(connection: Connection[Any]) -> None:
    numbers = [asked(connection, number) for number in range(3)]

    assert [each.number for each in jobs_of(connection, "add", limit=2)] == numbers[:0:-1]
    assert [each.number for each in jobs_of(connection, "add", before=numbers[1])] == [numbers[0]]
    assert len(jobs_of(connection, "add", subject="s")) == 3
    assert jobs_of(connection, "add", subject="other") == []
    assert find_job(connection, 0) is None
    assert find_job(connection, 10**30) is None


def test_who_was_taken_over_writes_nothing(connection: Connection[Any]) -> None:
    number = asked(connection, 1)
    old = taken_by(connection, "old")
    connection.execute("UPDATE job SET until = now()")
    new = taken_by(connection, "new")

    assert (new.number, new.epoch) == (number, old.epoch + 1)
    assert not hold_job(connection, old, seconds=30)
    with pytest.raises(JobTakenError):
        tell_progress(connection, old, 1, 1)
    with pytest.raises(JobTakenError):
        finish_job(connection, old, b"{}", at=NOW)
    with pytest.raises(JobTakenError):
        fail_job(connection, old, "late", at=NOW)
    finish_job(connection, new, b"{}", at=NOW)
    with pytest.raises(JobOverError):
        cancel_job(connection, number, by="anna", at=NOW)


def test_a_clock_that_is_set_back_keeps_no_job_from_being_taken_again(
    connection: Connection[Any],
) -> None:
    asked(connection, 1)
    taken_by(connection, "killed")
    connection.execute("UPDATE job SET until = now() + interval '11 min'")
    early = take_job(connection, {"add"}, runner="new", seconds=30, at=NOW)
    connection.execute("UPDATE job SET until = now() + interval '1 h'")

    assert early is None
    assert taken_by(connection, "new").epoch == 2


def test_a_runner_leaves_alone_what_it_does_not_know(connection: Connection[Any]) -> None:
    asked(connection, 1)

    assert take_job(connection, {"other"}, runner="r", seconds=30, at=NOW) is None


def test_files_are_read_of_what_is_done_and_go_after_a_while(connection: Connection[Any]) -> None:
    number = asked(connection, 1)
    for runner in ("cut off", "done"):
        taken = taken_by(connection, runner)
        with JobFile(connection, taken, "f") as file:
            file.write(b"a" * 600_000)
            file.write(runner.encode())
        assert list(read_file(connection, number, "f")) == []
        connection.execute("UPDATE job SET until = now()")
    finish_job(connection, taken, b"{}", at=NOW)

    pieces = list(read_file(connection, number, "f"))
    assert b"".join(pieces) == b"a" * 600_000 + b"done"
    assert len(pieces) == 3
    forget_files(connection, NOW)
    assert connection.execute("SELECT DISTINCT epoch FROM job_file").fetchall() == [(taken.epoch,)]
    forget_files(connection, NOW + timedelta(seconds=1))
    assert list(read_file(connection, number, "f")) == []
