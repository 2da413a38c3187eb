"""What was billed of a session over time, looked up at any moment: it may have been long."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import accumulate, pairwise
from operator import attrgetter
from typing import Final

import msgspec

from ledger.rating.decisions import RatedLine
from ledger.sessions.vehicle.billed_time import BilledTime
from tariffs.model.tariff import Dimension

_ZERO: Final = Decimal(0)
_MICROSECOND: Final = timedelta(microseconds=1)
_AT: Final = attrgetter("at")


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch between two moments that a reading or the line's own border sets.

    `is_interpolated`: a border lies between two readings, and the energy was shared by time.
    """

    starts_at: datetime
    ends_at: datetime
    energy_wh: Decimal
    activity: str
    is_interpolated: bool


class UsageCurve:
    """The readings and activities of a session as they were billed."""

    def __init__(self, billed: BilledTime) -> None:
        self._points = sorted(billed.points, key=_AT)
        self._readings = sorted({point.at for point in billed.points})
        spans = sorted(enumerate(billed.spans), key=lambda each: each[1].starts_at)
        self._changes = [span.starts_at for _, span in spans]
        # Of what began by then, what was told last.
        latest = accumulate((place for place, _ in spans), max)
        self._activities = [billed.spans[place].activity.value for place in latest]
        self._cuts = sorted({*self._readings, *self._changes})

    def periods(self, rated: RatedLine) -> Iterator[Period]:
        """Yield the stretches of a line's time: cut at readings, activities and its borders."""
        start, end = rated.starts_at, rated.ends_at
        if rated.dimension in {Dimension.FLAT, Dimension.SESSION} or start >= end:
            return
        first, last = bisect_right(self._cuts, start), bisect_left(self._cuts, end)
        for earlier, later in pairwise([start, *self._cuts[first:last], end]):
            drawn = self._energy_at(later) - self._energy_at(earlier)
            yield Period(
                starts_at=earlier,
                ends_at=later,
                energy_wh=drawn,
                activity=self._activity_at(earlier),
                is_interpolated=drawn != 0
                and not (self._is_read(earlier) and self._is_read(later)),
            )

    def _is_read(self, at: datetime) -> bool:
        index = bisect_left(self._readings, at)
        return index < len(self._readings) and self._readings[index] == at

    def _energy_at(self, at: datetime) -> Decimal:
        """Return the energy since the start, by time between two readings; to 0.001 Wh."""
        points = self._points
        # Of several at the very start the last one stands, of later ones the first.
        index = bisect_left(points, at, key=_AT) or bisect_right(points, at, key=_AT)
        if index == len(points):
            return points[-1].energy_wh if points and at > points[-1].at else _ZERO
        if index == 0:
            return _ZERO
        earlier, later = points[index - 1], points[index]
        share = Decimal((at - earlier.at) // _MICROSECOND) / Decimal(
            (later.at - earlier.at) // _MICROSECOND
        )
        risen = (later.energy_wh - earlier.energy_wh) * share
        exact = at in {earlier.at, later.at}
        return earlier.energy_wh + (risen if exact else risen.quantize(Decimal("0.001")))

    def _activity_at(self, at: datetime) -> str:
        index = bisect_right(self._changes, at)
        return self._activities[index - 1] if index else "charging"
