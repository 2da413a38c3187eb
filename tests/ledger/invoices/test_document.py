"""The invoice document: made of recorded inputs alone, readable, and adding up."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import msgspec
import pytest
from msgspec.structs import replace

from ledger.declared.declarations import BEGINNING, Kind
from ledger.invoices.document import InvoiceDocument, Party, read_document, render_invoice
from ledger.invoices.order import (
    MixedInvoiceError,
    cause_of_month,
    cause_of_session,
    order_of,
)
from ledger.invoices.shown import OtherRatingError, shown_invoice
from ledger.master_data.addresses import Address
from ledger.master_data.customers import PersonDetails
from ledger.master_data.tariff_versions import published
from ledger.rating.decisions import SessionRated, encode_decision, hash_decision
from tariffs.model.tariff import Dimension
from tariffs.phrases.phrase import phrase
from tests.depot import NOON, component, declared, rated, session, tariff

TWO_RATES = declared(
    (
        Kind.TARIFF,
        "energy",
        published(
            tariff(
                "energy",
                component(Dimension.FLAT, "1.005", Decimal(7)),
                component(Dimension.ENERGY, "0.391"),
            )
        ),
        BEGINNING,
    )
)
DAY = date(2026, 12, 1)


def ratings(*tokens: str) -> list[SessionRated]:
    return [
        rated(session(number, token_uid=token, energy_wh="7293"), TWO_RATES)
        for number, token in enumerate(tokens, 1)
    ]


def document(*tokens: str) -> InvoiceDocument:
    cause = cause_of_month(legal_entity="depot", customer="fleet", currency="EUR", month="2026-11")
    order = order_of(cause, ratings(*tokens), TWO_RATES, at=NOON)
    return read_document(render_invoice(order, number="WL-2026-000007", issued_on=DAY))


def test_totals_are_sums_of_lines_at_every_level() -> None:
    """A header that differs from its lines, a VAT summary a cent off: peer faults 20 and 23."""
    invoice = document("fleet-1", "fleet-1", "fleet-1")

    assert invoice.gross_minor == sum(each.gross_minor for each in invoice.sessions)
    assert invoice.net_minor == sum(each.net_minor for each in invoice.vat)
    assert invoice.vat_minor == sum(each.vat_minor for each in invoice.vat)
    assert [each.percent for each in invoice.vat] == [Decimal(7), Decimal(19)]


def test_a_document_is_issued_without_names_and_read_with_them_until_they_are_erased() -> None:
    issued, sessions = document("fleet-1"), ratings("fleet-1")
    address = Address(street="Am Kai 3", city="Bremen")
    fleet = PersonDetails(name="Fleet AG", address=address, email="pay@fleet.example")
    read = shown_invoice(issued, sessions, {"Fleet AG": fleet})
    erased = shown_invoice(issued, sessions)

    assert issued.buyer == erased.buyer == Party(name="fleet", details="Fleet AG")
    assert (read.buyer.name, read.buyer.address, read.buyer.email) == (
        "Fleet AG", address, "pay@fleet.example"
    )  # fmt: skip
    assert replace(read, buyer=erased.buyer) == erased


def test_a_months_invoice_costs_what_its_sessions_cost_one_by_one() -> None:
    one, three = document("fleet-1"), document("fleet-1", "fleet-1", "fleet-1")

    assert three.gross_minor == 3 * one.gross_minor


def test_sessions_of_two_customers_do_not_share_an_invoice() -> None:
    with pytest.raises(MixedInvoiceError):
        document("fleet-1", "anna-1")


def test_a_shown_invoice_has_every_line_of_its_sessions_once_and_they_add_up() -> None:
    tokens = ("fleet-1", "fleet-1", "fleet-1")

    shown = shown_invoice(document(*tokens), ratings(*tokens))

    assert [line.line for line in shown.lines] == list(range(1, 7))
    assert [line.rated_line for line in shown.lines] == [1, 2] * 3
    assert shown.gross_minor == sum(line.gross_minor for line in shown.lines)
    assert shown.net_minor == sum(line.net_minor for line in shown.lines)
    assert shown.vat_minor == sum(line.vat_minor for line in shown.lines)


def test_an_invoice_says_who_what_when_and_why() -> None:
    decision = rated(session(energy_wh="7293"))
    order = order_of(cause_of_session(decision.decides), [decision], declared(), at=NOON)
    rendered = render_invoice(order, number="WL-2026-000001", issued_on=date(2026, 11, 10))

    invoice = shown_invoice(read_document(rendered), [decision])

    assert (invoice.seller.name, invoice.seller.vat_id) == ("Depot GmbH", "DE136695976")
    assert (invoice.buyer.name, invoice.month) == ("anna", None)
    (charged,) = invoice.sessions
    assert charged.rating_sha256 == hash_decision(encode_decision(decision))
    assert f"{charged.starts_at:%H:%M%z}" == "13:00+0100"
    (line,) = invoice.lines
    assert (line.description, line.quantity, line.unit) == ("Energy", Decimal("7.293"), "kWh")
    assert (line.unit_price, line.vat_percent) == (Decimal("0.40"), Decimal(19))
    assert (line.net_minor, line.vat_minor, line.gross_minor) == (292, 55, 347)
    assert line.reason == "element 1, the first for energy here, without restrictions"
    assert line.codes == (phrase("priced", element=0, dimension="ENERGY"),)


@pytest.mark.parametrize(("name", "said"), [("", "Energy"), ("day", "Energy (day)")])
def test_a_line_is_called_by_its_kind_and_its_element(name: str, said: str) -> None:
    decision = rated(session())
    lines = tuple(replace(line, element_name=name) for line in decision.lines)
    decision = replace(decision, lines=lines)
    order = order_of(cause_of_session(decision.decides), [decision], declared(), at=NOON)
    rendered = render_invoice(order, number="WL-2026-000001", issued_on=DAY)

    [line] = shown_invoice(read_document(rendered), [decision]).lines

    assert line.description == said


def test_a_line_that_lowers_a_fee_is_called_by_the_fee_and_what_lowered_it() -> None:
    decision = rated(session())
    given = phrase("group", percent=100, group="residents")
    lines = tuple(replace(line, reasons=(given,)) for line in decision.lines)
    decision = replace(decision, lines=lines)
    order = order_of(cause_of_session(decision.decides), [decision], declared(), at=NOON)
    rendered = render_invoice(order, number="WL-2026-000001", issued_on=DAY)

    [line] = shown_invoice(read_document(rendered), [decision]).lines

    assert line.description == "Energy: group residents"
    assert line.said.parameters["label"] == given


def test_who_has_no_customer_is_named_by_the_token() -> None:
    decision = rated(session(token_uid="nobody-1"))
    order = order_of(cause_of_session(decision.decides), [decision], declared(), at=NOON)
    rendered = render_invoice(order, number="WL-2026-000001", issued_on=DAY)

    invoice = shown_invoice(read_document(rendered), [decision])

    assert invoice.buyer == Party(name="Bearer of token nobody-1")


def test_another_rating_than_the_invoiced_one_is_not_shown_as_it() -> None:
    """The document's hash covers its lines through the hash of each rating."""
    invoiced = ratings("fleet-1")
    [line, *others] = invoiced[0].lines
    dearer = msgspec.structs.replace(
        invoiced[0], lines=(msgspec.structs.replace(line, net_minor=line.net_minor + 1), *others)
    )

    with pytest.raises(OtherRatingError):
        shown_invoice(document("fleet-1"), [dearer])
