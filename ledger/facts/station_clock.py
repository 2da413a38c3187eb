"""A station's clock against ours: from device times, verbatim, to effective times in UTC.

The device time holds unless it is impossible. What is wrong with the clock is learnt from pairs
(device time, time of receipt) of one session: a message can arrive late but never early, so the
smallest difference is the clock's own error plus the shortest way.

Local time is UTC + 9 h; times are labelled Z, all frames are received when they are sent:

    start 18:00, reading 18:30, stop 19:00, received 09:00 to 10:00
        -> all agree: 9 h are taken off each (tz_mislabelled)
    the same in the night in which clocks there are turned
        -> held where time costs money (clock_jumped): one offset is wrong on one side
    start 09:00, a state of 18:20, stop 10:00
        -> one dissents: it happened when we heard of it (time_impossible); nothing else moves
    half of them ahead, half right
        -> the same, and held where time costs money (clock_ahead)
    start 18:00, all others right
        -> the same, and held: its day, its tariff, its month hang on it (bound_refuted)
    start 03:00 and reading 03:30 received at 09:00 and 09:30, stop 10:00
        -> the clock was set in between: held where time costs money (clock_jumped); so it is
           after one late frame, a boot ten minutes later, and right times from then on
    start 03:00, reading 03:30, stop 04:00, all received at 09:00
        -> a queue, and right: late is not wrong
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
STEADY = timedelta(seconds=90)
"""Delays of one clock differ by no more: the ways of live messages."""
SPREAD_MIN = timedelta(minutes=10)
"""Equal delays of messages that came nearer to each other may be those of a queue."""
# Times ahead of their receipt by amounts farther apart agree on nothing.
_TOGETHER = timedelta(days=1)
_ZONE_MIN = 3
_PAIR = 2
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
    What would still lie after its receipt happened when we heard of it.
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
        if at.tzinfo is not UTC or at < self.commissioned_on or self.offset:
            at = self._corrected(occurred_at, received_at)
        return received_at if at > received_at and at - received_at > SKEW_MAX else at

    def refutes(self, occurred_at: datetime | None, received_at: datetime) -> bool:
        """Whether a device time is not believed at all: even corrected it lies after receipt."""
        if occurred_at is None:
            return False
        return self._corrected(occurred_at, received_at) - received_at > SKEW_MAX

    def is_ambiguous(self, occurred_at: datetime | None, received_at: datetime) -> bool:
        """Whether a time without zone may mean two moments, and its receipt does not say which.

        Clocks pass an hour twice in autumn, and leave one out in spring.
        """
        if occurred_at is None or occurred_at.tzinfo is not None:
            return False
        early, late = _readings(occurred_at, self._zone)
        nearest = min(abs(received_at - early), abs(received_at - late))
        return early != late and nearest > SKEW_MAX

    @property
    def _zone(self) -> tzinfo:
        return zone_with(self.offsets) if self.offsets else zone_of(self.zone)

    def _corrected(self, occurred_at: datetime, received_at: datetime) -> datetime:
        at = occurred_at
        if at.tzinfo is not UTC:
            at = in_utc(at, self._zone, received_at)
        if at < self.commissioned_on:
            return _moved(at, self.unsynced_offset)
        return _moved(at, self.offset) if self.offset else at


def _moved(at: datetime, by: timedelta) -> datetime:
    """Return *at* plus *by*, never beyond the calendar."""
    try:
        return max(at + by, EARLIEST)
    except OverflowError:
        return FARTHEST if by > _ZERO else EARLIEST


def in_utc(at: datetime, zone: tzinfo, received_at: datetime) -> datetime:
    """Return *at* in UTC; a naive time is in *zone*, of two readings the one nearer to receipt."""
    if at.tzinfo is UTC:  # nearly always
        return at
    if at.tzinfo is None:
        early, late = _readings(at, zone)
        return early if abs(received_at - early) <= abs(received_at - late) else late
    try:
        return at.astimezone(UTC)
    except OverflowError:  # year 1 or 9999: outside what can be converted
        return at.replace(tzinfo=UTC)


def _readings(at: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """Return the two moments that a naive time in *zone* may mean; mostly they are one."""
    try:
        early = at.replace(tzinfo=zone, fold=0).astimezone(UTC)
        return early, at.replace(tzinfo=zone, fold=1).astimezone(UTC)
    except OverflowError:
        same = at.replace(tzinfo=UTC)
        return same, same


def learn_clock(pairs: Iterable[Pair], traits: StationTraits) -> SessionClock:
    """Return the clock that the *pairs* of one session show. Their order does not matter."""
    pairs = list(pairs)
    flags: set[str] = set()
    # Whose zone naive times are in: the station's own, or plain UTC.
    naive_in = _UTC if traits.naive_is_utc else traits
    if None in [at.tzinfo for at, _ in pairs]:
        flags.add(Flag.ZONE_MISSING)
        if _fits_utc_alone(pairs, naive_in.zone):
            naive_in = _UTC
    local, commissioned_on = naive_in.zone, traits.commissioned_on
    received: list[datetime] = []
    delays: list[timedelta] = []
    unsynced: list[timedelta] = []
    for at, received_at in pairs:
        if at.tzinfo is not UTC:
            at = in_utc(at, local, received_at)  # noqa: PLW2901 - the same moment
        if commissioned_on <= at < FARTHEST:
            received.append(received_at)
            delays.append(received_at - at)
        elif at < FARTHEST:
            unsynced.append(received_at - at)
        else:
            flags.add(Flag.TIME_UNREADABLE)
    if unsynced:
        flags.add(Flag.CLOCK_UNSYNCED)
    if traits.clock_offset_s is None:
        offset, why = _offset(received, delays, traits)
    else:
        offset, why = timedelta(seconds=traits.clock_offset_s), frozenset({Flag.TZ_MISLABELLED})
    flags |= why
    if delays and max(delays) - offset > _LATE:
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


def bound_flags(
    clock: SessionClock,
    pairs: Sequence[Pair],
    bounds: Iterable[Pair],
    boots: Iterable[datetime] = (),
) -> set[Flag]:
    """Return what is wrong with the times of start and stop, on which all of the price hangs.

    *pairs* are those that *clock* was learnt from; at *boots* our answer set the station's clock.
    """
    flags: set[Flag] = set()
    late: list[tuple[datetime, timedelta]] = []
    for told, at in bounds:
        if clock.refutes(told, at):
            flags |= {Flag.TIME_IMPOSSIBLE, Flag.BOUND_REFUTED}
        delay = at - clock.effective(told, at)
        if delay > SKEW_MAX and not clock.offset:
            late.append((at, delay))
    if not late:
        return flags
    delays = [(at, at - clock.effective(told, at)) for told, at in pairs]
    # A queue comes all at once: who is late by the same again and again has a clock behind.
    is_steady = any(
        abs(at - other_at) >= SPREAD_MIN and abs(delay - other) <= STEADY
        for at, delay in late
        for other_at, other in delays
    )
    # What was late before a boot, long after it was told, and is not after it.
    live = [at for at, delay in delays if delay <= SKEW_MAX]
    is_set = bool(live) and any(
        boot - at >= SPREAD_MIN and boot <= max(live) for at, _ in late for boot in boots
    )
    return flags | {Flag.CLOCK_JUMPED} if is_steady or is_set else flags


def _is_turned(received: Sequence[datetime], zone: tzinfo) -> bool:
    """Whether clocks in *zone* are turned between the first and the last receipt.

    A station that tells local time as UTC turns its own, and no one offset holds for both sides.
    """
    first, last = (at.astimezone(zone).utcoffset() for at in (min(received), max(received)))
    return first != last


def _fits_utc_alone(pairs: list[Pair], zone: tzinfo) -> bool:
    """Whether the naive times are UTC: only where live messages fit it and not *zone*."""
    naive = [(at, received) for at, received in pairs if at.tzinfo is None]
    as_local = min(abs(received - in_utc(at, zone, received)) for at, received in naive)
    as_utc = min(abs(received - at.replace(tzinfo=UTC)) for at, received in naive)
    return as_utc <= STEADY < as_local


def _offset(
    received: Sequence[datetime], delays: Sequence[timedelta], traits: StationTraits
) -> tuple[timedelta, frozenset[Flag]]:
    """Return what to add to all device times, and the flags that say why.

    *delays* are those with which they were *received*.
    """
    least = min(delays, default=_ZERO)
    if -SKEW_MAX <= least <= SKEW_MAX:  # as nearly always: none is ahead, and one was told live
        return _ZERO, frozenset()
    count, most = len(delays), max(delays)
    ahead = sum(delay < -SKEW_MAX for delay in delays)
    together = sum(delay - least <= _TOGETHER for delay in delays)
    if 0 < ahead < count or (ahead and 2 * together <= count):
        # They contradict each other: none moves another, and half of them may be the right ones.
        is_minority = 2 * ahead < count
        return _ZERO, frozenset(
            {Flag.TIME_IMPOSSIBLE} if is_minority else {Flag.TIME_IMPOSSIBLE, Flag.CLOCK_AHEAD}
        )
    # One late frame proves nothing: a clock that is wrong is wrong by the same for a while.
    is_steady = (
        count >= _PAIR and most - least <= STEADY and max(received) - min(received) >= SPREAD_MIN
    )
    rounded = _QUARTER * round(least / _QUARTER)
    by_quarters = bool(rounded) and abs(least - rounded) <= STEADY
    # Ahead by exactly the offset of the site: local time, even if seen only once.
    is_local = bool(ahead) and -rounded == min(received).astimezone(traits.zone).utcoffset()
    if by_quarters and (is_local or (is_steady and count >= _ZONE_MIN)):
        turned = {Flag.CLOCK_JUMPED} if _is_turned(received, traits.zone) else set()
        return rounded, frozenset({Flag.TZ_MISLABELLED, *turned})
    if ahead:
        return least, frozenset({Flag.CLOCK_AHEAD})
    if least > SKEW_MAX and is_steady:
        return least, frozenset({Flag.CLOCK_BEHIND})
    return _ZERO, frozenset()
