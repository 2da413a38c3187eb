"""Exact quantities: money, and the one function that rounds it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation, Overflow
from enum import StrEnum
from functools import lru_cache
from typing import Final

from tariffs.currencies import currency_exponent
from tariffs.errors import TariffError

# Wide enough for every sum that a session can have; too wide a number raises and never rounds.
EXACT: Final = Context(prec=80, traps=[InvalidOperation, Overflow])
REPEATING_DECIMALS: Final = 18
_NUMBER_DIGITS_MAX: Final = 40
_PLAIN_MAX: Final = 80
_NUMBER_EXPONENT_MAX: Final = 18


class RoundingMode(StrEnum):
    """How an amount between two minor units is decided."""

    HALF_UP = "half_up"
    HALF_EVEN = "half_even"
    UP = "up"
    DOWN = "down"


def round_ratio(numerator: int, denominator: int, mode: RoundingMode = RoundingMode.HALF_UP) -> int:
    """Round *numerator* / *denominator* to a whole number: the one place where money is rounded.

    HALF_UP takes a half away from zero, UP any rest away from zero, DOWN drops it.
    """
    # Nearly every call, in one division.
    if mode is RoundingMode.HALF_UP and numerator >= 0:
        return (2 * numerator + denominator) // (2 * denominator)
    sign = -1 if numerator < 0 else 1
    whole, rest = divmod(abs(numerator), denominator)
    match mode:
        case RoundingMode.HALF_UP:
            up = 2 * rest >= denominator
        case RoundingMode.HALF_EVEN:
            up = 2 * rest > denominator or (2 * rest == denominator and whole % 2 == 1)
        case RoundingMode.UP:
            up = rest > 0
        case RoundingMode.DOWN:
            up = False
    return sign * (whole + up)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in one currency, not yet rounded to minor units."""

    amount: Decimal
    currency: str

    def __add__(self, other: Money) -> Money:
        if self.currency != other.currency:
            raise CurrencyMismatchError(self.currency, other.currency)
        return Money(EXACT.add(self.amount, other.amount), self.currency)

    def __str__(self) -> str:
        return f"{self.amount:f} {self.currency}"


def round_money(money: Money, mode: RoundingMode = RoundingMode.HALF_UP) -> int:
    """Return *money* in whole minor units of its currency (cents; yen; thousandths of a dinar)."""
    numerator, denominator = money.amount.as_integer_ratio()
    scale = 10 ** currency_exponent(money.currency)
    return round_ratio(numerator * scale, denominator, mode)


def money_of_minor(minor: int, currency: str) -> Money:
    """Return the Money that *minor* units of *currency* are."""
    return Money(Decimal(minor).scaleb(-currency_exponent(currency), EXACT), currency)


def decimal_of_ratio(numerator: int, denominator: int) -> Decimal:
    """Return the ratio as a Decimal: exact if it ends, else rounded to 18 decimals."""
    return Decimal(ratio_text(numerator, denominator))


def ratio_text(numerator: int, denominator: int) -> str:
    """Return the ratio as a text of digits: exact if it ends, else rounded to 18 decimals."""
    other, places, factor = _ending(denominator)
    whole, left = (numerator, 0) if other == 1 else divmod(numerator, other)
    if left:
        places = REPEATING_DECIMALS
        scaled = round_ratio(numerator * 10**places, denominator, RoundingMode.HALF_EVEN)
        return _digits(scaled, places)
    text = _digits(whole * factor, places)
    return text.rstrip("0").rstrip(".") if places else text


# Most amounts of a bill are among a few thousand.
@lru_cache(maxsize=1 << 14)
def minor_text(minor: int, exponent: int) -> str:
    """Return minor units of a currency with *exponent* decimals: 1230 and 2 are "12.30"."""
    return _digits(minor, exponent)


def _digits(scaled: int, places: int) -> str:
    if not places:
        return str(scaled)
    text = str(scaled)
    if scaled < 0:
        return f"-{_digits(-scaled, places)}"
    if len(text) <= places:
        text = text.zfill(places + 1)
    return f"{text[:-places]}.{text[-places:]}"


@lru_cache(maxsize=1024)
def _ending(denominator: int) -> tuple[int, int, int]:
    """Return (other, places, factor): a multiple m of *other* over it is m / other x factor.

    That is a whole number of 10**-places. *other* is what 2 and 5 leave of the denominator.
    """
    other, places = denominator, 0
    for prime in (2, 5):
        power = 0
        while other % prime == 0:
            other, power = other // prime, power + 1
        places = max(places, power)
    return other, places, 10**places // (denominator // other)


def plain(number: Decimal) -> Decimal:
    """Return *number* without trailing zeros and without an exponent (100, not 1E+2)."""
    # Most are so already, and their text says it soonest.
    text = str(number)
    if len(text) <= _PLAIN_MAX and "E" not in text and ("." not in text or text[-1] != "0"):
        return number
    normal = number.normalize(EXACT)
    exponent = normal.as_tuple().exponent
    if isinstance(exponent, int) and exponent > 0:
        return normal.quantize(Decimal(1), context=EXACT)
    return normal


def read_number(text: str) -> Decimal:
    """Read a finite decimal of reasonable size from *text*.

    Raises:
        BadNumberError: If it is no number, not finite, or has absurdly many digits.
    """
    # Decimal also reads 1_000 and digits of other scripts, which no reader of the file expects.
    if "_" in text or not text.isascii():
        raise BadNumberError(text, "is not a number")
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise BadNumberError(text, "is not a number") from None
    if not is_sane(number):
        raise BadNumberError(text, "is not a finite number of reasonable size")
    return plain(number)


def is_sane(number: Decimal) -> bool:
    """Tell whether *number* is finite and small enough that arithmetic with it stays exact."""
    if not number.is_finite():
        return False
    text = str(number)
    # Most are short and have no exponent: what is left to look at is how large they are.
    if len(text) <= _NUMBER_DIGITS_MAX and "E" not in text:
        return number.adjusted() < _NUMBER_EXPONENT_MAX
    _, digits, exponent = number.as_tuple()
    return (
        isinstance(exponent, int)
        and len(digits) <= _NUMBER_DIGITS_MAX
        and exponent >= -_NUMBER_DIGITS_MAX
        and exponent + len(digits) <= _NUMBER_EXPONENT_MAX
    )


class CurrencyMismatchError(TariffError):
    """Two currencies met in one sum."""

    def __init__(self, left: str, right: str) -> None:
        super().__init__(f"cannot add {right} to {left}")
        self.left, self.right = left, right


class BadNumberError(TariffError):
    """A text that should be an exact number and is not."""

    def __init__(self, text: str, why: str) -> None:
        shown = text if len(text) <= _NUMBER_DIGITS_MAX else f"{text[:_NUMBER_DIGITS_MAX]}..."
        super().__init__(f"{shown!r} {why}")
        self.text = text
