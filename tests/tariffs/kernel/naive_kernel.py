"""A second kernel, for tests only: exact fractions, slice by slice, straight from the rules.

It shares no code with the product's. It cuts the session at every quarter of an hour (no clock,
date or offset changes anywhere else), at every reading, activity and threshold; asks of each slice
which elements hold where it begins and which is the first for each dimension; and adds up. Windows
of the wall clock must begin and end on quarters.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor
from zoneinfo import ZoneInfo

from tariffs.adjustments.adjustment import IdleGrace
from tariffs.model.tariff import Dimension, PriceComponent, Restrictions, Tariff
from tariffs.model.usage import Activity, SessionUsage

QUARTER = timedelta(minutes=15)
MICROSECOND = timedelta(microseconds=1)
NANO = 10**9

# (element, dimension) and the amount of it, in Wh or seconds.
Counted = dict[tuple[int, Dimension], Fraction]


def naive_total(usage: SessionUsage, tariff: Tariff) -> tuple[Fraction, Fraction]:
    """Return the exact totals (before taxes, tax) of a session without reservation or grants."""
    counted, lasts = _count(usage, tariff)
    _round_up(counted, lasts, tariff)
    before = tax = Fraction(0)
    for (index, dimension), volume in counted.items():
        component = _component(tariff, index, dimension)
        assert component is not None
        per = {Dimension.ENERGY: 1000, Dimension.FLAT: 1}.get(dimension, 3600)
        amount = Fraction(component.price) * volume / per
        before += amount
        tax += amount * Fraction(component.vat or 0) / 100
    return before, tax


def _count(usage: SessionUsage, tariff: Tariff) -> tuple[Counted, dict[Dimension, int]]:
    """Return the volume of each component, and the last element that priced each dimension."""
    counted: Counted = {}
    lasts: dict[Dimension, int] = {}
    zone = ZoneInfo(usage.time_zone)
    reached = _reached(usage, tariff)
    parked = _parked(usage)
    cuts = _cuts(usage, tariff, reached, parked)
    registers = [reached.get(cut, _register(usage, cut)) for cut in cuts]
    slices = zip(pairwise(cuts), pairwise(registers), strict=True)
    for (start, end), (wh, next_wh) in slices:
        wanted = {Dimension.FLAT: Fraction(1), Dimension.ENERGY: next_wh - wh}
        seconds = Fraction((end - start) // MICROSECOND, 10**6)
        since = next((low for low, high in parked if low <= start < high), None)
        if since is None:
            wanted[Dimension.TIME] = seconds
        elif start >= since + _grace(tariff):
            wanted[Dimension.PARKING_TIME] = seconds
        local, elapsed = start.astimezone(zone), (start - usage.starts_at) // timedelta(seconds=1)
        holding = [
            index
            for index, element in enumerate(tariff.elements)
            if _applies(element.restrictions, local, wh / 1000, elapsed)
        ]
        for dimension, volume in wanted.items():
            index = next((i for i in holding if _component(tariff, i, dimension)), None)
            if index is None or not volume:
                continue
            sofar = Fraction(0) if dimension is Dimension.FLAT else counted.get((index, dimension))
            counted[index, dimension] = (sofar or 0) + volume
            lasts[dimension] = index
    return counted, lasts


def _cuts(
    usage: SessionUsage,
    tariff: Tariff,
    reached: dict[datetime, Fraction],
    parked: list[tuple[datetime, datetime]],
) -> list[datetime]:
    """Return every instant at which anything may change, both ends included."""
    start, end = usage.starts_at, usage.ends_at
    cuts = {start, end, *reached, *(point.at for point in usage.points)}
    quarter = start.replace(minute=0, second=0, microsecond=0)
    while quarter < end:
        cuts.add(quarter)
        quarter += QUARTER
    for low, high in parked:
        cuts |= {low, high, low + _grace(tariff)}
    for element in tariff.elements:
        for seconds in (element.restrictions.min_duration, element.restrictions.max_duration):
            cuts.add(start + timedelta(seconds=seconds or 0))
    return sorted(cut for cut in cuts if start <= cut <= end)


def _reached(usage: SessionUsage, tariff: Tariff) -> dict[datetime, Fraction]:
    """Return where each kWh threshold is reached, at the first microsecond, and the Wh there."""
    reached: dict[datetime, Fraction] = {}
    bounds = {
        Fraction(bound) * 1000
        for element in tariff.elements
        for bound in (element.restrictions.min_kwh, element.restrictions.max_kwh)
        if bound
    }
    for wh in sorted(bounds):
        for before, after in pairwise(usage.points):
            low, high = Fraction(before.energy_wh), Fraction(after.energy_wh)
            if low < wh <= high:
                share = (wh - low) / (high - low)
                passed = ceil(share * ((after.at - before.at) // MICROSECOND))
                reached[before.at + passed * MICROSECOND] = wh
    return reached


def _parked(usage: SessionUsage) -> list[tuple[datetime, datetime]]:
    """Return the stretches of parking."""
    stretches: list[tuple[datetime, datetime]] = []
    changes = [(span.starts_at, span.activity) for span in usage.spans]
    for (low, activity), (high, _) in pairwise([*changes, (usage.ends_at, Activity.PARKING)]):
        if activity is not Activity.PARKING or low == high:
            continue
        if stretches and stretches[-1][1] == low:
            low = stretches.pop()[0]  # noqa: PLW2901 - the stretch goes on
        stretches.append((low, high))
    return stretches


def _register(usage: SessionUsage, at: datetime) -> Fraction:
    """Return Wh at *at*: linear between readings, rounded down to 1e-9 Wh (the stated method)."""
    before = [point for point in usage.points if point.at <= at]
    after = [point for point in usage.points if point.at > at]
    if not before:
        return Fraction(0)
    last = before[-1]
    if last.at == at or not after:
        return Fraction(last.energy_wh)
    share = Fraction((at - last.at) // MICROSECOND, (after[0].at - last.at) // MICROSECOND)
    exact = (Fraction(after[0].energy_wh) - Fraction(last.energy_wh)) * share
    return Fraction(last.energy_wh) + Fraction(floor(exact * NANO), NANO)


def _grace(tariff: Tariff) -> timedelta:
    graces = [a.seconds for a in tariff.adjustments if isinstance(a, IdleGrace)]
    return timedelta(seconds=max(graces, default=0))


def _component(tariff: Tariff, index: int, dimension: Dimension) -> PriceComponent | None:
    for component in tariff.elements[index].price_components:
        if component.dimension is dimension:
            return component
    return None


def _applies(r: Restrictions, local: datetime, kwh: Fraction, elapsed: int) -> bool:
    return all(_answers(r, local, kwh, elapsed))


def _answers(r: Restrictions, local: datetime, kwh: Fraction, elapsed: int) -> Iterator[bool]:
    clock = _of_day(local.time())
    start = _of_day(r.start_time) if r.start_time else 0
    end = (_of_day(r.end_time) if r.end_time else 0) or 86400
    yield start <= clock < end if start < end else clock >= start or clock < end
    weekday = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")[local.weekday()]
    yield not r.day_of_week or any(day.startswith(weekday) for day in r.day_of_week)
    yield r.start_date is None or local.date() >= r.start_date
    yield r.end_date is None or local.date() < r.end_date
    yield r.min_kwh is None or kwh >= Fraction(r.min_kwh)
    yield r.max_kwh is None or kwh < Fraction(r.max_kwh)
    yield r.min_duration is None or elapsed >= r.min_duration
    yield r.max_duration is None or elapsed < r.max_duration


def _of_day(moment: time) -> int:
    return moment.hour * 3600 + moment.minute * 60 + moment.second


def _round_up(counted: Counted, lasts: dict[Dimension, int], tariff: Tariff) -> None:
    """Apply steps: energy once; parking time if any is priced, else charging time."""
    timed = Dimension.PARKING_TIME if Dimension.PARKING_TIME in lasts else Dimension.TIME
    for dimension in (Dimension.ENERGY, timed):
        if dimension not in lasts:
            continue
        component = _component(tariff, lasts[dimension], dimension)
        assert component is not None
        total = sum(volume for (_, d), volume in counted.items() if d is dimension)
        if component.step_size:
            billed = ceil(total / component.step_size) * component.step_size
            counted[lasts[dimension], dimension] += billed - total
