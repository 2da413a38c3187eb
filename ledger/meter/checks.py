"""Checks of a session's energy against physics, and the energy of interval series."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final

from ledger.facts.flags import Flag
from ledger.meter.evidence import MeterEvidence, PowerReading
from ledger.meter.series import Counted, Metered, PowerLimit, RegisterReading

_SECOND: Final = timedelta(seconds=1)
_THOUSAND: Final = Decimal(1000)
_POWER_MIN_WH: Final = Decimal(100)
_COVERED_MIN: Final = Decimal("0.5")
# Wide, as power is sampled now and then; a wrong unit is off by 1000.
_LIKE: Final = (Decimal("0.5"), Decimal(2))
_HOUR_S: Final = Decimal(3600)
_SPACING_MAX: Final = Decimal("1.5")
_ZERO: Final = Decimal(0)
# Stations tell one phase's power for three; a register that is ten times wrong is far beyond that.
_TIMES: Final = 5
_CHARGING_W: Final = 500
_STEADY: Final = 2
_STEADY_MIN: Final = 3


def is_coarse(evidence: MeterEvidence) -> bool:
    """Return True when registers are told in whole kWh: a step may then be 1000 Wh.

    That is when all values are, or all of several samples: start and stop may be told finer.
    """
    samples = [reading.value_wh for reading in evidence.samples]
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
    return any(
        len(told) > 1 and all(value % _THOUSAND == 0 for value in told)
        for told in ([*anchors, *samples], samples)
    )


def physics_flags(
    counted: Sequence[Counted], powers: Sequence[PowerReading], limit: PowerLimit
) -> set[str]:
    """Return what contradicts the energy of *counted*: the connector's power, or that measured."""
    flags: set[str] = set()
    first, last = counted[0].reading.at, counted[-1].reading.at
    energy = counted[-1].energy_wh
    if not _is_deliverable(counted, limit):
        flags.add(Flag.ENERGY_IMPLAUSIBLE)
    inside = [power for power in powers if first <= power.at <= last]
    measured = _power_integral(inside, first, last)
    if measured is None:
        return flags
    if energy >= _POWER_MIN_WH and _is_like(energy, measured * _THOUSAND):
        is_beyond = Flag.ENERGY_IMPLAUSIBLE in flags
        flags.add(Flag.UNIT_SUSPECT if is_beyond else Flag.POWER_UNIT_SUSPECT)
    elif measured >= _POWER_MIN_WH and _is_like(energy * _THOUSAND, measured):
        flags.add(Flag.UNIT_SUSPECT)
    elif _is_against(counted, inside, limit) or _is_against_steady(counted, inside, limit):
        flags.add(Flag.ENERGY_AGAINST_POWER)
    return flags


def _is_deliverable(counted: Sequence[Counted], limit: PowerLimit) -> bool:
    """Return False when between any two readings, near or far, more came than power can bring.

    Energy less what full power brings may nowhere rise by more than the slack: so the slack is
    given once for any two readings, not once for each step.
    """
    first, lowest = counted[0].reading.at, counted[0].energy_wh
    for reading, energy_wh in counted:
        level = energy_wh - limit.steady_wh(first, reading.at)
        if level - lowest > limit.slack_wh:
            return False
        lowest = min(lowest, level)
    return True


def _is_like(value: Decimal, other: Decimal) -> bool:
    low, high = _LIKE
    return other * low <= value <= other * high


def _power_integral(
    inside: Sequence[PowerReading], started_at: datetime, ended_at: datetime
) -> Decimal | None:
    """Return the energy that the power readings show, None when they cover less than half.

    Each stands for the time to the next one, the last for as long as the others do.
    """
    if len(inside) < 2:  # noqa: PLR2004 - an integral needs two readings
        return None
    covered = _seconds(inside[-1].at - inside[0].at)
    whole = _seconds(ended_at - started_at)
    if whole <= 0 or covered * len(inside) / (len(inside) - 1) < whole * _COVERED_MIN:
        return None
    # The time that no reading covers is taken to be like the time that they do.
    return _integral(inside, lambda one, other: (one + other) / 2) * whole / covered


def _integral(
    powers: Sequence[PowerReading], between: Callable[[Decimal, Decimal], Decimal]
) -> Decimal:
    """Return the energy in Wh when the power between two readings is as *between* says."""
    watt_seconds = sum(
        (between(a.power_w, b.power_w) * _seconds(b.at - a.at) for a, b in pairwise(powers)),
        _ZERO,
    )
    return watt_seconds / _HOUR_S


def _is_against(
    counted: Sequence[Counted], powers: Sequence[PowerReading], limit: PowerLimit
) -> bool:
    """Return True when the register rose far more, or far less, than all power between its ends.

    From one power reading to the next at least the lower of both flowed and at most the higher;
    what is too low for a vehicle that charges may be a sensor's zero.
    """
    first, last = powers[0].at, powers[-1].at
    most = _integral(powers, max)
    least = _integral(powers, lambda *both: min(both) if min(both) >= _CHARGING_W else _ZERO)
    inner = [energy for reading, energy in counted if first <= reading.at <= last]
    before = [energy for reading, energy in counted if reading.at <= first]
    after = [energy for reading, energy in counted if reading.at >= last]
    low = inner[-1] - inner[0] if inner else _ZERO
    high = after[0] - before[-1]
    is_more = most >= _POWER_MIN_WH and low - limit.tolerance_wh > most * _TIMES
    is_less = least >= _POWER_MIN_WH and (high + limit.tolerance_wh) * _TIMES < least
    return is_more or is_less


def _is_against_steady(
    counted: Sequence[Counted], powers: Sequence[PowerReading], limit: PowerLimit
) -> bool:
    """Return True when one rise is far beyond a power that hardly changes all along."""
    values = [power.power_w for power in powers]
    most = max(values)
    if len(values) < _STEADY_MIN or min(values) * _STEADY <= most:
        return False
    steady = PowerLimit(most * _TIMES, limit.coarse)
    return any(
        later.energy_wh - earlier.energy_wh
        > steady.energy_max_wh(earlier.reading.at, later.reading.at)
        for earlier, later in pairwise(counted)
    )


def _seconds(gap: timedelta) -> Decimal:
    return Decimal(gap // _SECOND)


def sum_intervals(
    evidence: MeterEvidence, started_at: datetime, ended_at: datetime | None, limit: PowerLimit
) -> Metered:
    """Return the energy of a session whose station sends intervals instead of a register.

    Each interval ends at its time. A gap is longer than one and a half usual distances.
    """
    inside = [
        reading
        for reading in evidence.intervals
        if started_at < reading.at and (ended_at is None or reading.at <= ended_at)
    ]
    flags = set(evidence.flags)
    if not inside:
        flags |= {Flag.START_READING_MISSING, Flag.STOP_READING_MISSING}
        return Metered(flags=frozenset(flags))
    flags.add(Flag.INTERVALS_SUMMED)
    anchor = RegisterReading(started_at, Decimal(0), inside[0].position, inside[0].line)
    counted = [Counted(anchor, Decimal(0))]
    for reading in inside:
        energy = counted[-1].energy_wh + reading.value_wh
        counted.append(Counted(reading._replace(value_wh=energy), energy))
    last = counted[-1]
    if ended_at is not None and last.reading.at < ended_at:
        counted.append(Counted(last.reading._replace(at=ended_at), last.energy_wh))
    if _has_gap([started_at, *(r.at for r in inside)], ended_at):
        flags.add(Flag.INTERVAL_GAP)
    flags |= physics_flags(counted, evidence.powers, limit)
    return Metered(energy_wh=last.energy_wh, counted=tuple(counted), flags=frozenset(flags))


def _has_gap(moments: Sequence[datetime], ended_at: datetime | None) -> bool:
    gaps = [_seconds(b - a) for a, b in pairwise(moments)]
    # The median: one gap must not become what is usual.
    usual = sorted(gaps)[len(gaps) // 2]
    if ended_at is not None:
        gaps.append(_seconds(ended_at - moments[-1]))
    return max(gaps) > usual * _SPACING_MAX
