"""The page for the screen of an invoice for which money came since: it asks for what is open."""

from __future__ import annotations

import pytest

from projections.documents.evidence import NO_EVIDENCE
from projections.documents.paid import InvoicePayment, InvoicePayments
from projections.documents.screen.html import html
from tests.depot import NOON
from tests.projections.documents.shown_documents import an_invoice

DUE = an_invoice(language="en").due_minor


def came(minor: int, kind: str = "received") -> InvoicePayment:
    return InvoicePayment(
        number=1, kind=kind, source="stripe", reference="ch_1", happened_at=NOON, minor=minor
    )


def page(*received: InvoicePayment, credited: int = 0, language: str = "en") -> str:
    opened = DUE - credited - sum(each.minor for each in received)
    payments = InvoicePayments(received=received, credited_minor=credited, open_minor=opened)
    return html(an_invoice(language=language), evidence=NO_EVIDENCE, payments=payments)


def test_without_money_it_is_the_page_that_it_was() -> None:
    assert page() == html(an_invoice(language="en"), evidence=NO_EVIDENCE)


@pytest.mark.parametrize(
    ("shown", "outcome", "asks"),
    [
        pytest.param(page(), "€7.04", True, id="nothing came"),
        pytest.param(page(came(DUE)), "€0.00", False, id="all of it came"),
        pytest.param(page(came(DUE), came(-DUE, "refunded")), "€7.04", True, id="and went back"),
        pytest.param(page(came(100)), "€6.04", True, id="some came"),
        pytest.param(page(credited=DUE), "€0.00", False, id="it was credited"),
        pytest.param(page(came(DUE), credited=100), "€1.00", False, id="paid and credited"),
    ],
)
def test_it_asks_for_what_is_open(shown: str, outcome: str, *, asks: bool) -> None:
    assert outcome in shown
    assert ("Please transfer" in shown) is asks
    if asks:
        assert f"Please transfer {outcome}" in shown


def test_what_was_paid_too_much_is_a_credit_in_the_readers_language() -> None:
    shown = page(came(DUE + 100), language="de")

    assert "Zahlungen" in shown
    assert "Erstattungsbetrag" in shown
    assert "1,00\xa0€" in shown
    assert "Bitte überweisen" not in shown
