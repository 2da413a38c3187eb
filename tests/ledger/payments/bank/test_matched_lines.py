"""Lines of a statement: booked at import, matched by evidence alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from typing import Any

import psycopg
import pytest

from ledger.books.accounts import PREPAYMENTS, RECEIVABLE
from ledger.payments.bank.creditor_references import creditor_reference, in_groups
from ledger.payments.movement import UNMATCHED, Allotment, MoneyKind
from ledger.payments.open_items import open_items
from ledger.payments.recording import movements, record_movement
from projections.balances.trial import trial_balance
from tests.ledger.payments.bank.bank_books import (
    CASH,
    MIDNIGHT,
    balances,
    invoiced,
    open_minor,
    put_in,
    waiting,
    wl,
)
from tests.ledger.payments.bank.bank_files import Booked, camt
from tests.ledger.payments.moved_money import moved

Books = psycopg.Connection[Any]
ANNA = ["anna-1"] * 3
REFERENCE = in_groups(creditor_reference(wl(1)) or "")


@pytest.fixture
def books(database: str) -> Iterator[Books]:
    """Three invoices to anna and one to a bearer, of 4.76 each."""
    with invoiced(database, [*ANNA, "nobody-1"]) as connection:
        yield connection


def paid(*amounts: int) -> dict[int, int]:
    """Return what is open of the first invoices after *amounts* were paid."""
    return {number: 476 - minor for number, minor in enumerate(amounts, 1)}


@pytest.mark.parametrize(
    ("line", "left", "kept"),
    [
        pytest.param(Booked(476, f"Invoice {wl(1)}"), paid(476), {}, id="a number, its amount"),
        pytest.param(Booked(476, f"thanks/{wl(1).lower()}"), paid(476), {}, id="in small letters"),
        pytest.param(Booked(476, structured=REFERENCE), paid(476), {}, id="a creditor reference"),
        pytest.param(Booked(476, REFERENCE), paid(476), {}, id="a creditor reference as text"),
        pytest.param(Booked(200, wl(1)), paid(200), {}, id="less: partly paid"),
        pytest.param(
            Booked(500, wl(1)), paid(476), {PREPAYMENTS: -24}, id="more: the rest is a balance"
        ),
        pytest.param(
            Booked(1428, f"{wl(1)} {wl(2)},{wl(3)}"), paid(476, 476, 476), {}, id="several at once"
        ),
        pytest.param(
            Booked(1000, f"{wl(1)} {wl(2)}"), paid(476, 476), {PREPAYMENTS: -48}, id="several, more"
        ),
        pytest.param(Booked(900, f"{wl(1)} {wl(2)}"), paid(0, 0), "too_little", id="several, less"),
        pytest.param(Booked(476, "Carla Clara"), paid(0), "no_reference", id="an amount alone"),
        pytest.param(Booked(476, wl(9)), paid(0), "unknown_document", id="a number of nothing"),
        pytest.param(
            Booked(476, f"{wl(1)} {wl(9)}"), paid(0), "unknown_document", id="one of two unknown"
        ),
        pytest.param(Booked(476, "WL-2O26-00OOO1"), paid(0), "no_reference", id="a letter O"),
        pytest.param(Booked(476, "2026-000001"), paid(0), "no_reference", id="no prefix"),
        pytest.param(Booked(476, f"X{wl(1)}"), paid(0), "no_reference", id="part of a word"),
        pytest.param(Booked(476, "RF99WL2026000001"), paid(0), "no_reference", id="wrong digits"),
        pytest.param(Booked(-476, wl(1)), paid(0), "nothing_to_give_back", id="money that goes"),
        pytest.param(
            Booked(476, reference="B", parts=((276, wl(1)), (200, wl(2)))),
            paid(276, 200),
            {},
            id="a batch: each part for itself",
        ),
    ],
)
def test_a_line_is_for_what_it_says(
    books: Books, line: Booked, left: dict[int, int], kept: dict[str, int] | str
) -> None:
    put_in(books, camt([line]))

    assert {number: open_minor(books, wl(number)) for number in left} == left
    waits = {kept: line.amount} if isinstance(kept, str) else {}
    assert waiting(books) == waits
    stands = {UNMATCHED: -line.amount} if isinstance(kept, str) else kept
    owed = sum(left.values()) + 476 * (4 - len(left))
    assert balances(books) == {CASH: line.amount, RECEIVABLE: owed, **stands}
    assert trial_balance(books).is_balanced
    first = movements(books)[0]
    assert (first.kind, first.happened_at) == (MoneyKind.BANKED, MIDNIGHT)


def test_who_has_no_balance_has_the_rest_wait(books: Books) -> None:
    put_in(books, camt([Booked(500, wl(4))]))

    assert open_minor(books, wl(4)) == 0
    assert waiting(books) == {"too_much": 24}
    assert balances(books)[UNMATCHED] == -24


def test_two_lines_of_a_statement_do_not_take_the_same_cent(books: Books) -> None:
    put_in(books, camt([Booked(476, wl(1), "R-1"), Booked(476, wl(1), "R-2")]))

    assert open_minor(books, wl(1)) == 0
    assert balances(books) == {CASH: 952, RECEIVABLE: 3 * 476, PREPAYMENTS: -476}


def test_what_the_bank_takes_back_is_open_again(books: Books) -> None:
    back = Booked(-476, wl(1), "R-2", day="2026-11-12", is_reversal=True)
    again = Booked(-476, wl(1), "R-3", day="2026-11-13", is_reversal=True)
    put_in(books, camt([Booked(476, wl(1), "R-1")]))
    put_in(books, camt([back], name="2", opening=476))

    assert open_minor(books, wl(1)) == 476
    put_in(books, camt([again], name="3", opening=0))

    assert open_minor(books, wl(1)) == 476
    assert waiting(books) == {"nothing_to_give_back": -476}
    assert balances(books)[CASH] == -476


def test_a_return_that_its_details_tell_is_a_reversal(books: Books) -> None:
    put_in(books, camt([Booked(476, wl(1), "R-1")]))
    back = Booked(-476, wl(1), "R-2", day="2026-11-12", why_returned="MD06")
    put_in(books, camt([back], name="2", opening=476))

    assert open_minor(books, wl(1)) == 476
    assert waiting(books) == {}


def test_what_was_given_back_and_comes_again_is_to_be_given_back_again(books: Books) -> None:
    """Paid by card and by transfer; one goes back, to an account that is closed."""
    put_in(books, camt([Booked(476, wl(1), "R-1")]))
    [item] = open_items(books, [wl(1)])
    by_card = Allotment(RECEIVABLE, 476, item.party or "", wl(1))
    record_movement(books, moved(MoneyKind.RECEIVED, 476, by_card), UTC)
    assert open_minor(books, wl(1)) == -476
    went = Booked(-476, wl(1), "R-2", day="2026-11-12")
    returned = Booked(476, wl(1), "R-3", day="2026-11-13", why_returned="AC04")
    twice = returned._replace(reference="R-4", day="2026-11-14")
    put_in(books, camt([went], name="2", opening=476))
    assert open_minor(books, wl(1)) == 0
    put_in(books, camt([returned], name="3", opening=0))

    assert open_minor(books, wl(1)) == -476
    assert waiting(books) == {}
    assert PREPAYMENTS not in balances(books)
    put_in(books, camt([twice], name="4", opening=476))

    assert open_minor(books, wl(1)) == -476
    assert waiting(books) == {"taken_back": 476}
    put_in(books, camt([went._replace(reference="R-5", day="2026-11-16")], name="5", opening=952))
    assert open_minor(books, wl(1)) == 0


@pytest.mark.parametrize("amount", [476, 475, 477])
def test_what_a_bank_takes_back_of_what_we_sent_pays_nothing(books: Books, amount: int) -> None:
    put_in(books, camt([Booked(amount, wl(1), "R-1", is_reversal=True)]))

    assert open_minor(books, wl(1)) == 476
    assert waiting(books) == {"taken_back": amount}
    assert balances(books)[UNMATCHED] == -amount
