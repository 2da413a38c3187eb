"""Prices as 64-bit integers, with the bounds within which no sum of them overflows.

An amount is volume x price, summed over the components of one tax class, then multiplied by the
class's weights (before taxes, tax). Sums are kept as high x limb + low; the limb is 1 where the
sessions at hand and the tariff's prices are small enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import gcd
from typing import Final

import numpy as np

from tariffs.bulk.columns import Integers
from tariffs.kernel.compiled import CompiledComponent, CompiledTariff
from tariffs.model.tariff import Dimension

# Powers of ten, for a limb must divide what one minor unit is in the tariff's denominator.
LIMBS: Final = (1, 1_000_000, 1_000_000_000)
# 60 days: the readings of a chunk of sessions, put one after the other, stay below 2^63.
DURATION_US_MAX: Final = 60 * 86_400_000_000
# Energy, time and FLAT make three such parts of a sum, carries less than a fourth: below 2^63.
_PART_MAX: Final = 2**60
_ENERGY: Final = {Dimension.ENERGY}
_TIMED: Final = {Dimension.TIME, Dimension.PARKING_TIME, Dimension.RESERVATION_TIME}

Components = Sequence[CompiledComponent | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxClass:
    """Components whose tax is the same share: amounts are `before` and `tax` times their sum."""

    before: int
    tax: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The numbers of one limb size.

    `prices[class][component]` is what one volume unit adds to the sum of its class, `weights`
    what turns the sums into amounts, of which `limb` x `divisor` are one minor unit. Sessions of
    more energy or time than the bounds do not fit.
    """

    limb: int
    divisor: int
    prices: tuple[Integers, ...]
    weights: tuple[TaxClass, ...]
    energy_units_max: int
    duration_us_max: int

    @property
    def unit(self) -> int:
        """Return how many numerators of an amount are one minor unit."""
        return self.limb * self.divisor


def scale_of(compiled: CompiledTariff, components: Components, limb: int) -> Scale | None:
    """Return the numbers of one limb size; None if the tariff's own numbers are too large."""
    minor, rest = divmod(compiled.denominator, 10**compiled.exponent)
    if rest or minor % limb:
        return None
    common = gcd(minor // limb, *(_price_of(c) for c in components))
    ways = (
        _scale(components, limb, minor // limb // common, common, is_moved=is_moved)
        for is_moved in (True, False)
    )
    return next((scale for scale in ways if scale is not None), None)


def _scale(
    components: Components, limb: int, divisor: int, common: int, *, is_moved: bool
) -> Scale | None:
    """Return the numbers of one way to share a price out between the sum and the weights."""
    prices, weights = _weighted(components, common, is_moved=is_moved)
    # What is below zero has a class of its own with negative weights: prices never are.
    gross = [0 if c is None else abs(c.before_factor + c.tax_factor) // common for c in components]
    counted = [price for row in prices for price in _of(row, components, _ENERGY | _TIMED)]
    if not (
        divisor <= _PART_MAX
        and max(counted, default=0) * limb <= _PART_MAX
        and max(map(max, prices)) <= _PART_MAX
        and sum(_of(gross, components, {Dimension.FLAT})) // limb <= _PART_MAX
        and limb * sum(abs(each.before + each.tax) for each in weights) <= _PART_MAX
    ):
        return None
    energy = max(_of(gross, components, _ENERGY), default=0) or 1
    time = max(_of(gross, components, _TIMED), default=0) or 1
    return Scale(
        limb=limb,
        divisor=divisor,
        prices=tuple(np.array(row, dtype=np.int64) for row in prices),
        weights=tuple(weights),
        # A session has one step of energy and at most two of time (reservation and charging).
        energy_units_max=min(limb * (_PART_MAX // energy), _PART_MAX)
        - _step_max(components, _ENERGY),
        duration_us_max=min(limb * (_PART_MAX // time), DURATION_US_MAX)
        - 2 * _step_max(components, _TIMED),
    )


def _weighted(
    components: Components, common: int, *, is_moved: bool
) -> tuple[list[list[int]], list[TaxClass]]:
    """Return each class's prices; what they have in common *is_moved* into its weights."""
    classes = list(dict.fromkeys(each for each in map(_class_of, components) if each is not None))
    prices: list[list[int]] = []
    weights: list[TaxClass] = []
    for each in classes or [TaxClass(before=1, tax=0)]:
        row = [_price_of(c) // common if _class_of(c) == each else 0 for c in components]
        shared = (gcd(*row) if is_moved else 1) or 1
        prices.append([price // shared for price in row])
        weights.append(TaxClass(before=each.before * shared, tax=each.tax * shared))
    return prices, weights


def _price_of(component: CompiledComponent | None) -> int:
    """Return what the amounts before taxes and of tax have in common."""
    return 0 if component is None else gcd(component.before_factor, component.tax_factor)


def _class_of(component: CompiledComponent | None) -> TaxClass | None:
    price = _price_of(component)
    if component is None or not price:
        return None
    return TaxClass(before=component.before_factor // price, tax=component.tax_factor // price)


def _of(numbers: Iterable[int], components: Components, dimensions: set[Dimension]) -> list[int]:
    return [
        number
        for number, component in zip(numbers, components, strict=True)
        if component is not None and component.dimension in dimensions
    ]


def _step_max(components: Components, dimensions: set[Dimension]) -> int:
    steps = [0 if component is None else component.step_units for component in components]
    return max(_of(steps, components, dimensions), default=0)
