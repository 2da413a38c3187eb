"""A series of register readings made monotone: dips, spikes, rollovers, resets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
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
_HALF: Final = Decimal("0.5")


class RegisterReading(NamedTuple):
    """A register's value at an effective time, and the log line that said so."""

    at: datetime
    value_wh: Decimal
    position: int
    line: int


class Counted(NamedTuple):
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

    `energy_wh` is None when no register and no interval said anything. `dropped` are the raw
    readings of the session that were not used, each with a flag or beside an equal in rank.
    """

    energy_wh: Decimal | None = None
    start_wh: Decimal | None = None
    stop_wh: Decimal | None = None
    counted: tuple[Counted, ...] = ()
    unattributed_wh: Decimal = Decimal(0)
    flags: frozenset[str] = frozenset()
    dropped: frozenset[RegisterReading] = frozenset()


class PowerLimit(NamedTuple):
    """The most energy that a connector can deliver in a time; `coarse` for whole kWh registers."""

    max_power_w: Decimal
    coarse: bool = False

    def energy_max_wh(self, earlier: datetime, later: datetime) -> Decimal:
        """Return the most that can have been delivered between the two moments."""
        gap = later - earlier
        seconds = max(gap.days * 86_400 + gap.seconds, 0) + _GRACE_S
        tolerance = _COARSE_WH if self.coarse else _TOLERANCE_WH
        return self.max_power_w * _SURPLUS * seconds / _HOUR_S + tolerance

    def allows(self, earlier: RegisterReading, later: RegisterReading) -> bool:
        """Return True when the register can have risen from *earlier* to *later*."""
        rise = later.value_wh - earlier.value_wh
        return 0 <= rise <= self.energy_max_wh(earlier.at, later.at)


def rollover_rise(
    earlier: RegisterReading, later: RegisterReading, limit: PowerLimit
) -> Decimal | None:
    """Return the rise over a register's end (10^n, 2^31 or 2^32), None when it is implausible.

    A register at 0 proves no rollover: 0 is what a station says when it knows nothing.
    """
    if later.value_wh == 0:
        return None
    most = limit.energy_max_wh(earlier.at, later.at)
    for boundary in _BOUNDARIES_WH:
        # Far from its end a register that falls was reset.
        if boundary * _HALF < earlier.value_wh <= boundary:
            rise = boundary - earlier.value_wh + later.value_wh
            if rise <= most:
                return rise
    return None


def accumulate(
    readings: Sequence[RegisterReading], limit: PowerLimit, *, bounded: bool = False
) -> Accumulated:
    """Return *readings* (ordered by time, not empty) as a monotone series.

    Args:
        readings: Of one register, oldest first; the first is taken as it is.
        limit: What the connector can deliver.
        bounded: The last reading is trusted and not below the first, so that every fall in
            between is a dip.
    """
    flags: set[str] = set()
    energy = Decimal(0)
    counted = [Counted(readings[0], energy)]
    dropped: list[RegisterReading] = []
    index = 1
    while index < len(readings):
        previous, current = counted[-1].reading, readings[index]
        if current.value_wh >= previous.value_wh:
            if _is_spike(readings, index, previous, limit):
                flags.add(Flag.READING_SPIKE_DROPPED)
                dropped.append(current)
                index += 1
                continue
            rise = current.value_wh - previous.value_wh
        else:
            back = _return_index(readings, index, previous, limit, bounded=bounded)
            if back is not None:
                flags.add(Flag.READING_DIP_DROPPED)
                dropped += readings[index:back]
                index = back
                continue
            rolled = rollover_rise(previous, current, limit)
            flags.add(Flag.METER_RESET if rolled is None else Flag.METER_ROLLOVER)
            rise = rolled or Decimal(0)
        energy += rise
        counted.append(Counted(current, energy))
        index += 1
    return Accumulated(tuple(counted), frozenset(flags), tuple(dropped))


def _is_spike(
    readings: Sequence[RegisterReading], index: int, previous: RegisterReading, limit: PowerLimit
) -> bool:
    """Return True when the reading at *index* jumps too far and the next one takes it back."""
    if index + 1 >= len(readings):
        return False
    current, following = readings[index], readings[index + 1]
    # A jump that stays may be real; the physics of the whole session judges it.
    return (
        following.value_wh < current.value_wh
        and not limit.allows(previous, current)
        and limit.allows(previous, following)
    )


def _return_index(
    readings: Sequence[RegisterReading],
    index: int,
    previous: RegisterReading,
    limit: PowerLimit,
    *,
    bounded: bool,
) -> int | None:
    """Return where the series is back at *previous*; None when the fall stays (reset, rollover)."""
    for back in range(index + 1, len(readings)):
        if readings[back].value_wh < previous.value_wh:
            continue
        if bounded:
            return back
        # Higher again, but farther than power can bring it: that is another register.
        if limit.allows(previous, readings[back]):
            lows = readings[index:back]
            return None if _is_climb(lows, readings[back], limit) else back
    if index + 1 == len(readings) and rollover_rise(previous, readings[index], limit) is None:
        return index + 1  # one low reading at the very end proves no reset
    return None


def _is_climb(lows: Sequence[RegisterReading], back: RegisterReading, limit: PowerLimit) -> bool:
    """Return True when *lows* climb by themselves up to *back*: the register began anew."""
    values = [reading.value_wh for reading in lows]
    return (
        len(values) > 1
        and values[0] < values[-1]
        and values == sorted(values)
        and limit.allows(lows[-1], back)
    )
