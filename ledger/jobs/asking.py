r"""Asking for jobs, looking at them, cancelling them: what people do.

    ask_for -> waiting -> running -> done | failed
                  \__________\______ cancelled

A runner takes what waits (ledger/jobs/taking.py). Every step is a row of its history.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString

from psycopg import Connection

from ledger.errors import LedgerError
from ledger.jobs.job import Job, JobMove, JobState
from tariffs.model.canonical import canonical_json

WAITING_MAX: Final = 20
"""How many jobs of one person may wait or run at once."""
_NUMBER_MAX: Final = 2**63 - 1
_JOB: LiteralString = """
SELECT number, kind, subject, asked_by, asked_at, state, done, whole, ended_at, error FROM job
"""
_ASK: LiteralString = """
INSERT INTO job (kind, subject, parameters, asked_by, asked_at)
SELECT %(kind)s, %(subject)s, %(parameters)s, %(by)s, %(at)s
WHERE %(most)s > (
    SELECT count(*) FROM job WHERE asked_by = %(by)s AND state IN ('waiting', 'running')
)
ON CONFLICT (kind, asked_by, sha256(parameters)) WHERE state IN ('waiting', 'running') DO NOTHING
RETURNING number
"""
_SAME: LiteralString = """
SELECT number FROM job WHERE kind = %(kind)s AND asked_by = %(by)s
AND sha256(parameters) = sha256(%(parameters)s) AND state IN ('waiting', 'running')
"""
_FIND: LiteralString = f"{_JOB} WHERE number = %s"
_OF_KIND: LiteralString = f"""
{_JOB} WHERE kind = %(kind)s AND number < %(before)s ORDER BY number DESC LIMIT %(limit)s
"""
_OF_KIND_UP: LiteralString = f"""
{_JOB} WHERE kind = %(kind)s AND number > %(after)s ORDER BY number LIMIT %(limit)s
"""
_OF_SUBJECT: LiteralString = f"""
{_JOB} WHERE kind = %(kind)s AND subject = %(subject)s AND number < %(before)s
ORDER BY number DESC LIMIT %(limit)s
"""
_RESULTS: LiteralString = """
SELECT number, result FROM job WHERE subject = %(subject)s AND kind = %(kind)s AND state = 'done'
ORDER BY number DESC LIMIT %(limit)s
"""
_CANCEL: LiteralString = """
UPDATE job SET state = 'cancelled', ended_at = %s, until = NULL, epoch = epoch + 1
WHERE number = %s AND state IN ('waiting', 'running')
"""
_MOVED: LiteralString = """
INSERT INTO job_move (job, move, moved_by, moved_at) VALUES (%s, %s, %s, %s)
"""
_MOVES: LiteralString = """
SELECT move, moved_by, moved_at FROM job_move WHERE job = %s ORDER BY number
"""


class TooManyJobsError(LedgerError):
    """Somebody asks for more than is done for one person at once."""

    def __init__(self, by: str) -> None:
        self.by = by
        super().__init__(
            f"{WAITING_MAX} jobs of {by} wait or run already: wait for one, or cancel one"
        )


class JobOverError(LedgerError):
    """Nothing can be cancelled of a job that is over, or not there."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"job {number} is over already: there is nothing to cancel")


def ask_for(
    connection: Connection[Any],
    kind: str,
    parameters: object,
    *,
    subject: str,
    by: str,
    at: datetime,
) -> int:
    """Ask for a job and return its number; the same one while it waits or runs for the same person.

    Args:
        connection: To the books.
        kind: What is to be done, a name in the table of kinds.
        parameters: What with; becomes canonical JSON.
        subject: What it is about, for lists.
        by: Who asks.
        at: Now.

    Raises:
        TooManyJobsError: If too many of this person wait already.
    """
    row = {
        "kind": kind,
        "subject": subject,
        "parameters": canonical_json(parameters),
        "by": by,
        "at": at,
        "most": WAITING_MAX,
    }
    with connection.transaction():
        same = connection.execute(_SAME, row).fetchone()
        if same is not None:
            return int(same[0])
        asked = connection.execute(_ASK, row).fetchone()
        if asked is not None:
            note_move(connection, asked[0], "asked", by=by, at=at)
            return int(asked[0])
    # Somebody asked at the same moment, in another transaction; or there are too many.
    same = connection.execute(_SAME, row).fetchone()
    if same is None:
        raise TooManyJobsError(by)
    return int(same[0])


def find_job(connection: Connection[Any], number: int) -> Job | None:
    """Return a job, None where there is none."""
    if not 0 < number <= _NUMBER_MAX:
        return None
    row = connection.execute(_FIND, (number,)).fetchone()
    return None if row is None else _job(row)


def jobs_of(
    connection: Connection[Any],
    kind: str,
    *,
    subject: str | None = None,
    before: int = _NUMBER_MAX,
    limit: int = 50,
) -> Sequence[Job]:
    """Return the newest jobs of a kind, about one *subject* or any, older ones than *before*."""
    given = {"kind": kind, "subject": subject, "before": before, "limit": limit}
    statement = _OF_KIND if subject is None else _OF_SUBJECT
    return [_job(row) for row in connection.execute(statement, given)]


def oldest_jobs_of(
    connection: Connection[Any], kind: str, *, after: int = 0, limit: int = 50
) -> Sequence[Job]:
    """Return the oldest jobs of a kind, newer ones than *after*."""
    given = {"kind": kind, "after": after, "limit": limit}
    return [_job(row) for row in connection.execute(_OF_KIND_UP, given)]


def parameters_of(connection: Connection[Any], number: int) -> bytes:
    """Return what a job was asked for with, as canonical JSON."""
    [(found,)] = connection.execute("SELECT parameters FROM job WHERE number = %s", (number,))
    return bytes(found)


def parameters_of_all(connection: Connection[Any], numbers: Sequence[int]) -> Mapping[int, bytes]:
    """Return what jobs were asked for with, by their numbers."""
    query = "SELECT number, parameters FROM job WHERE number = ANY (%s)"
    return {number: bytes(found) for number, found in connection.execute(query, ([*numbers],))}


def result_of(connection: Connection[Any], number: int) -> bytes | None:
    """Return what a job came to, as canonical JSON; None while it is not done."""
    [(found,)] = connection.execute("SELECT result FROM job WHERE number = %s", (number,))
    return None if found is None else bytes(found)


def results_about(
    connection: Connection[Any], kind: str, subject: str, *, limit: int
) -> Sequence[tuple[int, bytes]]:
    """Return what the newest jobs about something came to that are done, with their numbers."""
    given = {"kind": kind, "subject": subject, "limit": limit}
    return [(number, bytes(found)) for number, found in connection.execute(_RESULTS, given)]


def cancel_job(connection: Connection[Any], number: int, *, by: str, at: datetime) -> None:
    """Cancel a job that waits or runs: whoever is at it stops, and writes nothing any more.

    Raises:
        JobOverError: If it is over.
    """
    with connection.transaction():
        if not connection.execute(_CANCEL, (at, number)).rowcount:
            raise JobOverError(number)
        note_move(connection, number, JobState.CANCELLED, by=by, at=at)


def moves_of(connection: Connection[Any], number: int) -> Sequence[JobMove]:
    """Return what became of a job, from the beginning."""
    return [JobMove(*row) for row in connection.execute(_MOVES, (number,))]


def note_move(
    connection: Connection[Any], number: int, move: str, *, by: str = "", at: datetime
) -> None:
    """Note a step of a job's history, in the caller's transaction."""
    connection.execute(_MOVED, (number, str(move), by, at))


def _job(row: Sequence[Any]) -> Job:
    number, kind, subject, by, at, state, *rest = row
    return Job(number, kind, subject, by, at, JobState(state), *rest)
