"""TaxedAmount as they are answered: exact texts in major units, with their currency."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from tariffs.currencies import currency_exponent
from tariffs.quantities import minor_text


class TaxedAmount(msgspec.Struct, frozen=True, kw_only=True):
    """An amount before taxes, its taxes, and with them: "10.00", "1.90", "11.90"."""

    net: str
    tax: str
    gross: str
    currency: str


def amount_text(minor: int, currency: str) -> str:
    """Return *minor* units as text in major ones: 1230 of EUR are "12.30"."""
    return minor_text(minor, currency_exponent(currency))


def amounts_of(net_minor: int, tax_minor: int, currency: str) -> TaxedAmount:
    """Return an amount before taxes and its taxes as texts, with their sum."""
    minors = (net_minor, tax_minor, net_minor + tax_minor)
    net, tax, gross = (amount_text(minor, currency) for minor in minors)
    return TaxedAmount(net=net, tax=tax, gross=gross, currency=currency)


def in_utc(moment: datetime) -> datetime:
    """Return *moment* as it is answered."""
    return moment.astimezone(UTC)
