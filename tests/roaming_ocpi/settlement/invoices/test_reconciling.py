from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from psycopg import Connection

from ledger.database import connect
from ledger.desk.settling.desk import settlement_desk
from roaming_ocpi.settlement.completeness.list_files import LineProblems
from roaming_ocpi.settlement.completeness.listed_cdr import UnfitRowError
from roaming_ocpi.settlement.invoices.reconciling import (
    InvoicedCdr,
    InvoicedMonth,
    InvoiceReconciliation,
    invoice_line,
    reconcile,
)
from tariffs.quantities import money_of_minor
from tests.ledger.settlements.partner_cdrs import (
    ENTITY,
    IN_APRIL,
    MARCH,
    PARTNER,
    declare_beside,
    declare_partner,
    received_cdr,
    sent_cdr,
)

MARCH_ENDS = datetime(2026, 3, 31, 22, tzinfo=UTC)
INVOICE = InvoicedMonth(PARTNER, MARCH, MARCH_ENDS, "EUR", ENTITY)
A, B, CREDIT = (
    InvoicedCdr("A", "EUR", Decimal(10), Decimal("4.00")),
    InvoicedCdr("B", "EUR", Decimal(10), Decimal("6.00")),
    InvoicedCdr("B-", "EUR", Decimal(10), Decimal("6.00")),
)


@pytest.fixture
def books(database: str) -> Iterator[Connection[Any]]:
    """Two CDRs of the partner, a credit of one, and one that is disputed."""
    declare_partner(database)
    with connect(database) as connection:
        received_cdr(connection, "A", "4.00")
        received_cdr(connection, "B", "6.00")
        received_cdr(connection, "B-", "-6.00", kind="credit", credits="B")
        received_cdr(connection, "D", "9.00", verdict="disputed")
        yield connection


def held(
    connection: Connection[Any], *lines: InvoicedCdr, invoice: InvoicedMonth = INVOICE
) -> InvoiceReconciliation:
    return reconcile(connection, invoice, enumerate(lines, 2), LineProblems(), limit=10)


def settle(database: str) -> None:
    with (
        connect(database) as connection,
        settlement_desk(connection, declare_partner(database)) as desk,
    ):
        [scope] = desk.scopes(PARTNER, MARCH)
        desk.agree(scope, by="anna", at=IN_APRIL)


def test_an_invoice_of_exactly_our_cdrs_is_right(books: Connection[Any]) -> None:
    found = held(books, A, B, CREDIT._replace(cdr_id="b-"))

    assert found.is_right
    assert (found.lines, found.payable_net) == (3, Decimal("4.00"))


def test_a_price_that_pays_the_driver_has_its_energy_on_the_invoice(
    books: Connection[Any],
) -> None:
    received_cdr(books, "N", "-2.00")

    assert held(books, A, B, CREDIT, InvoicedCdr("N", "EUR", Decimal(10), Decimal(-2))).is_right


@pytest.mark.parametrize(
    ("line", "code"),
    [
        pytest.param(B._replace(net=Decimal("6.0001")), "net", id="a hundredth of a cent"),
        pytest.param(B._replace(energy_kwh=Decimal("10.001")), "energy", id="a Wh"),
        pytest.param(B._replace(currency="SEK"), "currency", id="another currency"),
    ],
)
def test_a_line_that_says_otherwise_is_found(
    books: Connection[Any], line: InvoicedCdr, code: str
) -> None:
    found = held(books, A, line, CREDIT)

    assert not found.is_right
    assert [(each.line, each.cdr_id, each.codes) for each in found.findings] == [(3, "B", (code,))]


@pytest.mark.parametrize(
    ("said", "codes"),
    [
        ({}, ()),
        ({"tax": "0.76"}, ()),
        ({"gross": "4.76"}, ()),
        ({"tax": "0.76", "gross": "4.76"}, ()),
        ({"tax": "0.7601"}, ("tax",)),
        ({"gross": "4.7601"}, ("gross",)),
        ({"tax": "0.80", "gross": "4.80"}, ("tax", "gross")),
        ({"tax": "0.76", "gross": "4.77"}, ("gross",)),
        ({"net": "4.01", "tax": "0.76", "gross": "4.77"}, ("net", "gross")),
    ],
)
def test_taxes_and_gross_are_held_against_the_cdr_where_a_line_says_them(
    books: Connection[Any], said: dict[str, str], codes: tuple[str, ...]
) -> None:
    received_cdr(books, "T", "4.00", tax=Decimal("0.76"))
    line = invoice_line({"cdr_id": "T", "net": "4", **said})

    found = held(books, A, B, CREDIT, line)

    assert [each.codes for each in found.findings] == ([codes] if codes else [])
    assert (found.payable_tax, found.untaxed) == (Decimal("0.76"), 0)


def test_the_tax_of_a_credit_is_taken_back_whatever_its_sign(books: Connection[Any]) -> None:
    received_cdr(books, "T", "4.00", tax=Decimal("0.76"))
    received_cdr(books, "T-", "-4.00", tax=Decimal("-0.76"), kind="credit", credits="T")
    one = {"net": "4", "tax": "0.76", "gross": "4.76"}
    back = {name: f"-{value}" for name, value in one.items()}

    for said in (one, back):
        lines = [invoice_line({"cdr_id": "T", **one}), invoice_line({"cdr_id": "T-", **said})]
        found = held(books, A, B, CREDIT, *lines)
        assert found.is_right
        assert found.payable_tax == 0


def test_a_tax_of_which_the_cdr_says_nothing_is_counted(books: Connection[Any]) -> None:
    taxed = A._replace(tax=Decimal("0.76"))

    found = held(books, taxed, B._replace(gross=Decimal("7.14")), CREDIT)

    assert found.is_right
    assert (found.untaxed, found.invoiced_tax, found.payable_tax) == (2, Decimal("0.76"), None)
    assert found.invoiced_gross == Decimal("7.14")
    wrong = held(books, taxed._replace(gross=Decimal("4.77")), B, CREDIT)
    assert wrong.counts == {"gross": 1}


def test_what_we_do_not_know_or_dispute_is_not_paid(books: Connection[Any]) -> None:
    ghost = InvoicedCdr("ghost", "EUR", Decimal(1), Decimal(100))

    found = held(books, A, B, CREDIT, ghost, B._replace(cdr_id="D", net=Decimal(9)))

    assert {each.cdr_id: each.codes for each in found.findings} == {
        "ghost": ("unknown",),
        "D": ("disputed",),
    }
    assert found.payable_net == Decimal("4.00")


def test_a_line_that_stands_twice_is_paid_once(books: Connection[Any]) -> None:
    taxed = A._replace(tax=Decimal("0.76"), gross=Decimal("4.76"))

    found = held(books, taxed, B, CREDIT, taxed)

    assert found.counts == {"repeated": 1}
    assert found.payable_net == Decimal("4.00")
    # What the invoice says is told as it stands there.
    assert (found.lines, found.invoiced_net) == (4, Decimal("20.00"))
    assert (found.invoiced_tax, found.invoiced_gross) == (Decimal("1.52"), Decimal("9.52"))


def test_what_is_missing_is_found_and_what_is_disputed_is_not_missed(
    books: Connection[Any],
) -> None:
    found = held(books, A)

    assert found.counts == {"missing": 2}
    assert found.missing_net == Decimal("0.00")
    assert not found.is_right


def test_what_was_settled_for_another_month_is_not_paid_again(
    database: str, books: Connection[Any]
) -> None:
    settle(database)
    received_cdr(books, "late", "1.00")
    april = INVOICE._replace(month="2026-04", ends_at=datetime(2026, 4, 30, 22, tzinfo=UTC))
    late = A._replace(cdr_id="late", net=Decimal(1))

    of_march = held(books, A, B, CREDIT)
    of_april = held(books, A, late, invoice=april)

    assert of_march.is_right
    assert of_april.counts == {"settled_otherwise": 1}
    assert of_april.payable_net == Decimal("1.00")


def test_what_ended_later_is_not_of_this_month(books: Connection[Any]) -> None:
    received_cdr(books, "april", "2.00", ended_at=MARCH_ENDS)

    found = held(books, A, B, CREDIT, A._replace(cdr_id="april", net=Decimal(2)))

    assert found.counts == {"not_of_this_month": 1}


@pytest.mark.parametrize(("total", "is_right"), [("4.00", True), ("4.01", False)])
def test_the_total_is_held_against_what_we_would_pay(
    books: Connection[Any], total: str, *, is_right: bool
) -> None:
    only_ids = [each._replace(net=None, energy_kwh=None) for each in (A, B, CREDIT)]

    found = held(books, *only_ids, invoice=INVOICE._replace(total_net=Decimal(total)))

    assert found.is_right is is_right


@pytest.mark.parametrize(
    ("currency", "nets", "right", "wrong"),
    [
        ("EUR", ("10.004", "5.001"), ("15.005", "15.01", "15.010"), ("15.00", "15.006", "15.02")),
        ("EUR", ("10.004", "-5.0"), ("5.004", "5.00"), ("5.01",)),
        ("JPY", ("100.4", "100.1"), ("200.5", "201"), ("200", "200.50001")),
        ("KWD", ("1.0004", "1.0001"), ("2.0005", "2.001"), ("2.00", "2.002")),
    ],
)
def test_a_total_is_right_when_it_is_rounded_once_as_it_is_settled(
    database: str,
    currency: str,
    nets: tuple[str, str],
    right: tuple[str, ...],
    wrong: tuple[str, ...],
) -> None:
    declare_partner(database)
    with connect(database) as connection:
        for number, net in enumerate(nets):
            received_cdr(connection, f"X{number}", net, currency=currency, position=number)
        invoice = INVOICE._replace(currency=currency)
        for total in (*right, *wrong):
            asked = invoice._replace(total_net=Decimal(total))
            lines = [InvoicedCdr(f"X{number}", currency) for number in range(2)]
            found = held(connection, *lines, invoice=asked)
            assert (total, found.is_total_right) == (total, total in right)
        with settlement_desk(connection, declare_partner(database)) as desk:
            [scope] = desk.scopes(PARTNER, MARCH)
            settled = desk.standing(scope).settlement.received.net_minor
    assert money_of_minor(settled, currency).amount == Decimal(right[1])


def test_what_another_legal_entity_of_ours_settled_says_nothing_of_the_invoice(
    database: str,
) -> None:
    """It sold to the partner; what the partner delivered is owed by who has the contract."""
    declared = declare_beside(database)
    with connect(database) as connection, settlement_desk(connection, declared) as desk:
        sent_cdr(connection, "S", 300, legal_entity="york")
        received_cdr(connection, "A", "4.00")
        [york] = [each for each in desk.scopes(PARTNER, MARCH) if each.legal_entity == "york"]
        desk.agree(york, by="anna", at=IN_APRIL)

        assert held(connection, A).is_right


def test_a_line_says_at_least_its_cdr_and_net() -> None:
    assert invoice_line({"cdr_id": "A", "net": "1.5", "energy_kwh": "", "position": "7"}) == (
        "A",
        None,
        None,
        Decimal("1.5"),
        None,
        None,
    )
    assert invoice_line({"cdr_id": "A", "gross": "4.76", "tax": "0.76"}).net == Decimal("4.00")
    with pytest.raises(UnfitRowError, match="net"):
        invoice_line({"cdr_id": "A"})
    with pytest.raises(UnfitRowError, match="net"):
        invoice_line({"cdr_id": "A", "gross": "4.76"})
