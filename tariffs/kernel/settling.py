"""From runs to a priced session: steps, adjustments, limits, taxes and rounding, in this order.

What was counted is not yet what is owed. Six rules follow, and in another order they give another
total: half of what a limit left is not the limit of a half. So there is one order for all tariffs:

1. the price series, which only says what a counted kWh costs in its interval
2. steps, because OCPI rounds volumes before anything costs
3. adjustments, in the order of the file, on amounts with their steps
4. min_price, then max_price, because they bound what the session costs after all that is ours
5. reverse charge, then taxes per kWh: both belong to the state, not to the price
6. one rounding, and perhaps coins

From stage 3 on every change is a line of its own, and the lines before it stay as they were
(reverse charge alone takes the tax of all of them). `runs` and `amounts` grow side by side, index
by index, so that every cent has a line with its reason.

Example 1, min_price 2.00 before taxes, 2 kWh at 0.40 with 20 % VAT:

    alone                       0.80 + 0.16, then a line of 1.20 + 0.24: 2.00 and 0.40
    policy limit-tax-unchanged  0.80 + 0.16, then a line of 1.20 + 0.00: 2.00 and 0.16
    with a group at 50 %        0.40 + 0.08, and no line: something was given away
    with a cap of 0.50          0.50 + 0.10, then a line of 1.50 + 0.30: a cap gives nothing away

Example 2, 2 kWh at 1.19 with 19 % inside, for a business that owes the VAT itself: the line is
2.00 before taxes in either case; its 0.38 become 0.00, and it owes 2.00, not 2.38.

Why the limit's tax is in proportion: nobody says of which rate the missing 1.20 would have been,
and the proportion leaves the session's own mix of rates as it is: a line for each, at its rate
(`tariffs.kernel.limits` has what a limit after taxes adds). A
least price on nothing at all bears the first rate that the tariff states. Why a tax per kWh comes
after the limits: a maximum is the operator's promise, and the excise is not his to give away. Why
one rounding at the end: see `tariffs.kernel.rounding`.

No stage may make lines that do not add up, nor a total negative where no price or surcharge is,
in whatever order the file has its adjustments: tests/tariffs/adjustments/test_adjustments.py tries
orders by chance, under every policy. The limits hold exactly, before rounding
(test_price_limits_hold); reverse charge leaves what is owed before taxes
(test_reverse_charge_leaves_what_is_owed_before_taxes).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from tariffs.adjustments.adjusting import adjust
from tariffs.adjustments.adjustment import waives_least_price
from tariffs.adjustments.capped_lines import CappedLines, apart, cap_uses
from tariffs.adjustments.consumption import Consumed
from tariffs.kernel.compiled import CompiledComponent, CompiledTariff, Why
from tariffs.kernel.edition_d2 import exchange_prices
from tariffs.kernel.limits import limit_for
from tariffs.kernel.priced import Note, PricedSession
from tariffs.kernel.rounding import Amounts, Shares, cash_rest, round_parts, round_total, share_out
from tariffs.kernel.series_pricing import price_by_series
from tariffs.kernel.steps import apply_steps
from tariffs.kernel.tally import Run
from tariffs.kernel.usage_notes import usage_notes
from tariffs.model.policy import LeastPricePolicy, PricingPolicy, RoundingUnit, StepPolicy
from tariffs.model.tariff import Dimension
from tariffs.model.usage import SessionUsage
from tariffs.phrases.phrase import Phrase, phrase
from tariffs.quantities import round_ratio
from tariffs.taxes.quantity_taxes import add_quantity_tax, reverse_charge

_REASONS: Final = {
    Why.MIN_PRICE: phrase("min_price"),
    Why.MAX_PRICE: phrase("max_price"),
    Why.CASH: phrase("cash"),
}


def settle(
    runs: list[Run],
    compiled: CompiledTariff,
    policy: PricingPolicy,
    *,
    usage: SessionUsage,
    ends_us: int,
    notes: Sequence[Phrase] = (),
    remarks: Sequence[Note] = (),
) -> PricedSession:
    """Turn what was counted into what is owed."""
    tariff = compiled.tariff
    if usage.reverse_charge_vat_id or compiled.is_noted:
        notes = [*notes, *usage_notes(usage, compiled, runs)]
    if compiled.series is not None:
        runs = price_by_series(runs, compiled, compiled.series, usage)
    # After the series has cut: a step is billed at the price of the last interval.
    notes = [*notes, *_stepped(runs, compiled, policy.steps)]
    amounts = Amounts(
        [run.billed * run.component.before_factor for run in runs],
        [run.billed * run.component.tax_factor for run in runs],
        compiled.denominator,
    )
    consumed, capped = adjust(runs, amounts, usage, compiled)
    if tariff.min_price is not None or tariff.max_price is not None:
        _add_limits(runs, amounts, compiled, policy, ends_us)
    if usage.reverse_charge_vat_id is not None:
        reverse_charge(runs, amounts)
    for tax in tariff.quantity_taxes:
        if usage.reverse_charge_vat_id is not None:
            tax = msgspec.structs.replace(tax, vat=None)  # noqa: PLW2901 - its VAT is not ours either
        add_quantity_tax(tax, runs, amounts, compiled)
    before_minor, tax_minor, shares = _rounded(runs, amounts, compiled, policy, ends_us, capped)
    if shares is not None:
        consumed += _used(capped, shares, compiled, policy, usage)
    return PricedSession(
        compiled=compiled,
        usage=usage,
        policy=policy,
        runs=runs,
        amounts=amounts,
        before_minor=before_minor,
        tax_minor=tax_minor,
        shares=shares,
        consumed=tuple(consumed),
        notes=tuple(notes),
        remarks=tuple(remarks),
    )


def _stepped(runs: list[Run], compiled: CompiledTariff, steps: StepPolicy) -> list[Phrase]:
    """Apply the steps, and return what a reader should know of them."""
    said = []
    if apply_steps(runs, steps, compiled.free_before_steps):
        said.append(phrase("parked_then_charged"))
    if steps is StepPolicy.AS_PRINTED_D2 and (note := exchange_prices(runs, compiled)):
        said.append(note)
    return said


def _rounded(
    runs: list[Run],
    amounts: Amounts,
    compiled: CompiledTariff,
    policy: PricingPolicy,
    ends_us: int,
    capped: Sequence[CappedLines],
) -> tuple[int, int, Shares | None]:
    """Return what is owed before taxes and the tax, and the lines' shares where they are known."""
    scale, coin_minor = compiled.minor_scale, policy.coin_minor(compiled.exponent)
    if policy.rounding_unit is RoundingUnit.TOTAL:
        before, tax = round_total(amounts, scale, policy.rounding_mode)
        # Lines share the total when somebody asks for them; a back-test never does.
        if coin_minor == 1 and not capped:
            return before, tax, None
        together = apart([each.lines for each in capped])
        shares = share_out(amounts, scale, before, tax, together=together)
    else:
        shares = round_parts(runs, amounts, compiled, policy)
    if coin_minor > 1:
        run = _session_run(Why.CASH, compiled, ends_us)
        _round_to_coins(runs, amounts, shares, coin_minor, run)
    return sum(shares[0]), sum(shares[1]), shares


def _used(
    capped: Sequence[CappedLines],
    shares: Shares,
    compiled: CompiledTariff,
    policy: PricingPolicy,
    usage: SessionUsage,
) -> Iterator[Consumed]:
    """Yield what is used of shared caps: what their lines owe, as the tariff states its prices."""
    befores, taxes = shares
    for each in capped:
        owed = sum(befores[i] for i in each.lines)
        if compiled.factors.inclusive and usage.reverse_charge_vat_id is not None:
            # The tax that the customer pays in our place is part of a cap with taxes as well.
            owed = round_ratio(*each.exact.as_integer_ratio(), policy.rounding_mode)
        elif compiled.factors.inclusive:
            owed += sum(taxes[i] for i in each.lines)
        yield from cap_uses(each, owed)


def _add_limits(
    runs: list[Run],
    amounts: Amounts,
    compiled: CompiledTariff,
    policy: PricingPolicy,
    ends_us: int,
) -> None:
    """Add a line per rate of VAT for what min_price or max_price change."""
    waived = any(run.adjustment and waives_least_price(run.adjustment) for run in runs)
    if policy.least_price is LeastPricePolicy.WITH_ENERGY:
        waived = waived or not any(run.component.dimension is Dimension.ENERGY for run in runs)
    for why in (Why.MIN_PRICE, Why.MAX_PRICE):
        limited = limit_for(compiled, policy, why, runs, amounts, waived=waived)
        if limited is not None:
            amounts.scale(limited.scale)
            for vat, before, tax in limited.parts:
                amounts.befores.append(before)
                amounts.taxes.append(tax)
                runs.append(_session_run(why, compiled, ends_us, vat=vat))


def _round_to_coins(
    runs: list[Run], amounts: Amounts, shares: Shares, coin_minor: int, run: Run
) -> None:
    """Add *run* as the line for what cannot be paid in coins.

    It is no part of the exact price, and lowers the tax only where less than a coin is owed before.
    """
    before = sum(shares[0])
    rest = cash_rest(before + sum(shares[1]), coin_minor)
    if rest:
        runs.append(run)
        borne = rest if before < 0 else max(rest, -before)
        shares[0].append(borne)
        shares[1].append(rest - borne)
        # Amounts stand beside runs; coins are no part of the exact price.
        amounts.befores.append(0)
        amounts.taxes.append(0)


def _session_run(
    why: Why, compiled: CompiledTariff, ends_us: int, *, vat: Decimal | None = None
) -> Run:
    """Return the run of a line that concerns the session as a whole."""
    component = CompiledComponent(
        why=why,
        dimension=Dimension.SESSION,
        element_index=None,
        element_name=None,
        price=Decimal(0),
        vat=vat,
        step_units=0,
        before_factor=0,
        tax_factor=0,
        tariff_id=compiled.tariff.id,
        reasons=(_REASONS[why],),
    )
    return Run(component, ends_us, ends_us, 1, 1)
