"""Sums of volume x price per session and tax class, in two limbs where one would overflow."""

from __future__ import annotations

import numpy as np

from tariffs.bulk.columns import Flags, Integers
from tariffs.bulk.scale import Scale
from tariffs.quantities import RoundingMode


def sums(values: Integers, firsts: Integers) -> Integers:
    """Return the sum of *values* of each session, whose rows begin at *firsts*."""
    if len(values) == len(firsts):
        return values
    running = np.cumsum(values)
    lasts = np.append(firsts[1:], len(values)) - 1
    totals: Integers = running[lasts]
    totals[1:] -= running[lasts[:-1]]
    return totals


class Sums:
    """What the components of each session come to; each class has its own sum, high and low."""

    def __init__(self, scale: Scale, sessions: int) -> None:
        self.scale = scale
        self._high = [np.zeros(sessions, dtype=np.int64) for _ in scale.prices]
        self._low = [np.zeros(sessions, dtype=np.int64) for _ in scale.prices]

    def add_volumes(self, volumes: Integers, components: Integers, firsts: Integers) -> None:
        """Add what rows of *volumes* cost at their *components*."""
        for i, prices in enumerate(self.scale.prices):
            if prices.any():
                high, low = self._product(volumes, prices[components])
                self._high[i] += sums(high, firsts)
                if low is not None:
                    self._low[i] += sums(low, firsts)

    def add_some(self, sessions: Integers, volumes: Integers, components: Integers) -> None:
        """Add to *sessions*, each at most once, what *volumes* cost at *components*."""
        for i, prices in enumerate(self.scale.prices):
            high, low = self._product(volumes, prices[components])
            self._high[i][sessions] += high
            if low is not None:
                self._low[i][sessions] += low

    def _product(self, volumes: Integers, prices: Integers) -> tuple[Integers, Integers | None]:
        limb = self.scale.limb
        if limb == 1:
            return volumes * prices, None
        high = volumes // limb
        low = (volumes - high * limb) * prices
        carried = low // limb
        high *= prices
        high += carried
        low -= carried * limb
        return high, low

    def amounts(self) -> tuple[Amount, Amount]:
        """Return the exact totals: before taxes, and with them."""
        self._carry()
        weights = self.scale.weights
        before = self._weighted([each.before for each in weights])
        return before, self._weighted([each.before + each.tax for each in weights])

    def _carry(self) -> None:
        limb = self.scale.limb
        if limb > 1:
            for i, low in enumerate(self._low):
                carried = low // limb
                self._high[i] += carried
                self._low[i] = low - carried * limb

    def _weighted(self, weights: list[int]) -> Amount:
        high = self._high[0] * weights[0]
        low = self._low[0] * weights[0]
        for i, weight in enumerate(weights[1:], 1):
            high += self._high[i] * weight
            low += self._low[i] * weight
        return Amount(self.scale, high, low)

    def only_class(self) -> Integers:
        """Return the number of the one class that each session pays, -1 where there are several."""
        paid = [(high != 0) | (low != 0) for high, low in zip(self._high, self._low, strict=True)]
        count = sum(flags.astype(np.int64) for flags in paid)
        which = sum(flags.astype(np.int64) * i for i, flags in enumerate(paid))
        return np.where(np.asarray(count) > 1, -1, which)


class Amount:
    """Exact amounts of all sessions: (high x limb + low) / unit minor units each."""

    def __init__(self, scale: Scale, high: Integers, low: Integers) -> None:
        self._scale = scale
        if scale.limb > 1:
            carried = low // scale.limb
            high = high + carried
            low = low - carried * scale.limb
        self.high, self.low = high, low

    def numerator(self, row: int) -> int:
        """Return one session's amount, of which `unit` are a minor unit."""
        return int(self.high[row]) * self._scale.limb + int(self.low[row])

    def below(self, bound: int) -> Flags:
        """Tell which amounts are less than *bound*, a numerator."""
        high, low = divmod(bound, self._scale.limb)
        if high > np.iinfo(np.int64).max:
            return np.ones(len(self.high), dtype=np.bool_)
        below: Flags = (self.high < high) | ((self.high == high) & (self.low < low))
        return below

    def positive(self) -> Flags:
        """Tell which amounts are more than nothing."""
        positive: Flags = (self.high > 0) | ((self.high == 0) & (self.low > 0))
        return positive

    def minors(self, mode: RoundingMode) -> Integers:
        """Round to minor units, as `tariffs.quantities.round_ratio` does, below zero too."""
        below = self.high < 0
        if not below.any():
            return _minors(self._scale, self.high, self.low, mode)
        # -(high x limb + low), with its low in 0..limb again.
        borrowed = below & (self.low > 0)
        high = np.where(below, -self.high - borrowed, self.high)
        low = np.where(borrowed, self._scale.limb - self.low, self.low)
        minors = _minors(self._scale, high, low, mode)
        return np.where(below, -minors, minors)


def _minors(scale: Scale, high: Integers, low: Integers, mode: RoundingMode) -> Integers:
    """Round amounts that are not below zero."""
    limb, divisor = scale.limb, scale.divisor
    whole = high // divisor
    rest = high - whole * divisor
    # What was dropped, rest x limb + low, may not fit; this tells which half it lies in.
    over = 2 * rest - divisor
    match mode:
        case RoundingMode.HALF_UP:
            whole += (over >= 0) | ((over == -1) & (2 * low >= limb))
        case RoundingMode.HALF_EVEN:
            is_half = ((over == 0) & (low == 0)) | ((over == -1) & (2 * low == limb))
            above = (over >= 0) | ((over == -1) & (2 * low >= limb))
            whole += above & ~(is_half & (whole % 2 == 0))
        case RoundingMode.UP:
            whole += (rest > 0) | (low > 0)
        case RoundingMode.DOWN:
            pass
    return whole
