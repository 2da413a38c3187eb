"""Restrictions, compiled: which elements may apply at an instant, as bit masks.

Bit i of a mask stands for element i. What depends on the clock is asked instant by instant (see
`tariffs.model.periods`); what depends on a growing or measured quantity is a table of bands.
Source: OCPI 2.3.0, mod_tariffs, TariffRestrictions; notes on open questions in ARCHITECTURE.md.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from itertools import accumulate
from operator import xor

import msgspec

from tariffs.model.tariff import WEEKDAYS, Restrictions, TariffElement
from tariffs.quantities import EXACT
from tariffs.taxes.taxes import ENERGY_UNITS_PER_KWH

MIDNIGHT = time(0)
SECOND_US = 1_000_000

# Power and current are compared in thousandths of a watt and of an ampere.
_MILLI_PER_KW = 1_000_000
_MILLI_PER_A = 1_000


def clock_applies(restrictions: Restrictions, local: datetime) -> bool:
    """Tell whether *restrictions* allow the wall clock, date and weekday of *local*."""
    return date_applies(restrictions, local.date()) and _time_applies(
        restrictions.start_time, restrictions.end_time, local.time()
    )


def date_applies(restrictions: Restrictions, today: date) -> bool:
    """Tell whether *restrictions* allow the date and weekday of *today*."""
    if restrictions.start_date is not None and today < restrictions.start_date:
        return False
    if restrictions.end_date is not None and today >= restrictions.end_date:
        return False
    days, holidays = restrictions.day_of_week, restrictions.holidays
    if (days or holidays) and not (WEEKDAYS[today.weekday()] in days or today in holidays):
        return False
    return _season_applies(restrictions.season_start, restrictions.season_end, today)


def asks_for_date(restrictions: Restrictions) -> bool:
    """Tell whether it hangs on the date at all what *restrictions* allow."""
    seasons = restrictions.season_start, restrictions.season_end
    by_date = restrictions.start_date, restrictions.end_date, *seasons
    return any(by_date) or bool(restrictions.day_of_week or restrictions.holidays)


def _season_applies(start: str | None, end: str | None, today: date) -> bool:
    """Tell whether *today* lies in the season, which may reach over the end of the year."""
    if start is None or end is None:
        return True
    # MM-DD compares as text, and 02-29 keeps its place in years that have no such day.
    now = f"{today:%m-%d}"
    return start <= now < end if start < end else now >= start or now < end


def _time_applies(start: time | None, end: time | None, now: time) -> bool:
    """Tell whether *now* lies in [start, end); equal ends are the whole day."""
    if start is None or end is None or end == MIDNIGHT:
        return (start is None or now >= start) and (end is None or end == MIDNIGHT or now < end)
    if start < end:
        return start <= now < end
    return now >= start or now < end


class TimesOfDay(msgspec.Struct, frozen=True):
    """The elements that the time of day allows: `masks[i]` from `times[i]` until the next one."""

    times: tuple[time, ...]
    masks: tuple[int, ...]

    def mask_at(self, now: time) -> int:
        """Return the elements allowed at *now*."""
        return self.masks[bisect_right(self.times, now) - 1]


def times_of_day(all_of: Sequence[Restrictions]) -> TimesOfDay:
    """Build the times of day of elements, each looked at once: what begins or ends is turned."""
    turned = {MIDNIGHT: 0}
    for i, each in enumerate(all_of):
        for at in _turns(each.start_time, each.end_time):
            turned[at] = turned.get(at, 0) ^ 1 << i
    times = sorted(turned)
    masks = accumulate((turned[at] for at in times), xor)
    return TimesOfDay(tuple(times), tuple(masks))


def _turns(start: time | None, end: time | None) -> tuple[time, ...]:
    """Return when in a day `_time_applies` begins or ceases to hold, from none at midnight on."""
    first = MIDNIGHT if start is None else start
    if end is None or end == MIDNIGHT:
        return (first,)
    if first == end:
        return (MIDNIGHT,)
    return (first, end) if first < end else (MIDNIGHT, end, first)


def clock_boundaries(restrictions: Restrictions) -> set[time]:
    """Return the local times of day at which *restrictions* may begin or cease to hold."""
    boundaries = {t for t in (restrictions.start_time, restrictions.end_time) if t is not None}
    by_day = (
        restrictions.day_of_week,
        restrictions.holidays,
        restrictions.season_start,
        restrictions.start_date,
        restrictions.end_date,
    )
    if boundaries or any(by_day):
        # Dates and weekdays change there, and a window without an end ends there.
        boundaries.add(MIDNIGHT)
    return boundaries


class Bands(msgspec.Struct, frozen=True):
    """The elements allowed by the bands of one quantity.

    `masks[i]` holds from `thresholds[i - 1]` until `thresholds[i]`; `unrestricted` are the
    elements that do not ask for the quantity.
    """

    thresholds: tuple[int, ...]
    masks: tuple[int, ...]
    unrestricted: int

    def mask_at(self, value: int) -> int:
        """Return the elements allowed at *value*."""
        return self.masks[bisect_right(self.thresholds, value)]


def bands_of(ranges: Sequence[tuple[int | None, int | None]]) -> Bands | None:
    """Build the bands of one quantity from each element's (min, max); None if none is bounded."""
    # A bound of 0 divides nothing: every quantity begins there.
    thresholds = sorted({bound for pair in ranges for bound in pair if bound})
    if not any(bound is not None for pair in ranges for bound in pair):
        return None
    masks = _masks(ranges, thresholds)
    unrestricted = sum(1 << i for i, pair in enumerate(ranges) if pair == (None, None))
    return Bands(tuple(thresholds), masks, unrestricted)


def _masks(
    ranges: Sequence[tuple[int | None, int | None]], thresholds: Sequence[int]
) -> tuple[int, ...]:
    """Return the elements allowed at 0 and from each threshold on.

    What begins or ends at a value is turned there, so each element is looked at once.
    """
    turned, mask = dict.fromkeys((0, *thresholds), 0), 0
    for i, (low, high) in enumerate(ranges):
        if low is not None and high is not None and low >= high:
            continue  # it never applies
        if low is None:
            mask |= 1 << i
        else:
            turned[low] ^= 1 << i
        if high is not None:
            turned[high] ^= 1 << i
    allowed = {}
    for value in sorted(turned):
        mask ^= turned[value]
        allowed[value] = mask
    return tuple(allowed[value] for value in (0, *thresholds))


class QuantityBands(msgspec.Struct, frozen=True):
    """The bands of every quantity that restrictions name.

    Duration in microseconds, energy in 1e-9 Wh; power and current, each for its lower and upper
    bounds (a CDR states both ends of what it measured), in mW and mA.
    """

    duration: Bands | None
    energy: Bands | None
    min_power: Bands | None
    max_power: Bands | None
    min_current: Bands | None
    max_current: Bands | None

    @property
    def measured(self) -> bool:
        """Tell whether any element asks for power or current."""
        return any((self.min_power, self.max_power, self.min_current, self.max_current))


def quantity_bands(elements: Sequence[TariffElement]) -> QuantityBands:
    """Compile the bands of all *elements*."""
    all_of = [element.restrictions for element in elements]

    def lower(bound: Callable[[Restrictions], int | None]) -> Bands | None:
        return bands_of([(bound(r), None) for r in all_of])

    def upper(bound: Callable[[Restrictions], int | None]) -> Bands | None:
        return bands_of([(None, bound(r)) for r in all_of])

    return QuantityBands(
        duration=bands_of(
            [(_times(r.min_duration), _times(r.max_duration)) for r in all_of],
        ),
        energy=bands_of(
            [
                (_units(r.min_kwh, ENERGY_UNITS_PER_KWH), _units(r.max_kwh, ENERGY_UNITS_PER_KWH))
                for r in all_of
            ],
        ),
        min_power=lower(lambda r: _units(r.min_power, _MILLI_PER_KW)),
        max_power=upper(lambda r: _units(r.max_power, _MILLI_PER_KW)),
        min_current=lower(lambda r: _units(r.min_current, _MILLI_PER_A)),
        max_current=upper(lambda r: _units(r.max_current, _MILLI_PER_A)),
    )


def _times(seconds: int | None) -> int | None:
    return None if seconds is None else seconds * SECOND_US


def _units(value: Decimal | None, per_unit: int) -> int | None:
    """Return *value* in whole units; a bound finer than a unit is raised to the next one."""
    if value is None:
        return None
    product = EXACT.multiply(value, Decimal(per_unit))
    whole = int(product)
    return whole if whole == product else whole + 1
