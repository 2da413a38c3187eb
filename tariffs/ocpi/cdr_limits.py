"""What no session can have used: such a CDR is refused, or noted where a volume only looks odd."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from tariffs.cdr.cdr import ChargingPeriod

# 1 TWh and 2 years: beyond, a number is a mistake. What a tariff of 1,440 windows a day has to be
# cut into meanwhile takes seconds and 100 MB, once.
ENERGY_KWH_MAX: Final = Decimal(10**9)
HOURS_MAX: Final = Decimal(17_544)
DURATION_MAX: Final = timedelta(days=731)
# What a duration may be off by rounding: 0.01 h, or what a clock's seconds may.
_SLACK_S: Final = 37


def is_beyond(starts_at: datetime, ends_at: datetime) -> bool:
    """Tell whether a session runs backwards, or for more than two years."""
    return not timedelta(0) <= ends_at - starts_at <= DURATION_MAX


class OddVolume(msgspec.Struct, frozen=True):
    """A volume that does not fit its period, or (then `is_impossible`) any session."""

    index: int
    why: str
    is_impossible: bool


def odd_volume(periods: Sequence[ChargingPeriod], ends_at: datetime) -> OddVolume | None:
    """Return the last volume that is odd."""
    ends = ends_at
    # From the end: a period ends where the one behind it starts.
    for index in range(len(periods) - 1, -1, -1):
        period = periods[index]
        energy, longest = period.energy, period.time
        if energy is not None and energy > ENERGY_KWH_MAX:
            return OddVolume(index, f"{energy} kWh are too many for a session", True)
        for hours in (period.parking_time, period.reservation_time):
            if hours is not None and (longest is None or hours > longest):
                longest = hours
        if longest is not None:
            lasts = ends - period.starts_at
            if longest * 3600 > lasts.days * 86_400 + lasts.seconds + _SLACK_S:
                return _odd_hours(index, longest)
        ends = period.starts_at
    return None


def _odd_hours(index: int, hours: Decimal) -> OddVolume:
    if hours > HOURS_MAX:
        return OddVolume(index, f"{hours} hours are too many for a session", True)
    return OddVolume(index, f"{hours} hours are more than the period lasts", False)
