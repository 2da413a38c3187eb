"""Surcharges: a percentage of what a session costs, or an amount, perhaps by payment method."""

from __future__ import annotations

from decimal import Decimal

from tariffs.adjustments.adjustment import Surcharge
from tariffs.adjustments.sheet import Sheet
from tariffs.kernel.compiled import CompiledComponent, Why
from tariffs.kernel.tally import Run
from tariffs.model.tariff import Dimension
from tariffs.model.usage import microseconds
from tariffs.taxes.taxes import decimals_of, scaled


def add_surcharge(surcharge: Surcharge, sheet: Sheet) -> None:
    """Add what *surcharge* asks for, a line per rate of VAT; nothing where nothing is owed."""
    owed = [piece for piece in sheet.of(surcharge.dimensions) if piece.before]
    if not owed:
        return
    if surcharge.amount is not None:
        _add_amount(surcharge, surcharge.amount, sheet)
    if surcharge.percent is None:
        return
    decimals = decimals_of(surcharge.percent)
    percent, hundred = scaled(surcharge.percent, decimals), 100 * 10**decimals
    # Not a set, whose order may differ between processes: lines come in one order everywhere.
    for vat in dict.fromkeys(piece.run.component.vat for piece in owed):
        bases = [piece for piece in owed if piece.run.component.vat == vat]
        before, tax = (sum(p.before for p in bases), sum(p.tax for p in bases))
        factor = sheet.make_divisible((before * percent, tax * percent), hundred)
        before, tax = before * factor * percent // hundred, tax * factor * percent // hundred
        sheet.raise_by(_run(surcharge, sheet, vat), before, tax)


def _add_amount(surcharge: Surcharge, amount: Decimal, sheet: Sheet) -> None:
    vat = surcharge.vat
    decimals = 0 if vat is None else decimals_of(vat)
    rate = 0 if vat is None else scaled(vat, decimals)
    hundred: int = 100 * 10**decimals
    stated = sheet.amount_of(amount)
    if sheet.compiled.factors.inclusive:
        # An amount is stated as prices are: here with its tax inside.
        stated *= sheet.make_divisible((stated * hundred, stated * rate), hundred + rate)
        tax = stated * rate // (hundred + rate)
        sheet.raise_by(_run(surcharge, sheet, vat), stated - tax, tax)
    else:
        stated *= sheet.make_divisible((stated * rate,), hundred)
        sheet.raise_by(_run(surcharge, sheet, vat), stated, stated * rate // hundred)


def _run(surcharge: Surcharge, sheet: Sheet, vat: Decimal | None) -> Run:
    at = microseconds(sheet.usage.ends_at)
    component = CompiledComponent(
        why=Why.ADJUSTMENT,
        dimension=Dimension.SESSION,
        element_index=None,
        element_name=None,
        price=Decimal(0),
        vat=vat,
        step_units=0,
        before_factor=0,
        tax_factor=0,
        tariff_id=sheet.compiled.tariff.id,
    )
    return Run(component, at, at, 0, 0, surcharge)
