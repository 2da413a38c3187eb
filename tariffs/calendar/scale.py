"""The steps of a heat-map: from the cheapest price of a week to the dearest."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from decimal import Decimal
from itertools import pairwise
from typing import Final

import msgspec

from tariffs.calendar.week import Fee, Stretch, WeekCalendar
from tariffs.calendar.words import amount_text

LEVELS_MAX: Final = 6
FREE_LEVEL: Final = 0


class PriceScale(msgspec.Struct, frozen=True):
    """The prices of each level, cheapest first; level 0 is free, level 1 the first of these."""

    levels: tuple[tuple[Decimal, ...], ...]

    def level(self, price: Decimal | None) -> int:
        """Return the level of *price*, which must be one of the scale's or free."""
        if price is None or price == 0:
            return FREE_LEVEL
        return 1 + bisect_left([level[-1] for level in self.levels], price)

    def level_of(self, stretch: Stretch) -> int:
        """Return the level of what holds in *stretch*."""
        return self.level(None if stretch.price is None else stretch.price.price)

    def shade(self, level: int) -> int:
        """Return *level* spread over 1..6, so that few prices still differ clearly."""
        if level == FREE_LEVEL:
            return level
        if len(self.levels) == 1:
            return LEVELS_MAX // 2
        return 1 + (level - 1) * (LEVELS_MAX - 1) // (len(self.levels) - 1)

    def legend(self, currency: str) -> tuple[tuple[int, tuple[str, ...]], ...]:
        """Return (level, ("0.39",) or ("0.39", "0.44")) for each level: from its least to most."""
        return tuple(
            (number, tuple(amount_text(each, currency) for each in sorted({level[0], level[-1]})))
            for number, level in enumerate(self.levels, start=1)
        )


def scale_of(calendar: WeekCalendar, fee: Fee) -> PriceScale:
    """Return the scale of the prices that *fee* takes in *calendar*."""
    return scale_of_prices(
        s.price.price for s in calendar.stretches[fee] if s.price is not None and s.price.price
    )


def scale_of_prices(prices: Iterable[Decimal]) -> PriceScale:
    """Share out the distinct *prices* over at most six levels, as evenly as their number allows."""
    distinct = sorted(set(prices))
    count = min(LEVELS_MAX, len(distinct))
    bounds = [len(distinct) * i // count for i in range(count + 1)] if count else []
    return PriceScale(tuple(tuple(distinct[low:high]) for low, high in pairwise(bounds)))
