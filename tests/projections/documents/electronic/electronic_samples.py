"""Documents of every kind as they are shown: what the writers and the official rules are given."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from ledger.invoices.document import (
    CREDIT_NOTE,
    BuyerReferences,
    CreditedInvoice,
    Party,
    SellerDetails,
    document_of,
)
from ledger.invoices.order import cause_of_month, order_of
from ledger.invoices.shown import ShownInvoice, shown_invoice
from ledger.master_data.addresses import Address, BankAccount, Contact
from ledger.rating.decisions import RatedLine, SessionRated
from projections.documents.electronic.electronic_invoice import NetPrice
from tariffs.kernel.priced import PricedSession
from tariffs.kernel.pricing import compile_tariff, price_session
from tests.depot import NOON, declared
from tests.tariffs.kernel.test_cases import FOLDERS, read
from tests.told import PLAIN, told

_COUNTRIES = {
    "AUD": "AU",
    "CAD": "CA",
    "GBP": "GB",
    "INR": "IN",
    "JPY": "JP",
    "KWD": "KW",
    "USD": "US",
}
LEITWEG_ID = "04011000-1234512345-06"
SELLER = SellerDetails(
    tax_number="12/345/67890",
    registration="HRB 12345 Hamburg",
    email="billing@depot.example",
    contact=Contact(name="Service desk", phone="+49 40 123456", email="desk@depot.example"),
    bank=BankAccount(iban="DE02 1203 0000 0000 2020 51", bic="BYLADEM1001"),
    legal_text="Managing director: Ada Fuchs\nSeat: Hamburg",
)
TOWN = Party(
    name="Freie Hansestadt Bremen",
    address=Address(street="Am Markt 21", postal_code="28195", city="Bremen", country="DE"),
    email="invoices@bremen.example",
)


class Sample(NamedTuple):
    """A document, and what of it was paid before it was issued."""

    shown: ShownInvoice
    paid_minor: int = 0


def costs_minor(priced: NetPrice, exponent: int) -> int:
    """Return what *priced* comes to, rounded half away from zero: the net amount of its line."""
    exact = Fraction(priced.quantity) * Fraction(priced.price) * 10**exponent / priced.base
    rounded = int(abs(exact) + Fraction(1, 2))
    return -rounded if exact < 0 else rounded


def invoiced(*sessions: SessionRated, currency: str = "EUR") -> ShownInvoice:
    """Return an invoice over *sessions*, complete in what is said of its seller."""
    numbered = [
        replace(each, session_id=f"ST-1/{number:04}", currency=currency)
        for number, each in enumerate(sessions)
    ]
    cause = cause_of_month(legal_entity="depot", customer="fleet", currency="EUR", month="2026-11")
    order = order_of(cause, numbered, declared(), at=NOON)
    document = document_of(order, number="WL-2026-000001", issued_on=date(2026, 12, 1))
    shown = shown_invoice(document, numbered)
    seller = replace(shown.seller, vat_id="DE136695976")
    return replace(shown, seller=seller, seller_details=SELLER)


def of_case(case: Path) -> ShownInvoice:
    """Return an invoice over the session of one of the priced cases."""
    tariff, usage, policy = read(case)
    priced = price_session(usage, compile_tariff(tariff), policy=policy)
    session = replace(
        PLAIN,
        lines=tuple(_lines(priced)),
        started_at=usage.starts_at,
        ended_at=usage.ends_at,
        currency=priced.currency,
        country=_COUNTRIES.get(priced.currency, "DE"),
        net_minor=priced.before_minor,
        tax_minor=priced.tax_minor,
        tax_included=priced.compiled.factors.inclusive,
        sales_taxes=priced.compiled.tariff.sales_taxes,
        reverse_charge_vat_id=usage.reverse_charge_vat_id,
    )
    shown = invoiced(session, currency=priced.currency)
    if usage.reverse_charge_vat_id is None:
        return shown
    return replace(shown, buyer=replace(shown.buyer, vat_id=usage.reverse_charge_vat_id))


def _lines(priced: PricedSession) -> Iterator[RatedLine]:
    for number, line in enumerate(priced.lines, 1):
        yield RatedLine(
            line=number,
            component=f"{line.dimension.value}/{number}",
            dimension=line.dimension,
            element=line.element_index,
            element_name=line.component.element_name,
            reasons=line.reasons,
            starts_at=line.starts_at,
            ends_at=line.ends_at,
            volume=line.volume,
            billed_volume=line.billed_volume,
            unit_price=line.unit_price,
            net=line.amount.amount,
            tax=line.tax_amount.amount,
            tax_percent=line.tax_percent,
            net_minor=line.before_minor,
            tax_minor=line.tax_minor,
        )


def cases() -> dict[str, ShownInvoice]:
    """Return an invoice for each of the priced cases, by its name."""
    return {case.name: of_case(case) for case in FOLDERS}


def samples() -> dict[str, Sample]:
    """Return one document of each kind that the official rules treat differently."""
    plain = invoiced(told(((400, 76), "19")))
    rates = invoiced(*[told(((3, 1), "20"), ((4, 0), "10"), ((5, 0), None), ((6, 0), "0"))] * 10)
    gross = invoiced(*[told(((3, 0), "20"), tax_included=True)] * 3)
    settled = replace(plain, due_on=date(2026, 12, 15))
    return {
        "plain": Sample(plain),
        "with terms": Sample(settled),
        "without bank": Sample(replace(plain, seller_details=SellerDetails())),
        "four categories": Sample(rates),
        "tax included": Sample(gross),
        "rounded to what is due": Sample(invoiced(told(((3, 0), "19"), tax_included=True))),
        "in coins": Sample(invoiced(told(((403, 77), "19"), policy="cash-0.05"))),
        "paid to the driver": Sample(invoiced(told(((-3, -1), "20")))),
        "not subject to VAT": Sample(invoiced(told(((300, 0), None)))),
        "free": Sample(invoiced(told(((0, 0), "19")))),
        "no lines": Sample(invoiced(told())),
        "reverse charge": Sample(_reverse_charge()),
        "exempt": Sample(_untaxed("E")),
        "within the Community": Sample(_untaxed("K")),
        "export": Sample(_untaxed("G")),
        "two countries": Sample(
            invoiced(told(((400, 76), "19")), told(((100, 19), "19"), country="CY"))
        ),
        "receipt": Sample(settled, settled.due_minor),
        "paid in part": Sample(settled, 100),
        "credit note": Sample(credit_note(plain)),
        "Swiss": Sample(invoiced(told(((400, 32), "8.1"), country="CH"), currency="CHF")),
        "reached by an id": Sample(
            replace(plain, buyer_references=BuyerReferences(electronic_address="0204:991-1-2"))
        ),
        "public buyer": Sample(public(settled)),
        "public buyer, paid": Sample(public(plain), plain.due_minor),
        "public buyer, credit note": Sample(credit_note(public(plain))),
        "bearer of a token": Sample(
            replace(plain, buyer=Party(name="Bearer of token 04A1B2"), language="sv")
        ),
        "hostile texts": Sample(hostile(plain)),
    }


def credit_note(shown: ShownInvoice) -> ShownInvoice:
    """Return *shown* as a credit note to an invoice like it."""
    credited = CreditedInvoice(number="WL-2026-000000", issued_on=date(2026, 11, 1))
    return replace(shown, type_code=CREDIT_NOTE, credits=credited, due_on=None)


def public(shown: ShownInvoice) -> ShownInvoice:
    """Return *shown* for a German public buyer."""
    references = BuyerReferences(buyer_reference=LEITWEG_ID, order_reference="B-2026/7")
    return replace(shown, buyer=TOWN, buyer_references=references, language="de-DE")


def hostile(shown: ShownInvoice) -> ShownInvoice:
    """Return *shown* with what people and machines write into names."""
    name = "  Ω & <Σία>\x00\x1b[31m\u202e\n\ufffe \ud800" + "ж" * 3000 + "🚗 שלום "
    address = Address(street="]]>", postal_code="&amp;", city='"Köln"', country="de")
    return replace(
        shown,
        buyer=replace(shown.buyer, name=name, address=address),
        seller=replace(shown.seller, name=name, vat_id="de 123 456 789"),
        buyer_references=BuyerReferences(buyer_reference=" \n ", order_reference="<!--"),
    )


def _untaxed(category: str) -> ShownInvoice:
    """Return what a French business owes without VAT, by the *category* that the document says."""
    shown = invoiced(told(((300, 0), "0")))
    taxes = tuple(replace(each, category=category) for each in shown.taxes)
    return replace(shown, taxes=taxes, buyer=replace(shown.buyer, vat_id="FR40303265045"))


def _reverse_charge() -> ShownInvoice:
    """Return what a French business owes of two sessions, one of them at a rate of zero."""
    shown = invoiced(
        told(((300, 0), "0"), reverse_charge_vat_id="FR40303265045"), told(((100, 0), "0"))
    )
    return replace(shown, buyer=replace(shown.buyer, vat_id="FR40303265045"))
