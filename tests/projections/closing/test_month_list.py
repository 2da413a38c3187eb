"""Months of the books page by page: the same ones as when every entry is counted."""

from __future__ import annotations

import pytest

from ledger.database import connect
from ledger.periods.periods import AccountingPeriods
from projections.closing import month_list
from projections.closing.month_list import MonthKey, entries_of, month_keys, month_rows
from projections.closing.period_list import listed_periods
from tests.ledger.desk.closing.books_of_march import ENTITY, MARCH, books_of_march, soft_closed


def test_months_are_found_without_counting_every_entry(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    books_of_march(database)
    soft_closed(database)
    with connect(database) as connection, AccountingPeriods(database) as periods:
        counted = listed_periods(connection, periods, None)
        keys = month_keys(connection, lambda _: True)
        found = month_rows(connection, periods, keys)

        assert keys == [MonthKey(each.month, each.legal_entity) for each in counted]
        assert [each.entries for each in found] == [each.entries for each in counted]
        assert [each.record.state for each in found] == [each.state for each in counted]
        assert month_keys(connection, lambda entity: entity != ENTITY) == []
        # More than so many are not counted.
        monkeypatch.setattr(month_list, "ENTRIES_MAX", 2)
        assert entries_of(connection, MonthKey(MARCH, ENTITY)) == 3


def test_a_month_that_was_closed_empty_is_listed(database: str) -> None:
    with connect(database) as connection:
        connection.execute(
            "INSERT INTO period_mark (partition, legal_entity, number, month, act, position)"
            " VALUES (-1, 'idle', 1, '2026-01', 'close', 1)"
        )

        assert month_keys(connection, lambda _: True) == [MonthKey("2026-01", "idle")]
