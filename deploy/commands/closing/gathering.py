"""What a month's checklist lists and what is kept of it, gathered beside a progress bar."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter

from deploy.errors import DeployError
from deploy.progress_bar import ShowProgress, progress_bar

if TYPE_CHECKING:
    from psycopg import Connection

    from deploy.settings import Settings
    from ledger.log.event_log import EventLog
    from projections.closing.gathering import MonthGathering
    from projections.closing.period_scope import PeriodScope
    from projections.replay.replay import ReplayReport

_WORKERS_MAX: Final = 32
LegalEntity = Annotated[str | None, Parameter(help="Whose books (default: the only one's).")]
By = Annotated[str | None, Parameter(help="Who does it (default: your login).")]
WithoutReplay = Annotated[
    bool, Parameter(negative=(), help="Do not replay the log: that item stays to be signed off.")
]


class MonthNameError(DeployError):
    """A month is written in one way."""

    def __init__(self, given: str) -> None:
        super().__init__(f"{given!r} is no month: write it like 2026-03")


def month_of(given: str) -> str:
    """Return the month that somebody wrote.

    Raises:
        MonthNameError: If it is none.
    """
    from ledger.log.envelope import MONTH

    if not re.match(MONTH, given):
        raise MonthNameError(given)
    return given


@contextmanager
def gathering(
    connection: Connection[Any],
    log: EventLog,
    settings: Settings,
    scope: PeriodScope,
    *,
    with_replay: bool,
    is_shown: bool,
) -> Iterator[MonthGathering]:
    """Yield what looks at the month of *scope*; *is_shown*: beside a progress bar."""
    from projections.closing.gathering import MonthGathering

    with progress_bar("checking", is_shown=is_shown) as show:
        yield MonthGathering(
            connection,
            scope,
            replay=partial(_replay, connection, log, settings, show) if with_replay else None,
            told=lambda done, total, item: show(done, total, item.replace("_", " ")),
        )


def _replay(
    connection: Connection[Any], log: EventLog, settings: Settings, show: ShowProgress
) -> ReplayReport:
    from deploy.running.log_store import open_event_log
    from deploy.running.replay import replay_and_compare, replay_in_processes
    from ledger.database import dsn_of

    def progress(done: int, total: int, lines: int) -> None:
        show(done, total, f"replay, {lines:,} lines")

    dsn, workers = dsn_of(connection), min(os.cpu_count() or 1, _WORKERS_MAX)
    if workers == 1:
        return replay_and_compare(dsn, log, progress=progress)
    open_log = partial(open_event_log, dsn, settings)
    return replay_in_processes(dsn, open_log, workers=workers, progress=progress)
