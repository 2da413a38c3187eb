"""The trial balance that is kept up is the journal's, whoever books when and asks of which days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.books.journal import JournalEntry, Posting, store_entries
from projections.balances.booked_hours import (
    kept_month_balance,
    kept_trial_balance,
    put_together,
)
from projections.balances.trial import trial_balance
from projections.closing.month_balance import month_balance
from projections.journal.days import BookDays
from tests.projections.books_of_a_day import ask, books_of_a_day

ZONES = {
    "berlin": ZoneInfo("Europe/Berlin"),
    "nepal": ZoneInfo("Asia/Kathmandu"),  # 5:45 from UTC
    "york": ZoneInfo("America/New_York"),
}
PERIODS = ("2026-03", "2026-04")
MIDNIGHT = datetime(2026, 3, 31, 18, 15, tzinfo=UTC)
"""When April begins in Nepal."""


def entry(number: int, entity: str, at: datetime, currency: str, amount: int) -> JournalEntry:
    legs = (("receivable", amount), ("revenue", -amount), (f"own:{number % 3}", 1), ("vat", -1))
    return JournalEntry(
        original_period="2026-03",
        period=PERIODS[number % 2],
        entry_id=f"invoice:{number}",
        legal_entity=entity,
        booked_at=at,
        postings=tuple(
            Posting(account=account, party="", currency=currency, amount_minor=minor)
            for account, minor in legs
        ),
    )


def test_the_books_of_a_day_have_the_journals_balance(database: str) -> None:
    with ask(books_of_a_day(database)) as connection:
        assert len(kept_trial_balance(connection).accounts) == 6
        assert kept_trial_balance(connection) == trial_balance(connection)


Booked = st.tuples(
    st.sampled_from([*ZONES, "gone"]),
    st.integers(-4 * 24, 4 * 24),
    st.sampled_from([timedelta(0), timedelta(microseconds=-1)]),
    st.sampled_from(["EUR", "SEK"]),
    st.integers(1, 5),
)
"""A legal entity, quarters of an hour from midnight in Nepal, an instant before, an amount."""
Bound = st.none() | st.dates(date(2026, 3, 30), date(2026, 4, 2))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    groups=st.lists(st.tuples(st.lists(Booked, max_size=4), st.booleans()), max_size=6),
    asked=st.lists(
        st.tuples(
            Bound,
            Bound,
            st.sampled_from([None, *ZONES, "gone"]),
            st.sampled_from([None, *PERIODS]),
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_kept_is_recounted_whatever_days_are_asked_for(
    database: str,
    groups: list[tuple[list[tuple[str, int, timedelta, str, int]], bool]],
    asked: list[tuple[date | None, date | None, str | None, str | None]],
) -> None:
    number = 0
    with ask(database) as connection, connection.transaction(force_rollback=True):
        for group, is_put_together in groups:
            entries = [
                entry(number + each, entity, MIDNIGHT + quarters * timedelta(minutes=15) + by, c, n)
                for each, (entity, quarters, by, c, n) in enumerate(group)
            ]
            number += len(entries)
            store_entries(connection, entries)
            if is_put_together:
                put_together(connection, added_max=1)
        for first, after, entity, period in asked:
            days = BookDays(first, after, entity, ZONES, period)
            assert kept_trial_balance(connection, days) == trial_balance(connection, days)
        assert kept_trial_balance(connection) == trial_balance(connection)
        for month in ("2026-02", *PERIODS):
            for entity in (None, "berlin"):
                kept = kept_month_balance(connection, month, legal_entity=entity)
                assert kept == month_balance(connection, month, legal_entity=entity)


def rows(connection: psycopg.Connection[Any]) -> int:
    [(count,)] = connection.execute("SELECT count(*) FROM booked_hour").fetchall()
    return int(count)


def test_many_rows_of_an_hour_become_one_of_each_account(database: str) -> None:
    with ask(database) as connection:
        store_entries(connection, [entry(0, "berlin", MIDNIGHT, "EUR", 1)])
        assert not put_together(connection, added_max=8)
        store_entries(connection, [entry(6, "berlin", MIDNIGHT, "EUR", 1)])
        assert rows(connection) == 8
        assert put_together(connection, added_max=8)
        assert rows(connection) == 4
        assert not put_together(connection, added_max=8)
        assert kept_trial_balance(connection) == trial_balance(connection)


def test_who_puts_together_loses_nothing_that_is_added_meanwhile(database: str) -> None:
    with ask(database) as one, ask(database) as other:
        store_entries(one, [entry(0, "berlin", MIDNIGHT, "EUR", 1)])
        with other.transaction():
            store_entries(other, [entry(1, "berlin", MIDNIGHT, "EUR", 2)])
            assert put_together(one, added_max=1)
        with other.transaction():
            assert put_together(other, added_max=1)
            assert not put_together(one, added_max=1)  # the other one is at it
            assert kept_trial_balance(one) == trial_balance(one)
        assert kept_trial_balance(one) == trial_balance(one)
