"""Amounts as Stripe counts them: mostly in the minor units of ISO 4217, and some not.

| currency | ISO 4217 | Stripe | so |
|---|---|---|---|
| EUR, HUF, TWD | 2 decimals | 2 | the same (its payouts in HUF and TWD are whole: no matter here) |
| JPY, KRW | 0 | 0 | the same |
| ISK, UGX | 0 | 2, always 00 | 5 is 500 |
| MGA | 2 (fifths, really) | 0 | 500 is 5; 501 is refused |
| BHD, JOD, KWD, OMR, TND | 3 | 3, the last one 0 | 5124 is refused, 5120 is not |

Source: Stripe's documentation, "Supported currencies": zero-decimal, three-decimal, special cases.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ledger.payments.provider import RefusedRequestError, UnansweredError
from tariffs.currencies import UnknownCurrencyError, currency_exponent

_DECIMALS: Final[Mapping[str, int]] = {"ISK": 2, "MGA": 0, "UGX": 2}
"""Where it differs from ISO 4217."""
_LAST_IS_ZERO: Final = 3
MINOR_MAX: Final = 99_999_999
"""Stripe takes at most eight digits."""


def stripe_minor(amount_minor: int, currency: str) -> int:
    """Return an amount in our minor units as Stripe wants it.

    Raises:
        RefusedRequestError: If Stripe knows no such amount: too exact, too large, not above 0.
    """
    try:
        shift = _shift(currency)
    except UnknownCurrencyError as error:
        raise RefusedRequestError(reason="currency_unknown", said=str(error)) from error
    amount, rest = _shifted(amount_minor, shift)
    if currency_exponent(currency) == _LAST_IS_ZERO:
        rest = rest or amount % 10
    if rest or not 0 < amount <= MINOR_MAX:
        message = f"Stripe takes no amount of {amount_minor} minor units {currency}"
        raise RefusedRequestError(reason="amount_unfit", said=message)
    return amount


def our_minor(amount: int, currency: str) -> int:
    """Return an amount of Stripe's, of any sign, in minor units of ISO 4217.

    Args:
        amount: As Stripe says it.
        currency: In capital letters.

    Raises:
        UnansweredError: If our minor units cannot say it: nothing is booked of what was not said.
    """
    try:
        shift = _shift(currency)
    except UnknownCurrencyError as error:
        raise UnansweredError(reason="currency_unknown", said=str(error)) from error
    found, rest = _shifted(amount, -shift)
    if rest:
        message = f"Stripe says {amount} {currency}, which ISO 4217's minor units cannot"
        raise UnansweredError(reason="amount_unfit", said=message)
    return found


def _shift(currency: str) -> int:
    """Return how many more decimals an amount has at Stripe."""
    ours = currency_exponent(currency)
    return _DECIMALS.get(currency, ours) - ours


def _shifted(amount: int, decimals: int) -> tuple[int, int]:
    """Return *amount* with so many more decimals, or fewer: then with what does not go into it."""
    power: int = 10 ** abs(decimals)
    return (amount * power, 0) if decimals >= 0 else divmod(amount, power)
