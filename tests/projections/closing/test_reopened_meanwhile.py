"""A month that is opened again while a job goes through its checklist, to close it."""

from __future__ import annotations

import pytest

from ledger.database import connect
from ledger.periods.periods import AccountingPeriods, ContendedPeriodError
from projections.closing.gathering import MonthGathering
from projections.closing.month_work import MonthAsked, close_month
from projections.closing.period_scope import PeriodScope
from projections.replay.replay import ReplayReport
from tests.ledger.desk.closing.books_of_march import (
    ENTITY,
    IN_APRIL,
    MARCH,
    books_of_march,
    desk_of,
    soft_closed,
)

BOB = MonthAsked(legal_entity=ENTITY, month=MARCH, by="bob")


def no_difference() -> ReplayReport:
    return ReplayReport(lines=1, compared=1, differences=0, compared_by_kind={}, shown=())


def sign_off_all(dsn: str) -> None:
    with connect(dsn) as connection, desk_of(dsn) as desk:
        scope = PeriodScope(connection, ENTITY, MARCH)
        for each in MonthGathering(connection, scope, replay=no_difference).checklist():
            if not each.is_empty:
                desk.sign_off(ENTITY, MARCH, each, by="bob", at=IN_APRIL, reason="known")


def close(dsn: str, *, is_opened: bool) -> bool:
    """Have March closed by a job; *is_opened*: while it replays others open and soft-close it."""

    def replay() -> ReplayReport:
        if is_opened:
            with desk_of(dsn) as desk:
                desk.reopen(ENTITY, MARCH, by="cleo", at=IN_APRIL, reason="a bill is missing")
                desk.soft_close(ENTITY, MARCH, by="dora", at=IN_APRIL)
            sign_off_all(dsn)
        return no_difference()

    with connect(dsn) as connection, desk_of(dsn) as desk, AccountingPeriods(dsn) as periods:
        period = periods.find(ENTITY, MARCH)
        done = close_month(connection, desk, period, BOB, replay=replay, at=IN_APRIL)
    return done.is_closed


def test_a_job_closes_what_it_went_through_and_nothing_else(database: str) -> None:
    books_of_march(database)
    soft_closed(database)
    sign_off_all(database)

    with pytest.raises(ContendedPeriodError, match="look at it again"):
        close(database, is_opened=True)

    with AccountingPeriods(database) as periods:
        assert periods.find(ENTITY, MARCH).closes == ()
    assert close(database, is_opened=False)
