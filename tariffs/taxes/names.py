"""What the taxes in percent are called: as the tariff names them, else as the country does."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from tariffs.taxes.sales_taxes import SalesTax, combined_percent

VAT: Final = "VAT"
# Where no VAT is charged but another tax that is one for the whole country.
_NAMES: Final = {
    "US": "Sales tax",
    "AU": "GST",
    "CA": "GST/HST",
    "IN": "GST",
    "JP": "Consumption tax",
    "NZ": "GST",
    "SG": "GST",
}


def tax_name(country: str | None) -> str:
    """Return what the tax on sales is called in *country*, by its two letters (ISO 3166-1)."""
    return _NAMES.get((country or "").upper(), VAT)


def taxes_of_rate(
    percent: Decimal, named: Sequence[SalesTax], country: str | None
) -> tuple[SalesTax, ...]:
    """Return the taxes that a rate of *percent* consists of, given those that the tariff names.

    A price with a rate of its own has none of the named ones.
    """
    if named and combined_percent(named) == percent:
        return tuple(named)
    return (SalesTax(name=tax_name(country), percent=percent),)


def rate_name(percent: Decimal | None, named: Sequence[SalesTax], country: str | None) -> str:
    """Return what a rate is called ("GST + PST"); None: a tax that follows from no rate."""
    if percent is None:
        return tax_name(country)
    return " + ".join(tax.name for tax in taxes_of_rate(percent, named, country))
