"""What no session can have used: such a CDR is refused, or noted where a volume only looks odd."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from tariffs.cdr import ChargingPeriod

# 1 TWh and 10 years: beyond, a number is a mistake.
ENERGY_KWH_MAX: Final = Decimal(10**9)
HOURS_MAX: Final = Decimal(87_840)
DURATION_MAX: Final = timedelta(days=3660)
# What a duration may be off by rounding: 0.01 h, or what a clock's seconds may.
_SLACK: Final = timedelta(seconds=37)
_HOUR: Final = timedelta(hours=1)


def is_beyond(starts_at: datetime, ends_at: datetime) -> bool:
    """Tell whether a session runs backwards, or for more than ten years."""
    return not timedelta(0) <= ends_at - starts_at <= DURATION_MAX


class OddVolume(msgspec.Struct, frozen=True):
    """A volume that does not fit its period, or (then `is_impossible`) any session."""

    index: int
    why: str
    is_impossible: bool


def odd_volume(periods: Sequence[ChargingPeriod], ends_at: datetime) -> OddVolume | None:
    """Return the first volume that is odd."""
    last = len(periods) - 1
    for index, period in enumerate(periods):
        ends = ends_at if index == last else periods[index + 1].starts_at
        longest = None
        for hours in (period.time, period.parking_time, period.reservation_time):
            if hours is not None and (longest is None or hours > longest):
                longest = hours
        if period.energy is not None and period.energy > ENERGY_KWH_MAX:
            return OddVolume(index, f"{period.energy} kWh are too many for a session", True)
        if longest is None:
            continue
        if longest > HOURS_MAX:
            return OddVolume(index, f"{longest} hours are too many for a session", True)
        if longest * 3600 > _seconds(ends - period.starts_at + _SLACK):
            return OddVolume(index, f"{longest} hours are more than the period lasts", False)
    return None


def _seconds(duration: timedelta) -> int:
    return duration.days * 86_400 + duration.seconds
