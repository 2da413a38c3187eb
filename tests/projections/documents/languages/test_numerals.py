"""Numbers, money and percentages as each language writes them, exact to the last digit."""

from __future__ import annotations

import decimal
from decimal import Decimal

import pytest
from babel.core import Locale
from babel.numbers import format_currency, format_decimal, format_percent, parse_decimal
from hypothesis import given
from hypothesis import strategies as st

from projections.documents.languages.language import LANGUAGES, language_of
from tariffs.currencies import CURRENCY_EXPONENTS, UnknownCurrencyError

LOCALES = {"en": "en_GB", "en-US": "en_US"}
SHOWN = {
    "de": ("1.234,56 €", "-1.234,56 €", "0,3925 €", "12.345,678", "19 %"),
    "en": ("€1,234.56", "-€1,234.56", "€0.3925", "12,345.678", "19%"),
    "en-US": ("€1,234.56", "-€1,234.56", "€0.3925", "12,345.678", "19%"),
    "es": ("1.234,56 €", "-1.234,56 €", "0,3925 €", "12.345,678", "19 %"),
    "fr": ("1^234,56 €", "-1^234,56 €", "0,3925 €", "12^345,678", "19 %"),
    "it": ("1.234,56 €", "-1.234,56 €", "0,3925 €", "12.345,678", "19%"),
    "nl": ("€ 1.234,56", "€ -1.234,56", "€ 0,3925", "12.345,678", "19%"),
    "pl": ("1 234,56 €", "-1 234,56 €", "0,3925 €", "12 345,678", "19%"),
    "sv": ("1 234,56 €", "−1 234,56 €", "0,3925 €", "12 345,678", "19 %"),
}
"""Of 1234.56 and -1234.56, of a price, of a number, of 19 %; ^ is a narrow space, none breaks."""

decimals = st.decimals(allow_nan=False, allow_infinity=False, places=6) | st.decimals(
    allow_nan=False, allow_infinity=False, min_value=-(10**40), max_value=10**40, places=30
)
tags = st.sampled_from(LANGUAGES)


def visible(text: str) -> str:
    assert " " not in text, "a number must not break at the end of a line"
    return text.replace("\xa0", " ").replace("\u202f", "^")


@pytest.mark.parametrize("tag", LANGUAGES)
def test_a_language_writes_money_and_numbers_as_its_readers_do(tag: str) -> None:
    language = language_of(tag)
    shown = (
        language.money(123456, "EUR"),
        language.money(-123456, "EUR"),
        language.price(Decimal("0.3925"), "EUR"),
        language.number(Decimal("12345.678")),
        language.percent(Decimal(19)),
    )

    assert tuple(map(visible, shown)) == SHOWN[tag]


@pytest.mark.parametrize(
    ("tag", "minor", "currency", "text"),
    [
        ("de", 0, "EUR", "0,00 €"),
        ("de", 5, "EUR", "0,05 €"),
        ("de", 123456, "CHF", "1.234,56 CHF"),
        ("en", 123456, "CHF", "CHF 1,234.56"),
        ("en", -123456, "SEK", "-SEK 1,234.56"),
        ("en-US", 123456, "USD", "$1,234.56"),
        ("en", 123456, "USD", "US$1,234.56"),
        ("en", 123456, "GBP", "£1,234.56"),
        ("sv", 123456, "SEK", "1 234,56 kr"),
        ("pl", 123456, "PLN", "1 234,56 zł"),
        ("fr", 1000000000000, "EUR", "10^000^000^000,00 €"),
        ("de", 123456, "JPY", "123.456 ¥"),
        ("de", 123456, "KWD", "123,456 KWD"),
        # CLDR counts no decimals for these two, ISO 4217 two.
        ("de", 123456, "ALL", "1.234,56 ALL"),
        ("de", 123456, "RSD", "1.234,56 RSD"),
    ],
)
def test_an_amount_has_the_decimals_of_its_currency(
    tag: str, minor: int, currency: str, text: str
) -> None:
    assert visible(language_of(tag).money(minor, currency)) == text


@pytest.mark.parametrize("tag", LANGUAGES)
def test_a_currency_that_is_none_is_refused(tag: str) -> None:
    with pytest.raises(UnknownCurrencyError):
        language_of(tag).money(1, "XQX")
    with pytest.raises(UnknownCurrencyError):
        language_of(tag).price(Decimal(1), "")


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0.4", "0,40 €"),
        ("0.40000", "0,40 €"),
        ("0.39999", "0,39999 €"),
        ("-0.5", "-0,50 €"),
        ("0", "0,00 €"),
        ("-0", "0,00 €"),
        ("1E+3", "1.000,00 €"),
        ("1E-9", "0,000000001 €"),
    ],
)
def test_a_price_has_all_its_digits_and_at_least_those_of_the_currency(
    amount: str, text: str
) -> None:
    assert visible(language_of("de").price(Decimal(amount), "EUR")) == text


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        ("12.500", None, "12,5"),
        ("-0.00", None, "0"),
        ("1E+3", None, "1.000"),
        ("1.005", 2, "1,01"),
        ("-1.005", 2, "-1,01"),
        ("0.9999", 3, "1"),
        ("2.5", 0, "3"),
        ("-0.0004", 3, "0"),
        ("999999.5", 0, "1.000.000"),
    ],
)
def test_a_number_is_rounded_only_where_that_is_asked_for(
    value: str, digits: int | None, text: str
) -> None:
    assert language_of("de").number(Decimal(value), digits_max=digits) == text


@pytest.mark.parametrize(
    ("value", "text"), [("19.0", "19"), ("9.975", "9,975"), ("0", "0"), ("-5.5", "-5,5")]
)
def test_a_rate_has_the_digits_that_it_needs(value: str, text: str) -> None:
    assert language_of("de").percent(Decimal(value)) == f"{text}\xa0%"


@given(decimals, tags)
def test_what_is_written_reads_back_as_the_very_number(value: Decimal, tag: str) -> None:
    locale = Locale.parse(LOCALES.get(tag, tag))
    with decimal.localcontext(prec=100):
        text = language_of(tag).number(value).replace("\N{MINUS SIGN}", "-")
        assert parse_decimal(text, locale=locale, strict=True) == value


@given(st.integers(-(10**30), 10**30), tags, st.sampled_from(sorted(CURRENCY_EXPONENTS)))
def test_an_amount_reads_back_to_the_minor_unit(minor: int, tag: str, currency: str) -> None:
    language = language_of(tag)
    amount = Decimal(minor).scaleb(-CURRENCY_EXPONENTS[currency], decimal.Context(prec=100))

    shown = language.money(minor, currency)

    assert shown == language.price(amount, currency)
    digits = "".join(each for each in shown if each.isdigit() and each.isascii())
    assert int(digits) == abs(minor)


@given(st.decimals(-(10**9), 10**9, allow_nan=False, places=3), tags)
def test_babel_writes_the_same_where_it_is_exact(value: Decimal, tag: str) -> None:
    """An oracle for signs and patterns: within its 28 digits, in a currency of ISO's decimals."""
    language, locale = language_of(tag), Locale.parse(LOCALES.get(tag, tag))
    cents = int(value * 100)

    number = format_decimal(value, locale=locale, decimal_quantization=False)
    money = format_currency(Decimal(cents) / 100, "EUR", locale=locale)
    percent = format_percent(value / 100, locale=locale, decimal_quantization=False)

    # It leaves the hyphen where CLDR has Swedish write a minus sign.
    shown = language.number(value), language.money(cents, "EUR"), language.percent(value)
    assert [each.replace("\N{MINUS SIGN}", "-") for each in shown] == [number, money, percent]


@given(decimals, tags, st.sampled_from([1, 5, 28]))
def test_no_context_of_a_thread_changes_a_digit(value: Decimal, tag: str, precision: int) -> None:
    language = language_of(tag)
    shown = language.number(value), language.price(value, "EUR"), language.percent(value)

    with decimal.localcontext(prec=precision, rounding=decimal.ROUND_UP):
        again = language.number(value), language.price(value, "EUR"), language.percent(value)

    assert again == shown
