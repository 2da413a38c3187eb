"""From exact amounts to minor units, line by line, so that lines always add up to the total.

Lines that are each rounded do not add up to their rounded sum. An invoice must show both, and a
reader adds the lines. OCPI says nothing of rounding ("up to you", ocpi #401); law and contracts
do, and not alike. So money is rounded once, where the policy says, and what is below is shared
out.

The default rounds two totals, before and after taxes; the tax is their difference. Each total is
then shared out over the lines: first the whole minor units of each line (rounded down), then what
is left, one by one, to the lines with the largest rests; of equal rests the earlier line gets it.

Example 1. A fee, 1 kWh and 1 h at 0.335 each: exactly 1.005, so 1.01.

    whole minor units   33 + 33 + 33 = 99, and 2 are left
    shared out          34 + 34 + 33 = 101      round-per-line says 34 + 34 + 34 = 102

Example 2. A CDR from the field, 7.293 kWh at 0.22 and, in a second period, 0.969 kWh at 0.24, VAT
21 %: exactly 1.83702 and 0.3857742.

    wattledger          161 + 23 = 184, tax 222 - 184 = 38
    round-per-period    160 + 23 = 183, tax 21 % of 183 = 38        this is what the CPO billed

A rest is counted upwards from the whole number below, also of negative amounts: 33.5 and -12.0
with a total of 22 become 34 and -12.

What a shared cap bounds gets its share together, and then shares that out: a cap of 10.00 that is
reached leaves 10.00 on its lines, whatever rests the other lines of the session have.

Why the largest rest and not "the last line bears it": with a hundred lines the last would bear
half a unit of each. So no line is off by more than one unit. Why totals are rounded before lines:
the total is what is paid; who rounds lines first moves it by as much as there are lines. Where
lines are rounded (`round_parts`), the tax of a rate is rounded once on their sum, as EN 16931
wants it on an invoice, and what adjustments took off a line is rounded together with that line.
Apart, a fee of 1.004 that two grants lower by 0.505 and 0.499 would come to 100 - 51 - 50 = -1.

`round_ratio` is the only function that rounds money. Lines must add up whatever the policy:
tests/tariffs/kernel/test_pricing.py and tests/tariffs/adjustments/test_adjustments.py hold it
under all of them. How shares fall: test_shares_add_up_and_no_line_is_off_by_more_than_one.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tariffs.kernel.compiled import CompiledTariff, Why
from tariffs.kernel.tally import Run
from tariffs.model.policy import PricingPolicy, RoundingUnit
from tariffs.model.tariff import Dimension
from tariffs.quantities import RoundingMode, round_ratio
from tariffs.taxes.taxes import decimals_of, scaled

# Minor units of each line: before taxes, and tax.
Shares = tuple[list[int], list[int]]

_LIMITS = (Why.MIN_PRICE, Why.MAX_PRICE)


class Amounts(msgspec.Struct):
    """The exact amounts of a session's lines, side by side, over one denominator."""

    befores: list[int]
    taxes: list[int]
    denominator: int

    def scale(self, factor: int) -> None:
        """Write the same amounts over a denominator that is *factor* times as large."""
        self.befores = [before * factor for before in self.befores]
        self.taxes = [tax * factor for tax in self.taxes]
        self.denominator *= factor


def round_total(amounts: Amounts, scale: int, mode: RoundingMode) -> tuple[int, int]:
    """Round the totals before and after taxes and return (before taxes, tax) in minor units.

    *scale* is how many minor units the currency's unit has; it divides every denominator.
    """
    minor = amounts.denominator // scale
    before = sum(amounts.befores)
    before_minor = round_ratio(before, minor, mode)
    return before_minor, round_ratio(before + sum(amounts.taxes), minor, mode) - before_minor


def cash_rest(after_minor: int, coin_minor: int) -> int:
    """Return what rounds a total to whole coins: nothing, or some minor units either way."""
    return round_ratio(after_minor, coin_minor, RoundingMode.HALF_UP) * coin_minor - after_minor


def share_out(
    amounts: Amounts,
    scale: int,
    before_minor: int,
    tax_minor: int,
    *,
    together: Sequence[Sequence[int]] = (),
) -> Shares:
    """Share rounded totals out over the lines: (before taxes, tax) of each in minor units.

    Lines that are *together* (groups of indices, none in two of them) get their share as one.
    """
    minor = amounts.denominator // scale
    return (
        _apportion_groups(amounts.befores, minor, before_minor, together),
        _apportion_groups(amounts.taxes, minor, tax_minor, together),
    )


def _apportion_groups(
    numerators: Sequence[int], minor: int, total_minor: int, together: Sequence[Sequence[int]]
) -> list[int]:
    """Share *total_minor* out over groups and single lines, then each group's over its lines."""
    if not together:
        return apportion(numerators, minor, total_minor)
    grouped = {i for group in together for i in group}
    alone = ([i] for i in range(len(numerators)) if i not in grouped)
    # Of equal rests the earlier one gets it, also of groups.
    groups = sorted([*map(list, together), *alone])
    sums = [sum(numerators[i] for i in group) for group in groups]
    shares = [0] * len(numerators)
    for group, whole in zip(groups, apportion(sums, minor, total_minor), strict=True):
        within = apportion([numerators[i] for i in group], minor, whole)
        for i, share in zip(group, within, strict=True):
            shares[i] = share
    return shares


def apportion(numerators: Sequence[int], minor: int, total_minor: int) -> list[int]:
    """Share *total_minor* out over the lines: whole minor units first, then the largest rests.

    *minor* is what a minor unit is as a numerator. A line of nothing gets nothing, unless there
    is no other.
    """
    if len(numerators) == 1:
        return [total_minor]
    parts = [divmod(numerator, minor) for numerator in numerators]
    shares = [whole for whole, _ in parts]
    left = total_minor - sum(shares)
    if not left:
        return shares
    rests = [rest for _, rest in parts]
    # The common case, without a sort.
    if left == 1 and (largest := max(rests)):
        shares[rests.index(largest)] += 1
    else:
        order = [i for i, numerator in enumerate(numerators) if numerator]
        order = order or list(range(len(shares)))
        order.sort(key=rests.__getitem__, reverse=left > 0)
        for turn in range(abs(left)):
            shares[order[turn % len(order)]] += 1 if left > 0 else -1
    return shares


def round_parts(
    runs: Sequence[Run],
    amounts: Amounts,
    compiled: CompiledTariff,
    policy: PricingPolicy,
) -> Shares:
    """Round what is stated (net, or gross where prices include tax) per line or period.

    The tax of each rate is then rounded once, on the sum of the rounded amounts (EN 16931).
    """
    minor, inclusive = amounts.denominator // compiled.minor_scale, compiled.factors.inclusive
    stated = (
        [before + tax for before, tax in zip(amounts.befores, amounts.taxes, strict=True)]
        if inclusive
        else amounts.befores
    )
    minors = [0] * len(runs)
    for group in _together(runs, policy.rounding_unit):
        numerators = [stated[i] for i in group]
        total = round_ratio(sum(numerators), minor, policy.rounding_mode)
        for i, share in zip(group, apportion(numerators, minor, total), strict=True):
            minors[i] = share
    taxes = [0] * len(runs)
    for group in _rates(runs):
        numerators = [amounts.taxes[i] for i in group]
        vat = runs[group[0]].component.vat
        if vat is None:
            total = round_ratio(sum(numerators), minor, policy.rounding_mode)
        else:
            stated_minor = sum(minors[i] for i in group)
            rate, hundred = scaled(vat, decimals_of(vat)), 100 * 10 ** decimals_of(vat)
            divisor = hundred + rate if inclusive else hundred
            total = round_ratio(stated_minor * rate, divisor, policy.rounding_mode)
        for i, share in zip(group, apportion(numerators, minor, total), strict=True):
            taxes[i] = share
    if inclusive:
        minors = [stated - tax for stated, tax in zip(minors, taxes, strict=True)]
    _round_limits(runs, amounts, minor, policy, minors, taxes)
    return minors, taxes


def _round_limits(
    runs: Sequence[Run],
    amounts: Amounts,
    minor: int,
    policy: PricingPolicy,
    befores: list[int],
    taxes: list[int],
) -> None:
    """Let the last line of a price limit, if any, make the totals those of the limit."""
    limits = [i for i, run in enumerate(runs) if run.why in _LIMITS]
    if not limits:
        return
    before = sum(amounts.befores)
    before_minor = round_ratio(before, minor, policy.rounding_mode)
    after_minor = round_ratio(before + sum(amounts.taxes), minor, policy.rounding_mode)
    befores[limits[-1]] += before_minor - sum(befores)
    taxes[limits[-1]] += after_minor - before_minor - sum(taxes)


def _together(runs: Sequence[Run], unit: RoundingUnit) -> list[list[int]]:
    """Return the indices that are rounded together: each line alone, or those of one period.

    What an adjustment takes off a line is rounded with that line, so that no sum gets negative.
    """
    groups: dict[int, list[int]] = {}
    for i, run in enumerate(runs):
        first = i if run.adjustment is None else _changed_by(i, runs)
        key = first if unit is RoundingUnit.LINE else runs[first].starts_us
        groups.setdefault(key, []).append(i)
    return list(groups.values())


def _changed_by(index: int, runs: Sequence[Run]) -> int:
    """Return the line that the adjustment's line at *index* changes; itself, if it changes none."""
    line, changed = runs[index], index
    for i, run in enumerate(runs[:index]):
        is_older = run.adjustment is None or run.component.dimension is Dimension.SESSION
        if run.component is line.component and is_older and run.starts_us <= line.starts_us:
            changed = i
            if run.adjustment is not None:
                break
    return changed


def _rates(runs: Sequence[Run]) -> list[list[int]]:
    """Return the indices of each VAT rate; a line without a rate stands alone."""
    rates: dict[object, list[int]] = {}
    for i, run in enumerate(runs):
        vat = run.component.vat
        # A tax per kWh, or one of a limit against the rates, follows from no percentage: alone.
        rates.setdefault(("alone", i) if vat is None else vat, []).append(i)
    return list(rates.values())
