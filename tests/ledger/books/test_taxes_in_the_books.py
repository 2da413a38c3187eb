"""Taxes and ways to pay, through the books: invoice, lines and postings say the same amount."""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import Decimal

import msgspec
import pytest

from ledger.books.accounts import entry_for, invoice_entry
from ledger.declared.changes import Change, plan_changes
from ledger.declared.declarations import BEGINNING, Entity, Kind
from ledger.declared.rules import problems_of
from ledger.invoices.document import InvoiceDocument, document_of
from ledger.invoices.english import ENGLISH
from ledger.invoices.order import cause_of_session, order_of
from ledger.master_data.customers import Customer
from ledger.master_data.tariff_versions import published
from ledger.master_data.tokens import Token
from ledger.rating.decisions import SessionRated
from tariffs.adjustments.adjustment import QuantityTax, Surcharge
from tariffs.model.tariff import Tariff
from tariffs.taxes.sales_taxes import SalesTax
from tests.depot import ENERGY_ONLY, NOON, declared, rated, session

ABROAD = Customer(details="Anna Arndt SARL", vat_id="FR12345678901", reverse_charge=True)
EXCISE = QuantityTax(name="EV excise", per_kwh=Decimal("0.03"), vat=Decimal(19))
TAXED = msgspec.structs.replace(ENERGY_ONLY, quantity_taxes=(EXCISE,))
STACKED = msgspec.structs.replace(
    ENERGY_ONLY,
    sales_taxes=(
        SalesTax(name="GST", percent=Decimal(10)),
        SalesTax(name="local", percent=Decimal(10), stack=1),
    ),
)
BY_CARD = msgspec.structs.replace(
    ENERGY_ONLY,
    adjustments=(
        Surcharge(amount=Decimal("0.35"), payment_methods=("credit_card",), vat=Decimal(19)),
    ),
)


def books(
    tariff: Tariff, *more: tuple[Kind, str, Entity]
) -> tuple[SessionRated, InvoiceDocument, Counter[str]]:
    """Return the rating of 10 kWh, its invoice, and the balances of all accounts after both."""
    known = declared(
        (Kind.TARIFF, "energy", published(tariff), BEGINNING),
        *((kind, key, entity, BEGINNING) for kind, key, entity in more),
    )
    decision = rated(session(energy_wh="10000"), known)
    order = order_of(cause_of_session(decision.decides), [decision], known, at=NOON)
    balances: Counter[str] = Counter()
    for entry in (
        entry_for(decision),
        invoice_entry("WL-2026-000001", NOON, "2026-11", [decision]),
    ):
        assert entry is not None
        for posting in entry.postings:
            balances[posting.account] += posting.amount_minor
    invoice = document_of(order, number="WL-2026-000001", issued_on=date(2026, 11, 10))
    return decision, invoice, Counter({name: each for name, each in balances.items() if each})


@pytest.mark.parametrize("tariff", [ENERGY_ONLY, TAXED, STACKED, BY_CARD])
@pytest.mark.parametrize("customer", [Customer(details="Anna Arndt"), ABROAD])
def test_an_invoice_its_lines_its_taxes_and_its_postings_agree(
    tariff: Tariff, customer: Customer
) -> None:
    decision, invoice, balances = books(tariff, (Kind.CUSTOMER, "anna", customer))

    assert invoice.gross_minor == decision.gross_minor == balances["receivable:invoiced"]
    assert invoice.net_minor == sum(line.net_minor for line in decision.lines)
    assert invoice.net_minor == sum(each.net_minor for each in invoice.vat)
    assert invoice.vat_minor == sum(line.tax_minor for line in decision.lines)
    assert invoice.vat_minor == sum(each.vat_minor for each in invoice.vat)
    taxes = [each for name, each in balances.items() if name.startswith(("vat:", "tax:"))]
    assert invoice.vat_minor == -sum(taxes)


def test_a_business_that_owes_the_vat_itself_is_charged_none_and_told_so() -> None:
    decision, invoice, balances = books(ENERGY_ONLY, (Kind.CUSTOMER, "anna", ABROAD))

    assert (invoice.net_minor, invoice.vat_minor, invoice.gross_minor) == (400, 0, 400)
    (total,) = invoice.vat
    assert total.reverse_charge
    assert [ENGLISH.words(note) for note in invoice.notes] == [
        "Reverse charge: the buyer, VAT id FR12345678901, owes the VAT."
    ]
    assert decision.reverse_charge_vat_id == "FR12345678901"
    assert balances == {"receivable:invoiced": 400, "revenue:energy": -400}


def test_a_tax_per_kwh_stands_by_its_name_apart_from_the_vat() -> None:
    _, invoice, balances = books(TAXED)

    vat = {each.name: (each.percent, each.net_minor, each.vat_minor) for each in invoice.vat}
    assert vat == {None: (Decimal(19), 400, 76), "EV excise": (None, 0, 36)}
    assert balances["tax:DE:EV excise"] == -36


def test_under_reverse_charge_a_tax_per_kwh_stays_and_its_vat_goes() -> None:
    _, invoice, balances = books(TAXED, (Kind.CUSTOMER, "anna", ABROAD))

    assert (invoice.net_minor, invoice.vat_minor) == (400, 30)
    assert balances["tax:DE:EV excise"] == -30


def test_a_token_that_stands_for_a_card_pays_what_the_card_costs() -> None:
    card = Token(customer="anna", payment_method="credit_card")

    decision, invoice, _ = books(BY_CARD, (Kind.TOKEN, "anna-1", card))

    assert decision.payment_method == "credit_card"
    assert (invoice.net_minor, invoice.vat_minor) == (435, 83)
    assert books(BY_CARD)[1].net_minor == 400


def test_reverse_charge_needs_a_vat_id() -> None:
    nameless = Customer(details="Anna", reverse_charge=True)
    change = Change(kind=Kind.CUSTOMER, key="anna", entity=nameless, valid_from=BEGINNING)

    problems = problems_of(declared(), plan_changes(declared(), [change], at=NOON))

    assert [str(each) for each in problems] == [
        "customer anna: reverse_charge needs the customer's vat_id"
    ]
