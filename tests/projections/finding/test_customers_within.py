"""Customers within a reach, page by page, however many others there are."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ledger.database import connect
from ledger.declared.store import load_declarations
from ledger.persons.holders import customer_holder
from ledger.persons.store import find_or_make
from projections.finding.customers import find_customers
from tests.projections.books_of_a_day import books_of_a_day

AT = datetime(2026, 3, 3, tzinfo=UTC)


@pytest.mark.parametrize("looked_at", [1, 7, 1_000])
def test_each_page_looks_at_so_many_and_says_where_the_next_begins(
    database: str, looked_at: int
) -> None:
    books_of_a_day(database)
    with connect(database) as connection:
        find_or_make(connection, [customer_holder(f"other-{each}") for each in range(40)])
        [(seller,)] = connection.execute(
            "SELECT DISTINCT legal_entity FROM issued_invoice"
        ).fetchall()
        billed = connection.execute(
            "SELECT DISTINCT name FROM issued_invoice JOIN subject ON subject = customer"
        ).fetchall()
        [(customers,)] = connection.execute(
            "SELECT count(*) FROM subject WHERE kind = 'customer'"
        ).fetchall()
        declared, found, pages = load_declarations(connection), list[str](), 0
        after: str | None = ""
        while after is not None:
            shown, after = find_customers(
                connection,
                declared,
                AT,
                limit=2,
                after=after,
                legal_entities=[seller],
                looked_at=looked_at,
            )
            found += [each.key for each in shown]
            pages += 1
            none, _ = find_customers(
                connection, declared, AT, limit=2, legal_entities=["nobody"], looked_at=looked_at
            )
            assert none == []

    assert sorted(found) == sorted(name for (name,) in billed)
    assert len(found) == len(set(found)) > 0
    assert pages >= customers // looked_at
