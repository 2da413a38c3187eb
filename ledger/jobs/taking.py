"""Taking jobs: a runner takes one for a while, holds it on, and says what it came to.

A job that is taken has a lease by the database's clock and an epoch that rises each time it is
taken. Each write of its runner names the epoch: who was taken over, or whose job was cancelled,
writes nothing, and finds out by that. A job whose runner is gone is taken again once its lease is
over; where that happens too often, it failed. A clock that was ahead and is set back then keeps it
waiting for some minutes and no longer.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.errors import LedgerError
from ledger.jobs.asking import note_move
from ledger.jobs.job import JobState
from ledger.leases import AHEAD_MAX

LOST_MAX: Final = 3
"""How often the runner of a job may be gone; then it is the job's own fault."""
# Who has fewer running goes first: one person's twenty jobs hold nobody else up.
_TAKE: LiteralString = """
WITH next AS (
    SELECT number FROM job AS mine WHERE kind = ANY (%(kinds)s)
    AND (state = 'waiting' OR (state = 'running' AND (
        until <= now() OR until > now() + %(ahead)s + 2 * %(seconds)s * interval '1 s')))
    ORDER BY (
        SELECT count(*) FROM job AS other
        WHERE other.asked_by = mine.asked_by AND other.state = 'running' AND other.until > now()
    ), number
    FOR UPDATE SKIP LOCKED LIMIT 1
)
UPDATE job SET state = 'running', epoch = epoch + 1, runner = %(runner)s, done = 0, whole = 0,
    lost = lost + (state = 'running')::integer, until = now() + %(seconds)s * interval '1 s'
FROM next WHERE job.number = next.number
RETURNING job.number, job.kind, job.parameters, job.epoch, job.lost
"""
_HOLD: LiteralString = """
UPDATE job SET until = now() + %(seconds)s * interval '1 s'
WHERE number = %(number)s AND epoch = %(epoch)s AND state = 'running'
"""
_PROGRESS: LiteralString = """
UPDATE job SET done = %(done)s, whole = %(whole)s
WHERE number = %(number)s AND epoch = %(epoch)s AND state = 'running'
"""
_BACK: LiteralString = """
UPDATE job SET state = 'waiting', until = NULL, epoch = epoch + 1
WHERE number = %(number)s AND epoch = %(epoch)s AND state = 'running'
"""
_LOST: LiteralString = """
UPDATE job SET until = now()
WHERE number = %(number)s AND epoch = %(epoch)s AND state = 'running'
"""
_LEFT: LiteralString = """
UPDATE job SET until = now() WHERE runner = %s AND state = 'running' AND until > now()
"""
_END: LiteralString = """
UPDATE job SET state = %(state)s, ended_at = %(at)s, until = NULL, result = %(result)s,
    error = %(error)s, done = whole
WHERE number = %(number)s AND epoch = %(epoch)s AND state = 'running'
"""
_FORGET: LiteralString = """
DELETE FROM job_file USING job
WHERE job_file.job = job.number AND (job.ended_at < %s OR job_file.epoch <> job.epoch)
"""


class TakenJob(NamedTuple):
    """A job as a runner has it."""

    number: int
    kind: str
    parameters: bytes
    epoch: int


class JobTakenError(LedgerError):
    """The job was cancelled, or another runner has it: this one must write nothing any more."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"job {number} was cancelled, or another runner has it")


def take_job(
    connection: Connection[Any],
    kinds: Collection[str],
    *,
    runner: str,
    seconds: float,
    at: datetime,
) -> TakenJob | None:
    """Take the next job of one of *kinds* for *seconds*; None where nothing is to be done.

    One whose runners were gone too often is said to have failed, and not taken.
    """
    asked = {"kinds": sorted(kinds), "runner": runner, "seconds": seconds, "ahead": AHEAD_MAX}
    while True:
        with connection.transaction():
            row = connection.execute(_TAKE, asked).fetchone()
            if row is None:
                return None
            number, kind, parameters, epoch, lost = row
            taken = TakenJob(number, kind, bytes(parameters), epoch)
            note_move(connection, number, "taken", at=at)
        if lost < LOST_MAX:
            return taken
        error = f"the process that worked at it ended {lost} times before it was done"
        with suppress(JobTakenError):  # cancelled meanwhile
            fail_job(connection, taken, error, at=at)


def hold_job(connection: Connection[Any], taken: TakenJob, *, seconds: float) -> bool:
    """Keep the job for *seconds* more; say whether it is still this runner's."""
    return bool(connection.execute(_HOLD, {**_named(taken), "seconds": seconds}).rowcount)


def tell_progress(connection: Connection[Any], taken: TakenJob, done: int, whole: int) -> None:
    """Note that *done* of *whole* is done.

    Raises:
        JobTakenError: If it is this runner's no more.
    """
    row = {**_named(taken), "done": done, "whole": whole}
    if not connection.execute(_PROGRESS, row).rowcount:
        raise JobTakenError(taken.number)


def finish_job(
    connection: Connection[Any], taken: TakenJob, result: bytes, *, at: datetime
) -> None:
    """Note what the job came to.

    Raises:
        JobTakenError: If it is this runner's no more: then that stands nowhere.
    """
    _end(connection, taken, JobState.DONE, result=result, at=at)


def fail_job(connection: Connection[Any], taken: TakenJob, error: str, *, at: datetime) -> None:
    """Note why the job cannot be done, in words.

    Raises:
        JobTakenError: If it is this runner's no more.
    """
    _end(connection, taken, JobState.FAILED, error=error, at=at)


def give_back(connection: Connection[Any], taken: TakenJob, *, at: datetime) -> None:
    """Let another runner take the job at once: this one ends in good order."""
    with connection.transaction():
        if connection.execute(_BACK, _named(taken)).rowcount:
            note_move(connection, taken.number, "given back", at=at)


def lose_job(connection: Connection[Any], taken: TakenJob, *, at: datetime) -> None:
    """Let a runner take the job again, whose process ended before it was done."""
    with connection.transaction():
        if connection.execute(_LOST, _named(taken)).rowcount:
            note_move(connection, taken.number, "lost", at=at)


def lose_left_jobs(connection: Connection[Any], runner: str) -> None:
    """Let be taken at once what a runner of this name had when it was killed."""
    connection.execute(_LEFT, (runner,))


def forget_files(connection: Connection[Any], before: datetime) -> None:
    """Delete the files of jobs that ended *before*, and those of work that was cut off."""
    connection.execute(_FORGET, (before,))


def _end(
    connection: Connection[Any],
    taken: TakenJob,
    state: JobState,
    *,
    at: datetime,
    result: bytes | None = None,
    error: str = "",
) -> None:
    row = {**_named(taken), "state": state.value, "result": result, "error": error, "at": at}
    with connection.transaction():
        if not connection.execute(_END, row).rowcount:
            raise JobTakenError(taken.number)
        note_move(connection, taken.number, state.value, at=at)


def _named(taken: TakenJob) -> dict[str, object]:
    return {"number": taken.number, "epoch": taken.epoch}
