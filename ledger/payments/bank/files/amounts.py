"""Amounts as files write them, exact: nothing is rounded, and nothing is guessed."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from ledger.payments.bank.files.statement import UnreadableStatementError
from tariffs.currencies import currency_exponent

MINOR_MAX: Final = 10**15
_PLAIN: Final = re.compile(r"[+-]?(?:[0-9]{1,18}(?:\.[0-9]{0,12})?|\.[0-9]{1,12})", re.ASCII)


def minor_of(text: str, currency: str, spot: str) -> int:
    """Return the amount *text*, with a decimal point and without groups, in minor units.

    Args:
        text: As "-1234.50"; further decimals must be zeros.
        currency: Whose minor units.
        spot: Where it stands, for errors.

    Raises:
        UnreadableStatementError: If it is no amount, too large, or finer than the currency.
    """
    exponent = currency_exponent(currency)
    if not _PLAIN.fullmatch(text):
        why = "what should be an amount is none"
        raise UnreadableStatementError(spot, why)
    scaled = Decimal(text).scaleb(exponent)
    minor = int(scaled)
    if minor != scaled:
        why = f"{text} {currency} is finer than this currency, of {exponent} decimals"
        raise UnreadableStatementError(spot, why)
    if abs(minor) > MINOR_MAX:
        why = f"{text} {currency} is more than any bank moves"
        raise UnreadableStatementError(spot, why)
    return minor
