"""Late frames by the thousand about a closed month: they move nothing that was kept of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ledger.database import connect
from ledger.periods.periods import AccountingPeriods
from projections.closing.gathering import MonthGathering
from projections.closing.month_balance import (
    balance_bytes,
    month_balance,
    moved_minor,
    read_balance,
)
from projections.closing.month_reports import energy_days, month_reports
from projections.closing.period_list import came_afterwards, listed_periods
from projections.closing.period_scope import PeriodScope
from projections.replay.replay import ReplayReport
from tests.charging_day import Timed, at, meter16, start16, status16, stop16, tick, write_log
from tests.faults.broken_books import is_identical
from tests.ledger.desk.closing.books_of_march import (
    APRIL,
    ENTITY,
    HOUR,
    IN_APRIL,
    MARCH,
    MARCH_ENDS,
    books_of_march,
    desk_of,
    minutes,
    rows,
    soft_closed,
)
from tests.projections.books_of_a_day import work

SESSIONS = 400
IN_MARCH = "SELECT * FROM journal_entry WHERE period = '2026-03' ORDER BY entry_id"


def late_sessions() -> list[Timed]:
    """Return what a station kept for itself: sessions of March that it tells in April."""
    lines: list[Timed] = []
    came = minutes(MARCH_ENDS + 24 * HOUR)
    for number in range(SESSIONS):
        begins, register = 10 + number * 90, 100_000 + number * 3000
        ref = 5000 + number
        told = [
            start16("CS-OLD-2", begins, ref, "FLEET1" if number % 2 else "HOME1", register),
            *(meter16("CS-OLD-2", begins + n * 10, ref, register + n * 500) for n in (1, 2, 3)),
            status16("CS-OLD-2", begins + 35, "SuspendedEV"),
            stop16("CS-OLD-2", begins + 60, ref, register + 2000),
        ]
        for each in told:
            came += 0.01
            moment, station, line = received_at(each, came)
            lines.append((moment, station, line))
    return lines


def received_at(timed: Timed, came: float) -> Timed:
    """Return a frame as it is when it is received so many minutes into the story."""
    _, station, line = timed
    return at(came), station, msgspec.structs.replace(line, received_at=at(came))


def no_difference() -> ReplayReport:
    return ReplayReport(lines=1, compared=1, differences=0, compared_by_kind={}, shown=())


def closed_books(dsn: str) -> str:
    """Return books whose March is closed with its real trial balance and reports."""
    books_of_march(dsn)
    soft_closed(dsn)
    with connect(dsn) as connection:
        scope = PeriodScope(connection, None, MARCH)
        kept = MonthGathering(connection, scope, replay=no_difference).kept()
    for each in kept.checklist:
        if not each.is_empty:
            with desk_of(dsn) as desk:
                desk.sign_off(ENTITY, MARCH, each, by="bob", at=IN_APRIL, reason="known")
    with desk_of(dsn) as desk:
        desk.close(ENTITY, MARCH, kept, by="bob", at=IN_APRIL)
    return dsn


@pytest.fixture
def books(database: str) -> str:
    return closed_books(database)


def kept(dsn: str) -> list[str]:
    with AccountingPeriods(dsn) as periods:
        return periods.find(ENTITY, MARCH).closes_text


def test_late_frames_by_the_thousand_move_nothing_of_a_closed_month(books: str) -> None:
    before, entries = kept(books), rows(books, IN_MARCH)
    lines = late_sessions()
    assert len(lines) > 2000
    write_log(books, [*lines, *tick(minutes(MARCH_ENDS + 72 * HOUR))], lines_a_record=20)
    work(books)

    assert kept(books) == before
    assert rows(books, IN_MARCH) == entries
    [(rated,)] = rows(books, "SELECT count(*) FROM session_decision WHERE kind = 'rated'")
    assert rated > SESSIONS * 0.9
    with connect(books) as connection, AccountingPeriods(books) as periods:
        [close] = periods.find(ENTITY, MARCH).closes
        assert close.is_intact
        now = month_balance(connection, MARCH, legal_entity=ENTITY)
        assert balance_bytes(now).decode() == close.trial_balance
        assert moved_minor(read_balance(close.trial_balance), now) == 0
        later = came_afterwards(connection, ENTITY, MARCH, limit=5)
        found = {each.month: each for each in listed_periods(connection, periods, None)}
        april = month_balance(connection, APRIL, legal_entity=ENTITY)
        assert april.is_balanced
        assert moved_minor(now, april) > 0
    assert later.count > SESSIONS * 0.9
    assert {each.period for each in later.entries} == {APRIL}
    assert (found[MARCH].state, found[APRIL].state) == ("closed", "open")
    assert found[APRIL].entries >= later.count
    assert is_identical(books)


def test_what_is_kept_is_hashed_and_a_changed_byte_is_found(books: str) -> None:
    with AccountingPeriods(books) as periods:
        [close] = periods.find(ENTITY, MARCH).closes
    assert close.is_intact
    assert read_balance(close.trial_balance).is_balanced
    for name in ("trial_balance", "reports"):
        text: Any = getattr(close, name)
        changed = msgspec.structs.replace(close, **{name: text.replace("1", "2", 1)})
        assert not changed.is_intact


def test_the_reports_of_a_month_add_up_to_its_books(books: str) -> None:
    with connect(books) as connection:
        scope = PeriodScope(connection, None, MARCH)
        reports = month_reports(connection, scope, energy_days(connection, scope))
        accounts = {
            each.account: -each.balance_minor
            for each in month_balance(connection, MARCH, legal_entity=ENTITY).accounts
        }
    assert reports.revenue
    for each in (*reports.revenue, *reports.taxes):
        assert each.amount_minor == accounts[each.account]
    assert [each.day.isoformat() for each in reports.energy] == ["2026-03-02"]
    assert reports.held.sessions == 2
    assert reports.unbilled == ()
    assert reports.entries_of_earlier == 0
