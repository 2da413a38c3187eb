"""A station's clock against ours: from device times, verbatim, to effective times in UTC.

The device time holds unless it is impossible. What is wrong with the clock is learnt from pairs
(device time, time of receipt) of one session: a message can arrive late but never early, so the
smallest difference is the clock's own error plus the shortest way.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo

import msgspec

from ledger.facts.flags import Flag
from ledger.facts.station_traits import StationTraits, zone_of
from tariffs.offsets import UtcOffsets, zone_with

SKEW_MAX = timedelta(minutes=5)
"""Beyond this a device time later than its receipt is the clock's fault."""
FARTHEST = datetime(2200, 1, 1, tzinfo=UTC)
"""A time from here on is no clock's: it says nothing, and ours stands in."""
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
"""No effective time lies before: every zone's calendar and every table can hold it."""
_STEADY = timedelta(seconds=90)
_SPREAD_MIN = timedelta(minutes=10)
_LIVE_MIN = 3
# Zones lie on quarters of an hour.
_QUARTER = timedelta(minutes=15)
_ZERO = timedelta(0)
_UTC = StationTraits()
_LATE = timedelta(hours=1)

Pair = tuple[datetime, datetime]
"""A device time (naive or aware) and our time of receipt (aware UTC)."""


class SessionClock(msgspec.Struct, frozen=True, array_like=True):
    """How one session's device times become effective times.

    `offset` is added to sane times, `unsynced_offset` to times before the station's
    commissioning; `zone` is what naive times are in, with `offsets` where they were recorded.
    """

    offset: timedelta = _ZERO
    unsynced_offset: timedelta = _ZERO
    zone: str = "UTC"
    commissioned_on: datetime = datetime(2015, 1, 1, tzinfo=UTC)
    flags: tuple[str, ...] = ()
    offsets: UtcOffsets = ()

    def effective(self, occurred_at: datetime | None, received_at: datetime) -> datetime:
        """Return when it happened, in UTC: the device's time, corrected only where impossible."""
        if occurred_at is None:
            return received_at
        at = occurred_at
        if at.tzinfo is not UTC:
            local = zone_with(self.offsets) if self.offsets else zone_of(self.zone)
            at = in_utc(at, local, received_at)
        if at < self.commissioned_on:
            # Never beyond the calendar: it is at most the delay of the least late frame.
            return min(max(at + self.unsynced_offset, EARLIEST), FARTHEST)
        if at >= FARTHEST:
            return received_at
        return at + self.offset if self.offset else at


def in_utc(at: datetime, zone: tzinfo, received_at: datetime) -> datetime:
    """Return *at* in UTC; a naive time is in *zone*, of two readings the one nearer to receipt."""
    if at.tzinfo is UTC:  # nearly always
        return at
    try:
        if at.tzinfo is not None:
            return at.astimezone(UTC)
        early = at.replace(tzinfo=zone, fold=0).astimezone(UTC)
        late = at.replace(tzinfo=zone, fold=1).astimezone(UTC)
    except OverflowError:  # year 1 or 9999: outside what can be converted
        return at.replace(tzinfo=UTC)
    return early if abs(received_at - early) <= abs(received_at - late) else late


def learn_clock(pairs: Iterable[Pair], traits: StationTraits) -> SessionClock:
    """Return the clock that the *pairs* of one session show. Their order does not matter."""
    pairs = list(pairs)
    flags: set[str] = set()
    # Whose zone naive times are in: the station's own, or plain UTC.
    naive_in = _UTC if traits.naive_is_utc else traits
    if any(at.tzinfo is None for at, _ in pairs):
        flags.add(Flag.ZONE_MISSING)
        if _fits_utc_alone(pairs, naive_in.zone):
            naive_in = _UTC
    local = naive_in.zone
    sane: list[tuple[datetime, timedelta]] = []
    unsynced: list[timedelta] = []
    for occurred_at, received_at in pairs:
        at = in_utc(occurred_at, local, received_at)
        if at >= FARTHEST:
            flags.add(Flag.TIME_UNREADABLE)
        elif at < traits.commissioned_on:
            unsynced.append(received_at - at)
        else:
            sane.append((received_at, received_at - at))
    if unsynced:
        flags.add(Flag.CLOCK_UNSYNCED)
    if traits.clock_offset_s is None:
        offset, why = _offset(sane, traits)
    else:
        offset, why = timedelta(seconds=traits.clock_offset_s), Flag.TZ_MISLABELLED
    if why is not None:
        flags.add(why)
    if sane and max(delay + offset for _, delay in sane) > _LATE:
        flags.add(Flag.LATE_ARRIVAL)
    return SessionClock(
        offset,
        # The least delay: distances within one boot are right, only the beginning is not known.
        min(unsynced, default=_ZERO),
        naive_in.time_zone,
        traits.commissioned_on,
        tuple(sorted(flags)),
        naive_in.offsets,
    )


def _fits_utc_alone(pairs: list[Pair], zone: tzinfo) -> bool:
    """Whether the naive times are UTC: only where live messages fit it and not *zone*."""
    naive = [(at, received) for at, received in pairs if at.tzinfo is None]
    as_local = min(abs(received - in_utc(at, zone, received)) for at, received in naive)
    as_utc = min(abs(received - at.replace(tzinfo=UTC)) for at, received in naive)
    return as_utc <= _STEADY < as_local


def _offset(
    sane: list[tuple[datetime, timedelta]], traits: StationTraits
) -> tuple[timedelta, Flag | None]:
    """Return what to add to device times, and the flag that says why."""
    if not sane:
        return _ZERO, None
    received = [moment for moment, _ in sane]
    least, most = min(delay for _, delay in sane), max(delay for _, delay in sane)
    # One late frame proves nothing: a clock that is wrong is wrong by the same for a while.
    steady = (
        len(sane) >= _LIVE_MIN
        and most - least <= _STEADY
        and max(received) - min(received) >= _SPREAD_MIN
    )
    rounded = _QUARTER * round(least / _QUARTER)
    by_quarters = bool(rounded) and abs(least - rounded) <= _STEADY
    local = min(received).astimezone(traits.zone).utcoffset() or _ZERO
    if least < -SKEW_MAX:
        # Ahead by exactly the offset of the site: local time, even if seen only once.
        if by_quarters and (steady or rounded == -local):
            return rounded, Flag.TZ_MISLABELLED
        return least, Flag.CLOCK_AHEAD
    if least > SKEW_MAX and steady:
        if by_quarters:
            return rounded, Flag.TZ_MISLABELLED
        return least, Flag.CLOCK_BEHIND
    return _ZERO, None
