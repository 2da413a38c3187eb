"""A tariff where no taxes apply: what it states of taxes is charged to nobody.

Source: OCPI 2.3.0, mod_tariffs, TaxIncluded: "N/A: No taxes are applicable to this tariff."
"""

from __future__ import annotations

from msgspec.structs import replace

from tariffs.adjustments.adjustment import Adjustment, Surcharge
from tariffs.model.tariff import Tariff, TariffElement, TaxIncluded


def untaxed(tariff: Tariff) -> Tariff:
    """Return *tariff* without the taxes that do not apply to it; itself, if there are none."""
    if tariff.tax_included is not TaxIncluded.NOT_APPLICABLE:
        return tariff
    free = replace(
        tariff,
        elements=tuple(map(_element, tariff.elements)),
        adjustments=tuple(map(_adjustment, tariff.adjustments)),
        sales_taxes=(),
        quantity_taxes=(),
    )
    return tariff if free == tariff else free


def _element(element: TariffElement) -> TariffElement:
    components = tuple(replace(each, vat=None) for each in element.price_components)
    return replace(element, price_components=components)


def _adjustment(adjustment: Adjustment) -> Adjustment:
    return replace(adjustment, vat=None) if isinstance(adjustment, Surcharge) else adjustment
