"""Long work about months and books, with this program's own replay: kinds of jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from functools import partial
from typing import Any, Final

import msgspec
from psycopg import Connection

from deploy.errors import DeployError
from deploy.running.log_store import open_event_log
from deploy.running.replay import replay_and_compare
from deploy.running.turns import turn_beside
from deploy.settings import Settings
from ledger.database import dsn_of
from ledger.desk.closing.desk import PeriodDesk
from ledger.errors import LedgerError
from ledger.jobs.working import JobKind, JobProgress, JobWork
from ledger.log.event_log import EventLog
from ledger.periods.periods import AccountingPeriods
from projections.closing import books_work, month_work
from projections.closing.books_work import BooksChecked, Replayed
from projections.closing.month_work import MonthAsked, MonthLooked, Replay
from projections.errors import ProjectionError

Now = Callable[[], datetime]
_REFUSED: Final = (LedgerError, ProjectionError, DeployError)


def closing_kinds(settings: Settings, now: Now) -> Mapping[str, JobKind]:
    """Return what jobs about months and books do; both arguments go to their processes."""
    works: dict[str, JobWork] = {
        month_work.CHECK_MONTH: partial(_check_month, settings, now),
        month_work.CLOSE_MONTH: partial(_close_month, settings, now),
        books_work.REPLAY_LOG: partial(_replay_log, settings, now),
        books_work.CHECK_BOOKS: partial(_check_books, now),
    }
    return {kind: JobKind(work, _REFUSED) for kind, work in works.items()}


def _check_month(
    settings: Settings,
    now: Now,
    connection: Connection[Any],
    parameters: bytes,
    progress: JobProgress,
    /,
) -> MonthLooked:
    asked = msgspec.json.decode(parameters, type=MonthAsked)
    with _log(connection, settings) as log:
        replay = _replay(connection, log, progress)
        return month_work.look_at_month(connection, asked, replay=replay, at=now())


def _close_month(
    settings: Settings,
    now: Now,
    connection: Connection[Any],
    parameters: bytes,
    progress: JobProgress,
    /,
) -> MonthLooked:
    asked = msgspec.json.decode(parameters, type=MonthAsked)
    with (
        _log(connection, settings) as log,
        AccountingPeriods(dsn_of(connection)) as periods,
    ):
        return month_work.close_month(
            connection,
            PeriodDesk(connection, periods, log, turn_beside(settings)),
            periods.find(asked.legal_entity, asked.month),
            asked,
            replay=_replay(connection, log, progress),
            at=now(),
        )


def _replay_log(
    settings: Settings,
    now: Now,
    connection: Connection[Any],
    _parameters: bytes,
    progress: JobProgress,
    /,
) -> Replayed:
    with _log(connection, settings) as log:
        return books_work.replayed(_replay(connection, log, progress)(), now())


def _check_books(
    now: Now, connection: Connection[Any], _parameters: bytes, progress: JobProgress, /
) -> BooksChecked:
    return books_work.check_books(connection, at=now(), progress=progress)


@contextmanager
def _log(connection: Connection[Any], settings: Settings) -> Iterator[EventLog]:
    with closing(open_event_log(dsn_of(connection), settings)) as log:
        yield log


def _replay(connection: Connection[Any], log: EventLog, progress: JobProgress) -> Replay:
    # In this one process: a job's has no others below it.
    def told(done: int, whole: int, _lines: int) -> None:
        progress(done, whole)

    return lambda: replay_and_compare(dsn_of(connection), log, progress=told)
