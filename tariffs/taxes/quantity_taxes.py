"""The last phase before rounding: taxes per kWh, and VAT that the customer owes instead of us.

Source: the shape of the Kentucky EV power excise tax: per kWh, on free energy too, and outside the
base of the sales tax where it is stated apart.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from tariffs.adjustments.adjustment import QuantityTax
from tariffs.kernel.compiled import CompiledComponent, CompiledTariff, Why
from tariffs.kernel.rounding import Amounts
from tariffs.kernel.tally import Run
from tariffs.model.tariff import Dimension
from tariffs.quantities import EXACT
from tariffs.taxes.taxes import ENERGY_UNITS_PER_KWH, decimals_of, scaled


def add_quantity_tax(
    tax: QuantityTax, runs: list[Run], amounts: Amounts, compiled: CompiledTariff
) -> None:
    """Add a line of tax on all metered energy."""
    fed = [
        run
        for run in runs
        if run.adjustment is None and run.component.dimension is Dimension.ENERGY
    ]
    if not fed:
        return
    units = sum(run.volume for run in fed)
    vat = Decimal(0) if tax.vat is None else tax.vat
    share = EXACT.add(Decimal(1), EXACT.divide(vat, Decimal(100)))
    rate = EXACT.multiply(tax.per_kwh, share)
    decimals = decimals_of(rate)
    # Denominators are multiples of 9 x 10^12; only the decimals of the rate may be new.
    amounts.scale(10**decimals)
    owed = units * scaled(rate, decimals)
    numerator = owed * (amounts.denominator // (ENERGY_UNITS_PER_KWH * 10**decimals))
    component = CompiledComponent(
        why=Why.TAX,
        dimension=Dimension.ENERGY,
        element_index=None,
        element_name=tax.name,
        price=tax.per_kwh,
        vat=None,
        step_units=0,
        before_factor=0,
        tax_factor=0,
        tariff_id=compiled.tariff.id,
    )
    runs.append(Run(component, fed[0].starts_us, fed[-1].ends_us, units, units, tax))
    amounts.befores.append(0)
    amounts.taxes.append(numerator)


def reverse_charge(runs: list[Run], amounts: Amounts) -> None:
    """Leave all VAT to the customer; what is owed before taxes stays."""
    freed: dict[int, CompiledComponent] = {}
    for run in runs:
        component = run.component
        if component.vat is None:
            continue
        if id(component) not in freed:
            # 0 %, not none: it is known that no tax is due, so a total after taxes can be told.
            # One new component for each old one, for rounding tells lines of one component by
            # identity.
            freed[id(component)] = msgspec.structs.replace(component, vat=Decimal(0), tax_factor=0)
        run.component = freed[id(component)]
    amounts.taxes[:] = [0] * len(amounts.taxes)
