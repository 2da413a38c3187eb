"""What of a tariff can ever hold: every set of elements that some instant of some session allows.

The wall clock is asked at each boundary of each kind of day, each quantity in each of its bands,
and all are combined, as if kWh, duration, power and current were independent.
"""

from __future__ import annotations

from calendar import isleap
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Final

import msgspec

from tariffs.calendar.circumstances import bands_along
from tariffs.calendar.week import (
    AT_START,
    Circumstances,
    WeekCalendar,
    quantity_mask,
    week_calendar,
)
from tariffs.kernel.compiled import CompiledTariff, State, Why
from tariffs.model.tariff import Dimension, Tariff
from tariffs.model.usage import EPOCH, moment_of
from tariffs.phrases.phrase import Phrase
from tariffs.zones import zone

MASKS_MAX: Final = 20_000
CALENDARS_MAX: Final = 2_000
"""Weeks multiply with bands: a thousand of each would be a million weeks to look at."""
_DAY: Final = timedelta(days=1)
_WEEK_DAYS: Final = 7
_LEAP_DAY: Final = "02-29"
# A leap year and a common one, whatever other years the tariff names: dates and weekdays meet
# otherwise in each, and a tariff without an end lives to see both.
_LEAP_YEAR: Final = 2028
_COMMON_YEAR: Final = 2026
_HOLIDAYS_MAX: Final = 25
# A Monday; tariffs without dates are looked at in this week.
_ANY_MONDAY: Final = date(2024, 1, 1)
# What lies beyond these is for ever: 9999-12-31, after which there is no day to look at.
_EARLIEST: Final = date(1000, 1, 1)
_LATEST: Final = date(9000, 1, 1)
_STATES: Final = (State.CHARGING, State.PARKING, State.RESERVATION, State.RESERVATION_EXPIRED)

# The dimension of a component and its element's index.
Reached = tuple[Dimension, int]


class TariffReach(msgspec.Struct, frozen=True, kw_only=True):
    """Which components can hold.

    `clock_masks` maps each set of elements (bits) that the wall clock allows to one local moment
    at which it does; `masks` are the sets that clock and quantities allow together, `applying` all
    that are in one of them. `beside` are, for each component that is chosen somewhere, the elements
    (bits) that name its dimension and are allowed there, itself among them. `is_complete` is False
    if there were too many sets to look at all.
    """

    clock_masks: dict[int, datetime]
    masks: frozenset[int]
    applying: int
    beside: dict[Reached, int]
    weeks: tuple[tuple[date, int], ...]
    is_complete: bool

    def ever_applies(self, index: int) -> bool:
        """Tell whether the restrictions of element *index* can all hold at once."""
        return bool(self.applying >> index & 1)

    def is_chosen(self, dimension: Dimension, index: int) -> bool:
        """Tell whether the component can ever be the one that is billed."""
        return (dimension, index) in self.beside

    def winners(self, dimension: Dimension, index: int) -> list[int]:
        """Return which elements are chosen where the component is allowed."""
        found = (
            winner
            for (of, winner), bits in self.beside.items()
            if of is dimension and bits >> index & 1
        )
        return sorted(found)


def reach_of(compiled: CompiledTariff) -> TariffReach:
    """Look at all that *compiled* allows."""
    tariff = compiled.tariff
    weeks = tuple(_weeks(tariff))
    clock_masks = dict(_clock_masks(compiled, weeks))
    masks = set(clock_masks)
    is_complete = True
    for bands in bands_along((tariff,)).values():
        allowed = {quantity_mask(compiled, band.alone) for band in bands}
        masks = {mask & other for mask in masks for other in allowed}
        if len(masks) > MASKS_MAX:
            # Sorted: the same tariff gets the same findings on every machine.
            masks, is_complete = set(sorted(masks)[:MASKS_MAX]), False
    applying = 0
    for mask in masks:
        applying |= mask
    return TariffReach(
        clock_masks=clock_masks,
        masks=frozenset(masks),
        applying=applying,
        beside=_beside(compiled, masks),
        weeks=weeks,
        is_complete=is_complete,
    )


def columns_of(masks: Collection[int], elements: int) -> list[int]:
    """Return for each of so many *elements* in which of *masks* it is.

    The first mask is the highest bit. Whether two elements ever hold together, or one without the
    other, are then a few steps for each pair, however many masks there are.
    """
    rows = [f"{mask:0{elements}b}" for mask in masks]
    columns = [int("".join(column), 2) for column in zip(*rows, strict=True)]
    return columns[::-1] or [0] * elements


def _beside(compiled: CompiledTariff, masks: Iterable[int]) -> dict[Reached, int]:
    """Return which elements are allowed where one wins a dimension, in any state."""
    elements = compiled.tariff.elements
    named: defaultdict[tuple[Dimension, bool], int] = defaultdict(int)
    for index, element in enumerate(elements):
        for component in element.price_components:
            reserved = element.restrictions.reservation is not None
            named[component.dimension, reserved] |= 1 << index
    beside: defaultdict[Reached, int] = defaultdict(int)
    for mask in masks:
        for state in _STATES:
            for chosen in compiled.select(mask, state):
                if chosen is None or chosen.why is not Why.PRICED or chosen.element_index is None:
                    continue
                winner, dimension = chosen.element_index, chosen.dimension
                if dimension is Dimension.RESERVATION_TIME:
                    dimension = Dimension.TIME
                reserved = elements[winner].restrictions.reservation is not None
                beside[dimension, winner] |= mask & named[dimension, reserved]
    return dict(beside)


def _weeks(tariff: Tariff) -> Iterator[tuple[date, int]]:
    """Yield (first day, days) of one week, or less, between any two dates that matter."""
    bounds = {
        bound
        for element in tariff.elements
        for bound in (element.restrictions.start_date, element.restrictions.end_date)
        if bound is not None and _is_bound(bound)
    }
    # A day of slack: the site's time zone is not known here.
    first, last = (
        None if moment is None or not _is_bound(moment.date()) else moment.date() + slack
        for moment, slack in ((tariff.start_date_time, -_DAY), (tariff.end_date_time, _DAY))
    )
    bounds |= {bound for bound in (first, last) if bound is not None}
    bounds |= set(_recurring(tariff, {bound.year for bound in bounds}))
    if not bounds:
        yield _ANY_MONDAY, _WEEK_DAYS
        return
    ordered = sorted(bounds)
    starts = [ordered[0] - _WEEK_DAYS * _DAY, *ordered]
    ends = [*ordered, ordered[-1] + _WEEK_DAYS * _DAY]
    for start, end in zip(starts, ends, strict=True):
        if (first is None or start >= first) and (last is None or end <= last):
            yield start, min(_WEEK_DAYS, (end - start).days)


def _is_bound(day: date) -> bool:
    """Tell whether there are days on either side of *day* to look at."""
    return _EARLIEST <= day <= _LATEST


def _recurring(tariff: Tariff, years: set[int]) -> Iterator[date]:
    """Yield where seasons begin and end, and a year of holidays with the days after them."""
    restrictions = [element.restrictions for element in tariff.elements]
    for year in years | {_ANY_MONDAY.year, _LEAP_YEAR, _COMMON_YEAR}:
        for text in {t for r in restrictions for t in (r.season_start, r.season_end) if t}:
            is_missing = text == _LEAP_DAY and not isleap(year)
            yield date.fromisoformat(f"{year}-{'03-01' if is_missing else text}")
    holidays = sorted({day for r in restrictions for day in r.holidays})
    for day in holidays[:_HOLIDAYS_MAX]:
        yield day
        yield day + _DAY


def _clock_masks(
    compiled: CompiledTariff, weeks: tuple[tuple[date, int], ...]
) -> Iterator[tuple[int, datetime]]:
    # Without clock changes every local time stands once.
    clock = compiled.clock(zone("UTC"))
    seen: set[int] = set()
    for first_day, days in weeks:
        first = (first_day - EPOCH.date()).days
        for day in range(first, first + days):
            for instant, mask in clock.changes(day):
                if mask not in seen:
                    seen.add(mask)
                    yield mask, moment_of(instant).replace(tzinfo=None)


def calendars_of(
    compiled: CompiledTariff, reach: TariffReach
) -> Iterator[tuple[Phrase | None, WeekCalendar]]:
    """Yield (when in a session, calendar) of each week of *reach*, in every band.

    The zone is UTC: without clock changes every local time stands once. At most `CALENDARS_MAX`.
    """
    unlimited = CompiledTariff(
        msgspec.structs.replace(compiled.tariff, start_date_time=None, end_date_time=None)
    )
    points: list[tuple[Phrase | None, Circumstances]] = [(None, AT_START)]
    for bands in bands_along((compiled.tariff,)).values():
        points += [(b.said, b.circumstances) for b in bands if b.circumstances != AT_START]
    pairs = ((week, point) for week in reach.weeks for point in points)
    for (first_day, days), (when, circumstances) in islice(pairs, CALENDARS_MAX):
        yield (
            when,
            week_calendar(
                unlimited,
                time_zone="UTC",
                first_day=first_day,
                days=days,
                circumstances=circumstances,
            ),
        )
