"""One invoice in every language: what its lines say, by the clocks that its decision recorded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from babel.core import Locale
from babel.messages.catalog import Message

from ledger.invoices.document import read_document, render_invoice
from ledger.invoices.order import cause_of_session, order_of
from ledger.invoices.shown import InvoiceLine, ShownInvoice, shown_invoice
from projections.documents.languages.catalogue import read_catalogue
from projections.documents.languages.language import LANGUAGES, Language, language_of
from projections.documents.languages.sentences import is_told
from projections.documents.pages.fonts import unprintable
from tariffs.currencies import CURRENCY_EXPONENTS
from tariffs.files.session_file import read_session_file
from tariffs.files.tariff_file import read_tariff_file
from tariffs.kernel.pricing import compile_tariff, price_session
from tariffs.phrases.phrase import Phrase
from tariffs.phrases.wording import Context
from tests.depot import NOON, declared, rated, session
from tests.projections.documents.shown_documents import DAY, an_invoice
from tests.tree import CASES

TERRITORIES = sorted(map(str, Locale.parse("en").territories))
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


@pytest.mark.parametrize("tag", [tag for tag in LANGUAGES if not tag.startswith("en")])
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


def reasons_of_cases() -> Iterator[tuple[Phrase, Context]]:
    """Yield what lines of all priced cases say, with what each line says itself."""
    for case in sorted(path for path in CASES.iterdir() if path.is_dir()):
        file = case / "tariff.yaml"
        tariff, _ = read_tariff_file(file.read_text("utf-8"), str(file))
        usage, _ = read_session_file((case / "session.yaml").read_text("utf-8"), "session")
        assert tariff is not None
        assert usage is not None
        priced = price_session(usage, compile_tariff(tariff))
        for line in priced.lines:
            yield from ((each, line.context) for each in line.reasons)
        yield from ((each, {}) for each in priced.notes)


def test_no_number_of_any_case_stays_as_english_writes_it() -> None:
    """French has no full stop between digits, neither in a number nor in a date."""
    said = {language_of("fr").words(*each) for each in reasons_of_cases()}

    assert len(said) > 50
    assert sorted(text for text in said if re.search(r"\d\.\d|[{}*]", text)) == []


@pytest.mark.parametrize("tag", LANGUAGES)
def test_the_font_of_our_pages_has_each_character(tag: str) -> None:
    """A sign that it lacks would stop a document: thin spaces, the signs of two currencies."""
    language = language_of(tag)
    texts = [
        *(text for each in read_catalogue(tag) if each.id for text in translations(each)),
        *(language.money(-123456789, currency) for currency in CURRENCY_EXPONENTS),
        *(language.month(f"2026-{month:02}") for month in range(1, 13)),
        *(language.day(date(2026, month, 1)) for month in range(1, 13)),
        *(language.country(code) for code in TERRITORIES),
        language.span(TWICE, NOON, seconds=True),
        language.percent(Decimal("-1234.5")),
        *(language.words(*each) for each in reasons_of_cases()),
    ]

    assert {text: missing for text in texts if (missing := unprintable(text))} == {}


def translations(message: Message) -> tuple[str, ...]:
    return (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
