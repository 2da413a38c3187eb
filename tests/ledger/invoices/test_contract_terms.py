"""What a customer's contract puts on an invoice: the day it is due, cost centres, drivers."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from deploy.commands.books.invoice_text import print_document
from ledger.declared.declarations import BEGINNING, Declarations, Kind
from ledger.invoices.document import InvoiceDocument, read_document, render_invoice
from ledger.invoices.order import Credited, CreditedPart, cause_of_month, order_of
from ledger.invoices.shown import ShownInvoice, shown_invoice
from ledger.master_data.customers import Customer, Invoicing
from ledger.master_data.tokens import Token
from ledger.rating.decisions import CorrectionCause, SessionRated, decode_decision, encode_decision
from tests.depot import NOON, declared, rated, session

CAUSE = cause_of_month(legal_entity="depot", customer="fleet", currency="EUR", month="2026-11")
DAY = date(2026, 12, 1)
FLEET = Customer(details="Fleet AG", invoicing=Invoicing.PER_MONTH)
CENTRES = declared(
    (Kind.TOKEN, "van-1", Token(customer="fleet", cost_centre="4711", driver="p-jo"), BEGINNING),
    (Kind.TOKEN, "van-2", Token(customer="fleet", cost_centre="0815"), BEGINNING),
)


def rendered(known: Declarations, *, credited: Credited | None = None) -> bytes:
    order = order_of(
        CAUSE, [rated(session(token_uid="fleet-1"))], known, at=NOON, credited=credited
    )
    return render_invoice(order, number="WL-2026-000001", issued_on=DAY)


def on_terms(days: int | None) -> Declarations:
    return declared((Kind.CUSTOMER, "fleet", replace(FLEET, payment_days=days), BEGINNING))


@pytest.mark.parametrize("days", [0, 1, 14, 31])
def test_an_invoice_is_due_so_many_days_after_its_date(days: int) -> None:
    document = read_document(rendered(on_terms(days)))

    assert document.due_on == DAY + timedelta(days=days)


def test_without_terms_the_bytes_are_as_before_and_say_nothing_of_it() -> None:
    assert rendered(on_terms(None)) == rendered(declared())
    assert b"due_on" not in rendered(declared())
    assert b'"notes":[]' in rendered(declared())
    assert read_document(rendered(declared())).due_on is None


def test_a_credit_note_is_due_on_no_day() -> None:
    part = CreditedPart(
        invoice_lines=(1,), rated_lines=(1,), replaced_by=2, cause=CorrectionCause.LATE_FACT
    )
    parts = {session().session_id: part}
    credited = Credited(number="WL-2026-000000", issued_on=DAY, parts=parts)

    assert read_document(rendered(on_terms(14), credited=credited)).due_on is None


def by_centre() -> tuple[InvoiceDocument, list[SessionRated]]:
    tokens = ["fleet-1", "van-1", "van-2", "van-1"]
    sessions = [
        rated(session(number, token_uid=token, energy_wh=f"{number}000"), CENTRES)
        for number, token in enumerate(tokens, 1)
    ]
    order = order_of(CAUSE, sessions, CENTRES, at=NOON)
    document = read_document(render_invoice(order, number="WL-2026-000001", issued_on=DAY))
    return document, sessions


def test_an_invoice_sums_up_its_cost_centres_and_none_comes_last() -> None:
    shown = shown_invoice(*by_centre())

    assert [
        (each.cost_centre, each.sessions, each.energy_wh, each.net_minor)
        for each in shown.cost_centres
    ] == [
        ("0815", 1, Decimal(3000), 120),
        ("4711", 2, Decimal(6000), 240),
        (None, 1, Decimal(1000), 40),
    ]
    gross = sum(each.gross_minor for each in shown.cost_centres)
    assert gross == sum(line.gross_minor for line in shown.lines if not line.is_rounding)
    assert [each.driver for each in shown.sessions] == [None, "p-jo", None, "p-jo"]


def test_an_invoice_without_cost_centres_has_no_sums_of_them() -> None:
    sessions = [rated(session(token_uid="fleet-1"))]
    order = order_of(CAUSE, sessions, declared(), at=NOON)
    document = read_document(render_invoice(order, number="WL-2026-000001", issued_on=DAY))

    assert shown_invoice(document, sessions).cost_centres == ()


def test_the_text_groups_the_sessions_of_a_cost_centre(capsys: pytest.CaptureFixture[str]) -> None:
    shown: ShownInvoice = shown_invoice(*by_centre())

    print_document(replace(shown, due_on=DAY), {"p-jo": "Jo Sand"})

    said = " ".join(capsys.readouterr().out.split())
    spots = [
        said.index(words)
        for words in (
            "token van-2, tariff",
            "cost centre 0815: 1 session, 3 kWh, net 1.20 EUR",
            "cost centre 4711: 2 sessions, 6 kWh, net 2.40 EUR",
            "token fleet-1, tariff",
            "no cost centre: 1 session",
            "to be paid by 2026-12-01",
        )
    ]
    assert spots == sorted(spots)
    assert "total 5.24 EUR" not in said[: spots[-2]]


def test_who_drove_stands_in_the_decision_and_comes_back_from_its_bytes() -> None:
    decision = rated(session(token_uid="van-1"), CENTRES)

    assert (decision.payer.cost_centre, decision.payer.driver) == ("4711", "p-jo")
    assert decode_decision(encode_decision(decision)) == decision
    assert b"cost_centre" not in encode_decision(rated(session(token_uid="fleet-1"), CENTRES))
