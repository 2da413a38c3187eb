"""min_price and max_price for all sessions at once; the rule is that of `tariffs.kernel.limits`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np

from tariffs.bulk.columns import Flags, Integers
from tariffs.bulk.scale import Scale, TaxClass
from tariffs.bulk.sums import Amount, Sums
from tariffs.bulk.tariff import BulkTariff
from tariffs.kernel.limits import rate_on_nothing
from tariffs.model.tariff import PriceLimit
from tariffs.quantities import round_ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """Minor units before and after taxes; `limited` where a price limit decided."""

    before: Integers
    after: Integers
    limited: Flags


def owed(tariff: BulkTariff, sums: Sums, hard: Flags, *, waived: Flags) -> Owed:
    """Round what each session costs, within the tariff's limits.

    Sessions that both limits change, or one of several rates, become *hard*. No least price is for
    those that are *waived* it.
    """
    before, after = sums.amounts()
    mode = tariff.policy.rounding_mode
    exact = Owed(
        before=before.minors(mode),
        after=after.minors(mode),
        limited=np.zeros(len(hard), dtype=np.bool_),
    )
    limits = tariff.compiled.tariff
    changes = [
        _limit(tariff, exact, (before, after), sums, limit, hard, waived, is_least=is_least)
        for limit, is_least in ((limits.min_price, True), (limits.max_price, False))
        if limit is not None
    ]
    for changed in changes:
        exact.limited[changed] = True
    if len(changes) > 1:
        hard |= changes[0]  # the greatest price sees what the least has made of the taxes
    return exact


def _limit(
    tariff: BulkTariff,
    exact: Owed,
    amounts: tuple[Amount, Amount],
    sums: Sums,
    limit: PriceLimit,
    hard: Flags,
    waived: Flags,
    *,
    is_least: bool,
) -> Flags:
    """Put the limit in the place of what lies beyond it; return where anything changed."""
    scale, (before, after) = sums.scale, amounts
    changed = _beyond(before, _numerator(tariff, scale, limit.before_taxes), is_least=is_least)
    if limit.after_taxes is not None:
        bound = _numerator(tariff, scale, limit.after_taxes)
        changed |= _beyond(after, bound, is_least=is_least)
    if is_least:
        # Of a waived one 0 is left, which only what is below zero can be less than.
        hard |= waived & (before.below(0) | after.below(0))
        changed &= ~waived
    rows = np.flatnonzero(changed)
    if not len(rows):
        return changed
    # One rate alone has one price at which both limits are met; of several the kernel knows, and
    # of what is below zero.
    only = sums.only_class()[rows]
    free = ~before.positive()[rows]
    hard[rows[(only < 0) | before.below(0)[rows]]] = True
    vat = rate_on_nothing(tariff.compiled.tariff)
    with_taxes = [*map(_with_tax, scale.weights), 1 + Fraction(vat or 0) / 100]
    nets = [_net(limit, each, is_least=is_least) for each in with_taxes]
    which = np.where(free, len(scale.weights), np.maximum(only, 0))
    exact.before[rows] = _minors(tariff, nets)[which]
    afters = [net * each for net, each in zip(nets, with_taxes, strict=True)]
    exact.after[rows] = _minors(tariff, afters)[which]
    return changed


def _net(limit: PriceLimit, with_tax: Fraction, *, is_least: bool) -> Fraction:
    """Return what is owed before taxes where a price of one rate is at its limit."""
    net = Fraction(limit.before_taxes)
    if limit.after_taxes is None:
        return net
    return (max if is_least else min)(net, Fraction(limit.after_taxes) / with_tax)


def _with_tax(tax_class: TaxClass) -> Fraction:
    return Fraction(tax_class.before + tax_class.tax, tax_class.before)


def _numerator(tariff: BulkTariff, scale: Scale, amount: Decimal) -> Fraction:
    """Return *amount* as a numerator of the scale."""
    one: int = 10**tariff.compiled.exponent * scale.unit
    return Fraction(amount) * one


def _beyond(amount: Amount, bound: Fraction, *, is_least: bool) -> Flags:
    if is_least:
        return amount.below(-(-bound.numerator // bound.denominator))
    return ~amount.below(bound.numerator // bound.denominator + 1)


def _minors(tariff: BulkTariff, amounts: Sequence[Fraction]) -> Integers:
    scaled = [amount * 10**tariff.compiled.exponent for amount in amounts]
    mode = tariff.policy.rounding_mode
    minors = [round_ratio(each.numerator, each.denominator, mode) for each in scaled]
    return np.array(minors, dtype=np.int64)
