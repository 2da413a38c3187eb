"""The process of one job: it does the work, says how far it is and what it came to."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import threading
import time
import traceback
from collections.abc import Callable
from datetime import datetime
from multiprocessing.connection import Connection as PipeEnd
from multiprocessing.connection import wait
from typing import IO, Any, Final, NamedTuple, Protocol, cast

import psycopg
from psycopg import Connection

from ledger.database import connect
from ledger.jobs.files import JobFile
from ledger.jobs.taking import JobTakenError, TakenJob, fail_job, finish_job, tell_progress
from tariffs.model.canonical import canonical_json

MEMORY_BYTES_MAX: Final = 3 << 30
"""How much a job may take for its data: it must not take the machine's from everybody."""
_TELL_SECONDS: Final = 0.5
_NICER: Final = 10
_TROUBLE_MAX: Final = 20_000


class JobProgress:
    """What work tells while it goes on, through a connection of its own."""

    def __init__(self, connection: Connection[Any], taken: TakenJob) -> None:
        self._connection, self._taken = connection, taken
        self._told_at = -_TELL_SECONDS

    def __call__(self, done: int, whole: int) -> None:
        """Say that *done* of *whole* is done; it is written down now and then.

        Raises:
            JobTakenError: If the job was cancelled, or another runner has it: work ends there.
        """
        now = time.monotonic()
        if now - self._told_at >= _TELL_SECONDS or done >= whole:
            self._told_at = now
            tell_progress(self._connection, self._taken, done, whole)

    def file(self, name: str) -> IO[bytes]:
        """Return a file to write, which stays with the job under *name*; close it at the end."""
        return cast("IO[bytes]", JobFile(self._connection, self._taken, name))


class JobWork(Protocol):
    """The work of a kind: a module's function, for its process must find it by name."""

    def __call__(
        self, connection: Connection[Any], parameters: bytes, progress: JobProgress, /
    ) -> object:
        """Do it with *parameters* (canonical JSON), and return what becomes canonical JSON."""


class JobKind(NamedTuple):
    """What is done for a kind of job; `refused` are errors whose words are for who asked."""

    work: JobWork
    refused: tuple[type[Exception], ...]


class Workplace(NamedTuple):
    """What the process of a job is given: where the database is, and the time."""

    dsn: str
    now: Callable[[], datetime]


def do_job(kind: JobKind, taken: TakenJob, place: Workplace, troubles: PipeEnd) -> None:
    """Be the process of a job: end with it, or with the process that started this one.

    A database that is away ends it too; whoever started it lets it be taken again, and logs the
    *troubles* that nobody foresaw.
    """
    # Ctrl-C reaches the whole group: who started us decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.nice(_NICER)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    with connect(place.dsn) as connection, connect(place.dsn) as telling:
        try:
            progress = JobProgress(telling, taken)
            result, error = _done(kind, taken, connection, progress, troubles)
            if error:
                fail_job(telling, taken, error, at=place.now())
            else:
                finish_job(telling, taken, result, at=place.now())
        except JobTakenError:
            return


def _done(
    kind: JobKind,
    taken: TakenJob,
    connection: Connection[Any],
    progress: JobProgress,
    troubles: PipeEnd,
) -> tuple[bytes, str]:
    """Return what the job came to, or why it cannot be done, in words."""
    try:
        return canonical_json(kind.work(connection, taken.parameters, progress)), ""
    except (JobTakenError, psycopg.OperationalError):
        raise
    except kind.refused as error:
        return b"", str(error) or type(error).__name__
    except MemoryError:
        return b"", "it needs more memory than a job may take: ask for less at once"
    except Exception as error:  # noqa: BLE001 - whatever it is, who asked is told so
        troubles.send("".join(traceback.format_exception(error))[-_TROUBLE_MAX:])
        name = type(error).__name__
        return b"", f"this is a fault of ours ({name}): the log says more at job {taken.number}"


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        # Nothing is lost: the job is taken again.
        os._exit(1)
