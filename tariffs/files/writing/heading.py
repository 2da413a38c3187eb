"""What stands before the elements of a tariff file: taxes, holidays, a price series."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from typing import Final

from tariffs.adjustments.adjustment import QuantityTax
from tariffs.files.yaml.text import duration, quoted
from tariffs.model.price_series import PriceSeries
from tariffs.model.tariff import Tariff
from tariffs.quantities import plain
from tariffs.taxes.sales_taxes import SalesTax

_MINUTE: Final = 60


def heading_lines(tariff: Tariff) -> Iterator[str]:
    """Yield the lines of what *tariff* says as a whole: taxes, choices, holidays, price series."""
    taxes: list[SalesTax | QuantityTax] = [*tariff.sales_taxes, *tariff.quantity_taxes]
    if taxes:
        yield "taxes:"
        for tax in taxes:
            yield f"  - {{{', '.join(_tax(tax))}}}"
    for key in ("step_policy", "rounding", "rounding_mode", "flat_policy"):
        choice = getattr(tariff, key)
        if choice is not None:
            yield f"{key}: {choice.value}"
    if tariff.below_zero:
        yield "below_zero: yes"
    if tariff.holidays is not None:
        said = [f"country: {quoted(tariff.holidays.country)}"]
        if tariff.holidays.region is not None:
            said.append(f"region: {quoted(tariff.holidays.region)}")
        said.append(f"years: [{', '.join(map(str, tariff.holidays.years))}]")
        yield f"holidays: {{{', '.join(said)}}}"
    if tariff.price_series is not None:
        yield "price_series:"
        yield from (f"  {line}" for line in _series(tariff.price_series))


def _tax(tax: SalesTax | QuantityTax) -> Iterator[str]:
    yield f"name: {quoted(tax.name)}"
    if isinstance(tax, QuantityTax):
        yield f"per_kwh: {plain(tax.per_kwh):f}"
        if tax.vat is not None:
            yield f"vat: {plain(tax.vat):f} %"
        return
    yield f"percent: {plain(tax.percent):f} %"
    if tax.stack:
        yield f"stack: {tax.stack}"


def _series(series: PriceSeries) -> Iterator[str]:
    yield f"name: {quoted(series.name)}"
    yield f"interval: {duration(series.minutes * _MINUTE)}"
    for key in ("percent", "markup", "floor", "cap"):
        value = getattr(series, key)
        if value is not None and (value or key in {"floor", "cap"}):
            yield f"{key}: {plain(value):f}{' %' if key == 'percent' else ''}"
    yield "prices:"
    for at, price in series.prices:
        moment = at.astimezone(UTC).isoformat().replace("+00:00", "Z")
        yield f"  {quoted(moment)}: {plain(price):f}"
