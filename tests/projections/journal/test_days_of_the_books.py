"""The books of some days: a day begins when it does where the legal entity is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from ledger.books.journal import JournalEntry, Posting, store_entries
from ledger.declared.changes import Change
from ledger.declared.declarations import Declarations, Kind
from ledger.declared.store import declare, load_declarations
from ledger.master_data.legal_entities import LegalEntity
from projections.balances.trial import trial_balance
from projections.journal.days import UnknownLegalEntityError, book_days
from projections.journal.entries import accounts_of, booked_entries, entry_count
from tests.projections.books_of_a_day import ask

MIDNIGHT = datetime(2026, 3, 31, 22, 0, tzinfo=UTC)
"""When April begins in Berlin."""
INSTANT = timedelta(microseconds=1)
APRIL = date(2026, 4, 1)


def book(connection: psycopg.Connection[Any], name: str, entity: str, at: datetime) -> None:
    legs = [("receivable:invoiced", 100), (f"revenue:{name}", -100)]
    postings = tuple(
        Posting(account=account, party="", currency="EUR", amount_minor=amount)
        for account, amount in legs
    )
    entry = JournalEntry(
        entry_id=f"invoice:{name}",
        legal_entity=entity,
        booked_at=at,
        original_period=f"{at:%Y-%m}",
        postings=postings,
    )
    store_entries(connection, [entry])


@pytest.fixture
def books(database: str) -> Iterator[psycopg.Connection[Any]]:
    """Books around a Berlin midnight, of entities in Berlin, in New York, and of none declared."""
    with ask(database) as connection:
        fill(connection)
        yield connection


def fill(connection: psycopg.Connection[Any]) -> None:
    zones = {"berlin": "Europe/Berlin", "york": "America/New_York"}
    changes = [
        Change(
            kind=Kind.LEGAL_ENTITY,
            key=key,
            entity=LegalEntity(name=key, country="DE", time_zone=zone, invoice_prefix=key[0]),
        )
        for key, zone in zones.items()
    ]
    declare(connection, changes, by="test", at=MIDNIGHT)
    book(connection, "last", "berlin", MIDNIGHT - INSTANT)
    book(connection, "first", "berlin", MIDNIGHT)
    book(connection, "york", "york", MIDNIGHT)
    book(connection, "gone", "gone", MIDNIGHT)


def declared(connection: psycopg.Connection[Any]) -> Declarations:
    return load_declarations(connection)


def test_as_of_a_day_is_up_to_its_end_in_each_calendar(books: psycopg.Connection[Any]) -> None:
    march = book_days(declared(books), up_to=date(2026, 3, 31))
    balance = trial_balance(books, march)

    names = [each.account for each in balance.accounts]
    assert names == ["receivable:invoiced", "revenue:gone", "revenue:last", "revenue:york"]
    assert balance.is_balanced
    assert balance.accounts[0].balance_minor == 300
    assert trial_balance(books).accounts[0].balance_minor == 400


def test_later_bookings_move_no_earlier_balance(books: psycopg.Connection[Any]) -> None:
    march = book_days(declared(books), up_to=date(2026, 3, 31))
    before = trial_balance(books, march)

    for number in range(1000):
        book(books, f"late{number}", "berlin", MIDNIGHT + number * INSTANT)

    assert trial_balance(books, march) == before
    assert len(trial_balance(books).accounts) == 1005


@pytest.mark.parametrize(
    ("entity", "first", "after", "expected"),
    [
        (None, APRIL, None, ["first"]),
        (None, None, APRIL, ["last", "gone", "york"]),
        ("berlin", None, None, ["last", "first"]),
        ("york", date(2026, 3, 31), APRIL, ["york"]),
        ("york", APRIL, None, []),
        (None, APRIL, APRIL, []),
        (None, date.min, date.max, ["last", "first", "gone", "york"]),
    ],
)
def test_days_and_an_entity_choose_entries(
    books: psycopg.Connection[Any],
    entity: str | None,
    first: date | None,
    after: date | None,
    expected: list[str],
) -> None:
    days = book_days(declared(books), first=first, after=after, legal_entity=entity)
    with books.transaction():
        found = list(booked_entries(books, days))

    assert [each.entry for each in found] == [f"invoice:{name}" for name in expected]
    assert entry_count(books, days) == len(expected)
    revenues = sorted(f"revenue:{name}" for name in expected)
    assert accounts_of(books, days) == ["receivable:invoiced", *revenues][: 2 * len(revenues)]


def test_an_entry_says_its_day_in_its_own_calendar(books: psycopg.Connection[Any]) -> None:
    with books.transaction():
        found = {
            each.entry: each.booked_on for each in booked_entries(books, book_days(declared(books)))
        }

    assert found == {
        "invoice:last": date(2026, 3, 31),
        "invoice:first": APRIL,
        "invoice:york": date(2026, 3, 31),
        "invoice:gone": date(2026, 3, 31),
    }


def test_the_last_day_that_there_is_may_be_asked_for(books: psycopg.Connection[Any]) -> None:
    days = book_days(declared(books), up_to=date.max)

    assert trial_balance(books, days) == trial_balance(books)


def test_an_unknown_legal_entity_is_refused_with_the_known_ones(
    books: psycopg.Connection[Any],
) -> None:
    with pytest.raises(UnknownLegalEntityError, match="there are berlin, york"):
        book_days(declared(books), legal_entity="gone")
