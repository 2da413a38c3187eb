"""One invoice in every language: what its lines say, by the clocks that its decision recorded."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ledger.invoices.document import read_document, render_invoice
from ledger.invoices.order import cause_of_session, order_of
from ledger.invoices.shown import InvoiceLine, ShownInvoice, shown_invoice
from projections.documents.languages.language import LANGUAGES, Language, language_of
from projections.documents.languages.sentences import is_told
from tests.depot import NOON, declared, rated, session
from tests.projections.documents.shown_documents import DAY, an_invoice

TWICE = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def invoice_of(started_at: datetime) -> ShownInvoice:
    decision = rated(session(started_at=started_at))
    order = order_of(cause_of_session(decision.decides), [decision], declared(), at=NOON)
    rendered = render_invoice(order, number="WL-2026-000001", issued_on=DAY)
    return shown_invoice(read_document(rendered), [decision])


def said(language: Language, line: InvoiceLine, currency: str) -> str:
    quantity = f"{language.number(line.quantity)} {language.unit(line.unit, line.quantity)}"
    price = language.price(line.unit_price, currency)
    why = "; ".join(map(language.words, line.codes))
    text = f"{language.words(line.said)}, {quantity}, {price}: {why}"
    return text.replace("\xa0", "~").replace("\u202f", "^")


LINES = {
    "de": [
        (
            "Energie, 7,306 kWh, 0,40~€: Tarifelement 1, hier das erste für Energie, ohne "
            "Einschränkungen"
        ),
        (
            "Standzeit, 0,5 Std., 6,00~€: Tarifelement 1, hier das erste für Standzeit, ohne "
            "Einschränkungen"
        ),
        (
            "Rundung, 1 Rechnung, 0,00~€: die Steuer wird je Steuersatz einmal gerundet, auf die "
            "Summe der Rechnung"
        ),
    ],
    "fr": [
        (
            "Énergie, 7,306 kWh, 0,40~€: élément 1 du tarif, ici le premier pour l’énergie, sans "
            "restrictions"
        ),
        (
            "Temps de stationnement, 0,5 h, 6,00~€: élément 1 du tarif, ici le premier pour le "
            "temps de stationnement, sans restrictions"
        ),
        (
            "Arrondi, 1 facture, 0,00~€: la taxe de chaque taux est arrondie une seule fois, sur "
            "le total de la facture"
        ),
    ],
    "sv": [
        "Energi, 7,306 kWh, 0,40~€: taxans del 1, den första här för energi, utan begränsningar",
        (
            "Parkeringstid, 0,5 tim, 6,00~€: taxans del 1, den första här för parkeringstid, utan "
            "begränsningar"
        ),
        (
            "Avrundning, 1 faktura, 0,00~€: skatten för varje skattesats avrundas en gång, på "
            "fakturans summa"
        ),
    ],
    "en-US": [
        "Energy, 7.306 kWh, €0.40: element 1, the first for energy here, without restrictions",
        (
            "Parking time, 0.5 h, €6.00: element 1, the first for parking time here, without "
            "restrictions"
        ),
        "Rounding, 1 invoice, €0.00: the tax of each rate is rounded once, on the invoice's sum",
    ],
}


@pytest.mark.parametrize("tag", LINES)
def test_each_line_says_what_it_is_for_and_why(tag: str) -> None:
    invoice = an_invoice()
    language = language_of(tag)

    assert [said(language, line, invoice.currency) for line in invoice.lines] == LINES[tag]


@pytest.mark.parametrize("tag", set(LANGUAGES) - {"en", "en-US"})
def test_no_line_says_anything_in_english(tag: str) -> None:
    invoice = an_invoice()
    english, language = language_of("en"), language_of(tag)

    for line in invoice.lines:
        assert all(is_told(code.code) for code in line.codes)
        assert language.words(line.codes[0]) != english.words(line.codes[0])


def test_a_session_in_the_hour_that_comes_twice_is_told_apart_on_its_invoice() -> None:
    (first,), (second,) = invoice_of(TWICE).sessions, invoice_of(NOON).sessions

    assert language_of("de").span(first.starts_at, first.ends_at) == (
        "25.10.2026, 02:30 MESZ – 02:30 MEZ"
    )
    assert language_of("de").span(second.starts_at, second.ends_at) == ("10.11.2026, 13:00 – 14:00")
