"""Lines that are for a payout of a provider, or for a settlement with a partner."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import psycopg
import pytest

from ledger.books.accounts import CASH_CLEARING, PARTNER_RECEIVABLE
from ledger.payments.awaited import awaited_payouts
from ledger.payments.movement import CLEARING, STRIPE, Allotment, MoneyKind, MoneyMovement
from ledger.payments.recording import record_movement
from ledger.settlements.entries import PARTNER_PAYABLE
from tests.depot import NOON
from tests.ledger.payments.bank.bank_books import balances, invoiced, put_in, waiting
from tests.ledger.payments.bank.bank_files import Booked, camt

Books = psycopg.Connection[Any]
PO = "po_1Abc"
SETTLED = "WL-RS-2026-000001"


@pytest.fixture
def books(database: str) -> Iterator[Books]:
    """Books without an invoice."""
    with invoiced(database, []) as connection:
        yield connection


def pay_out(books: Books, payout_id: str, minor: int, arrives: str = "2026-11-10") -> None:
    """Book that a provider paid out (below 0: took) *minor*, and keep the payout's row."""
    books.execute(
        "INSERT INTO payout (provider, payout_id, legal_entity, currency, amount_minor, created_at,"
        " arrives_on, lines, difference_minor, taken_at)"
        " VALUES ('stripe', %s, 'depot', 'EUR', %s, %s, %s, 0, 0, %s)",
        (payout_id, minor, NOON, date.fromisoformat(arrives), NOON),
    )
    record_movement(
        books,
        MoneyMovement(
            kind=MoneyKind.PAID_OUT,
            source=STRIPE,
            reference=payout_id,
            legal_entity="depot",
            currency="EUR",
            amount_minor=-minor,
            allotments=(Allotment(CLEARING, -minor, "", payout_id),),
            happened_at=NOON,
            recorded_by="a test",
        ),
    )


@pytest.mark.parametrize(
    ("line", "arrives", "reason"),
    [
        pytest.param(Booked(444, f"payout {PO}", payer="x"), "2026-10-01", None, id="its id"),
        pytest.param(Booked(444, PO.upper(), payer="x"), "2026-10-01", None, id="in capitals"),
        pytest.param(Booked(444, "x", payer="STRIPE LTD"), "2026-11-13", None, id="name and day"),
        pytest.param(Booked(444, "via Stripe", payer=""), "2026-11-07", None, id="name in a text"),
        pytest.param(Booked(444, "x", payer="Stripe"), "2026-11-14", "no_reference", id="too late"),
        pytest.param(Booked(444, "x", payer="Carla"), "2026-11-10", "no_reference", id="no name"),
        pytest.param(Booked(443, f"{PO}", payer="Stripe"), "2026-11-10", "no_reference", id="less"),
        pytest.param(Booked(444, f"{PO}d", payer="x"), "2026-11-10", "no_reference", id="other id"),
    ],
)
def test_a_payout_clears_what_was_under_way(
    books: Books, line: Booked, arrives: str, reason: str | None
) -> None:
    pay_out(books, PO, 444, arrives)

    put_in(books, camt([line]))

    assert waiting(books) == ({} if reason is None else {reason: line.amount})
    left = awaited_payouts(books)
    assert [each.under_way_minor for each in left] == ([] if reason is None else [444])
    assert balances(books).get(CASH_CLEARING, 0) == (0 if reason is None else 444)


def test_two_payouts_of_one_amount_are_for_a_person_unless_named(books: Books) -> None:
    pay_out(books, "po_1", 444)
    pay_out(books, "po_2", 444)

    put_in(books, camt([Booked(444, "x", "R-1", payer="Stripe")]))
    assert waiting(books) == {"two_candidates": 444}
    named = Booked(444, "po_2", "R-2", payer="Stripe", day="2026-11-11")
    last = Booked(444, "y", "R-3", payer="Stripe", day="2026-11-12")
    put_in(books, camt([named, last], name="2", opening=444))

    assert awaited_payouts(books) == []
    assert waiting(books) == {"two_candidates": 444}


def test_a_payout_may_take_money(books: Books) -> None:
    pay_out(books, PO, -444)

    put_in(books, camt([Booked(-444, PO)]))

    assert (awaited_payouts(books), waiting(books)) == ([], {})


def settle(books: Books, due_minor: int) -> None:
    """Keep a settlement with a partner who owes us *due_minor*, below 0: whom we owe it."""
    books.execute(
        "INSERT INTO partner_settlement (number, legal_entity, year, place, party, month, currency,"
        " due_minor, agreed_at, agreed_by, period, body, sha256) VALUES (%s, 'depot', 2026, 1,"
        " 'NL-TNM', '2026-10', 'EUR', %s, %s, 'x', '2026-10', '', '')",
        (SETTLED, due_minor, NOON),
    )


@pytest.mark.parametrize(
    ("due", "amount", "account", "reason"),
    [
        pytest.param(900, 900, PARTNER_RECEIVABLE, None, id="a partner pays"),
        pytest.param(-900, -900, PARTNER_PAYABLE, None, id="we pay a partner"),
        pytest.param(900, 899, None, "too_little", id="a partner pays less"),
        pytest.param(-900, 900, None, "too_much", id="a partner pays what we owe"),
        pytest.param(900, -900, None, "nothing_to_give_back", id="we pay what it owes"),
    ],
)
def test_a_settlement_is_paid_by_its_number(
    books: Books, due: int, amount: int, account: str | None, reason: str | None
) -> None:
    settle(books, due)

    put_in(books, camt([Booked(amount, f"Settlement {SETTLED}")]))

    assert waiting(books) == ({} if reason is None else {reason: amount})
    paid = books.execute(
        "SELECT account, party, minor FROM allotment WHERE document = %s", (SETTLED,)
    ).fetchall()
    assert paid == ([] if account is None else [(account, "NL-TNM", amount)])
