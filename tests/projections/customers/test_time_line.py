"""A customer's time line and balances on the demo's month: all there is, once, page by page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import Connection

from ledger.database import connect
from ledger.declared.declarations import Declarations, Kind
from ledger.declared.store import load_declarations
from ledger.users.roles import Reach
from projections.balances.prepaid import prepaid_balances
from projections.customers.balances import customer_balances
from projections.customers.time_line import BehindHappening, Happened, WhoseTimeLine, time_line
from projections.customers.tokens_of import tokens_of
from projections.finding.stays import stays_within
from projections.payments.open_list import OpenWish, open_documents

pytestmark = pytest.mark.timeout(600)
ALL = 10_000
LAST_PAID = 46
"""Days after MARCH on which all was paid."""
MARCH = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def books(demo_dsn: str) -> Iterator[Connection[Any]]:
    with connect(demo_dsn) as connection:
        yield connection


@pytest.fixture(scope="module")
def declared(books: Connection[Any]) -> Declarations:
    return load_declarations(books)


def whose(declared: Declarations, customer: str) -> WhoseTimeLine:
    return WhoseTimeLine(customer, tokens_of(declared, customer), declared.keys(Kind.PARTNER))


def test_all_that_the_books_have_of_customers_is_on_their_time_lines(
    books: Connection[Any], declared: Declarations
) -> None:
    happened = Counter(
        each.kind
        for customer in declared.keys(Kind.CUSTOMER)
        for each in time_line(books, whose(declared, customer), limit=ALL)
    )

    queries = {
        "invoice": "issued_invoice WHERE credits IS NULL AND customer IS NOT NULL",
        "credit_note": "issued_invoice WHERE credits IS NOT NULL AND customer IS NOT NULL",
        "prepayment": "prepayment",
        "dispute": "dispute",
        "payment": "(SELECT DISTINCT number, party FROM allotment WHERE party LIKE 'p-%') AS paid",
        "session": """invoiced_session JOIN session USING (session_id) JOIN issued_invoice
            USING (number) WHERE customer IS NOT NULL AND invoiced_session.revision = 1""",
    }
    for kind, source in queries.items():
        [(count,)] = books.execute(f"SELECT count(*) FROM {source}").fetchall()
        assert count > 0
        assert happened[kind] >= count if kind == "session" else happened[kind] == count, kind
    assert happened["correction"] > 0


@pytest.mark.parametrize("size", [1, 7])
def test_pages_are_the_whole_line_whatever_their_size(
    books: Connection[Any], declared: Declarations, size: int
) -> None:
    for customer in declared.keys(Kind.CUSTOMER)[:8]:
        line = whose(declared, customer)
        whole = time_line(books, line, limit=ALL)
        paged: list[Happened] = []
        behind = None
        while page := time_line(books, line, limit=size, behind=behind):
            paged += page
            behind = BehindHappening(*page[-1][:3])

        assert paged == whole
        assert whole == sorted(whole, key=lambda each: (-each.at.timestamp(), each[1:3]))


def test_as_of_a_moment_there_is_what_was_before_it(
    books: Connection[Any], declared: Declarations
) -> None:
    until = MARCH + timedelta(days=15)
    for customer in declared.keys(Kind.CUSTOMER)[:8]:
        line = whose(declared, customer)
        whole = time_line(books, line, limit=ALL)
        before = [each for each in whole if each.at < until]

        assert time_line(books, line, limit=ALL, until=until) == before
        if before:
            # A moment at which something happened is not before itself.
            assert time_line(books, line, limit=ALL, until=before[0].at)[:1] != before[:1]


@pytest.mark.parametrize("days", [0, 3, 15, 30, 31, 33, 46])
def test_a_balance_as_of_a_moment_is_that_of_the_open_documents_then(
    books: Connection[Any], declared: Declarations, days: int
) -> None:
    until = MARCH + timedelta(days=days)
    customers = declared.keys(Kind.CUSTOMER)
    found = {
        (each.customer, each.legal_entity, each.currency): each.open_minor
        for each in customer_balances(books, customers, until=until)
        if each.open_minor
    }
    expected = Counter[tuple[str | None, str, str]]()
    for each in open_documents(books, OpenWish(until=until), limit=ALL):
        if each.subject in customers:
            expected[each.subject, each.legal_entity, each.currency] += each.open_minor

    assert found == {key: minor for key, minor in expected.items() if minor}
    assert bool(found) == (0 < days < LAST_PAID)


def test_balances_now_are_those_of_the_books(
    books: Connection[Any], declared: Declarations
) -> None:
    customers = declared.keys(Kind.CUSTOMER)
    found = customer_balances(books, customers)
    query = "SELECT coalesce(sum(open_minor), 0) FROM open_invoice WHERE customer = ANY (%s)"
    [(is_open,)] = books.execute(query, (list(customers),)).fetchall()
    prepaid = sum(each.balance_minor for one in customers for each in prepaid_balances(books, one))
    query = "SELECT coalesce(sum(gross_minor), 0) FROM uninvoiced_session WHERE customer = ANY (%s)"
    [(to_invoice,)] = books.execute(query, (list(customers),)).fetchall()

    assert sum(each.open_minor for each in found) == is_open
    assert sum(each.prepaid_minor for each in found) == prepaid
    assert sum(each.to_invoice_minor for each in found) == to_invoice


def test_a_reach_cuts_the_line(books: Connection[Any], declared: Declarations) -> None:
    reach = Reach(is_everywhere=False, sites=frozenset({("quayside-energy", "quayside")}))
    stays = stays_within(declared, reach)
    assert stays is not None
    seen = Counter[str]()
    for customer in declared.keys(Kind.CUSTOMER):
        line = whose(declared, customer)._replace(stays=stays, legal_entities=())
        happened = time_line(books, line, limit=ALL)
        seen.update(each.kind for each in happened)
        whole = time_line(books, line._replace(stays=None, legal_entities=None), limit=ALL)
        assert [each for each in whole if each.place.startswith("QS-")] == happened

    assert set(seen) == {"session"}
