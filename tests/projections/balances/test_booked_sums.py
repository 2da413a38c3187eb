"""The trial balance that is kept up is the journal's, whoever books when and asks of which days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any, LiteralString
from zoneinfo import ZoneInfo

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.books.journal import JournalEntry, Posting, store_entries
from projections.balances.booked_sums import (
    kept_month_balance,
    kept_trial_balance,
    put_together,
)
from projections.balances.trial import AccountBalance, trial_balance
from projections.closing.month_balance import month_balance
from projections.energy.recount import recounted_books
from projections.journal.days import BookDays
from tests.projections.books_of_a_day import ask, books_of_a_day

ZONES = {
    "berlin": ZoneInfo("Europe/Berlin"),
    "nepal": ZoneInfo("Asia/Kathmandu"),  # 5:45 from UTC
    "york": ZoneInfo("America/New_York"),
}
DAY = timedelta(days=1)
_READ: LiteralString = """
SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'booked_sum'
"""
PERIODS = ("2026-03", "2026-04")
MIDNIGHT = datetime(2026, 3, 31, 18, 15, tzinfo=UTC)
"""When April begins in Nepal."""
BORDERS = (
    *(datetime(2026, 4, 1, tzinfo=zone) for zone in (UTC, *ZONES.values())),
    *(datetime(2026, 3, 1, tzinfo=zone) for zone in (UTC, *ZONES.values())),
    datetime(2026, 3, 29, 1, 0, tzinfo=UTC),  # the hour that Berlin leaves out
    datetime(2025, 12, 31, 23, 0, tzinfo=UTC),
)
"""Where months begin, each in its calendar; summer time; a year."""


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
    st.sampled_from(BORDERS),
    st.sampled_from([-24, -1, 0, 0, 1, 24]),
    st.sampled_from([timedelta(0), timedelta(microseconds=-1)]),
    st.sampled_from(["EUR", "SEK"]),
    st.integers(1, 5),
)
"""A legal entity, a border, hours from it, at once or an instant before, an amount."""
Bound = st.none() | st.dates(date(2026, 2, 28), date(2026, 4, 2))


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
    groups: list[tuple[list[tuple[str, datetime, int, timedelta, str, int]], bool]],
    asked: list[tuple[date | None, date | None, str | None, str | None]],
) -> None:
    number = 0
    with ask(database) as connection, connection.transaction(force_rollback=True):
        for group, is_put_together in groups:
            entries = [
                entry(number + each, entity, border + timedelta(hours=hours) + by, c, n)
                for each, (entity, border, hours, by, c, n) in enumerate(group)
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
        assert recounted_books(connection).agrees


@pytest.mark.parametrize("is_put_together", [False, True], ids=["added", "put together"])
def test_a_month_ends_at_its_own_midnight_to_the_microsecond(
    database: str, *, is_put_together: bool
) -> None:
    instant = timedelta(microseconds=1)
    with ask(database) as connection, connection.transaction(force_rollback=True):
        for number, (entity, zone) in enumerate([*ZONES.items(), ("gone", UTC)]):
            ends = datetime(2026, 4, 1, tzinfo=zone)
            # The later one first: what is booked last need not be the latest.
            store_entries(connection, [entry(2 * number, entity, ends, "EUR", 1_000)])
            store_entries(connection, [entry(2 * number + 1, entity, ends - instant, "EUR", 7)])
            if is_put_together:
                put_together(connection, added_max=1)
        asked = [(of, 7) for of in [*ZONES, "gone"]]
        for of, of_march in [*asked, (None, 4 * 7)]:
            march = BookDays(None, date(2026, 4, 1), of, ZONES)
            april = BookDays(date(2026, 4, 1), None, of, ZONES)
            assert _debit(connection, march) == of_march
            assert _debit(connection, april) == of_march // 7 * 1_000


def _debit(connection: psycopg.Connection[Any], days: BookDays) -> int:
    accounts = kept_trial_balance(connection, days).accounts
    return sum(each.debit_minor for each in accounts if each.account == "receivable")


def test_what_a_question_reads_does_not_grow_with_the_days_behind_it(database: str) -> None:
    asked = [
        BookDays(None, None, None, ZONES),
        BookDays(None, date(2026, 3, 31), "nepal", ZONES),
        BookDays(date(2026, 2, 2), date(2026, 3, 31), None, ZONES),
    ]
    with ask(database) as connection:
        read = []
        for year in (2026, 2025, 2024):
            days = [datetime(year, 1, 1, 8, tzinfo=UTC) + day * DAY for day in range(90)]
            store_entries(
                connection,
                [entry(1_000 * year + n, "nepal", at, "EUR", 1) for n, at in enumerate(days)],
            )
            put_together(connection, added_max=1)
            connection.execute("VACUUM ANALYZE booked_sum")
            read.append([_rows_read(connection, each) for each in asked])
    accounts, periods = 6, 2
    assert max(read[0]) <= len(ZONES) * (3 + 2 * 31 + 2 * 24) * accounts
    for before, after in pairwise(read):
        grown = [late - early for early, late in zip(before, after, strict=True)]
        assert max(grown) <= 3 * accounts * periods  # three months more, of ninety days


def _rows_read(connection: psycopg.Connection[Any], days: BookDays) -> int:
    """Return how many sums of what was booked the question is answered from."""
    with connection.transaction():
        # Of so few rows the server would rather read all.
        connection.execute("SET LOCAL enable_seqscan = off")
        [(before,)] = connection.execute(_READ).fetchall()
        kept_trial_balance(connection, days)
        [(after,)] = connection.execute(_READ).fetchall()
        return int(after - before)


@pytest.mark.parametrize("span", ["hour", "day", "month"])
def test_a_recount_finds_a_sum_that_was_changed(database: str, span: str) -> None:
    with ask(database) as connection, connection.transaction(force_rollback=True):
        store_entries(connection, [entry(0, "berlin", MIDNIGHT, "EUR", 5)])
        put_together(connection, added_max=1)
        connection.execute(
            "UPDATE booked_sum SET debit_minor = 6 WHERE span = %s AND account = 'receivable'",
            (span,),
        )
        [found] = recounted_books(connection).accounts
        assert (found.span, found.kept, found.counted) == (
            span,
            AccountBalance(account="receivable", currency="EUR", debit_minor=6, credit_minor=0),
            AccountBalance(account="receivable", currency="EUR", debit_minor=5, credit_minor=0),
        )


def rows(connection: psycopg.Connection[Any]) -> dict[str, int]:
    return dict(
        connection.execute("SELECT span, count(*) FROM booked_sum GROUP BY span").fetchall()
    )


def test_many_rows_of_an_hour_become_one_of_each_account(database: str) -> None:
    with ask(database) as connection:
        store_entries(connection, [entry(0, "berlin", MIDNIGHT, "EUR", 1)])
        assert not put_together(connection, added_max=8)
        store_entries(connection, [entry(6, "berlin", MIDNIGHT, "EUR", 1)])
        assert rows(connection) == {"added": 8}
        assert put_together(connection, added_max=8)
        assert rows(connection) == {"hour": 4, "day": 4, "month": 4}
        assert not put_together(connection, added_max=8)
        store_entries(connection, [entry(12, "berlin", MIDNIGHT, "EUR", 1)])
        assert put_together(connection, added_max=1)
        assert rows(connection) == {"hour": 4, "day": 4, "month": 4}
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
