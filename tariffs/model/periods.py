"""Where a session is cut: the wall clock of the site, thresholds, and readings between.

A cut falls exactly on every instant at which another price may hold. The register at a cut between
two readings is interpolated linearly and rounded down to 1e-9 Wh; a kWh threshold is reached at
the first microsecond at which the interpolated register has it. Volumes are differences of
registers, so they always add up to the session's energy.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from tariffs.model.restrictions import (
    asks_for_date,
    clock_boundaries,
    date_applies,
    times_of_day,
)
from tariffs.model.tariff import Restrictions
from tariffs.model.usage import EPOCH, microseconds
from tariffs.zones import clock_change

DAY_US = 86_400_000_000
INTERPOLATION = "linear between readings"
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)

# From which instant on which elements are allowed.
Change = tuple[int, int]


class WallClock:
    """Which elements the local time, date and weekday allow, cached per day and zone.

    Absolute instants are converted to local time, never the other way round, so that the hour
    that autumn repeats is priced twice and the one that spring leaves out never.
    """

    __slots__ = ("_boundaries", "_dated", "_days", "_times", "_undated", "_zone")

    def __init__(self, restrictions: Sequence[Restrictions], zone: tzinfo) -> None:
        listed = [(1 << i, each) for i, each in enumerate(restrictions)]
        self._dated = [(bit, each) for bit, each in listed if asks_for_date(each)]
        self._undated = sum(bit for bit, each in listed if not asks_for_date(each))
        self._zone = zone
        boundaries: set[time] = set()
        for restriction in restrictions:
            boundaries |= clock_boundaries(restriction)
        self._boundaries = sorted(boundaries)
        self._times = times_of_day(restrictions)
        self._days: dict[int, tuple[Change, ...]] = {}

    def within(self, start_us: int, end_us: int) -> tuple[int, list[Change]]:
        """Return the mask at the start and the changes after it, before the end."""
        day, last = start_us // DAY_US, end_us // DAY_US
        mask = 0
        later: list[Change] = []
        while day <= last:
            for change in self._days.get(day) or self.changes(day):
                if change[0] <= start_us:
                    mask = change[1]
                elif change[0] < end_us:
                    later.append(change)
            day += 1
        return mask, later

    def changes(self, day: int) -> tuple[Change, ...]:
        """Return (instant, mask) of every change in the UTC *day*, its first instant included."""
        changes = self._days.get(day)
        if changes is None:
            changes = self._days[day] = tuple(self._changes(day))
        return changes

    def mask_at(self, instant_us: int) -> int:
        """Return the elements that the wall clock allows at an instant."""
        changes = self.changes(instant_us // DAY_US)
        return changes[bisect_right(changes, instant_us, key=lambda change: change[0]) - 1][1]

    def _changes(self, day: int) -> Iterator[Change]:
        # By UTC days, which all have 24 hours; local ones have 23 or 25, or begin at another hour.
        begin = EPOCH + timedelta(days=day)
        shifts = [*self._shifts(begin)]
        if not shifts:
            yield from self._steady_changes(begin.astimezone(self._zone), day * DAY_US)
            return
        last: int | None = None
        dates: dict[date, int] = {}
        for instant in sorted({begin, *shifts, *self._instants(begin)}):
            local = instant.astimezone(self._zone)
            today = local.date()
            if today not in dates:
                dates[today] = self._mask_of(today)
            mask = dates[today] & self._times.mask_at(local.time())
            if mask != last:
                yield microseconds(instant), mask
                last = mask

    def _steady_changes(self, local: datetime, at_us: int) -> Iterator[Change]:
        """Yield the changes of a UTC day that begins at *local* time, and no clock is turned in."""
        now, today = local.time(), local.date()
        passed = bisect_right(self._boundaries, now)
        dates = self._mask_of(today)
        last = dates & self._times.mask_at(now)
        yield at_us, last
        # The rest of this local day, then the next one until the same time.
        begin_us = at_us - _of_day(now)
        for boundaries in (self._boundaries[passed:], self._boundaries[:passed]):
            for boundary in boundaries:
                mask = dates & self._times.mask_at(boundary)
                if mask != last and boundary != now:
                    yield begin_us + _of_day(boundary), mask
                    last = mask
            begin_us += DAY_US
            dates = self._mask_of(today + _DAY)

    def _mask_of(self, day: date) -> int:
        """Return the elements that a local *day* allows."""
        return self._undated | sum(bit for bit, each in self._dated if date_applies(each, day))

    def _instants(self, begin: datetime) -> Iterator[datetime]:
        """Yield the instants of the UTC day from *begin* at which a local boundary is passed."""
        end = begin + timedelta(days=1)
        first = begin.astimezone(self._zone).date() - timedelta(days=1)
        candidates = [
            instant
            # Two local dates touch a UTC day; one more on either side for offsets that change
            # there.
            for offset in range(4)
            for boundary in self._boundaries
            for instant in self._instants_of(first + timedelta(days=offset), boundary)
        ]
        yield from (instant for instant in candidates if begin <= instant < end)

    def _instants_of(self, day: date, boundary: time) -> Iterator[datetime]:
        # In autumn a time comes twice. In spring both lie beside the gap, and a cut too many at
        # which the mask stays the same is dropped.
        for fold in (0, 1):
            local = datetime.combine(day, boundary, tzinfo=self._zone).replace(fold=fold)
            yield local.astimezone(UTC)

    def _shifts(self, begin: datetime) -> Iterator[datetime]:
        """Yield the instants at which the zone's offset changes (to the second).

        Clocks may jump over a boundary, so each is a cut of its own.
        """
        for hour in range(24):
            low, high = begin + hour * _HOUR, begin + (hour + 1) * _HOUR
            if self._offset(low) == self._offset(high):
                continue
            yield clock_change(low, high, self._zone)

    def _offset(self, instant: datetime) -> timedelta | None:
        return instant.astimezone(self._zone).utcoffset()


def _of_day(now: time) -> int:
    """Return the microseconds from midnight to *now*."""
    return ((now.hour * 60 + now.minute) * 60 + now.second) * 1_000_000 + now.microsecond


def register_at(points: Sequence[tuple[int, int]], instant_us: int) -> int:
    """Return the register (1e-9 Wh since the start) at an instant, interpolated if between."""
    index = bisect_right(points, instant_us, key=lambda point: point[0])
    if index == 0:
        return 0
    at, register = points[index - 1]
    if at == instant_us or index == len(points):
        return register
    next_at, next_register = points[index]
    return register + (next_register - register) * (instant_us - at) // (next_at - at)
