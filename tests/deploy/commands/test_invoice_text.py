"""An invoice as people read it: each tax by its own name, and what was rounded as one line."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from deploy.commands.books.invoice_text import print_document
from ledger.invoices.document import document_of
from ledger.invoices.order import cause_of_month, order_of
from ledger.invoices.shown import shown_invoice
from ledger.rating.decisions import SessionRated
from tariffs.taxes.sales_taxes import SalesTax
from tests.depot import NOON, declared
from tests.told import told

GST_AND_QST = (
    SalesTax(name="GST", percent=Decimal(5)),
    SalesTax(name="QST", percent=Decimal("9.975")),
)


def printed(capsys: pytest.CaptureFixture[str], *sessions: SessionRated) -> str:
    cause = cause_of_month(legal_entity="depot", customer="fleet", currency="EUR", month="2026-11")
    order = order_of(cause, sessions, declared(), at=NOON)
    document = document_of(order, number="WL-2026-000001", issued_on=date(2026, 12, 1))
    print_document(shown_invoice(document, sessions), {})
    return " ".join(capsys.readouterr().out.split())


def test_in_america_it_is_a_sales_tax(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, told(((1000, 83), "8.25"), country="US"))

    assert "Sales tax 8.25 % US on 10.00 EUR: 0.83 EUR" in text
    assert "VAT" not in text.replace("VAT id", "")


def test_taxes_with_names_are_printed_by_them(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, told(((1000, 150), "14.975"), country="CA", sales_taxes=GST_AND_QST))

    assert "GST 5 % CA on 10.00 EUR: 0.50 EUR" in text
    assert "QST 9.975 % CA on 10.00 EUR: 1.00 EUR" in text
    assert "VAT" not in text


def test_what_was_rounded_is_one_line_and_the_total_is_what_is_due(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = printed(capsys, told(((3, 0), "19"), tax_included=True))

    assert "line 2, Rounding: net 0.00 EUR, tax 0.01 EUR" in text
    assert text.count("line 2, ") == 1
    assert "VAT 19 % DE on 0.03 EUR: 0.01 EUR" in text
    assert "rounding -0.01 EUR" in text
    assert "total 0.03 EUR" in text


@pytest.mark.parametrize(("net", "times"), [(-1, 1), (0, 0), (1, 0)])
def test_a_total_below_zero_says_who_is_paid(
    capsys: pytest.CaptureFixture[str], net: int, times: int
) -> None:
    text = printed(capsys, told(((net, 0), None)))

    assert text.count("0.01 EUR are paid to the buyer") == times


def test_nothing_is_said_of_rounding_where_nothing_was_rounded(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = printed(capsys, told(((100, 20), "20"), ((50, 0), None)), told(((7, 0), "0")))

    assert "ounding" not in text
    assert "no VAT on 0.50 EUR: 0.00 EUR" in text
    assert "VAT 0 % DE on 0.07 EUR: 0.00 EUR" in text
    assert "net 1.57 EUR" in text
    assert "total 1.77 EUR" in text


def test_what_the_buyer_owes_is_said_with_what_it_is_owed_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = printed(capsys, told(((100, 0), "0"), reverse_charge_vat_id="FR1"))

    assert "VAT DE owed by the buyer on 1.00 EUR: 0.00 EUR" in text
    assert "Reverse charge: the buyer, VAT id FR1, owes the VAT." in text
