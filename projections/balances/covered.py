"""What several sessions have of one register, counted once."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import accumulate
from typing import Final, NamedTuple

_ZERO: Final = Decimal(0)


class RegisterStretch(NamedTuple):
    """A part of a register, in Wh."""

    low_wh: Decimal
    high_wh: Decimal


class CoveredRegister:
    """Stretches that sessions have already; they do not overlap.

    What is covered anew becomes one stretch with all that it overlaps, so that n of them take some
    n log n steps, however they lie.
    """

    __slots__ = ("_stretches",)

    def __init__(self) -> None:
        self._stretches: list[RegisterStretch] = []

    @property
    def stretches(self) -> tuple[RegisterStretch, ...]:
        """What is covered, from the lowest on."""
        return tuple(self._stretches)

    def is_within(self, value_wh: Decimal) -> bool:
        """Say whether *value_wh* lies between the ends of what is covered, and at none of them."""
        return bool(_met(self._stretches, RegisterStretch(value_wh, value_wh)))

    def cover(self, stretches: Sequence[RegisterStretch]) -> list[Decimal]:
        """Cover *stretches*; return how much of each was covered before, in Wh."""
        whole = _merged(each for each in stretches if each.low_wh < each.high_wh)
        before: list[RegisterStretch] = []
        taken = 0  # what lies over the end of one and the beginning of the next counts once
        for each in whole:
            met = _met(self._stretches, each)
            before += self._stretches[max(met.start, taken) : met.stop]
            taken = met.stop
        covered = _Overlaps(before)
        found = [covered.with_wh(each) for each in stretches]
        for each in whole:
            met = _met(self._stretches, each)
            together = [each, *self._stretches[met.start : met.stop]]
            del self._stretches[met.start : met.stop]
            insort(self._stretches, _around(together))
        return found


class _Overlaps:
    """What stretches, in their order and without overlaps, have of others."""

    def __init__(self, stretches: Sequence[RegisterStretch]) -> None:
        self._stretches = stretches
        self._sums = list(accumulate((s.high_wh - s.low_wh for s in stretches), initial=_ZERO))

    def with_wh(self, wanted: RegisterStretch) -> Decimal:
        """Return how much of *wanted* they have."""
        met = _met(self._stretches, wanted)
        if not met:
            return _ZERO
        first, last = self._stretches[met.start], self._stretches[met.stop - 1]
        before = max(wanted.low_wh - first.low_wh, _ZERO)
        after = max(last.high_wh - wanted.high_wh, _ZERO)
        return self._sums[met.stop] - self._sums[met.start] - before - after


def _met(stretches: Sequence[RegisterStretch], wanted: RegisterStretch) -> range:
    """Return which of *stretches*, in their order and without overlaps, *wanted* overlaps."""
    first = bisect_right(stretches, wanted.low_wh, key=lambda s: s.high_wh)
    return range(first, bisect_left(stretches, wanted.high_wh, lo=first, key=lambda s: s.low_wh))


def _merged(stretches: Iterable[RegisterStretch]) -> list[RegisterStretch]:
    """Return *stretches* in their order, those that overlap as one."""
    merged: list[RegisterStretch] = []
    for each in sorted(stretches):
        if merged and each.low_wh < merged[-1].high_wh:
            merged[-1] = _around((merged[-1], each))
        else:
            merged.append(each)
    return merged


def _around(stretches: Iterable[RegisterStretch]) -> RegisterStretch:
    lows, highs = zip(*stretches, strict=True)
    return RegisterStretch(min(lows), max(highs))
