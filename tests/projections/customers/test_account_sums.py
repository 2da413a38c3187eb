"""The sums that are kept of customers' accounts, held against the entries themselves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from psycopg import Connection

from ledger.books.accounts import PREPAYMENTS, RECEIVABLE
from ledger.database import connect
from projections.customers.account_sums import moved_since, moved_until
from projections.documents.statements.statement import LongStatementError, Wanted, statement_of
from projections.energy.recount import recounted_books

ENTRIES = """
SELECT party, legal_entity, currency, sum(minor)::bigint
FROM journal_entry CROSS JOIN unnest(accounts, parties, currencies, amounts)
    AS leg (account, party, currency, minor)
WHERE account = %s AND party = ANY (%s) AND (booked_at < %s) = %s GROUP BY 1, 2, 3
"""
DAYS = [date(2026, 1, 1), date(2026, 3, 2), date(2026, 3, 17), date(2026, 4, 1), date(2026, 6, 1)]
TIMES = [timedelta(), timedelta(hours=7), timedelta(hours=30, minutes=17, seconds=3)]


@pytest.fixture
def books(demo_dsn: str) -> Iterator[Connection[Any]]:
    with connect(demo_dsn) as connection:
        yield connection


@pytest.mark.parametrize("account", [RECEIVABLE, PREPAYMENTS])
@pytest.mark.parametrize("days", [-2, 0, 1, 14, 31, 33, 60])
def test_sums_are_those_of_the_entries(books: Connection[Any], account: str, days: int) -> None:
    query = "SELECT DISTINCT unnest(parties) FROM journal_entry"
    customers = [name for (name,) in books.execute(query) if name]
    for hours in TIMES:
        moment = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=days) + hours
        found = moved_until(books, customers, account, moment)
        since = moved_since(books, customers, account, moment)
        before, after = (
            {
                tuple(row[:3]): row[3]
                for row in books.execute(ENTRIES, (account, customers, moment, is_before))
            }
            for is_before in (True, False)
        )

        assert (found, since) == (before, after)
        whole = moved_until(books, customers, account, None)
        keys = before.keys() | after.keys()
        assert whole == {key: before.get(key, 0) + after.get(key, 0) for key in keys}


def test_a_statement_opens_with_what_the_one_before_closed_with(books: Connection[Any]) -> None:
    query = "SELECT DISTINCT customer, legal_entity, currency FROM issued_invoice"
    accounts = [row for row in books.execute(query) if str(row[0]).startswith("p-")]
    for account in accounts:
        closing = moved = 0
        for first, last in pairwise(DAYS):
            customer, seller, currency = account
            wanted = Wanted(customer, seller, currency, first, last - timedelta(days=1))
            shown = statement_of(books, wanted)
            assert shown.opening_minor == closing
            moved += sum(each.amount_minor for each in shown.movements)
            closing = shown.closing_minor
            assert closing == moved

    assert len(accounts) > 30
    customer, seller, currency = accounts[0]
    wanted = Wanted(customer, seller, currency, DAYS[0], DAYS[-1])
    with pytest.raises(LongStatementError, match="fewer days"):
        statement_of(books, wanted, moves_max=1)


def test_a_recount_finds_a_sum_that_was_changed(database: str) -> None:
    with connect(database) as connection:
        connection.execute(
            "INSERT INTO journal_entry VALUES ('invoice:1', 'watt', '2026-03-02', '2026-03',"
            " '2026-03', NULL, NULL, '{receivable:invoiced,revenue}', '{ada,\"\"}', '{EUR,EUR}',"
            " '{5,-5}')"
        )
        assert recounted_books(connection).agrees
        connection.execute("UPDATE customer_sum SET amount_minor = 6 WHERE span = 'day'")
        [found] = recounted_books(connection).accounts

    assert (found.span, found.legal_entity) == ("day", "watt")
    assert [each and each.account for each in (found.kept, found.counted)] == [
        "receivable:invoiced of ada"
    ] * 2
    assert [each and each.debit_minor for each in (found.kept, found.counted)] == [6, 5]


@pytest.mark.parametrize("year", [1, 9999])
def test_the_ends_of_time_are_moments_like_others(books: Connection[Any], year: int) -> None:
    day = datetime(year, 12 if year > 1 else 1, 31 if year > 1 else 1, tzinfo=UTC)
    query = "SELECT DISTINCT unnest(parties) FROM journal_entry"
    customers = [name for (name,) in books.execute(query) if name]
    whole = moved_until(books, customers, RECEIVABLE, None)

    assert moved_until(books, customers, RECEIVABLE, day) == (whole if year > 1 else {})
    assert moved_since(books, customers, RECEIVABLE, day) == ({} if year > 1 else whole)
