"""Taxes and holidays in a tariff file: what its elements are read with."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from tariffs.adjustments.adjustment import QuantityTax
from tariffs.files.elements import percent_of
from tariffs.files.yaml.fields import Fields, Notebook, read_scalar, whole_of
from tariffs.files.yaml.reader import Mapping
from tariffs.holiday_calendar import HolidayCalendar, look_up_holidays
from tariffs.model.tariff import COMPONENT_DIMENSIONS, Dimension
from tariffs.taxes.sales_taxes import SalesTax, combined_percent

YEARS: Final = range(2000, 2101)

Vat = dict[Dimension, Decimal | None]


def read_vat(fields: Fields, notebook: Notebook, taxes: tuple[SalesTax, ...]) -> Vat:
    """Read `vat: 19 %`, or a rate per dimension, or what the taxes make together."""
    node = fields.node_of("vat")
    if node is not None and taxes:
        notebook.complain(fields.key_node("vat"), "say either 'vat' or percentages in 'taxes'")
    if isinstance(node, Mapping):
        inner = Fields(node, notebook, "vat")
        rates: Vat = {d: inner.read(d.lower(), percent_of) for d in COMPONENT_DIMENSIONS}
        inner.finish()
        return rates
    rate = combined_percent(taxes) if taxes else None
    if node is not None:
        rate = read_scalar(node, percent_of, notebook, "vat")
    return dict.fromkeys(COMPONENT_DIMENSIONS, rate)


def read_taxes(
    fields: Fields, notebook: Notebook
) -> tuple[tuple[SalesTax, ...], tuple[QuantityTax, ...]]:
    """Read `taxes`: percentages on the price, and amounts per kWh."""
    read = list(_taxes(fields, notebook))
    sales = tuple(tax for tax in read if isinstance(tax, SalesTax))
    stacks = [tax.stack for tax in sales]
    if stacks != sorted(stacks):
        notebook.complain(fields.key_node("taxes"), "taxes come in the order of their stack")
    return sales, tuple(tax for tax in read if isinstance(tax, QuantityTax))


def _taxes(fields: Fields, notebook: Notebook) -> Iterator[SalesTax | QuantityTax]:
    for node in fields.items("taxes"):
        inner = Fields(node, notebook, "a tax")
        name = inner.text("name", required=True)
        percent, per_kwh = inner.read("percent", percent_of), inner.number("per_kwh")
        stack, vat = inner.whole("stack"), inner.read("vat", percent_of)
        inner.finish()
        if inner.has("percent") == inner.has("per_kwh"):
            notebook.complain(node, "a tax has either 'percent' or 'per_kwh'")
        elif inner.has("stack" if inner.has("per_kwh") else "vat"):
            notebook.complain(node, "'stack' is for percentages, 'vat' for taxes per kWh")
        if name is None:
            continue
        if percent is not None:
            yield SalesTax(name=name, percent=percent, stack=stack or 0)
        elif per_kwh is not None:
            yield QuantityTax(name=name, per_kwh=per_kwh, vat=vat)


def read_holidays(fields: Fields, notebook: Notebook) -> HolidayCalendar | None:
    """Read `holidays: {country: DE, region: BY, years: [2026, 2027]}` and look them up."""
    node = fields.node_of("holidays")
    if node is None:
        return None
    inner = Fields(node, notebook, "holidays")
    country, region = inner.text("country", required=True), inner.text("region")
    years = [
        read_scalar(year, _year_of, notebook, "years")
        for year in inner.items("years", required=True)
    ]
    inner.finish()
    known = sorted({year for year in years if year is not None})
    if country is None or not known:
        return None
    try:
        return look_up_holidays(country, region, known)
    except ValueError as error:
        spot = inner.key_node("country" if region is None else "region")
        notebook.complain(spot, str(error))
        return None


def _year_of(text: str) -> int:
    year = whole_of(text)
    if year not in YEARS:
        message = f"{text} is not a year from {YEARS[0]} to {YEARS[-1]}"
        raise ValueError(message)
    return year
