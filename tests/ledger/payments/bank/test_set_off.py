"""A customer transfers what it owes less what it is to get back, and names both."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from ledger.books.accounts import RECEIVABLE
from ledger.payments.movement import Allotment, MoneyKind
from ledger.payments.open_items import open_items
from ledger.payments.recording import record_movement
from projections.balances.trial import trial_balance
from tests.ledger.payments.bank.bank_books import invoiced, open_minor, put_in, waiting, wl
from tests.ledger.payments.bank.bank_files import Booked, camt
from tests.ledger.payments.moved_money import moved

Books = psycopg.Connection[Any]


@pytest.fixture
def books(database: str) -> Iterator[Books]:
    """Three invoices to anna and one to a bearer, of 4.76; 6.00 were paid for the first one."""
    with invoiced(database, ["anna-1"] * 3 + ["nobody-1"]) as connection:
        [item] = open_items(connection, [wl(1)])
        by_card = Allotment(RECEIVABLE, 600, item.party or "", wl(1))
        record_movement(connection, moved(MoneyKind.RECEIVED, 600, by_card))
        yield connection
        assert trial_balance(connection).is_balanced


@pytest.mark.parametrize(
    ("minor", "named", "left", "reason"),
    [
        pytest.param(352, (1, 2), (0, 0), None, id="one invoice less one"),
        pytest.param(828, (1, 2, 3), (0, 0), None, id="two less one"),
        pytest.param(351, (1, 2), (-124, 476), "too_little", id="a cent less"),
        pytest.param(352, (1, 4), (-124, 476), "too_little", id="somebody else's"),
        pytest.param(352, (2,), (-124, 124), None, id="the one alone: partly paid"),
    ],
)
def test_what_comes_to_both_settles_both(
    books: Books, minor: int, named: tuple[int, ...], left: tuple[int, int], reason: str | None
) -> None:
    put_in(books, camt([Booked(minor, " less ".join(map(wl, named)))]))

    other = 4 if 4 in named else 2
    assert (open_minor(books, wl(1)), open_minor(books, wl(other))) == left
    assert waiting(books) == ({} if reason is None else {reason: minor})


def test_a_reversal_is_set_off_against_nothing(books: Books) -> None:
    put_in(books, camt([Booked(352, f"{wl(1)} {wl(2)}", is_reversal=True)]))

    assert waiting(books) == {"taken_back": 352}


def test_what_goes_is_less_by_what_is_owed(books: Books) -> None:
    [item] = open_items(books, [wl(1)])
    again = Allotment(RECEIVABLE, 500, item.party or "", wl(1))
    record_movement(books, moved(MoneyKind.RECEIVED, 500, again, reference="pi_2"))
    put_in(books, camt([Booked(-148, f"{wl(1)} {wl(2)}")], opening=1000))

    assert (open_minor(books, wl(1)), open_minor(books, wl(2))) == (0, 0)
    assert waiting(books) == {}
