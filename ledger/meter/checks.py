"""Checks of a session's energy against physics, and the energy of interval series."""

from __future__ import annotations

from collections.abc import Sequence
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


def is_coarse(evidence: MeterEvidence) -> bool:
    """Return True when all register values are whole kWh: a step may then be 1000 Wh."""
    values = [
        reading.value_wh
        for series in (evidence.declared_start, evidence.declared_stop, evidence.samples)
        for reading in series
    ]
    return bool(values) and all(value % _THOUSAND == 0 for value in values)


def physics_flags(
    energy_wh: Decimal,
    started_at: datetime,
    ended_at: datetime,
    powers: Sequence[PowerReading],
    limit: PowerLimit,
) -> set[str]:
    """Return what contradicts *energy_wh*: the connector's power, or the power measured."""
    flags: set[str] = set()
    if energy_wh > limit.energy_max_wh(started_at, ended_at):
        flags.add(Flag.ENERGY_IMPLAUSIBLE)
    measured = _power_integral(powers, started_at, ended_at)
    if measured is not None and measured >= _POWER_MIN_WH:
        is_beyond = Flag.ENERGY_IMPLAUSIBLE in flags
        if _is_like(energy_wh * _THOUSAND, measured) or (
            is_beyond and _is_like(energy_wh, measured * _THOUSAND)
        ):
            flags.add(Flag.UNIT_SUSPECT)
    elif measured and _is_like(energy_wh, measured * _THOUSAND) and energy_wh >= _POWER_MIN_WH:
        implausible = Flag.ENERGY_IMPLAUSIBLE in flags
        flags.add(Flag.UNIT_SUSPECT if implausible else Flag.POWER_UNIT_SUSPECT)
    return flags


def _is_like(value: Decimal, other: Decimal) -> bool:
    low, high = _LIKE
    return other * low <= value <= other * high


def _power_integral(
    powers: Sequence[PowerReading], started_at: datetime, ended_at: datetime
) -> Decimal | None:
    """Return the energy that the power readings show, None when they cover less than half."""
    inside = [power for power in powers if started_at <= power.at <= ended_at]
    if len(inside) < 2:  # noqa: PLR2004 - an integral needs two readings
        return None
    covered = _seconds(inside[-1].at - inside[0].at)
    whole = _seconds(ended_at - started_at)
    if whole <= 0 or covered < whole * _COVERED_MIN:
        return None
    watt_seconds = sum(
        ((a.power_w + b.power_w) / 2 * _seconds(b.at - a.at) for a, b in pairwise(inside)),
        Decimal(0),
    )
    # The time that no reading covers is taken to be like the time that they do.
    return watt_seconds / _HOUR_S * whole / covered


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
    end = ended_at or last.reading.at
    flags |= physics_flags(last.energy_wh, started_at, end, evidence.powers, limit)
    return Metered(energy_wh=last.energy_wh, counted=tuple(counted), flags=frozenset(flags))


def _has_gap(moments: Sequence[datetime], ended_at: datetime | None) -> bool:
    gaps = [_seconds(b - a) for a, b in pairwise(moments)]
    # The median: one gap must not become what is usual.
    usual = sorted(gaps)[len(gaps) // 2]
    if ended_at is not None:
        gaps.append(_seconds(ended_at - moments[-1]))
    return max(gaps) > usual * _SPACING_MAX
