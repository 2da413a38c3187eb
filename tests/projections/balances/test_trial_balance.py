"""The trial balance: debits are credits in every currency, or the difference shows."""

from __future__ import annotations

import pytest

from projections.balances.trial import trial_balance
from tests.projections.books_of_a_day import ask, books_of_a_day, tamper


@pytest.fixture
def books(database: str) -> str:
    return books_of_a_day(database)


def test_what_is_owed_is_what_was_earned_and_taxed(books: str) -> None:
    with ask(books) as connection:
        balance = trial_balance(connection)
    owed = {each.account: each.balance_minor for each in balance.accounts}

    assert balance.is_balanced
    assert balance.difference_minor == {"EUR": 0}
    assert owed == {
        "expected_tax": 0,
        "receivable:invoiced": 1071,
        "receivable:unbilled": 0,
        "revenue:energy": -600,
        "revenue:parking_time": -300,
        "vat:DE:19": -171,
    }


def test_books_without_postings_are_balanced(database: str) -> None:
    with ask(database) as connection:
        assert trial_balance(connection).is_balanced


def test_a_cent_too_much_is_seen(books: str) -> None:
    tamper(books, "UPDATE journal_entry SET amounts[1] = amounts[1] + 1 WHERE ctid ="
                  " (SELECT min(ctid) FROM journal_entry)")  # fmt: skip
    with ask(books) as connection:
        balance = trial_balance(connection)

    assert balance.difference_minor == {"EUR": 1}
    assert not balance.is_balanced


def test_a_change_of_currency_is_seen(books: str) -> None:
    tamper(books, "UPDATE journal_entry SET currencies[2] = 'SEK'"
                  " WHERE entry_id LIKE '%/12/%'")  # fmt: skip
    with ask(books) as connection:
        assert not trial_balance(connection).is_balanced
