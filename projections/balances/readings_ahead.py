"""Questions about all of a row that are asked at every place of it, each answered in log n steps.

A station that nobody checks may tell any number of readings: to look through all that follow at
each of them would take the square of it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import accumulate

from ledger.meter.series import RegisterReading


class ReadingsAhead:
    """The values of the blocks of readings that are yet to come, of a row that is gone along."""

    def __init__(self, blocks: Sequence[Sequence[RegisterReading]]) -> None:
        """Stand before the first of *blocks*."""
        told = sorted(
            (reading.value_wh, number)
            for number, readings in enumerate(blocks)
            for reading in readings
        )
        self._values = [value for value, _ in told]
        self._spots: list[list[int]] = [[] for _ in blocks]
        for spot, (_, number) in enumerate(told):
            self._spots[number].append(spot)
        # From each value to the next one that may still be ahead; to itself if it is.
        self._next = list(range(len(told) + 1))
        self._passed = 0

    def go_on(self) -> None:
        """Go to the next block: its readings are ahead no longer."""
        for spot in self._spots[self._passed]:
            self._next[spot] = spot + 1
        self._passed += 1

    def lowest_from(self, value_wh: Decimal) -> Decimal | None:
        """Return the lowest value ahead that is not below *value_wh*, None where there is none."""
        spot = bisect_left(self._values, value_wh)
        while (following := self._next[spot]) != spot:
            # Each look halves the way of the next one.
            self._next[spot] = spot = self._next[following]
        return self._values[spot] if spot < len(self._values) else None


class RunningTimes:
    """Times from a beginning to an end, both included."""

    def __init__(self, times: Iterable[tuple[datetime, datetime]]) -> None:
        by_start = sorted(times)
        self._starts = [start for start, _ in by_start]
        self._latest_ends = list(accumulate((end for _, end in by_start), max))

    def is_at(self, at: datetime) -> bool:
        """Say whether one of them runs at the moment *at*."""
        begun = bisect_right(self._starts, at)
        return begun > 0 and at <= self._latest_ends[begun - 1]
