"""Documents before and after a month's mark: by the order in which they are booked."""

from __future__ import annotations

from ledger.books.feed import DESK_PARTITION
from ledger.books.periods import MarkAct, MonthMark, store_marks
from ledger.database import connect
from tests.charging_day import charging_day, declare_fleet, write_log
from tests.faults.broken_books import work
from tests.ledger.desk.closing.books_of_march import ENTITY, MARCH, rows
from tests.projections.books_of_a_day import replayed
from tests.projections.books_of_a_day import work as work_and_issue

BOOKED = "SELECT original_period, period FROM journal_entry WHERE entry_id LIKE 'invoice:%'"


def test_a_document_of_a_closed_month_is_booked_in_the_next_one(database: str) -> None:
    # Of 2 March, and dated so: the log is not further yet. Their events are 2, 4, 6, ...
    write_log(database, charging_day(declare_fleet(database)))
    work(database)
    with connect(database) as connection:
        mark = MonthMark(ENTITY, 1, MARCH, MarkAct.CLOSE, 5)
        store_marks(connection, DESK_PARTITION, [mark])
    work_and_issue(database)

    events = (
        "SELECT notification_id FROM decisions.invoices_events WHERE topic LIKE '%Invoice.Issued'"
    )
    before = sum(number < 5 for (number,) in rows(database, events))
    found = rows(database, f"{BOOKED} ORDER BY entry_id")
    assert 0 < before < len(found)
    assert found == [(MARCH, MARCH)] * before + [(MARCH, "2026-04")] * (len(found) - before)
    # No record of a period says so: who marked it by hand is found out, and what moved by it.
    report = replayed(database)
    assert {each.what for each in report.shown} == {"period mark", "invoice period"}
    assert report.differences == 1 + len(found) - before
