"""Jobs are done once, in processes of their own, whoever is killed meanwhile."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from psycopg import Connection

from ledger.database import connect
from ledger.jobs.asking import ask_for, cancel_job, find_job, moves_of, result_of
from ledger.jobs.files import read_file
from ledger.jobs.job import Job, JobState
from ledger.jobs.running import JobRunner
from ledger.jobs.taking import LOST_MAX
from tests.ledger.jobs.example_work import KINDS, NOW, place_at

SECONDS_MAX = 60


@pytest.fixture
def connection(database: str) -> Iterator[Connection[Any]]:
    with connect(database) as opened:
        opened.execute("CREATE TABLE inputs.example_done (total integer)")
        opened.execute("CREATE TABLE inputs.example_gate ()")
        yield opened


@pytest.fixture
def runner(connection: Connection[Any], database: str) -> Iterator[JobRunner]:
    assert not connection.closed
    with closing(JobRunner(KINDS, place_at(database), name="one")) as opened:
        yield opened


def asked(
    connection: Connection[Any], kind: str, parameters: object = "x", by: str = "anna"
) -> int:
    return ask_for(connection, kind, parameters, subject="test", by=by, at=NOW)


def job_of(connection: Connection[Any], number: int) -> Job:
    found = find_job(connection, number)
    assert found is not None
    return found


def turn_until(runner: JobRunner, holds: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(SECONDS_MAX * 50):
        runner.turn()
        if holds():
            return
        pause.wait(0.02)
    pytest.fail("it does not come about")


def moves(connection: Connection[Any], number: int) -> list[str]:
    return [each.move for each in moves_of(connection, number)]


def test_each_kind_comes_to_what_it_comes_to(
    connection: Connection[Any], runner: JobRunner, caplog: pytest.LogCaptureFixture
) -> None:
    kinds = {kind: asked(connection, kind, [1, 2, 39]) for kind in KINDS if kind[0] != "w"}

    turn_until(runner, lambda: all(job_of(connection, each).is_over for each in kinds.values()))
    turn_until(runner, lambda: not runner.processes)

    done = job_of(connection, kinds["add"])
    assert (done.state, done.percent, done.error) == (JobState.DONE, 100, "")
    assert result_of(connection, done.number) == b'{"sum":42}'
    assert b"".join(read_file(connection, done.number, "numbers.txt")) == b"1\n2\n39"
    assert moves(connection, done.number) == ["asked", "taken", "done"]
    failed = {kind: job_of(connection, kinds[kind]) for kind in ("refuse", "break_down", "eat")}
    assert {each.state for each in failed.values()} == {JobState.FAILED}
    assert failed["refuse"].error == "there is nothing to add"
    assert "more memory" in failed["eat"].error
    # What was not foreseen may quote anything: it goes to the log alone.
    assert "KeyError" in failed["break_down"].error
    assert "secret" not in failed["break_down"].error
    assert "KeyError: 'secret of somebody'" in caplog.text


def test_a_job_whose_process_is_killed_half_way_is_done_again(
    connection: Connection[Any], runner: JobRunner
) -> None:
    number = asked(connection, "wait_for_a_row")
    turn_until(runner, lambda: job_of(connection, number).done == 1)

    os.kill(runner.processes[number], signal.SIGKILL)
    turn_until(runner, lambda: moves(connection, number).count("taken") == 2)
    connection.execute("INSERT INTO example_gate DEFAULT VALUES")
    turn_until(runner, lambda: job_of(connection, number).is_over)

    assert job_of(connection, number).state is JobState.DONE
    assert result_of(connection, number) == rb'"\"x\""'
    assert moves(connection, number) == ["asked", "taken", "lost", "taken", "done"]


def test_a_job_that_ends_its_process_each_time_is_said_to_have_failed(
    connection: Connection[Any], runner: JobRunner
) -> None:
    number = asked(connection, "wait_for_a_row")
    killed = {0}
    for _ in range(LOST_MAX):
        turn_until(runner, lambda: runner.processes.get(number, 0) not in killed)
        killed.add(runner.processes[number])
        os.kill(runner.processes[number], signal.SIGKILL)

    turn_until(runner, lambda: job_of(connection, number).is_over)

    job = job_of(connection, number)
    assert job.state is JobState.FAILED
    assert f"ended {LOST_MAX} times" in job.error
    assert runner.processes == {}


def test_a_cancelled_job_stops_and_writes_nothing(
    connection: Connection[Any], runner: JobRunner
) -> None:
    number, waiting = asked(connection, "wait_for_a_row"), asked(connection, "add", [1], by="ben")
    cancel_job(connection, waiting, by="ben", at=NOW)
    turn_until(runner, lambda: job_of(connection, number).done == 1)

    cancel_job(connection, number, by="ben", at=NOW)
    connection.execute("INSERT INTO example_gate DEFAULT VALUES")
    turn_until(runner, lambda: not runner.processes)

    assert job_of(connection, number).state is JobState.CANCELLED
    assert result_of(connection, number) is None
    assert [(each.move, each.by) for each in moves_of(connection, number)] == [
        ("asked", "anna"), ("taken", ""), ("cancelled", "ben"),
    ]  # fmt: skip
    assert moves(connection, waiting) == ["asked", "cancelled"]


def test_two_runners_do_each_job_once(connection: Connection[Any], runner: JobRunner) -> None:
    numbers = [asked(connection, "add", [each]) for each in range(6)]

    with closing(JobRunner(KINDS, place_at(connection.info.dsn), name="two")) as other:
        for _ in range(SECONDS_MAX * 50):
            runner.turn()
            other.turn()
            if all(job_of(connection, each).is_over for each in numbers):
                break
            threading.Event().wait(0.02)

    totals = connection.execute("SELECT total FROM example_done ORDER BY total").fetchall()
    assert totals == [(each,) for each in range(6)]
    assert all(moves(connection, each) == ["asked", "taken", "done"] for each in numbers)


def run_until_killed(dsn: str) -> None:
    """Be a process that runs jobs."""
    JobRunner(KINDS, place_at(dsn), name="killed").run(threading.Event())


def test_a_killed_runner_takes_its_processes_along_and_another_takes_its_jobs(
    connection: Connection[Any], runner: JobRunner, database: str
) -> None:
    number = asked(connection, "wait_for_a_row")
    process = multiprocessing.get_context("spawn").Process(
        target=run_until_killed, args=(database,)
    )
    process.start()
    pause = threading.Event()
    while job_of(connection, number).done != 1:
        assert process.is_alive()
        pause.wait(0.02)
    process.kill()
    process.join()
    working = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    while connection.execute(working).fetchone() != (1,):
        pause.wait(0.02)

    runner.turn()
    assert runner.processes == {}, "its lease is not over"
    connection.execute("UPDATE job SET until = now()")
    connection.execute("INSERT INTO example_gate DEFAULT VALUES")
    turn_until(runner, lambda: job_of(connection, number).is_over)

    assert job_of(connection, number).state is JobState.DONE


def test_a_runner_that_ends_in_order_gives_its_jobs_back(
    connection: Connection[Any], runner: JobRunner
) -> None:
    number = asked(connection, "wait_for_a_row")
    turn_until(runner, lambda: job_of(connection, number).done == 1)

    runner.close()

    assert job_of(connection, number).state is JobState.WAITING
    assert moves(connection, number) == ["asked", "taken", "given back"]


def test_a_job_that_takes_too_long_is_said_to_have_failed(
    connection: Connection[Any], database: str
) -> None:
    number = asked(connection, "wait_for_a_row")

    with closing(JobRunner(KINDS, place_at(database), name="short", seconds_max=0)) as short:
        turn_until(short, lambda: job_of(connection, number).is_over and not short.processes)

    assert "not done within 0.0 hours" in job_of(connection, number).error
