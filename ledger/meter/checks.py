"""Checks of a session's energy against physics, and the energy of interval series."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from operator import add, attrgetter, sub
from typing import Final

from msgspec.structs import replace

from ledger.facts.flags import Flag
from ledger.meter.evidence import MeterEvidence, PowerReading
from ledger.meter.series import Counted, Metered, PowerLimit, RegisterReading

_AT: Final = attrgetter("at")
_READ_AT: Final = attrgetter("reading.at")
_PAIR: Final = 2
_THOUSAND: Final = Decimal(1000)
_POWER_MIN_WH: Final = Decimal(100)
# Wide, as power is sampled now and then; a wrong unit is off by 1000.
_LIKE: Final = (Decimal("0.5"), Decimal(2))
_HOUR_S: Final = Decimal(3600)
_SPACING_MAX: Final = Decimal("1.5")
_ZERO: Final = Decimal(0)
# Stations tell one phase's power for three; a register that is ten times wrong is far beyond that.
_TIMES: Final = 5
_CHARGING_W: Final = 500
_PHASES_TIMES: Final = 2
_TOLD_TIMES: Final = 3
# Of the energy so much may be drawn in a time before the stop of which no interval tells.
_UNTOLD_PART: Final = Decimal("0.02")
_STEADY: Final = 2
_STEADY_MIN: Final = 3


def is_coarse(evidence: MeterEvidence) -> bool:
    """Return True when registers are told in whole kWh: a step may then be 1000 Wh.

    That is when all values are, or all of several samples: start and stop may be told finer.
    """
    samples = [reading.value_wh for reading in evidence.samples]
    if any(value % _THOUSAND for value in samples):  # nearly always, and seen at the first
        return False
    if len(samples) >= _PAIR:
        return True
    anchors = [
        reading.value_wh
        for series in (
            evidence.declared_start,
            evidence.begins,
            evidence.declared_stop,
            evidence.ends,
        )
        for reading in series
    ]
    is_several = len(anchors) + len(samples) >= _PAIR
    return is_several and not any(value % _THOUSAND for value in anchors)


def physics_flags(
    counted: Sequence[Counted],
    powers: Sequence[PowerReading],
    limit: PowerLimit,
    *,
    is_one_phase: bool = False,
) -> set[str]:
    """Return what contradicts the energy of *counted*: the connector's power, or that measured.

    *is_one_phase*: a register of one phase stands for the total, which three times as much may be.
    """
    flags: set[str] = set()
    first, last = counted[0].reading.at, counted[-1].reading.at
    energy = counted[-1].energy_wh
    if not _is_deliverable(counted, limit):
        flags.add(Flag.ENERGY_IMPLAUSIBLE)
    inside = powers[bisect_left(powers, first, key=_AT) : bisect_right(powers, last, key=_AT)]
    if len(inside) < _PAIR:  # an integral needs two readings
        return flags
    is_taken = _lowest(inside) >= _ZERO  # nearly always
    flowed = _integral(inside, add) / 2 if is_taken else _integral(inside, _mean_taken)
    measured = _over_all(flowed, inside, first, last)
    if measured is None:
        return flags
    if energy >= _POWER_MIN_WH and _is_like(energy, measured * _THOUSAND):
        is_beyond = Flag.ENERGY_IMPLAUSIBLE in flags
        flags.add(Flag.UNIT_SUSPECT if is_beyond else Flag.POWER_UNIT_SUSPECT)
    elif measured >= _POWER_MIN_WH and _is_like(energy * _THOUSAND, measured):
        flags.add(Flag.UNIT_SUSPECT)
    elif (
        _is_against(counted, inside, flowed, limit)
        or _is_beyond_steady(counted, inside, limit)
        or (is_one_phase and flowed >= _POWER_MIN_WH and flowed > energy * _PHASES_TIMES)
    ):
        flags.add(Flag.ENERGY_AGAINST_POWER)
    return flags


def is_against_readings(
    energy_wh: Decimal, intervals: Sequence[RegisterReading], others: Sequence[RegisterReading]
) -> bool:
    """Return True when what was told beside the register is far more than *energy_wh*.

    That are the *intervals* of the session, of which the first may have begun before it, and what
    *others*, readings of some other register, rose by.
    """
    summed = _sum_of(intervals if energy_wh == 0 else intervals[1:])
    risen = others[-1].value_wh - others[0].value_wh if others else _ZERO
    told = max(summed, risen)
    return told >= _POWER_MIN_WH and told > energy_wh * _TOLD_TIMES


def _is_deliverable(counted: Sequence[Counted], limit: PowerLimit) -> bool:
    """Return False when between any two readings, near or far, more came than power can bring.

    Energy less what full power brings may nowhere rise by more than the slack: so the slack is
    given once for any two readings, not once for each step.
    """
    if counted[-1].energy_wh <= limit.slack_wh:
        return True  # all of it together is not more than that
    first, lowest = counted[0].reading.at, counted[0].energy_wh
    for each in counted:
        level = each.energy_wh - limit.steady_wh(first, each.reading.at)
        if level - lowest > limit.slack_wh:
            return False
        lowest = min(lowest, level)
    return True


def _is_like(value: Decimal, other: Decimal) -> bool:
    low, high = _LIKE
    return other * low <= value <= other * high


def _over_all(
    flowed_wh: Decimal, inside: Sequence[PowerReading], started_at: datetime, ended_at: datetime
) -> Decimal | None:
    """Return the energy of a session by the power that *flowed_wh* is of; None: of less than half.

    Each reading stands for the time to the next one, the last for as long as the others do.
    """
    covered = _seconds(inside[0].at, inside[-1].at)
    whole = _seconds(started_at, ended_at)
    if whole <= 0 or 2 * covered * len(inside) < whole * (len(inside) - 1):
        return None
    # The time that no reading covers is taken to be like the time that they do.
    return flowed_wh * whole / covered


def _mean_taken(one: Decimal, other: Decimal) -> Decimal:
    return (max(one, _ZERO) + max(other, _ZERO)) / 2


def _integral(
    powers: Sequence[PowerReading], between: Callable[[Decimal, Decimal], Decimal]
) -> Decimal:
    """Return the energy in Wh when the power between two readings is as *between* says."""
    watt_seconds = _ZERO
    at, power_w = powers[0].at, powers[0].power_w
    for each in powers[1:]:
        gap = each.at - at
        watt_seconds += between(power_w, each.power_w) * (gap.days * 86_400 + gap.seconds)
        at, power_w = each.at, each.power_w
    return watt_seconds / _HOUR_S


def _is_against(
    counted: Sequence[Counted],
    powers: Sequence[PowerReading],
    flowed_wh: Decimal,
    limit: PowerLimit,
) -> bool:
    """Return True when the register rose far more, or far less, than all power between its ends.

    From one power reading to the next at least the lower of both flowed and at most the higher;
    what is too low for a vehicle that charges may be a sensor's zero. *flowed_wh* is their mean.
    What a vehicle gives back is no energy that it takes, and what the register rises by meanwhile
    is none of its own.
    """
    first, last = powers[0].at, powers[-1].at
    begins, after = (bisect_left(counted, at, key=_READ_AT) for at in (first, last))
    before, until = (bisect_right(counted, at, key=_READ_AT) - 1 for at in (first, last))
    low = counted[until].energy_wh - counted[begins].energy_wh if begins <= until else _ZERO
    low -= limit.tolerance_wh
    high = counted[after].energy_wh - counted[before].energy_wh + limit.tolerance_wh
    # Without power that is given back the mean lies between the two: it mostly settles it.
    if low <= flowed_wh * _TIMES and high * _TIMES >= flowed_wh and _lowest(powers) >= _ZERO:
        return False
    most = _integral(powers, lambda *both: max(*both, _ZERO))
    least = _integral(powers, lambda *both: min(both) if min(both) >= _CHARGING_W else _ZERO)
    given = _integral(powers, lambda *both: -max(both) if max(both) <= -_CHARGING_W else _ZERO)
    is_more = max(most, given) >= _POWER_MIN_WH and low > max(most * _TIMES, _POWER_MIN_WH)
    is_less = least >= _POWER_MIN_WH and high * _TIMES < least
    return is_more or is_less


def _lowest(powers: Sequence[PowerReading]) -> Decimal:
    return min([power.power_w for power in powers])


def _is_beyond_steady(
    counted: Sequence[Counted], powers: Sequence[PowerReading], limit: PowerLimit
) -> bool:
    """Return True when one rise is far beyond a power that hardly changes all along."""
    most = max([power.power_w for power in powers])
    if len(powers) < _STEADY_MIN or _lowest(powers) * _STEADY <= most:
        return False
    steady = PowerLimit(most * _TIMES, coarse=limit.coarse)
    energies = [each.energy_wh for each in counted]
    if max(map(sub, energies[1:], energies), default=_ZERO) <= steady.slack_wh:
        return False
    return any(
        later.energy_wh - earlier.energy_wh
        > steady.energy_max_wh(earlier.reading.at, later.reading.at)
        for earlier, later in pairwise(counted)
    )


def _seconds(earlier: datetime, later: datetime) -> int:
    gap = later - earlier
    return gap.days * 86_400 + gap.seconds


def sum_intervals(
    evidence: MeterEvidence,
    started_at: datetime,
    ended_at: datetime | None,
    limit: PowerLimit,
    *,
    until: datetime | None,
) -> Metered:
    """Return the energy of a session whose station sends intervals instead of a register.

    Each interval ends at its time. A gap is longer than one and a half usual distances, or a time
    before the stop in which much would be drawn if it went on as in the last interval; and there
    is one where more is told by the clock than is told by sampling. One of the stop that is no
    less than several before it may be their sum. Those of an open session after *until* are not
    its own.
    """
    bound = ended_at or until
    inside = intervals_between(evidence.intervals, started_at, bound)
    flags = set(evidence.flags)
    if not inside:
        flags |= {Flag.START_READING_MISSING, Flag.STOP_READING_MISSING}
        return Metered(flags=frozenset(flags))
    flags.add(Flag.INTERVALS_SUMMED)
    if not limit.is_one_moment(evidence.spread_wh):
        flags.add(Flag.READINGS_OF_ONE_MOMENT)
    anchor = RegisterReading(started_at, Decimal(0), inside[0].position, inside[0].line)
    counted = [Counted(anchor, Decimal(0))]
    for reading in inside:
        energy = counted[-1].energy_wh + reading.value_wh
        counted.append(Counted(replace(reading, value_wh=energy), energy))
    last = counted[-1]
    if ended_at is not None and last.reading.at < ended_at:
        counted.append(Counted(replace(last.reading, at=ended_at), last.energy_wh))
    again = intervals_between(evidence.told_again, started_at, bound)
    is_more_told = _sum_of(again[1:]) > last.energy_wh + limit.tolerance_wh
    moments = [started_at, *(r.at for r in inside)]
    is_untold = ended_at is not None and _is_untold(inside[-1], moments[-2], ended_at, last)
    is_doubtful = is_more_told or is_untold or _may_be_sum(inside, evidence.last_intervals)
    if is_doubtful or _has_gap(moments, ended_at):
        flags.add(Flag.INTERVAL_GAP)
    is_one_phase = Flag.SINGLE_PHASE_REGISTER in flags
    flags |= physics_flags(counted, evidence.powers, limit, is_one_phase=is_one_phase)
    return Metered(energy_wh=last.energy_wh, counted=tuple(counted), flags=frozenset(flags))


def intervals_between(
    intervals: Sequence[RegisterReading], started_at: datetime, bound: datetime | None
) -> Sequence[RegisterReading]:
    """Return *intervals* that end after the start, and not after *bound* where there is one."""
    return [
        reading
        for reading in intervals
        if started_at < reading.at and (bound is None or reading.at <= bound)
    ]


def _is_untold(
    interval: RegisterReading, begins: datetime, ended_at: datetime, last: Counted
) -> bool:
    """Return True when much would be drawn after the last *interval* if it went on as in it."""
    seconds = _seconds(begins, interval.at)
    drawn_ws = interval.value_wh * _seconds(interval.at, ended_at)
    least_wh = max(_POWER_MIN_WH, last.energy_wh * _UNTOLD_PART)
    return seconds > 0 and drawn_ws > least_wh * seconds


def _may_be_sum(inside: Sequence[RegisterReading], last: Sequence[RegisterReading]) -> bool:
    """Return True when one of *last* may tell the whole session, the sum of those before it."""
    of_stop = frozenset(last)
    before = [each for each in inside if each not in of_stop]
    summed = _sum_of(before)
    if not of_stop or len(before) < _PAIR or summed == 0:
        return False
    return any(each.value_wh >= summed for each in inside if each in of_stop)


def _sum_of(intervals: Sequence[RegisterReading]) -> Decimal:
    return sum([each.value_wh for each in intervals], _ZERO)


def _has_gap(moments: Sequence[datetime], ended_at: datetime | None) -> bool:
    gaps = [_seconds(earlier, later) for earlier, later in pairwise(moments)]
    # The median: one gap must not become what is usual.
    usual = sorted(gaps)[len(gaps) // 2]
    if ended_at is not None:
        gaps.append(_seconds(moments[-1], ended_at))
    return max(gaps) > usual * _SPACING_MAX
