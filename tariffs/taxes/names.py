"""What a tax in percent is called where the tariff does not name it."""

from __future__ import annotations

from typing import Final

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


def tax_name(country: str) -> str:
    """Return what people call the tax on sales in *country* (ISO 3166-1 alpha-2)."""
    return _NAMES.get(country.upper(), VAT)
