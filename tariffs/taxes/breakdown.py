"""How much of a session's taxes each named tax is; the parts add up to the whole."""

from __future__ import annotations

from decimal import Decimal
from math import lcm

import msgspec

from tariffs.adjustments.adjustment import QuantityTax
from tariffs.kernel.priced import PricedSession
from tariffs.kernel.rounding import apportion
from tariffs.taxes.sales_taxes import combined_percent, shares


class NamedTax(msgspec.Struct, frozen=True, kw_only=True):
    """One tax of a session in minor units; `percent` is None for a tax per kWh."""

    name: str
    percent: Decimal | None
    minor: int


def tax_breakdown(session: PricedSession) -> tuple[NamedTax, ...]:
    """Return the taxes that the tariff names, with what the session owes of each."""
    tariff = session.compiled.tariff
    combined = combined_percent(tariff.sales_taxes)
    # A line without a rate has a tax only where a price limit or coins changed that of the others.
    minor = sum(
        line.tax_minor
        for line in session.lines
        if line.tax_percent in (combined, None) and not isinstance(line.adjustment, QuantityTax)
    )
    parts = shares(tariff.sales_taxes)
    whole = lcm(*(part.denominator for part in parts))
    numerators = [minor * int(part * whole) for part in parts]
    split = apportion(numerators, whole, minor) if parts else []
    named = [
        NamedTax(name=tax.name, percent=tax.percent, minor=share)
        for tax, share in zip(tariff.sales_taxes, split, strict=True)
    ]
    named += [
        NamedTax(name=line.adjustment.name, percent=None, minor=line.tax_minor)
        for line in session.lines
        if isinstance(line.adjustment, QuantityTax)
    ]
    return tuple(named)
