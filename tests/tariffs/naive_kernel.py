"""A second kernel, for tests only: exact fractions, second by second, straight from the rules.

It shares no code with the product's: it walks the session in steps of one second, asks at each
second which element supplies each dimension, and adds up. Slow and plain on purpose. Sessions
must begin, end and change on whole seconds; kWh thresholds must be reached on whole seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from fractions import Fraction
from math import ceil
from zoneinfo import ZoneInfo

from tariffs.adjustments import IdleGrace
from tariffs.tariff import Dimension, PriceComponent, Restrictions, Tariff
from tariffs.usage import Activity, SessionUsage

SECOND = timedelta(seconds=1)
NANO = 10**9

# (element, component) and the amount of it, in Wh or seconds.
Tally = dict[tuple[int, Dimension], Fraction]


def naive_total(usage: SessionUsage, tariff: Tariff) -> tuple[Fraction, Fraction]:
    """Return the exact totals (before taxes, tax) of a session without reservation or grants."""
    counted, lasts, flats = _count(usage, tariff)
    _round_up(counted, lasts)
    before = tax = Fraction(0)
    for (index, dimension), volume in counted.items():
        component = _component(tariff, index, dimension)
        assert component is not None
        per = {Dimension.ENERGY: 1000}.get(dimension, 3600)
        before, tax = _add(before, tax, component, Fraction(component.price) * volume / per)
    for index in flats:
        component = _component(tariff, index, Dimension.FLAT)
        assert component is not None
        before, tax = _add(before, tax, component, Fraction(component.price))
    return before, tax


def _count(
    usage: SessionUsage, tariff: Tariff
) -> tuple[Tally, dict[Dimension, tuple[int, int]], list[int]]:
    """Return the volume of each component, the last component and its step, and the fees."""
    counted: Tally = {}
    lasts: dict[Dimension, tuple[int, int]] = {}
    flats: list[int] = []
    zone = ZoneInfo(usage.time_zone)
    parked = Fraction(0)
    for second in _seconds(usage):
        wh, next_wh = _register(usage, second), _register(usage, second + SECOND)
        parking = _activity(usage, second) is Activity.PARKING
        parked = parked + 1 if parking else Fraction(0)
        wanted = {Dimension.FLAT: Fraction(1), Dimension.ENERGY: next_wh - wh}
        if not parking:
            wanted[Dimension.TIME] = Fraction(1)
        elif parked > _grace(tariff):
            wanted[Dimension.PARKING_TIME] = Fraction(1)
        for dimension, volume in wanted.items():
            index = _first(tariff, dimension, second.astimezone(zone), wh, second, usage)
            if index is None:
                continue
            if dimension is Dimension.FLAT:
                flats.extend([] if index in flats else [index])
                continue
            key = (index, dimension)
            counted[key] = counted.get(key, Fraction(0)) + volume
            if volume:
                component = _component(tariff, index, dimension)
                assert component is not None
                lasts[dimension] = (index, component.step_size)
    return counted, lasts, flats


def _seconds(usage: SessionUsage) -> Iterator[datetime]:
    now = usage.starts_at
    while now < usage.ends_at:
        yield now
        now += SECOND


def _register(usage: SessionUsage, at: datetime) -> Fraction:
    """Return Wh at *at*: linear between readings, rounded down to 1e-9 Wh (the stated method)."""
    before = [point for point in usage.points if point.at <= at]
    after = [point for point in usage.points if point.at > at]
    if not before:
        return Fraction(0)
    last = before[-1]
    if last.at == at or not after:
        return Fraction(last.energy_wh)
    share = Fraction((at - last.at) // SECOND, (after[0].at - last.at) // SECOND)
    exact = (Fraction(after[0].energy_wh) - Fraction(last.energy_wh)) * share * NANO
    return Fraction(last.energy_wh) + Fraction(exact.__floor__(), NANO)


def _activity(usage: SessionUsage, at: datetime) -> Activity:
    now = Activity.CHARGING
    for span in usage.spans:
        if span.starts_at <= at:
            now = span.activity
    return now


def _grace(tariff: Tariff) -> int:
    return max((a.seconds for a in tariff.adjustments if isinstance(a, IdleGrace)), default=0)


def _first(
    tariff: Tariff,
    dimension: Dimension,
    local: datetime,
    wh: Fraction,
    at: datetime,
    usage: SessionUsage,
) -> int | None:
    for index, element in enumerate(tariff.elements):
        if _component(tariff, index, dimension) is None:
            continue
        elapsed = (at - usage.starts_at) // SECOND
        if _applies(element.restrictions, local, wh / 1000, elapsed):
            return index
    return None


def _component(tariff: Tariff, index: int, dimension: Dimension) -> PriceComponent | None:
    for component in tariff.elements[index].price_components:
        if component.dimension is dimension:
            return component
    return None


def _applies(r: Restrictions, local: datetime, kwh: Fraction, elapsed: int) -> bool:
    clock = local.hour * 3600 + local.minute * 60 + local.second
    start = _of_day(r.start_time) if r.start_time else 0
    end = _of_day(r.end_time) if r.end_time else 0
    end = end or 86400
    in_window = start <= clock < end if start < end else clock >= start or clock < end
    weekday = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")[local.weekday()]
    return all(
        (
            in_window,
            not r.day_of_week or any(day.startswith(weekday) for day in r.day_of_week),
            r.start_date is None or local.date() >= r.start_date,
            r.end_date is None or local.date() < r.end_date,
            r.min_kwh is None or kwh >= Fraction(r.min_kwh),
            r.max_kwh is None or kwh < Fraction(r.max_kwh),
            r.min_duration is None or elapsed >= r.min_duration,
            r.max_duration is None or elapsed < r.max_duration,
        )
    )


def _of_day(moment: time) -> int:
    return moment.hour * 3600 + moment.minute * 60 + moment.second


def _round_up(counted: Tally, lasts: dict[Dimension, tuple[int, int]]) -> None:
    """Apply steps: energy once; parking time if any is priced, else charging time."""
    timed = Dimension.PARKING_TIME if Dimension.PARKING_TIME in lasts else Dimension.TIME
    for dimension in (Dimension.ENERGY, timed):
        if dimension not in lasts:
            continue
        index, step = lasts[dimension]
        total = sum(volume for (_, d), volume in counted.items() if d is dimension)
        if step:
            counted[index, dimension] += ceil(total / step) * step - total


def _add(
    before: Fraction, tax: Fraction, component: PriceComponent, amount: Fraction
) -> tuple[Fraction, Fraction]:
    vat = Fraction(component.vat or 0)
    return before + amount, tax + amount * vat / 100
