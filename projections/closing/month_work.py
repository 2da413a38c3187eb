"""A month looked at, or closed, as long work: what is asked for and what it comes to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
from psycopg import Connection

from ledger.desk.closing.desk import KeptReports, PeriodDesk
from ledger.jobs.asking import jobs_of, result_of
from ledger.jobs.job import Job, JobState
from ledger.periods.record import (
    AccountingPeriod,
    ChecklistError,
    ChecklistItem,
)
from ledger.shapes import read_stored
from projections.closing.gathering import MonthGathering
from projections.closing.period_scope import PeriodScope
from projections.replay.replay import ReplayReport

CHECK_MONTH: Final = "check_month"
CLOSE_MONTH: Final = "close_month"
_LOOKED_BACK: Final = 20
Replay = Callable[[], ReplayReport]


class MonthAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Which month is to be looked at or closed, and by whom."""

    legal_entity: str
    month: str
    by: str

    @property
    def subject(self) -> str:
        """Return what lists of jobs say that it is about."""
        return f"{self.legal_entity} {self.month}"


class MonthLooked(msgspec.Struct, frozen=True, kw_only=True):
    """A month's checklist at a moment, with its replay; whether the month was closed on it."""

    items: tuple[ChecklistItem, ...]
    at: datetime
    is_closed: bool = False


class LastLook(NamedTuple):
    """What jobs know of a month: the last look that is done, and the job that was asked for last.

    `job`: the number of the one whose look it is; 0 where nobody looked.
    """

    job: int
    looked: MonthLooked | None
    newest: Job | None


def look_at_month(
    connection: Connection[Any], asked: MonthAsked, *, replay: Replay, at: datetime
) -> MonthLooked:
    """Go through the checklist of a month, replay and all; *connection* is in no transaction."""
    scope = PeriodScope(connection, asked.legal_entity, asked.month)
    items = MonthGathering(connection, scope, replay=replay).checklist()
    return MonthLooked(items=items, at=at)


def close_month(
    connection: Connection[Any],
    desk: PeriodDesk,
    period: AccountingPeriod,
    asked: MonthAsked,
    *,
    replay: Replay,
    at: datetime,
) -> MonthLooked:
    """Close a month for good on its checklist; where something is left, say what and leave it.

    Done twice it is done once: what was cut off after the close finds it closed by its own person.

    Raises:
        IllegalPeriodMoveError: If *period*, its record, is not soft-closed.
        SecondPersonError: If who asked soft-closed it.
        LedgerError: What else the desk refuses.
    """
    if period.is_closed and period.closes[-1].by == asked.by:
        return MonthLooked(items=period.closes[-1].checklist, at=at, is_closed=True)
    desk.check_close(asked.legal_entity, asked.month, by=asked.by)
    scope = PeriodScope(connection, asked.legal_entity, asked.month)
    kept: KeptReports = MonthGathering(connection, scope, replay=replay).kept()
    try:
        desk.close(asked.legal_entity, asked.month, kept, by=asked.by, at=at)
    except ChecklistError:
        return MonthLooked(items=kept.checklist, at=at)
    return MonthLooked(items=kept.checklist, at=at, is_closed=True)


def last_look(connection: Connection[Any], asked: MonthAsked) -> LastLook:
    """Return what jobs know of a month, whoever asked for them."""
    jobs = sorted(
        (
            job
            for kind in (CHECK_MONTH, CLOSE_MONTH)
            for job in jobs_of(connection, kind, subject=asked.subject, limit=_LOOKED_BACK)
        ),
        key=lambda job: -job.number,
    )
    done = next((job for job in jobs if job.state is JobState.DONE), None)
    return LastLook(
        job=done.number if done else 0,
        looked=looked_by(connection, done.number) if done else None,
        newest=jobs[0] if jobs else None,
    )


def looked_by(connection: Connection[Any], job: int) -> MonthLooked | None:
    """Return what a job that is done saw of its month."""
    result = result_of(connection, job)
    return None if result is None else read_stored(result, MonthLooked)
