"""A series of register readings made monotone: dips, spikes, rollovers, resets."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import accumulate as running
from operator import le, sub
from typing import Final, NamedTuple

import msgspec

from ledger.facts.flags import Flag

_HOUR_S: Final = Decimal(3600)
_GRACE_S: Final = 60
_SURPLUS: Final = Decimal("1.1")
_TOLERANCE_WH: Final = Decimal(10)
_COARSE_WH: Final = Decimal(1000)
# A register ends at its digits or at its integer (field notes, quirk 9).
_BOUNDARIES_WH: Final = (
    *(Decimal(10) ** n for n in range(6, 13)),
    Decimal(2) ** 32,
    Decimal(2) ** 31,
)
_NEAR_ITS_END: Final = Decimal("0.98")
"""From this part of its end on a register that falls passed it; one of 700 kWh was exchanged."""
_ZERO: Final = Decimal(0)
_APART_MAX: Final = timedelta(minutes=5)
_BOOT_GRACE: Final = timedelta(seconds=60)
_LOOK_AHEAD: Final = 1000
"""Among so many readings a fall is looked at for its end; what is lower for longer stays."""


# Structs where many are made: a NamedTuple takes seven times as long.
class RegisterReading(msgspec.Struct, frozen=True, array_like=True, order=True, gc=False):
    """A register's value at an effective time, and the log line that said so."""

    at: datetime
    value_wh: Decimal
    position: int
    line: int


class Counted(msgspec.Struct, frozen=True, array_like=True, order=True, gc=False):
    """A reading that was used, and the energy since the first reading of the series."""

    reading: RegisterReading
    energy_wh: Decimal


class Accumulated(NamedTuple):
    """A monotone series, what was odd about its readings, and which of them were not used."""

    counted: tuple[Counted, ...]
    flags: frozenset[str]
    dropped: tuple[RegisterReading, ...] = ()


class Metered(msgspec.Struct, frozen=True, kw_only=True):
    """The energy of one session: `counted` from the start reading to the stop reading.

    `energy_wh` is None when no register and no interval said anything. `dropped` are the samples
    of the session, as they came, that were not used; `refused_starts` and `refused_stops` what
    start and stop say and does not hold. Each has a flag or stands beside an equal in rank, and
    what is told in two roles is two readings.
    """

    energy_wh: Decimal | None = None
    start_wh: Decimal | None = None
    stop_wh: Decimal | None = None
    counted: tuple[Counted, ...] = ()
    unattributed_wh: Decimal = Decimal(0)
    flags: frozenset[str] = frozenset()
    dropped: frozenset[RegisterReading] = frozenset()
    refused_starts: frozenset[RegisterReading] = frozenset()
    refused_stops: frozenset[RegisterReading] = frozenset()


class PowerLimit:
    """The most energy that a connector can deliver in a time; `coarse` for whole kWh registers.

    `tolerance_wh` is by how much two readings may differ that mean the same, `slack_wh` what is
    allowed beyond power and time: clocks and registers are read coarsely.
    """

    __slots__ = ("_full_w", "coarse", "max_power_w", "slack_wh", "tolerance_wh")

    def __init__(self, max_power_w: Decimal, *, coarse: bool = False) -> None:
        self.max_power_w, self.coarse = max_power_w, coarse
        self._full_w = max_power_w * _SURPLUS
        self.tolerance_wh = _COARSE_WH if coarse else _TOLERANCE_WH
        self.slack_wh = self._at_full_power(_GRACE_S) + self.tolerance_wh

    def steady_wh(self, earlier: datetime, later: datetime) -> Decimal:
        """Return what full power delivers between the two moments, in whole seconds."""
        gap = later - earlier
        seconds = gap.days * 86_400 + gap.seconds
        return self._full_w * seconds / _HOUR_S if seconds > 0 else _ZERO

    def energy_max_wh(self, earlier: datetime, later: datetime) -> Decimal:
        """Return the most that can have been delivered between the two moments."""
        return self.steady_wh(earlier, later) + self.slack_wh

    def allows(self, earlier: RegisterReading, later: RegisterReading) -> bool:
        """Return True when the register can have risen from *earlier* to *later*."""
        rise = later.value_wh - earlier.value_wh
        return 0 <= rise <= self.energy_max_wh(earlier.at, later.at)

    def agree(self, one: RegisterReading, other: RegisterReading) -> bool:
        """Return True when the two say the same, but for what flows between their moments.

        That is of some minutes at most: what flowed in half an hour is no start told again.
        """
        first, last = min(one.at, other.at), max(one.at, other.at)
        gap = self.steady_wh(first, min(last, first + _APART_MAX))
        # Of a whole kWh and a finer value either may be rounded; of two alike none is.
        is_mixed = (one.value_wh % _COARSE_WH == 0) != (other.value_wh % _COARSE_WH == 0)
        step = self.tolerance_wh if is_mixed else _TOLERANCE_WH
        return abs(one.value_wh - other.value_wh) <= step + gap

    def is_one_moment(self, spread_wh: Decimal) -> bool:
        """Return True when values that lie *spread_wh* apart can be of one second."""
        return spread_wh <= _TOLERANCE_WH + self._at_full_power(1)

    def _at_full_power(self, seconds: int) -> Decimal:
        return self._full_w * seconds / _HOUR_S


def rollover_rise(
    earlier: RegisterReading, later: RegisterReading, limit: PowerLimit
) -> Decimal | None:
    """Return the rise over a register's end (10^n, 2^31 or 2^32), None when it is implausible.

    A register at 0 proves no rollover: 0 is what a station says when it knows nothing. Nor does
    one that fell far from its end: where power and time are large enough, all that it had left
    could be reckoned as drawn.
    """
    if later.value_wh == 0:
        return None
    most = limit.energy_max_wh(earlier.at, later.at)
    for boundary in _BOUNDARIES_WH:
        # No register shows its end itself.
        if boundary * _NEAR_ITS_END <= earlier.value_wh < boundary:
            rise = boundary - earlier.value_wh + later.value_wh
            if rise <= most:
                return rise
    return None


class Rise(NamedTuple):
    """The energy between two readings, and the flag of a register that fell."""

    energy_wh: Decimal
    flag: Flag | None = None


def rise_between(
    earlier: RegisterReading,
    later: RegisterReading,
    limit: PowerLimit,
    restarts: Sequence[datetime] = (),
) -> Rise:
    """Return what the register rose from *earlier* to *later*.

    A register that fell passed its end, or began again: at 0 where the station booted in between
    (*restarts*, sorted), and otherwise nobody knows where, so nothing is counted.
    """
    if later.value_wh >= earlier.value_wh:
        return Rise(later.value_wh - earlier.value_wh)
    if has_restarted(earlier, later, restarts):
        is_possible = later.value_wh <= limit.energy_max_wh(earlier.at, later.at)
        return Rise(later.value_wh if is_possible else _ZERO, Flag.METER_RESET)
    rolled = rollover_rise(earlier, later, limit)
    return Rise(_ZERO, Flag.METER_RESET) if rolled is None else Rise(rolled, Flag.METER_ROLLOVER)


def has_restarted(
    earlier: RegisterReading, later: RegisterReading, restarts: Sequence[datetime]
) -> bool:
    """Return True when the station booted between the two; a boot carries our time, not its own."""
    index = bisect_right(restarts, earlier.at)
    return index < len(restarts) and restarts[index] <= later.at + _BOOT_GRACE


def accumulate(
    readings: Sequence[RegisterReading],
    limit: PowerLimit,
    *,
    restarts: Sequence[datetime] = (),
    bounded: bool = False,
) -> Accumulated:
    """Return *readings* (ordered by time, not empty) as a monotone series.

    Args:
        readings: Of one register, oldest first; the first is taken as it is.
        limit: What the connector can deliver.
        restarts: When the station booted, sorted.
        bounded: The last reading is trusted and not below any other, so that a fall in between
            is a dip unless the register visibly began anew.
    """
    if (steady := _never_falling(readings)) is not None:  # nearly always
        return steady
    flags: set[str] = set()
    energy = _ZERO
    counted = [Counted(readings[0], energy)]
    dropped: list[RegisterReading] = []
    tops: list[Decimal] = []
    index = 1
    while index < len(readings):
        previous, current = counted[-1].reading, readings[index]
        if current.value_wh < previous.value_wh:
            tops = tops or _highest_from(readings)
            is_restart = has_restarted(previous, current, restarts)
            fall = _Fall(readings, index, previous, limit, is_restart, tops[index])
            back = fall.return_index(bounded=bounded)
            if back is not None:
                flags.add(Flag.READING_DIP_DROPPED)
                dropped += readings[index:back]
                index = back
                continue
        elif index + 1 < len(readings) and _is_spike(readings, index, previous, limit):
            flags.add(Flag.READING_SPIKE_DROPPED)
            dropped.append(current)
            index += 1
            continue
        if current.value_wh >= previous.value_wh:
            energy += current.value_wh - previous.value_wh
        else:
            rise = rise_between(previous, current, limit, restarts)
            energy += rise.energy_wh
            flags |= {rise.flag} if rise.flag else set()
        counted.append(Counted(current, energy))
        index += 1
    return Accumulated(tuple(counted), frozenset(flags), tuple(dropped))


def _never_falling(readings: Sequence[RegisterReading]) -> Accumulated | None:
    """Return *readings* as a series if none is below the one before it."""
    values = [reading.value_wh for reading in readings]
    if not all(map(le, values, values[1:])):
        return None
    energies = running(map(sub, values[1:], values), initial=_ZERO)
    return Accumulated(tuple(map(Counted, readings, energies)), frozenset())


def _is_spike(
    readings: Sequence[RegisterReading], index: int, previous: RegisterReading, limit: PowerLimit
) -> bool:
    """Return True when the reading at *index*, not the last, jumps up and the next takes it back.

    One that follows will do where the jump is impossible, else two that agree.
    """
    current, following = readings[index], readings[index + 1]
    # A jump that stays may be real; the physics of the whole session judges it.
    if following.value_wh >= current.value_wh or not limit.allows(previous, following):
        return False
    if not limit.allows(previous, current):
        return True
    if index + 2 == len(readings):
        return False
    second = readings[index + 2]
    return second.value_wh < current.value_wh and limit.allows(following, second)


def _highest_from(readings: Sequence[RegisterReading]) -> list[Decimal]:
    """Return for each of *readings* the highest value of it and all later ones."""
    values = [reading.value_wh for reading in reversed(readings)]
    return [*running(values, max)][::-1]


class _Fall(NamedTuple):
    """The reading at `fallen` lies below the `previous` one that was used."""

    readings: Sequence[RegisterReading]
    fallen: int
    previous: RegisterReading
    limit: PowerLimit
    is_restart: bool
    highest_wh: Decimal
    """Of this and all later readings."""

    def return_index(self, *, bounded: bool) -> int | None:
        """Return where the series is back at `previous`; None when the fall stays."""
        readings, index = self.readings, self.fallen
        is_back = self.highest_wh >= self.previous.value_wh
        farthest = min(len(readings), index + _LOOK_AHEAD) if is_back else index
        for back in range(index + 1, farthest):
            if readings[back].value_wh < self.previous.value_wh:
                continue
            # Higher again, but farther than power can bring it: that is another register.
            if bounded or self.limit.allows(self.previous, readings[back]):
                return None if self._is_climb(readings[index:back], readings[back]) else back
        is_last = index + 1 == len(readings)
        if is_last and not self.is_restart and not self._is_rollover():
            return len(readings)  # one low reading at the very end proves no reset
        return None

    def _is_rollover(self) -> bool:
        return rollover_rise(self.previous, self.readings[self.fallen], self.limit) is not None

    def _is_climb(self, lows: Sequence[RegisterReading], back: RegisterReading) -> bool:
        """Return True when *lows* climb by themselves up to *back*: the register began anew.

        After a boot one low reading is enough for that doubt.
        """
        if not self.limit.allows(lows[-1], back):
            return False
        values = [reading.value_wh for reading in lows]
        return values == sorted(values) and (self.is_restart or values[0] < values[-1])
