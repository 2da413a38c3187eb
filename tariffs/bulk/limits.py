"""min_price and max_price for all sessions at once; the rule is that of `tariffs.kernel.limits`."""

from __future__ import annotations

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


def owed(tariff: BulkTariff, scale: Scale, sums: Sums, hard: Flags) -> Owed:
    """Round what each session costs, within the tariff's limits.

    Sessions that both limits change, or whose taxes do not follow from the limit, become *hard*.
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
        _limit(tariff, scale, exact, (before, after), sums, limit, hard, is_least=is_least)
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
    scale: Scale,
    exact: Owed,
    amounts: tuple[Amount, Amount],
    sums: Sums,
    limit: PriceLimit,
    hard: Flags,
    *,
    is_least: bool,
) -> Flags:
    """Put the limit in the place of what lies beyond it; return where anything changed."""
    before, after = amounts
    beyond = _beyond(before, _numerator(tariff, scale, limit.before_taxes), is_least=is_least)
    changed = beyond
    if limit.after_taxes is not None:
        # Where the limit before taxes leaves the price, that after taxes moves the tax alone.
        gross = _beyond(after, _numerator(tariff, scale, limit.after_taxes), is_least=is_least)
        exact.after[gross] = _minor(tariff, Fraction(limit.after_taxes))
        changed = beyond | gross
    rows = np.flatnonzero(beyond)
    if not len(rows):
        return changed
    exact.before[rows] = _minor(tariff, Fraction(limit.before_taxes))
    # Each rate keeps its share of the price, which one class alone decides.
    only = sums.only_class()[rows]
    free = ~before.positive()[rows]
    hard[rows[(only < 0) & ~free]] = True
    afters = [_after(tariff, limit, _with_tax(each), is_least=is_least) for each in scale.weights]
    table = np.array(afters, dtype=np.int64)
    vat = rate_on_nothing(tariff.compiled.tariff)
    on_nothing = _after(tariff, limit, 1 + Fraction(vat or 0) / 100, is_least=is_least)
    exact.after[rows] = np.where(free, on_nothing, table[np.maximum(only, 0)])
    return changed


def _after(tariff: BulkTariff, limit: PriceLimit, with_tax: Fraction, *, is_least: bool) -> int:
    """Return what is owed after taxes where the price is at its limit, in minor units."""
    after = Fraction(limit.before_taxes) * with_tax
    if limit.after_taxes is not None:
        clamp = max if is_least else min
        after = clamp(after, Fraction(limit.after_taxes))
    return _minor(tariff, after)


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


def _minor(tariff: BulkTariff, amount: Fraction) -> int:
    scaled = amount * 10**tariff.compiled.exponent
    return round_ratio(scaled.numerator, scaled.denominator, tariff.policy.rounding_mode)
