"""Stretches of absolute time within a session: local days and nights, and how runs are cut there.

Only absolute instants are compared, so a day of 23 or 25 hours needs no care.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from datetime import time, timedelta

from tariffs.kernel.tally import Run
from tariffs.kernel.timeline import timeline_of
from tariffs.model.tariff import Dimension
from tariffs.model.usage import SessionUsage, microseconds
from tariffs.zones import instant_of

# From (inclusive) and until (exclusive), in microseconds since 1970.
Window = tuple[int, int]
# A part of a run: from, until, volume.
Part = tuple[int, int, int]

_DAY = timedelta(days=1)


def local_windows(usage: SessionUsage, start: time, end: time) -> list[Window]:
    """Return the stretches from local *start* to local *end* that touch the session, in order.

    An end that is not after its start lies on the next day; both 00:00 is each whole day.
    """
    local = usage.zone
    day, last = (at.astimezone(local).date() for at in (usage.starts_at, usage.ends_at))
    # The night that the session begins in may itself have begun the evening before.
    day -= _DAY
    windows = []
    while day <= last:
        until = day if end > start else day + _DAY
        bounds = instant_of(day, start, local), instant_of(until, end, local)
        windows.append((microseconds(bounds[0]), microseconds(bounds[1])))
        day += _DAY
    first = microseconds(usage.starts_at)
    final = within(usage, microseconds(usage.ends_at))
    return [(low, high) for low, high in windows if low <= final and high > first]


def within(usage: SessionUsage, instant_us: int) -> int:
    """Return in which instant of the session what is owed at *instant_us* counts.

    What is owed at its end (a surcharge) belongs to the day that ends there, not to the next; in a
    session of no length, to the day that begins.
    """
    first, final = microseconds(usage.starts_at), microseconds(usage.ends_at)
    return max(first, min(instant_us, final - 1))


def window_of(windows: Sequence[Window], instant_us: int) -> int | None:
    """Return the index of the window that an instant lies in."""
    index = bisect_right(windows, instant_us, key=lambda window: window[0]) - 1
    return index if index >= 0 and instant_us < windows[index][1] else None


class Cutter:
    """Cuts runs at instants; energy at the register there, time and what a CDR states evenly."""

    def __init__(self, usage: SessionUsage, bounds: Sequence[int]) -> None:
        self._bounds = sorted(set(bounds))
        self._timeline = timeline_of(usage, 0) if bounds and usage.points else None
        self._register = 0

    def parts(self, run: Run) -> list[Part]:
        """Return the parts of *run*; energy runs must be given in their order, each once."""
        is_energy = run.component.dimension is Dimension.ENERGY
        parts = list(self._parts(run, is_energy=is_energy))
        if is_energy:
            self._register += run.volume
        return parts

    def _parts(self, run: Run, *, is_energy: bool) -> Iterator[Part]:
        low = bisect_right(self._bounds, run.starts_us)
        high = bisect_left(self._bounds, run.ends_us)
        at, done = run.starts_us, 0
        for bound in self._bounds[low:high]:
            counted = self._counted(run, bound, is_energy=is_energy)
            # Where a run begins at a threshold, the register there was rounded to it.
            counted = min(max(counted, done), run.volume)
            yield at, bound, counted - done
            at, done = bound, counted
        yield at, run.ends_us, run.volume - done

    def _counted(self, run: Run, at: int, *, is_energy: bool) -> int:
        """Return the volume that *run* has counted at an instant within it."""
        if is_energy and self._timeline is not None:
            return self._timeline.register_at(at) - self._register
        return run.volume * (at - run.starts_us) // (run.ends_us - run.starts_us)
