"""A reader's language: what a document says in it, and how it writes numbers, money and times."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib.metadata import version
from typing import Final

from babel.core import Locale, get_cldr_version

from ledger.invoices.document import TaxTotal
from projections.documents.languages.catalogue import (
    SOURCE,
    catalogues_sha256,
    messages_of,
    translations_of,
)
from projections.documents.languages.moments import Moments
from projections.documents.languages.numerals import Numerals
from projections.documents.languages.sentences import LABELS, TEMPLATES, label_context
from tariffs.currencies import UnknownCurrencyError
from tariffs.phrases.phrase import Phrase
from tariffs.phrases.wording import NO_CONTEXT, Context, Wording
from tariffs.taxes.names import tax_name

LANGUAGES: Final = ("de", "en", "en-US", "es", "fr", "it", "nl", "pl", "sv")
_BY_LOWER_CASE: Final = {tag.lower(): tag for tag in LANGUAGES}
_LOCALES: Final = {"en": "en_GB", "en-US": "en_US"}
_MINUTE: Final = 60
_MONTH: Final = len("2026-03")
_SESSION: Final = "session"
_NO_BREAK: Final = "\xa0"
_MANY: Final = 5


class Language:
    """One language of `LANGUAGES`; immutable, to be had from `language_of`."""

    def __init__(self, tag: str) -> None:
        locale = Locale.parse(_LOCALES.get(tag, tag))
        self.tag = tag
        self._translations = translations_of(tag)
        self._territories: dict[str, str] = dict(locale.territories)
        self._numerals = Numerals(locale)
        self._moments = Moments(tag, locale, lambda word: self._named("zone", word))
        self._wording = self._worded()

    def text(self, message: str, /, **parameters: str) -> str:
        """Return *message*, an English text with {name} fields, in this language."""
        translated = self._translations.gettext(message)
        return translated.format(**parameters) if parameters else translated

    def has(self, message: str) -> bool:
        """Say whether *message* was translated into this language; of English that all are."""
        return self.tag == SOURCE or message in messages_of(self.tag)

    def words(self, said: Phrase, context: Context = NO_CONTEXT) -> str:
        """Return what a decision says by a code.

        A phrase that is not whole (`Wording.whole`) needs its *context*: its line's and currency.
        """
        return self._wording.words(said, context)

    def extended(self, templates: Mapping[str, str], told: Callable[[str], str] = str) -> Wording:
        """Return what makes words of phrases, with *templates* for codes that no document says.

        *told* makes words of this language of what somebody said in English.
        """
        return self._wording.extended(templates, {"told": told})

    def label(self, said: Phrase, context: Context = NO_CONTEXT) -> str | None:
        """Return what stands on a bill beside a fee; None where nothing does."""
        return self._wording.label(said, context)

    def money(self, minor: int, currency: str) -> str:
        """Return whole minor units of a currency (ISO 4217): 1.234,56 €.

        Raises:
            UnknownCurrencyError: If there is no such currency.
        """
        return self._numerals.money(minor, currency)

    def price(self, amount: Decimal, currency: str) -> str:
        """Return a unit price with all its decimals, and at least those of the currency.

        Raises:
            UnknownCurrencyError: If there is no such currency.
        """
        return self._numerals.price(amount, currency)

    def number(self, value: Decimal, *, digits_max: int | None = None) -> str:
        """Return *value* exactly, or rounded to *digits_max* decimals; no trailing zeros."""
        return self._numerals.number(value, digits_max)

    def digits(self, text: str) -> str:
        """Return a plain number, "0.40", with the zeros that it has: 0,40."""
        return self._numerals.digits(text)

    def percent(self, value: Decimal) -> str:
        """Return 19 as 19 %."""
        return self._numerals.percent(value)

    def day(self, day: date) -> str:
        """Return a date in full: 27.11.2026."""
        return self._moments.day(day)

    def month(self, month: str) -> str:
        """Return a month, "2026-03", in words: März 2026.

        Raises:
            ValueError: If it is no month.
        """
        return self._moments.month(month)

    def clock(self, at: datetime, *, seconds: bool = False) -> str:
        """Return the local time of day of an aware datetime."""
        return self._moments.clock(at, seconds=seconds)

    def moment(self, at: datetime, *, seconds: bool = False) -> str:
        """Return local date and time of an aware datetime; the repeated hour is told apart."""
        return self._moments.moment(at, seconds=seconds)

    def span(self, starts_at: datetime, ends_at: datetime, *, seconds: bool = False) -> str:
        """Return from when to when, the date once where it is the same."""
        return self._moments.span(starts_at, ends_at, seconds=seconds)

    def duration(self, seconds: int) -> str:
        """Return hours, minutes and seconds: 2 Std. 30 Min."""
        minutes, rest = divmod(abs(seconds), _MINUTE)
        hours, minutes = divmod(minutes, _MINUTE)
        parts = [(hours, "h"), (minutes, "min"), (rest, "s")]
        shown = [part for part in parts if part[0]] or [(0, "s")]
        text = " ".join(self._counted(count, unit) for count, unit in shown)
        return f"{self._numerals.minus}{text}" if seconds < 0 else text

    def unit(self, unit: str, quantity: Decimal) -> str:
        """Return a unit of an invoice's line ("kWh", "h", "session") as it follows *quantity*."""
        if unit != _SESSION:
            return self._named("unit", unit)
        # What is not whole stands with the form of many.
        whole = int(quantity) if quantity == quantity.to_integral_value() else _MANY
        return self._translations.npgettext("unit", unit, "sessions", abs(whole))

    def tax_name(self, tax: TaxTotal) -> str:
        """Return a tax by its name: a tariff's own as it is, a country's in this language."""
        general = tax_name(tax.country)
        return self._named("tax", general) if tax.name == general else tax.name

    def country(self, code: str) -> str:
        """Return a country (ISO 3166-1 alpha-2) by name; a code that is none is its own."""
        return self._territories.get(code.upper(), code)

    def _named(self, context: str, word: str) -> str:
        return self._translations.pgettext(context, word)

    def _counted(self, count: int, unit: str) -> str:
        return f"{self.number(Decimal(count))}{_NO_BREAK}{self._named('unit', unit)}"

    def _worded(self) -> Wording:
        translated = self._translations.pgettext
        opened, closed = self._named("quoted", "“*”").split("*")
        return Wording(
            {code: translated(code, text) for code, text in TEMPLATES.items()},
            {code: translated(label_context(code), text) for code, text in LABELS.items()},
            {
                "quoted": lambda text: f"{opened}{text}{closed}",
                "number": _or_itself(lambda text: self.number(Decimal(text))),
                "day": _or_itself(lambda text: self.day(date.fromisoformat(text))),
                "month_day": _or_itself(self._moments.day_of_year),
                "period": _or_itself(self._period),
                "clock": _or_itself(self._moments.clock_text),
                "duration": _or_itself(lambda text: self.duration(int(text))),
            },
            self._amount_text,
        )

    def _amount_text(self, text: str, currency: str) -> str:
        try:
            amount = Decimal(text)
            return self.price(amount, currency) if currency else self.number(amount)
        except (ValueError, InvalidOperation, UnknownCurrencyError):
            # As `_or_itself`.
            return f"{text} {currency}"

    def _period(self, text: str) -> str:
        if len(text) == _MONTH:
            return self.month(text)
        return self.day(date.fromisoformat(text))


@cache
def _language(tag: str) -> Language:
    return Language(tag)


def language_of(tag: str) -> Language:
    """Return the language that serves a reader of *tag* (BCP 47) best; English where none does.

    By RFC 4647's lookup: "de-AT" is German, "en-US-posix" is English of the US.
    """
    parts = tag.replace("_", "-").lower().split("-", 2)
    for length in (2, 1):
        found = _BY_LOWER_CASE.get("-".join(parts[:length]))
        if found is not None:
            return _language(found)
    return _language(SOURCE)


def versions() -> dict[str, str]:
    """Return what the texts of documents depend on beside their content."""
    return {
        "babel": version("babel"),
        "cldr": get_cldr_version(),
        "catalogues_sha256": catalogues_sha256(),
    }


def _or_itself(shown: Callable[[str], str]) -> Callable[[str], str]:
    """Return *shown*, which gives back what it cannot read: decisions outlive our formats."""

    def text_of(text: str) -> str:
        try:
            return shown(text)
        except (ValueError, InvalidOperation):
            return text

    return text_of
