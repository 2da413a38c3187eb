"""The peer of the scalar kernel: the same rules as a billing team writes them at first, in Decimal.

Period by period, element by element, nothing compiled or cached between sessions. It knows what
the benchmark's tariff uses: times of day, energy, parking, fees, steps, VAT.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

from tariffs.model.restrictions import clock_applies
from tariffs.model.tariff import Dimension, PriceComponent, Tariff
from tariffs.model.usage import Activity, SessionUsage

_HOUR = Decimal(3600)
_CENT = Decimal("0.01")


def decimal_total(usage: SessionUsage, tariff: Tariff) -> tuple[Decimal, Decimal]:
    """Return the rounded totals of a session before and after taxes."""
    zone = ZoneInfo(usage.time_zone)
    volumes: dict[tuple[int, Dimension], Decimal] = {}
    lasts: dict[Dimension, tuple[int, Dimension]] = {}
    cuts = _cuts(usage, tariff, zone)
    for start, end in pairwise(cuts):
        parked = _activity(usage, start) is Activity.PARKING
        seconds = Decimal(str((end - start).total_seconds()))
        counted = {
            Dimension.FLAT: Decimal(0),
            Dimension.ENERGY: _register(usage, end) - _register(usage, start),
            Dimension.PARKING_TIME if parked else Dimension.TIME: seconds,
        }
        for dimension, volume in counted.items():
            index = _first(tariff, dimension, start.astimezone(zone))
            if index is None:
                continue
            key = (index, dimension)
            volumes[key] = volumes.get(key, Decimal(0)) + volume
            if volume:
                lasts[dimension] = key
    return _cost(tariff, volumes, lasts)


def _cuts(usage: SessionUsage, tariff: Tariff, zone: ZoneInfo) -> list[datetime]:
    """Return where a price may change: readings, activities, times of day, both ends."""
    cuts = {usage.starts_at, usage.ends_at}
    cuts.update(point.at for point in usage.points)
    cuts.update(span.starts_at for span in usage.spans)
    day = usage.starts_at.astimezone(zone).date()
    while day <= usage.ends_at.astimezone(zone).date():
        for element in tariff.elements:
            for clock in (element.restrictions.start_time, element.restrictions.end_time):
                if clock is not None:
                    cuts.add(datetime.combine(day, clock, tzinfo=zone).astimezone(UTC))
        day += timedelta(days=1)
    return sorted(cut for cut in cuts if usage.starts_at <= cut <= usage.ends_at)


def _activity(usage: SessionUsage, at: datetime) -> Activity:
    activity = Activity.CHARGING
    for span in usage.spans:
        if span.starts_at <= at:
            activity = span.activity
    return activity


def _register(usage: SessionUsage, at: datetime) -> Decimal:
    """Return Wh at a moment, linear between readings."""
    for before, after in pairwise(usage.points):
        if before.at <= at <= after.at:
            passed = Decimal((at - before.at).total_seconds())
            length = Decimal((after.at - before.at).total_seconds())
            return before.energy_wh + (after.energy_wh - before.energy_wh) * passed / length
    return Decimal(0)


def _first(tariff: Tariff, dimension: Dimension, local: datetime) -> int | None:
    for index, element in enumerate(tariff.elements):
        if _component(tariff, index, dimension) and clock_applies(element.restrictions, local):
            return index
    return None


def _component(tariff: Tariff, index: int, dimension: Dimension) -> PriceComponent | None:
    for component in tariff.elements[index].price_components:
        if component.dimension is dimension:
            return component
    return None


def _cost(
    tariff: Tariff,
    volumes: dict[tuple[int, Dimension], Decimal],
    lasts: dict[Dimension, tuple[int, Dimension]],
) -> tuple[Decimal, Decimal]:
    """Round each dimension up to its last step, then price, tax and round the totals."""
    if Dimension.PARKING_TIME in lasts:
        lasts.pop(Dimension.TIME, None)
    for dimension, key in lasts.items():
        component = _component(tariff, *key)
        if component is not None and component.step_size:
            counted = (volume for (_, of), volume in volumes.items() if of is dimension)
            total = sum(counted, Decimal(0))
            steps = (total / component.step_size).to_integral_value(ROUND_CEILING)
            volumes[key] += steps * component.step_size - total
    before = tax = Decimal(0)
    for (index, dimension), volume in volumes.items():
        component = _component(tariff, index, dimension)
        if component is None:
            continue
        per = {Dimension.FLAT: None, Dimension.ENERGY: Decimal(1000)}.get(dimension, _HOUR)
        amount = component.price if per is None else component.price * volume / per
        before += amount
        tax += amount * (component.vat or 0) / 100
    after = before + tax
    return before.quantize(_CENT, ROUND_HALF_UP), after.quantize(_CENT, ROUND_HALF_UP)
