"""Charging periods in OCPI's numbers: kWh and hours of four decimals, moments of milliseconds.

What is cut within two readings has as many digits as the clock; OCPI's numbers have four decimals
and its moments 25 characters. `TIDY` keeps to that: a moment moves by less than a millisecond, the
energy before it by at most 0.05 Wh, and the last period has the rest, so that the sum stays exact.
`EXACT` keeps every digit, for the rare session whose total a rounded cut would move by a cent.

Source: OCPI 2.2.1, types (number, DateTime); mod_cdrs, ChargingPeriod and CdrDimension.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from enum import Enum
from itertools import pairwise
from typing import Final, NamedTuple

from tariffs.cdr.cdr import ChargingPeriod
from tariffs.cdr.cut import CutPeriod
from tariffs.model.usage import Activity, microseconds, moment_of
from tariffs.quantities import EXACT as EXACTLY
from tariffs.quantities import RoundingMode, decimal_of_ratio, plain, round_ratio

_WH_PER_KWH: Final = 3
_HOUR_US: Final = 3_600_000_000
_MILLI_US: Final = 1_000


class _Digits(NamedTuple):
    hours: int
    kwh: int | None
    instant_us: int


class Fineness(Enum):
    """How many digits periods have."""

    TIDY = _Digits(hours=4, kwh=4, instant_us=_MILLI_US)
    EXACT = _Digits(hours=9, kwh=None, instant_us=1)


def charging_periods(
    cuts: Sequence[CutPeriod], ends_at: datetime, fineness: Fineness
) -> tuple[ChargingPeriod, ...]:
    """Return the *cuts* of a session that ended at *ends_at* as periods; TIME is always said."""
    digits = fineness.value
    end, first = (
        at // digits.instant_us * digits.instant_us
        for at in (microseconds(ends_at), microseconds(cuts[0].starts_at))
    )
    # Upwards: a threshold is not said to be reached before it is. The start is the session's own.
    instants = [first]
    for cut in cuts[1:]:
        at = -(-microseconds(cut.starts_at) // digits.instant_us) * digits.instant_us
        instants.append(min(max(at, first), end))
    energies = _energies(cuts, digits.kwh)
    return tuple(
        _period(moment_of(at), until - at, energy, cut.activity, digits.hours)
        for (at, until), energy, cut in zip(pairwise([*instants, end]), energies, cuts, strict=True)
    )


def hours_of(lasts_us: int, decimals: int) -> Decimal:
    """Return a duration in hours, rounded half up to so many *decimals*."""
    rounded = round_ratio(lasts_us * 10**decimals, _HOUR_US, RoundingMode.HALF_UP)
    return plain(Decimal(rounded).scaleb(-decimals, EXACTLY))


def _energies(cuts: Sequence[CutPeriod], decimals: int | None) -> list[Decimal]:
    """Return kWh that add up to the session's; each cut's register is rounded, not each share."""
    registers, total = [Decimal(0)], Decimal(0)
    for cut in cuts:
        total = EXACTLY.add(total, EXACTLY.scaleb(cut.energy_wh, -_WH_PER_KWH))
        registers.append(total)
    if len(cuts) == 1:
        return [plain(total)]
    if decimals is not None:
        for index in range(1, len(cuts)):
            ratio = registers[index].as_integer_ratio()
            rounded = round_ratio(ratio[0] * 10**decimals, ratio[1], RoundingMode.HALF_UP)
            registers[index] = min(decimal_of_ratio(rounded, 10**decimals), total)
    return [plain(EXACTLY.subtract(after, before)) for before, after in pairwise(registers)]


def _period(
    starts_at: datetime, lasts_us: int, energy: Decimal, activity: Activity, decimals: int
) -> ChargingPeriod:
    hours = hours_of(lasts_us, decimals)
    # Where nothing flowed there is nothing to say, but for a vehicle that was charging.
    said = energy if energy or activity is Activity.CHARGING else None
    return ChargingPeriod(
        starts_at=starts_at,
        energy=said,
        time=hours if activity is Activity.CHARGING else None,
        parking_time=hours if activity is Activity.PARKING else None,
        reservation_time=hours if activity is Activity.RESERVATION else None,
    )
