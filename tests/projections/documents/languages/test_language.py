"""A reader's language: which one it is, and what it says of codes, units, taxes and countries."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from ledger.invoices.document import TaxTotal
from ledger.invoices.english import ENGLISH
from projections.documents.languages.language import LANGUAGES, Language, language_of, versions
from projections.documents.languages.sentences import LABELS, TEMPLATES
from tariffs.phrases.phrase import Phrase, phrase
from tariffs.phrases.wording import Context
from tests.test_tidy import ROOT

ENERGY: Context = {"dimension": "ENERGY", "element": 0, "name": None, "currency": "EUR"}
NIGHT = phrase("priced_when", when=(
    phrase("days_and_holidays", days=phrase("days", days=("SATURDAY", "SUNDAY"))),
    phrase("clock", start="22:00", end="24:00"),
    phrase("below_amount", amount="12.5", unit="kW"),
))  # fmt: skip
CAP = phrase("cap", dimensions=("TIME", "PARKING_TIME"), amount="12.5", per="day", because="Ruhe")


def visible(text: str) -> str:
    return text.replace("\xa0", "~").replace("\u202f", "^")


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("de", "de"),
        ("de-AT", "de"),
        ("DE_de", "de"),
        ("en", "en"),
        ("en-GB", "en"),
        ("en-us", "en-US"),
        ("en-US-posix", "en-US"),
        ("fr-CH-1996", "fr"),
        ("pt-BR", "en"),
        ("", "en"),
        ("-", "en"),
        ("../../etc/passwd", "en"),
        ("d", "en"),
        ("svenska", "en"),
        ("sv" + "-x" * 100_000, "sv"),
    ],
    ids=lambda text: text[:20],
)
def test_a_reader_is_served_in_the_nearest_language(tag: str, language: str) -> None:
    assert language_of(tag).tag == language
    assert language_of(tag) is language_of(language)


TITLES = {
    "de": ("Rechnung", "Rechnungskorrektur", "Zu zahlen", "Seite 1 von 2"),
    "en": ("Invoice", "Credit note", "Total due", "Page 1 of 2"),
    "en-US": ("Invoice", "Credit note", "Total due", "Page 1 of 2"),
    "es": ("Factura", "Factura rectificativa", "Total a pagar", "Página 1 de 2"),
    "fr": ("Facture", "Avoir", "Net à payer", "Page 1 sur 2"),
    "it": ("Fattura", "Nota di credito", "Totale da pagare", "Pagina 1 di 2"),
    "nl": ("Factuur", "Creditnota", "Te betalen", "Pagina 1 van 2"),
    "pl": ("Faktura", "Faktura korygująca", "Do zapłaty", "Strona 1 z 2"),
    "sv": ("Faktura", "Kreditfaktura", "Att betala", "Sida 1 av 2"),
}


@pytest.mark.parametrize("tag", LANGUAGES)
def test_documents_are_called_as_accountants_of_the_language_call_them(tag: str) -> None:
    text = language_of(tag).text

    said = (
        text("Invoice"),
        text("Credit note"),
        text("Total due"),
        text("Page {page} of {pages}", page="1", pages="2"),
    )

    assert said == TITLES[tag]


def test_what_a_stranger_is_called_is_no_template() -> None:
    said = language_of("de").text("Station {station}", station="{0.__class__} %s {evse}")

    assert said == "Ladestation {0.__class__} %s {evse}"


def test_a_message_that_no_catalogue_has_is_said_in_english() -> None:
    assert language_of("sv").text("No such message, {name}", name="x") == "No such message, x"


def test_a_parameter_that_is_not_given_is_no_empty_gap() -> None:
    with pytest.raises(KeyError):
        language_of("sv").text("Page {page} of {pages}", page="1")


@pytest.mark.parametrize(
    ("tag", "night", "cap"),
    [
        (
            "de",
            (
                "Tarifelement 1, das erste für Energie, dessen Bedingungen erfüllt sind: Samstag, "
                "Sonntag und Feiertage, 22:00 bis 24:00 Uhr, unter 12,5~kW"
            ),
            "Ladezeit und Standzeit zusammen kosten höchstens 12,50~€ je Tag: Ruhe",
        ),
        (
            "fr",
            (
                "élément 1 du tarif, le premier pour l’énergie dont les conditions sont remplies~: "
                "samedi, dimanche et jours fériés, de 22:00 à 24:00, en dessous de 12,5~kW"
            ),
            (
                "le temps de recharge et le temps de stationnement coûtent ensemble au plus "
                "12,50~€ par jour~: Ruhe"
            ),
        ),
        (
            "sv",
            (
                "taxans del 1, den första för energi vars villkor är uppfyllda: lördag, söndag och "
                "helgdagar, 22:00 till 24:00, under 12,5~kW"
            ),
            "laddtid och parkeringstid kostar tillsammans högst 12,50~€ per dag: Ruhe",
        ),
        (
            "en-US",
            (
                "element 1, the first for energy whose restrictions hold: Saturday, Sunday and "
                "public holidays, 10:00^PM to midnight, below 12.5 kW"
            ),
            "charging time and parking time together cost at most €12.50 a day: Ruhe",
        ),
    ],
)
def test_a_line_says_why_in_the_readers_language(tag: str, night: str, cap: str) -> None:
    language = language_of(tag)

    assert visible(language.words(NIGHT, ENERGY)) == night
    assert visible(language.words(CAP, ENERGY)) == cap
    # What is whole needs no context.
    assert visible(language.words(ENGLISH.whole(NIGHT, ENERGY))) == night
    assert visible(language.words(ENGLISH.whole(CAP, ENERGY))) == cap


@pytest.mark.parametrize(
    ("tag", "surcharge", "coupon"),
    [
        (
            "de",
            "Zuschlag: 2,5~% (der Ladevorgang) und 0,50~€ bei Zahlung mit „card“",
            (
                "50~% Rabatt mit dem Gutschein „MAI“, bis zu 1.000,5~kWh je Ladevorgang, einmal je "
                "Monat für eine Ladekarte"
            ),
        ),
        (
            "en",
            "a surcharge of 2.5% on the session and €0.50 for payment by “card”",
            "50% off with the coupon “MAI”, up to 1,000.5 kWh a session, once a month for a token",
        ),
        (
            "fr",
            "supplément~: 2,5~% (la session) et 0,50~€ pour un paiement par «~card~»",
            (
                "50~% de réduction avec le bon «~MAI~», jusqu’à 1^000,5~kWh par session, une fois "
                "par mois pour un badge"
            ),
        ),
    ],
)
def test_parts_within_a_sentence_are_in_the_language_too(
    tag: str, surcharge: str, coupon: str
) -> None:
    parts = (
        phrase("percent_on", percent="2.5", dimensions=("SESSION",)),
        phrase("amount", amount="0.50"),
    )
    raised = ENGLISH.whole(phrase("surcharge", parts=parts, methods=("card",)), ENERGY)
    lowered = phrase(
        "coupon", coupon="MAI", percent=50, sizes=(phrase("kwh", kwh="1000.5"),), uses_max=1,
        per="month", shared_by="token",
    )  # fmt: skip

    assert visible(language_of(tag).words(raised)) == surcharge
    assert visible(language_of(tag).words(lowered)) == coupon


@pytest.mark.parametrize(
    ("period", "de", "us"),
    [
        ("2026-03", "März 2026", "March 2026"),
        ("2026-03-01", "01.03.2026", "Mar 1, 2026"),
        ("the 3rd", "the 3rd", "the 3rd"),
        ("2026-99", "2026-99", "2026-99"),
    ],
)
def test_a_period_is_shown_as_a_month_or_a_day(period: str, de: str, us: str) -> None:
    used = phrase("coupon_used", uses=3, period=period)

    assert language_of("de").words(used) == f"zuvor 3-mal genutzt ({de})"
    assert language_of("en-US").words(used) == f"used 3 times before in {us}"


def test_what_cannot_be_read_as_a_number_or_a_time_stands_as_it_is() -> None:
    """Decisions outlive the formats of their parameters; a document is rendered all the same."""
    language = language_of("de")

    assert visible(language.words(phrase("kwh", kwh="much"))) == "much~kWh"
    assert language.words(phrase("from_date", date="May")) == "ab May"
    assert language.words(phrase("clock", start="dawn", end="25:00")) == "dawn bis 25:00 Uhr"
    assert language.words(phrase("amount", amount="a lot", currency="EUR")) == "a lot EUR"
    assert language.words(phrase("amount", amount="1.5", currency="XQX")) == "1.5 XQX"
    for odd in ("NaN", "sNaN", "-Infinity"):
        assert language.words(phrase("amount", amount=odd, currency="EUR")) == f"{odd} EUR"
        assert visible(language.words(phrase("kwh", kwh=odd))) == f"{odd}~kWh"
    assert language.words(Phrase("no_such_code")) == "no_such_code"


def test_a_fee_is_named_with_what_lowered_it() -> None:
    grant = phrase("group", percent=100, group="Mieter")
    said = phrase("adjusted_fee", dimension="TIME", label=grant)

    assert language_of("de").words(said) == "Ladezeit: Gruppe Mieter"
    assert visible(language_of("fr").words(said)) == "Temps de recharge~: groupe Mieter"
    assert language_of("sv").label(grant) == "grupp Mieter"
    assert language_of("sv").label(phrase("priced")) is None


@pytest.mark.parametrize("tag", LANGUAGES)
@pytest.mark.parametrize("code", sorted(TEMPLATES.keys() | LABELS.keys()))
def test_each_code_says_something_even_without_its_parameters(tag: str, code: str) -> None:
    said = language_of(tag).words(Phrase(code))

    assert said != code
    assert "{" not in said


UNITS = {
    "de": ("Ladevorgang", "Ladevorgänge", "Ladevorgänge", "Ladevorgänge", "Std.", "Rechnung"),
    "en": ("session", "sessions", "sessions", "sessions", "h", "invoice"),
    "en-US": ("session", "sessions", "sessions", "sessions", "h", "invoice"),
    "es": ("sesión", "sesiones", "sesiones", "sesiones", "h", "factura"),
    "pl": ("sesja", "sesje", "sesji", "sesji", "godz.", "faktura"),
    "sv": ("session", "sessioner", "sessioner", "sessioner", "tim", "faktura"),
}
"""One, two, five and half a session; hours; the invoice itself."""


@pytest.mark.parametrize("tag", UNITS)
def test_a_unit_follows_its_quantity(tag: str) -> None:
    unit = language_of(tag).unit
    sessions = [unit("session", Decimal(n)) for n in ("1", "2", "5", "0.5")]

    assert (*sessions, unit("h", Decimal(1)), unit("invoice", Decimal(1))) == UNITS[tag]
    assert {unit("session", Decimal(n)) for n in ("1", "-1", "1.000")} == {UNITS[tag][0]}
    assert unit("kWh", Decimal(7)) == "kWh"


@pytest.mark.parametrize(
    ("seconds", "de", "nl"),
    [
        (0, "0~Sek.", "0~s"),
        (45, "45~Sek.", "45~s"),
        (9000, "2~Std. 30~Min.", "2~uur 30~min"),
        (4_000_005, "1.111~Std. 6~Min. 45~Sek.", "1.111~uur 6~min 45~s"),
        (-60, "-1~Min.", "-1~min"),
    ],
)
def test_a_duration_is_told_in_hours_minutes_and_seconds(seconds: int, de: str, nl: str) -> None:
    assert visible(language_of("de").duration(seconds)) == de
    assert visible(language_of("nl").duration(seconds)) == nl


def tax(name: str, country: str) -> TaxTotal:
    return TaxTotal(
        name=name,
        country=country,
        category="S",
        percent=Decimal(19),
        taxable_minor=100,
        tax_minor=19,
    )


@pytest.mark.parametrize(
    ("tag", "name", "country", "said"),
    [
        ("de", "VAT", "DE", "USt."),
        ("fr", "VAT", "DE", "TVA"),
        ("sv", "VAT", "SE", "Moms"),
        ("pl", "VAT", "PL", "VAT"),
        ("en", "VAT", "GB", "VAT"),
        ("en-US", "Sales tax", "US", "Sales tax"),
        ("de", "GST/HST", "CA", "GST/HST"),
        ("fr", "GST/HST", "CA", "TPS/TVH"),
        ("fr", "Consumption tax", "JP", "Taxe sur la consommation"),
        # What a tariff names itself stays as it is.
        ("de", "Elektrizitätsabgabe", "DE", "Elektrizitätsabgabe"),
        ("fr", "QST", "CA", "QST"),
        ("de", "VAT", "US", "VAT"),
        ("de", "", "DE", ""),
    ],
)
def test_a_tax_is_called_by_the_countrys_name_for_it(
    tag: str, name: str, country: str, said: str
) -> None:
    assert language_of(tag).tax_name(tax(name, country)) == said


@pytest.mark.parametrize(
    ("code", "de", "fr"),
    [("DE", "Deutschland", "Allemagne"), ("se", "Schweden", "Suède"), ("ZZZ", "ZZZ", "ZZZ")],
)
def test_a_country_is_told_by_name(code: str, de: str, fr: str) -> None:
    assert language_of("de").country(code) == de
    assert language_of("fr").country(code) == fr


def test_what_texts_depend_on_is_told() -> None:
    told = versions()

    assert sorted(told) == ["babel", "catalogues_sha256", "cldr"]
    assert all(told.values())


def all_of(tag: str) -> list[str]:
    language = Language(tag)
    return [
        language.words(NIGHT, ENERGY),
        language.money(123456, "EUR"),
        language.month("2026-03"),
        language.text("Credit note"),
    ]


def test_many_threads_hear_the_same() -> None:
    with ThreadPoolExecutor(8) as pool:
        heard = list(pool.map(all_of, LANGUAGES * 4))

    assert heard == [all_of(tag) for tag in LANGUAGES] * 4


SAY = """
from datetime import UTC, datetime
from projections.documents.languages.language import LANGUAGES, language_of
from tariffs.offsets import offsets_over, zone_with
at = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
local = at.astimezone(zone_with(offsets_over("Europe/Berlin", at, at), "Europe/Berlin"))
for language in map(language_of, LANGUAGES):
    print(ascii([language.moment(local), language.money(123456, "SEK"), language.text("Driver")]))
"""


@pytest.mark.parametrize(
    "environment",
    [
        {"TZ": "Asia/Kathmandu", "LC_ALL": "C", "LANGUAGE": "sv:pl"},
        {"TZ": "America/New_York", "LANG": "de_DE.UTF-8", "PYTHONHASHSEED": "7"},
    ],
)
def test_no_machine_changes_what_is_said(environment: dict[str, str]) -> None:
    said = [
        subprocess.run(
            [sys.executable, "-c", SAY],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **given},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for given in ({}, environment)
    ]

    assert said[0] == said[1]
    assert len(said[0].splitlines()) == len(LANGUAGES)
