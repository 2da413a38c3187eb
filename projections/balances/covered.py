"""What several sessions have of one register, counted once."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from decimal import Decimal
from typing import Final, NamedTuple

_ZERO: Final = Decimal(0)


class RegisterStretch(NamedTuple):
    """A part of a register, in Wh."""

    low_wh: Decimal
    high_wh: Decimal


class CoveredRegister:
    """Stretches that sessions have already; they neither touch nor overlap."""

    __slots__ = ("_stretches",)

    def __init__(self) -> None:
        self._stretches: list[RegisterStretch] = []

    def covered_wh(self, wanted: RegisterStretch) -> Decimal:
        """Return how much of *wanted* is covered."""
        met = self._stretches[slice(*self._met(wanted))]
        parts = (min(s.high_wh, wanted.high_wh) - max(s.low_wh, wanted.low_wh) for s in met)
        return sum(parts, _ZERO)

    def cover(self, stretches: Iterable[RegisterStretch]) -> None:
        """Cover *stretches*; what is covered already stays so."""
        for each in stretches:
            first, last = self._met(each)
            met = [each, *self._stretches[first:last]]
            del self._stretches[first:last]
            whole = RegisterStretch(min(s.low_wh for s in met), max(s.high_wh for s in met))
            insort(self._stretches, whole)

    def _met(self, wanted: RegisterStretch) -> tuple[int, int]:
        """Return which stretches touch *wanted*."""
        first = bisect_left(self._stretches, wanted.low_wh, key=lambda s: s.high_wh)
        last = first
        while last < len(self._stretches) and self._stretches[last].low_wh <= wanted.high_wh:
            last += 1
        return first, last
