"""What of a tariff can ever hold: every set of elements that some instant of some session allows.

The wall clock is asked at each boundary of each kind of day, each quantity in each of its bands,
and all are combined, as if kWh, duration, power and current were independent.
"""

from __future__ import annotations

from calendar import isleap
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
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
from tariffs.model.restrictions import clock_applies, clock_boundaries
from tariffs.model.tariff import Dimension, Tariff
from tariffs.phrases.phrase import Phrase

MASKS_MAX: Final = 20_000
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
_STATES: Final = (State.CHARGING, State.PARKING, State.RESERVATION, State.RESERVATION_EXPIRED)

# The dimension of a component and its element's index.
Reached = tuple[Dimension, int]


class TariffReach(msgspec.Struct, frozen=True, kw_only=True):
    """Which components can hold.

    `clock_masks` maps each set of elements (bits) that the wall clock allows to one local moment
    at which it does; `masks` are the sets that clock and quantities allow together. `winners` are,
    for each component that is allowed somewhere, the elements that are chosen there.
    `is_complete` is False if there were too many sets to look at all.
    """

    clock_masks: dict[int, datetime]
    masks: frozenset[int]
    winners: dict[Reached, frozenset[int]]
    weeks: tuple[tuple[date, int], ...]
    is_complete: bool

    def ever_applies(self, index: int) -> bool:
        """Tell whether the restrictions of element *index* can all hold at once."""
        return any(mask >> index & 1 for mask in self.masks)

    def is_chosen(self, dimension: Dimension, index: int) -> bool:
        """Tell whether the component can ever be the one that is billed."""
        return index in self.winners.get((dimension, index), frozenset())


def reach_of(compiled: CompiledTariff) -> TariffReach:
    """Look at all that *compiled* allows."""
    tariff = compiled.tariff
    weeks = tuple(_weeks(tariff))
    clock_masks = dict(_clock_masks(tariff, weeks))
    masks = set(clock_masks)
    is_complete = True
    for bands in bands_along((tariff,)).values():
        allowed = {quantity_mask(compiled, band.alone) for band in bands}
        masks = {mask & other for mask in masks for other in allowed}
        if len(masks) > MASKS_MAX:
            # Sorted: the same tariff gets the same findings on every machine.
            masks, is_complete = set(sorted(masks)[:MASKS_MAX]), False
    winners: dict[Reached, set[int]] = {}
    for mask in masks:
        _add_winners(compiled, mask, winners)
    return TariffReach(
        clock_masks=clock_masks,
        masks=frozenset(masks),
        winners={key: frozenset(found) for key, found in winners.items()},
        weeks=weeks,
        is_complete=is_complete,
    )


def _add_winners(compiled: CompiledTariff, mask: int, winners: dict[Reached, set[int]]) -> None:
    """Note which element wins each dimension in each state."""
    for state in _STATES:
        for chosen in compiled.select(mask, state):
            if chosen is None or chosen.why is not Why.PRICED or chosen.element_index is None:
                continue
            winner = compiled.tariff.elements[chosen.element_index]
            reserved = winner.restrictions.reservation is not None
            dimension = chosen.dimension
            if dimension is Dimension.RESERVATION_TIME:
                dimension = Dimension.TIME
            for index, element in enumerate(compiled.tariff.elements):
                same_kind = (element.restrictions.reservation is not None) == reserved
                named = any(c.dimension is dimension for c in element.price_components)
                if mask >> index & 1 and same_kind and named:
                    winners.setdefault((dimension, index), set()).add(chosen.element_index)


def _weeks(tariff: Tariff) -> Iterator[tuple[date, int]]:
    """Yield (first day, days) of one week, or less, between any two dates that matter."""
    bounds = {
        bound
        for element in tariff.elements
        for bound in (element.restrictions.start_date, element.restrictions.end_date)
        if bound is not None
    }
    # A day of slack: the site's time zone is not known here.
    first = None if tariff.start_date_time is None else tariff.start_date_time.date() - _DAY
    last = None if tariff.end_date_time is None else tariff.end_date_time.date() + _DAY
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
    tariff: Tariff, weeks: tuple[tuple[date, int], ...]
) -> Iterator[tuple[int, datetime]]:
    boundaries = {time(0)}
    for element in tariff.elements:
        boundaries |= clock_boundaries(element.restrictions)
    seen: set[int] = set()
    for first_day, days in weeks:
        for offset in range(days):
            for moment in sorted(boundaries):
                local = datetime.combine(first_day + offset * _DAY, moment)
                mask = sum(
                    1 << index
                    for index, element in enumerate(tariff.elements)
                    if clock_applies(element.restrictions, local)
                )
                if mask not in seen:
                    seen.add(mask)
                    yield mask, local


def calendars_of(
    compiled: CompiledTariff, reach: TariffReach
) -> Iterator[tuple[Phrase | None, WeekCalendar]]:
    """Yield (when in a session, calendar) of each week of *reach*, in every band.

    The zone is UTC: without clock changes every local time stands once.
    """
    unlimited = CompiledTariff(
        msgspec.structs.replace(compiled.tariff, start_date_time=None, end_date_time=None)
    )
    points: list[tuple[Phrase | None, Circumstances]] = [(None, AT_START)]
    for bands in bands_along((compiled.tariff,)).values():
        points += [(b.said, b.circumstances) for b in bands if b.circumstances != AT_START]
    for first_day, days in reach.weeks:
        for when, circumstances in points:
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
