"""UTC offsets of a time zone as values: what its clocks showed over one session.

A tzdata that is younger may say of the same zone and the same days something else: governments
change their minds, and a mistake is corrected years later. Who wrote down the offsets that held
over a session can price it again without any tzdata, and gets the same.

One offset is enough but for a session near a change of the clocks:

    10 November in Berlin       [[null, 3600]]
    25 October 2026             [[null, 7200], ["2026-10-25T01:00:00Z", 3600]]
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from itertools import pairwise
from typing import Final

import msgspec

from tariffs.zones import clock_change, zone

_MARGIN_DAYS: Final = 2
"""How far around a session its offsets reach: to the bounds of the days and nights it lies in."""
_DAYS_MAX: Final = 3660
# No zone ever had two changes within a day.
_STEP: Final = timedelta(days=1)
_ZERO: Final = timedelta(0)
# With the margin, and any offset, still within what can be reckoned with.
_FIRST_DAY: Final = 1 + _MARGIN_DAYS + 1
_LAST_DAY: Final = date.max.toordinal() - _MARGIN_DAYS - 2


class UtcOffset(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """From `starts_at` on (None: from before the session) clocks are `seconds` ahead of UTC."""

    starts_at: datetime | None
    seconds: int


UtcOffsets = tuple[UtcOffset, ...]
"""At least one; the first from None, the others in order."""


def offsets_over(name: str, starts_at: datetime, ends_at: datetime) -> UtcOffsets:
    """Return the offsets of the zone *name* from two days (UTC) before a session until two after.

    Of what is longer than anything that can be priced only the first ten years are looked at.

    Raises:
        UnknownZoneError: If tzdata has no such zone.
    """
    first = min(max(starts_at.astimezone(UTC).toordinal(), _FIRST_DAY), _LAST_DAY)
    last = min(ends_at.astimezone(UTC).toordinal(), _LAST_DAY, first + _DAYS_MAX)
    return _offsets(name, first - _MARGIN_DAYS, max(last, first) + 1 + _MARGIN_DAYS)


def covered_from(starts_at: datetime, offsets: UtcOffsets) -> datetime:
    """Return from when on the *offsets* over a session that began at *starts_at* hold."""
    day = max(starts_at.astimezone(UTC).toordinal(), _FIRST_DAY) - _MARGIN_DAYS
    # They may begin earlier: where the station was heard before its session's start.
    changes = [each.starts_at - _STEP for each in offsets[1:] if each.starts_at]
    return min([_midnight(day), *changes])


# Of one day there are many sessions.
@lru_cache(maxsize=4096)
def _offsets(name: str, first: int, until: int) -> UtcOffsets:
    local, low, high = zone(name), _midnight(first), _midnight(until)
    return (UtcOffset(None, _seconds(local, low)), *_changes(local, low, high))


def _midnight(day: int) -> datetime:
    return datetime.fromordinal(day).replace(tzinfo=UTC)


def _changes(local: tzinfo, low: datetime, high: datetime) -> Iterator[UtcOffset]:
    while low < high:
        later = min(low + _STEP, high)
        if _seconds(local, later) != _seconds(local, low):
            at = clock_change(low, later, local)
            yield UtcOffset(at, _seconds(local, at))
        low = later


def _seconds(local: tzinfo, at: datetime) -> int:
    offset = at.astimezone(local).utcoffset()
    return int((offset or _ZERO).total_seconds())


@lru_cache(maxsize=1024)
def zone_with(offsets: UtcOffsets, name: str | None = None) -> tzinfo:
    """Return the zone that has these *offsets* and no others; *name* is what tzdata calls it."""
    first, *later = (timedelta(seconds=each.seconds) for each in offsets)
    return RecordedZone(offsets, name) if later else timezone(first)


class RecordedZone(tzinfo):
    """A zone of recorded offsets; equal to another with the same ones, whatever its name."""

    def __init__(self, offsets: UtcOffsets, name: str | None = None) -> None:
        self._key, self.name = offsets, name
        self._offsets = [timedelta(seconds=each.seconds) for each in offsets]
        moments = [each.starts_at for each in offsets[1:]]
        self._starts = [at.astimezone(UTC).replace(tzinfo=None) for at in moments if at]
        # PEP 495: of the times that come twice, or never, those of fold 0 have the offset before.
        changes = list(zip(self._starts, pairwise(self._offsets), strict=True))
        self._walls = (
            [at + max(before_after) for at, before_after in changes],
            [at + min(before_after) for at, before_after in changes],
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RecordedZone) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def fromutc(self, dt: datetime) -> datetime:
        """Return the local time of a moment that is given in UTC."""
        moment = dt.replace(tzinfo=None)
        index = bisect_right(self._starts, moment)
        local = dt + self._offsets[index]
        is_second = index and moment - self._starts[index - 1] < (
            self._offsets[index - 1] - self._offsets[index]
        )
        return local.replace(fold=1 if is_second else 0)

    def utcoffset(self, dt: datetime | None) -> timedelta:
        """Return how far the clocks that show *dt* are ahead of UTC."""
        if dt is None:
            return self._offsets[0]
        return self._offsets[bisect_right(self._walls[dt.fold], dt.replace(tzinfo=None, fold=0))]

    def dst(self, dt: datetime | None) -> None:
        """Return that summer time is not told apart."""

    def tzname(self, dt: datetime | None) -> None:
        """Return that there is no name."""
