"""The runner: it takes jobs, has each done in a process of its own, and looks after these.

Any number of runners may run. One that is killed takes its processes with it; its jobs are taken
again by the next turn of another one, or its own once it is started again.
"""

from __future__ import annotations

import logging
import multiprocessing
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from multiprocessing.connection import Connection as PipeEnd
from multiprocessing.context import SpawnProcess
from typing import Any, Final, NamedTuple

import psycopg
from psycopg import Connection

from ledger.database import connect
from ledger.jobs.taking import (
    JobTakenError,
    TakenJob,
    fail_job,
    forget_files,
    give_back,
    hold_job,
    lose_job,
    lose_left_jobs,
    take_job,
)
from ledger.jobs.working import JobKind, Workplace, do_job

AT_ONCE: Final = 2
LOOK_SECONDS: Final = 0.5
HELD_SECONDS: Final = 30.0
JOB_SECONDS_MAX: Final = 6 * 3600.0
FILES_KEPT: Final = timedelta(days=30)
_FORGET_SECONDS: Final = 3600.0
_LOGGER: Final = logging.getLogger(__name__)


class _AtWork(NamedTuple):
    taken: TakenJob
    process: SpawnProcess
    troubles: PipeEnd
    began: float


class JobRunner:
    """Runs jobs of *kinds*, at most *at_once*, under a name that no other living runner has."""

    def __init__(
        self,
        kinds: Mapping[str, JobKind],
        place: Workplace,
        *,
        name: str,
        at_once: int = AT_ONCE,
        seconds_max: float = JOB_SECONDS_MAX,
    ) -> None:
        self._kinds, self._place, self._name = kinds, place, name
        self._at_once, self._seconds_max = at_once, seconds_max
        self._at_work: list[_AtWork] = []
        self._connection: Connection[Any] | None = None
        self._forgot_at = -_FORGET_SECONDS
        # Not fork: a child would inherit the locks of our threads, and our connections.
        self._context = multiprocessing.get_context("spawn")

    @property
    def processes(self) -> Mapping[int, int]:
        """Return the process ids of what is at work, by job."""
        return {each.taken.number: each.process.pid or 0 for each in self._at_work}

    def run(self, stop: threading.Event) -> None:
        """Take turns until *stop* is set; what is at work then is given back, to be begun again."""
        while not stop.is_set():
            self.turn()
            stop.wait(LOOK_SECONDS)
        self.close()

    def turn(self) -> None:
        """Look after what is at work, and take what is to be done. A database may be away."""
        try:
            connection = self._connected()
            self._at_work = [each for each in self._at_work if self._goes_on(connection, each)]
            while len(self._at_work) < self._at_once and self._take(connection):
                pass
            if time.monotonic() - self._forgot_at > _FORGET_SECONDS:
                forget_files(connection, self._place.now() - FILES_KEPT)
                self._forgot_at = time.monotonic()
        except psycopg.OperationalError as error:
            _LOGGER.warning("jobs wait for the database: %s", error)
            self._disconnect()
        except Exception:
            # Whatever it was: the next turn looks again, for nobody else would take the jobs.
            _LOGGER.exception("a turn over the jobs failed")
            self._disconnect()

    def close(self) -> None:
        """End what is at work and give it back."""
        for each in self._at_work:
            _end(each)
            with suppress(psycopg.OperationalError):
                give_back(self._connected(), each.taken, at=self._place.now())
        self._at_work = []
        self._disconnect()

    def _connected(self) -> Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._place.dsn)
            if not self._at_work:
                lose_left_jobs(self._connection, self._name)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _goes_on(self, connection: Connection[Any], each: _AtWork) -> bool:
        """Say whether a job is at work still; what is over is let go."""
        if not each.process.is_alive():
            each.process.join()
            _log_trouble(each)
            # Of one that said what it came to, this changes nothing.
            lose_job(connection, each.taken, at=self._place.now())
            return False
        if time.monotonic() - each.began > self._seconds_max:
            hours = f"{self._seconds_max / 3600:.1f}"
            with suppress(JobTakenError):
                error = f"it was not done within {hours} hours: ask for less at once"
                fail_job(connection, each.taken, error, at=self._place.now())
        if hold_job(connection, each.taken, seconds=HELD_SECONDS):
            return True
        _end(each)
        return False

    def _take(self, connection: Connection[Any]) -> bool:
        taken = take_job(
            connection,
            self._kinds,
            runner=self._name,
            seconds=HELD_SECONDS,
            at=self._place.now(),
        )
        if taken is None:
            return False
        ours, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(
            target=do_job,
            args=(self._kinds[taken.kind], taken, self._place, theirs),
            name=f"job {taken.number}",
            daemon=True,
        )
        process.start()
        # Ours would keep the pipe open, and the end of the process would not be seen on it.
        theirs.close()
        self._at_work.append(_AtWork(taken, process, ours, time.monotonic()))
        return True


def _end(at_work: _AtWork) -> None:
    at_work.process.kill()
    at_work.process.join()
    # It may have said all that it had to say, and was about to end.
    _log_trouble(at_work)


def _log_trouble(ended: _AtWork) -> None:
    """Log what nobody foresaw: the process of a job has no log of its own."""
    with suppress(EOFError, OSError), ended.troubles:
        if ended.troubles.poll():
            _LOGGER.error("job %s failed: %s", ended.taken.number, ended.troubles.recv())
