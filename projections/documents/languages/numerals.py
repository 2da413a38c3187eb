"""Numbers and money as a language writes them, exactly.

Babel brings the signs and patterns of CLDR; the digits are our own. Its formatting rounds by the
decimal context of the thread, and counts a currency's decimals by CLDR, which differs from ISO
4217 for 13 codes.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from babel.core import Locale
from babel.numbers import NumberPattern

from tariffs.currencies import currency_exponent
from tariffs.quantities import minor_text, round_ratio

_NO_BREAK: Final = "\xa0"
_CURRENCY_SIGN: Final = "¤"
# The font of our pages does not have their signs.
_BY_CODE: Final = frozenset({"ILS", "THB"})


class Numerals:
    """How one locale writes numbers; immutable."""

    def __init__(self, locale: Locale) -> None:
        symbols = locale.number_symbols["latn"]
        self._signs = str.maketrans({",": symbols["group"], ".": symbols["decimal"]})
        self.minus: str = symbols["minusSign"]
        self._money: NumberPattern = locale.currency_formats["standard"]
        self._percent: NumberPattern = locale.percent_formats[None]
        self._symbols = {
            code: sign for code, sign in locale.currency_symbols.items() if code not in _BY_CODE
        }

    def number(self, value: Decimal, digits_max: int | None = None) -> str:
        """Return *value* without trailing zeros; with *digits_max* rounded to so many decimals.

        Halves are rounded away from zero, as everywhere.
        """
        text = _text(value) if digits_max is None else _rounded(value, digits_max)
        return self._signed(_short(text))

    def digits(self, text: str) -> str:
        """Return the plain number *text* with all digits that it has, also zeros at the end."""
        return self._signed(text)

    def percent(self, value: Decimal) -> str:
        """Return *value* (19 for 19 %) with the sign."""
        text = self._signed(_short(_text(value.copy_abs())))
        return self._between(self._percent, text, value < 0)

    def money(self, minor: int, currency: str) -> str:
        """Return whole minor units with the currency's sign, or its code where it has none here.

        Raises:
            UnknownCurrencyError: If ISO 4217 has no such code.
        """
        text = minor_text(abs(minor), currency_exponent(currency))
        return self._with_currency(text, minor < 0, currency)

    def price(self, amount: Decimal, currency: str) -> str:
        """Return *amount* with all its decimals, and at least those of the currency.

        Raises:
            UnknownCurrencyError: If ISO 4217 has no such code.
        """
        decimals = currency_exponent(currency)
        whole, _, rest = _short(_text(amount.copy_abs())).partition(".")
        text = f"{whole}.{rest.ljust(decimals, '0')}" if rest or decimals else whole
        return self._with_currency(text, amount < 0, currency)

    def _with_currency(self, text: str, is_negative: bool, currency: str) -> str:  # noqa: FBT001 - a sign
        symbol = self._symbols.get(currency, currency)
        shown = self._between(self._money, self._signed(text), is_negative)
        before, _, after = shown.partition(_CURRENCY_SIGN)
        # CLDR: letters do not touch digits (CHF 5.00), signs may.
        gap = _NO_BREAK if symbol[-1].isalpha() and after[:1].isdigit() else ""
        return f"{before}{symbol}{gap}{after}"

    def _between(self, pattern: NumberPattern, text: str, is_negative: bool) -> str:  # noqa: FBT001 - a sign
        before, after = pattern.prefix[is_negative], pattern.suffix[is_negative]
        return f"{before.replace('-', self.minus)}{text}{after.replace('-', self.minus)}"

    def _signed(self, text: str) -> str:
        """Return plain *text* (-1234.5) with the language's signs."""
        whole, point, rest = text.removeprefix("-").partition(".")
        shown = f"{int(whole):,}{point}{rest}".translate(self._signs)
        return f"{self.minus}{shown}" if text.startswith("-") else shown


def _text(value: Decimal) -> str:
    return f"{value:f}"


def _short(text: str) -> str:
    """Return *text* without the zeros that say nothing; 0 has no sign."""
    short = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if short.strip("-0") == "" else short


def _rounded(value: Decimal, digits: int) -> str:
    numerator, denominator = value.as_integer_ratio()
    return minor_text(round_ratio(numerator * 10**digits, denominator), digits)
