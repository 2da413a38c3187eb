"""Money at a provider that nothing explains: what a person says it was for is booked, by two."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from ledger.database import connect
from ledger.declared.store import declare
from ledger.desk.customers.prepaying import UnfitPrepaymentError
from ledger.desk.paying.explaining import (
    MoneyWish,
    SameExplainerError,
    UnexplainableError,
    explain_money,
    withdraw_proposed_money,
)
from ledger.desk.withdrawing.withdrawn import (
    About,
    NotProposedError,
    Withdrawal,
    withdrawn_of,
)
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.issuing import issue_due
from ledger.payments.open_items import open_item
from ledger.payments.payouts.unmatched import unmatched_money
from projections.payments.payout_list import find_payout
from tests.depot import NOON, changes, declared, keep_decisions, rated, session
from tests.ledger.payments.payouts.payout_desk import PayoutDesk

DECLARED = declared()
NUMBER = "WL-2026-000001"


@pytest.fixture
def books(database: str) -> Iterator[PayoutDesk]:
    """Books with an invoice of 4.76."""
    with connect(database) as opened, InvoiceIssuer(database) as issuer:
        with opened.transaction():
            declare(opened, changes(), by="a test", at=NOON)
        keep_decisions(opened, [rated(session(token_uid="anna-1"), DECLARED)])
        assert issue_due(opened, issuer, DECLARED, up_to=NOON) == (NUMBER,)
        yield PayoutDesk(database, opened)


def unknown(desk: PayoutDesk, kind: str, minor: int) -> tuple[str, int]:
    """Have money paid out that nobody knows of; return the payout, and the movement's number."""
    desk.account.line(kind, minor, f"by_hand_{minor}")
    payout = desk.pay_out()
    return payout.id, unmatched_money(desk.connection, at_providers=True)[-1].number


def explain(desk: PayoutDesk, by: str, wish: MoneyWish) -> tuple[int, bool]:
    done = explain_money(desk.connection, wish, by=by, at=NOON)
    return done.left_minor, done.waits


def open_minor(desk: PayoutDesk) -> int:
    item = open_item(desk.connection, NUMBER)
    assert item is not None
    return item.open_minor


def test_a_charge_and_a_refund_by_hand_go_to_the_invoice_that_a_person_names(
    books: PayoutDesk,
) -> None:
    payout, charged = unknown(books, "charge", 500)
    assert explain(books, "ann", MoneyWish(charged, NUMBER)) == (24, False)
    assert open_minor(books) == 0
    found = find_payout(books.connection, payout, books.now)
    assert found is not None
    assert (found.unmatched_minor, found.is_settled) == (24, False)
    assert explain(books, "ann", MoneyWish(charged, account="income:tips")) == (0, False)
    found = find_payout(books.connection, payout, books.now)
    assert found is not None
    assert (found.unmatched_minor, found.is_settled) == (0, True)

    _, refunded = unknown(books, "refund", -500)
    with pytest.raises(UnexplainableError, match=r"at most 4\.76 EUR"):
        explain(books, "ann", MoneyWish(refunded, NUMBER, amount=Decimal(5)))
    assert explain(books, "ann", MoneyWish(refunded, NUMBER, amount=Decimal("1.00"))) == (
        -400,
        False,
    )
    assert open_minor(books) == 100
    assert explain(books, "bob", MoneyWish(refunded, account="costs:goodwill")) == (0, False)

    assert unmatched_money(books.connection) == []
    sold = {"revenue:energy": -400, "vat:DE:19": -76}
    assert books.balances() == {"costs:goodwill": 400, "income:tips": -24, **sold}


def test_above_the_policys_amount_another_person_says_the_same(books: PayoutDesk) -> None:
    _, number = unknown(books, "charge", 100_001)
    wish = MoneyWish(number, account="income:other")
    assert explain(books, "ann", wish) == (100_001, True)
    with pytest.raises(SameExplainerError):
        explain(books, "Ann", wish)
    other = wish._replace(account="income:odd")
    assert explain(books, "bob", other) == (100_001, True)
    connection, how = books.connection, Withdrawal("ann", "it is a loan", NOON)
    withdraw_proposed_money(connection, number, "EUR", how)
    with pytest.raises(NotProposedError):
        withdraw_proposed_money(connection, number, "EUR", how)
    assert explain(books, "ann", other) == (100_001, True)
    assert explain(books, "bob", other) == (0, False)
    assert [
        (each.proposed_by, each.moved_minor, each.withdrawn_by, each.withdrawn_because)
        for each in withdrawn_of(connection, About.MOVEMENT, number)
    ] == [("bob", 100_001, "ann", "it is a loan"), ("ann", 100_001, "bob", "")]
    with pytest.raises(UnexplainableError, match="payouts unmatched"):
        explain(books, "ann", other)


@pytest.mark.parametrize(
    "wish",
    [
        MoneyWish(0),
        MoneyWish(0, NUMBER, "fees:stripe"),
        MoneyWish(0, "WL-2026-000009"),
        MoneyWish(0, account="cash:stripe"),
        MoneyWish(0, account="receivable:invoiced"),
        MoneyWish(0, account="fees:\n"),
        MoneyWish(0, NUMBER, amount=Decimal(0)),
        MoneyWish(0, NUMBER, amount=Decimal(-1)),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(books: PayoutDesk, wish: MoneyWish) -> None:
    _, number = unknown(books, "charge", 500)

    with pytest.raises((UnexplainableError, UnfitPrepaymentError)):
        explain(books, "ann", wish._replace(number=number))
    [left] = unmatched_money(books.connection)
    assert left.left_minor == 500
