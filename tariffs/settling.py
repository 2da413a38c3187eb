"""From runs to a priced session: steps, adjustments, limits, taxes and rounding, in this order."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from tariffs.adjusting import adjust
from tariffs.adjustments import waives_least_price
from tariffs.compiled import CompiledComponent, CompiledTariff, Why
from tariffs.consumption import Consumed
from tariffs.limits import limit_for
from tariffs.policy import PricingPolicy, RoundingUnit
from tariffs.priced import Note, PricedSession
from tariffs.quantity_taxes import add_quantity_tax, reverse_charge
from tariffs.rounding import Amounts, round_parts, round_total
from tariffs.series_pricing import price_by_series
from tariffs.steps import apply_steps
from tariffs.tally import Run
from tariffs.tariff import Dimension
from tariffs.usage import SessionUsage
from tariffs.usage_notes import usage_notes


def settle(
    runs: list[Run],
    compiled: CompiledTariff,
    policy: PricingPolicy,
    *,
    usage: SessionUsage,
    ends_us: int,
    notes: Sequence[Note] = (),
) -> PricedSession:
    """Turn what was counted into what is owed."""
    tariff = compiled.tariff
    if usage.reverse_charge_vat_id is not None or tariff.holidays is not None:
        notes = [*notes, *usage_notes(usage, compiled)]
    if compiled.series is not None:
        runs = price_by_series(runs, compiled, compiled.series, usage)
    apply_steps(runs, policy.steps)
    amounts = Amounts(
        [run.billed * run.component.before_factor for run in runs],
        [run.billed * run.component.tax_factor for run in runs],
        compiled.denominator,
    )
    consumed: tuple[Consumed, ...] = ()
    if compiled.line_adjustments:
        consumed = adjust(runs, amounts, usage, compiled)
    if tariff.min_price is not None or tariff.max_price is not None:
        _add_limits(runs, amounts, compiled, policy, ends_us)
    if usage.reverse_charge_vat_id is not None:
        reverse_charge(runs, amounts)
    for tax in tariff.quantity_taxes:
        add_quantity_tax(tax, runs, amounts, compiled)
    if policy.rounding_unit is RoundingUnit.TOTAL:
        shares = None
        before_minor, tax_minor = round_total(amounts, compiled.minor_scale, policy.rounding_mode)
    else:
        shares = round_parts(runs, amounts, compiled, policy)
        before_minor, tax_minor = sum(shares[0]), sum(shares[1])
    return PricedSession(
        compiled=compiled,
        usage=usage,
        policy=policy,
        runs=runs,
        amounts=amounts,
        before_minor=before_minor,
        tax_minor=tax_minor,
        shares=shares,
        consumed=consumed,
        notes=tuple(notes) if notes else (),
    )


def _add_limits(
    runs: list[Run],
    amounts: Amounts,
    compiled: CompiledTariff,
    policy: PricingPolicy,
    ends_us: int,
) -> None:
    """Add a line for what min_price or max_price change."""
    waived = any(run.adjustment and waives_least_price(run.adjustment) for run in runs)
    for why in (Why.MAX_PRICE,) if waived else (Why.MIN_PRICE, Why.MAX_PRICE):
        limited = limit_for(
            compiled,
            policy,
            why,
            before=sum(amounts.befores),
            tax=sum(amounts.taxes),
            denominator=amounts.denominator,
        )
        if limited is not None:
            amounts.scale(limited.scale)
            amounts.befores.append(limited.before)
            amounts.taxes.append(limited.tax)
            runs.append(Run(_limit_component(why, compiled), ends_us, ends_us, 1, 1))


def _limit_component(why: Why, compiled: CompiledTariff) -> CompiledComponent:
    return CompiledComponent(
        why=why,
        dimension=Dimension.SESSION,
        element_index=None,
        element_name=None,
        price=Decimal(0),
        vat=None,
        step_units=0,
        before_factor=0,
        tax_factor=0,
        tariff_id=compiled.tariff.id,
        reason="the tariff's least price for a session"
        if why is Why.MIN_PRICE
        else "the tariff's most for a session",
    )
