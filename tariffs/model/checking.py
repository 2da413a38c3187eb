"""What every tariff must satisfy before it prices anything, wherever it came from."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from tariffs.adjustments.checking import adjustment_faults
from tariffs.adjustments.shared import Allowance, CouponGrant, PeriodCap, shared_name
from tariffs.currencies import currency_exponent
from tariffs.errors import TariffError
from tariffs.model.price_series import series_faults
from tariffs.model.tariff import (
    COMPONENT_DIMENSIONS,
    Dimension,
    PriceComponent,
    Tariff,
    TariffElement,
)
from tariffs.quantities import is_sane, plain
from tariffs.taxes.sales_taxes import STACK_MAX
from tariffs.taxes.taxes import decimals_of

_ELEMENTS_MAX: Final = 10_000
_STEP_MAX: Final = 10**9
_PERCENT_MAX: Final = Decimal(1000)
_BOUNDS: Final = (
    "min_kwh",
    "max_kwh",
    "min_current",
    "max_current",
    "min_power",
    "max_power",
    "min_duration",
    "max_duration",
)


def check_tariff(tariff: Tariff) -> None:
    """Refuse a tariff whose numbers cannot be priced.

    Raises:
        UnpriceableTariffError: At the first thing that is wrong, with its spot.
    """
    for why in _faults(tariff):
        raise UnpriceableTariffError(tariff.id, why)


def _faults(tariff: Tariff) -> Iterator[str]:
    if not 0 < len(tariff.elements) <= _ELEMENTS_MAX:
        yield f"it has {len(tariff.elements)} elements"
    for index, element in enumerate(tariff.elements):
        for why in _element_faults(element, below_zero=tariff.below_zero):
            yield f"elements[{index}]: {why}"
    yield from _limit_faults(tariff)
    yield from _series_faults(tariff)
    yield from _tax_faults(tariff)
    for index, adjustment in enumerate(tariff.adjustments):
        for why in adjustment_faults(adjustment, below_zero=tariff.below_zero):
            yield f"adjustments[{index}]: {why}"
    yield from _shared_faults(tariff)


def _shared_faults(tariff: Tariff) -> Iterator[str]:
    """Yield shared grants that cannot be told apart, and caps finer than the currency."""
    names: set[str] = set()
    for index, adjustment in enumerate(tariff.adjustments):
        if isinstance(adjustment, Allowance | PeriodCap | CouponGrant):
            name = shared_name(adjustment)
            if name in names:
                yield f"adjustments[{index}]: there is another {name.replace('/', ' ')}"
            names.add(name)
        if isinstance(adjustment, PeriodCap):
            exponent = currency_exponent(tariff.currency)
            # It is used up in minor units: a finer one would never be used up exactly.
            if decimals_of(plain(adjustment.amount)) > exponent:
                yield f"adjustments[{index}]: the amount has more than {exponent} decimals"


def _limit_faults(tariff: Tariff) -> Iterator[str]:
    limits = [limit for limit in (tariff.min_price, tariff.max_price) if limit is not None]
    for limit in limits:
        yield from _number_faults("a price limit", limit.before_taxes)
        if limit.after_taxes is not None:
            yield from _number_faults("a price limit", limit.after_taxes)
            if limit.after_taxes < limit.before_taxes:
                yield "a price limit is less after taxes than before"
    if tariff.preauthorize_amount is not None:
        yield from _number_faults("preauthorize_amount", tariff.preauthorize_amount)
        if tariff.preauthorize_amount <= 0:
            yield "preauthorize_amount must be above 0"
    if len(limits) > 1 and limits[1].before_taxes < limits[0].before_taxes:
        yield "max_price is less than min_price"


def _series_faults(tariff: Tariff) -> Iterator[str]:
    if tariff.price_series is not None:
        for why in series_faults(tariff.price_series, below_zero=tariff.below_zero):
            yield f"the price series: {why}"
    for element in tariff.elements:
        for component in element.price_components:
            if component.series and component.dimension is not Dimension.ENERGY:
                yield "only energy follows a price series"
            if component.series and tariff.price_series is None:
                yield "a price follows a series, and there is none"


def _tax_faults(tariff: Tariff) -> Iterator[str]:
    for sales in tariff.sales_taxes:
        yield from _number_faults(sales.name, sales.percent, _PERCENT_MAX)
        if not 0 <= sales.stack <= STACK_MAX:
            yield f"{sales.name}: its stack is {sales.stack}"
    for tax in tariff.quantity_taxes:
        yield from _number_faults(tax.name, tax.per_kwh)
        if tax.vat is not None:
            yield from _number_faults(tax.name, tax.vat, _PERCENT_MAX)


def _element_faults(element: TariffElement, *, below_zero: bool) -> Iterator[str]:
    if not element.price_components:
        yield "it has no price component"
    for component in element.price_components:
        for why in _component_faults(component, below_zero=below_zero):
            yield f"{component.dimension}: {why}"
    for name in _BOUNDS:
        bound = getattr(element.restrictions, name)
        if bound is not None:
            yield from _number_faults(name, Decimal(bound))


def _component_faults(component: PriceComponent, *, below_zero: bool) -> Iterator[str]:
    if component.dimension not in COMPONENT_DIMENSIONS:
        yield "a price component cannot have this type"
    yield from _number_faults("price", abs(component.price) if below_zero else component.price)
    if component.vat is not None:
        yield from _number_faults("vat", component.vat, _PERCENT_MAX)
    if not 0 <= component.step_size <= _STEP_MAX:
        yield f"step_size is {component.step_size}"


def _number_faults(name: str, number: Decimal, maximum: Decimal | None = None) -> Iterator[str]:
    if not is_sane(number) or number < 0 or (maximum is not None and number > maximum):
        yield f"{name} is {number}"


class UnpriceableTariffError(TariffError):
    """A tariff that no session can be priced with."""

    def __init__(self, tariff_id: str, why: str) -> None:
        super().__init__(f"tariff {tariff_id!r} cannot be priced: {why}")
        self.tariff_id, self.why = tariff_id, why
