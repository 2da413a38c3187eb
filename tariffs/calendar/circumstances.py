"""What a price depends on beside the clock: kWh, duration, power, current, band by band."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Final

import msgspec
from msgspec.structs import replace

from tariffs.calendar.week import (
    AT_START,
    Circumstances,
    Fee,
    HeldPrice,
    Stretch,
    WeekCalendar,
    held_within,
    week_calendar,
)
from tariffs.calendar.words import (
    amount_text,
    ampere_phrase,
    duration_phrase,
    kw_phrase,
    kwh_phrase,
    label_phrase,
    local_pieces,
    price_phrase,
    range_phrases,
    whole_adjustment_phrase,
    windows_phrase,
)
from tariffs.kernel.compiled import CompiledTariff
from tariffs.model.restrictions import SECOND_US
from tariffs.model.tariff import Restrictions, Tariff
from tariffs.phrases.phrase import Phrase, phrase

_ANYWHERE: Final = Circumstances(energy_kwh=None, duration_s=None)
_MICROSECOND: Final = timedelta(microseconds=1)


class Axis(StrEnum):
    """A quantity that restrictions may ask for."""

    ENERGY = "kWh"
    DURATION = "s"
    POWER = "kW"
    CURRENT = "A"


class AxisBand(msgspec.Struct, frozen=True, kw_only=True):
    """From `low` (inclusive) to `high` (exclusive, None for no end) of one quantity."""

    axis: Axis
    low: Decimal
    high: Decimal | None

    @property
    def said(self) -> Phrase:
        """Say "from 4 h on"."""
        return bands_phrase((self,))

    @property
    def circumstances(self) -> Circumstances:
        """Return a session that is in this band and at its start in every other respect."""
        return self.within(AT_START)

    @property
    def alone(self) -> Circumstances:
        """Return a session that is in this band, whatever its other quantities are."""
        return self.within(_ANYWHERE)

    def within(self, circumstances: Circumstances) -> Circumstances:
        """Return *circumstances* moved into this band."""
        match self.axis:
            case Axis.ENERGY:
                return replace(circumstances, energy_kwh=self.low)
            case Axis.DURATION:
                return replace(circumstances, duration_s=int(self.low))
            case Axis.POWER:
                return replace(circumstances, power_kw=self.low)
            case Axis.CURRENT:
                return replace(circumstances, current_a=self.low)


def bands_along(tariffs: Sequence[Tariff]) -> dict[Axis, tuple[AxisBand, ...]]:
    """Return, for each quantity that any of *tariffs* restricts, its bands in order."""
    found = {}
    for axis in Axis:
        bounds = sorted(
            {
                bound
                for tariff in tariffs
                for element in tariff.elements
                for bound in axis_bounds(element.restrictions, axis)
                if bound is not None and bound > 0
            }
        )
        if bounds:
            lows, highs = [Decimal(0), *bounds], [*bounds, None]
            found[axis] = tuple(
                AxisBand(axis=axis, low=low, high=high)
                for low, high in zip(lows, highs, strict=True)
            )
    return found


def axis_bounds(restrictions: Restrictions, axis: Axis) -> tuple[Decimal | None, Decimal | None]:
    """Return the (min, max) that *restrictions* set on one quantity."""
    r = restrictions
    match axis:
        case Axis.ENERGY:
            return r.min_kwh, r.max_kwh
        case Axis.DURATION:
            low, high = r.min_duration, r.max_duration
            return (
                None if low is None else Decimal(low),
                None if high is None else Decimal(high),
            )
        case Axis.POWER:
            return r.min_power, r.max_power
        case Axis.CURRENT:
            return r.min_current, r.max_current


def bands_phrase(bands: Sequence[AxisBand]) -> Phrase:
    """Say "from 4 h on" of neighbouring *bands* of one quantity."""
    first, last = bands[0], bands[-1]
    low = None if first.low == 0 else _bound(first.axis, first.low)
    high = None if last.high is None else _bound(last.axis, last.high)
    [said] = range_phrases(low, high)
    return said


def _bound(axis: Axis, bound: Decimal) -> Phrase:
    match axis:
        case Axis.ENERGY:
            return kwh_phrase(bound)
        case Axis.DURATION:
            return duration_phrase(int(bound))
        case Axis.POWER:
            return kw_phrase(bound)
        case Axis.CURRENT:
            return ampere_phrase(bound)


class HourlyDifference(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch (UTC) in which two calendars disagree about one fee."""

    starts_at: datetime
    ends_at: datetime
    before: Stretch | None
    after: Stretch | None


def differences(before: WeekCalendar, after: WeekCalendar, fee: Fee) -> Iterator[HourlyDifference]:
    """Yield where two calendars of the same days bill *fee* differently."""
    for starts_at, ends_at, old, new in _side_by_side(before, after, fee):
        if not _same(old, new):
            yield HourlyDifference(starts_at=starts_at, ends_at=ends_at, before=old, after=new)


def overlaps(
    before: WeekCalendar, after: WeekCalendar, fee: Fee
) -> Iterator[tuple[Stretch, Stretch]]:
    """Yield which stretches of two calendars of the same days hold at the same time."""
    for _, _, old, new in _side_by_side(before, after, fee):
        if old is not None and new is not None:
            yield old, new


def _side_by_side(
    before: WeekCalendar, after: WeekCalendar, fee: Fee
) -> Iterator[tuple[datetime, datetime, Stretch | None, Stretch | None]]:
    olds, news = before.stretches.get(fee, ()), after.stretches.get(fee, ())
    instants = sorted({s.starts_at for s in (*olds, *news)} | {s.ends_at for s in (*olds, *news)})
    for starts_at, ends_at in pairwise(instants):
        yield starts_at, ends_at, _at(olds, starts_at), _at(news, starts_at)


def _at(stretches: Sequence[Stretch], instant: datetime) -> Stretch | None:
    return next(held_within(stretches, instant, instant + _MICROSECOND), None)


def _same(old: Stretch | None, new: Stretch | None) -> bool:
    if (old is None or old.valid) != (new is None or new.valid):
        return False
    old_price = None if old is None else old.price
    new_price = None if new is None else new.price
    if old_price is None or new_price is None:
        return old_price is new_price
    return old_price.costs_the_same_as(new_price)


def telling(
    compiled: CompiledTariff, base: WeekCalendar, fee: Fee
) -> tuple[WeekCalendar, AxisBand | None]:
    """Return *base*, or where it has no price for *fee* the first band of a session that has.

    A parking fee that begins after four hours would otherwise be a week of "free".
    """
    if any(stretch.price is not None for stretch in base.stretches[fee]):
        return base, None
    for bands in bands_along((compiled.tariff,)).values():
        for band in bands:
            other = _seen_from(compiled, base, band)
            if any(stretch.price is not None for stretch in other.stretches[fee]):
                return other, band
    return base, None


def _seen_from(compiled: CompiledTariff, base: WeekCalendar, band: AxisBand) -> WeekCalendar:
    return week_calendar(
        compiled,
        time_zone=base.time_zone,
        first_day=base.first_day,
        days=len(base.days),
        circumstances=band.circumstances,
    )


def footnotes(compiled: CompiledTariff, base: WeekCalendar) -> tuple[Phrase, ...]:
    """Say what *base* does not show.

    Prices that hold further into a session, those of a series, grace, what is free at first, caps
    and every other adjustment in the file's order, and the least and the most that a session costs.
    """
    notes: list[Phrase] = []
    for bands in bands_along((compiled.tariff,)).values():
        for band in bands:
            if band.circumstances == base.circumstances:
                continue
            other = _seen_from(compiled, base, band)
            for fee in base.fees:
                notes.extend(_notes(base, other, fee, band.said))
    series = compiled.tariff.price_series
    if series is not None and _follows_series(compiled.tariff):
        notes.append(phrase("series_on_top", series=series.name))
    if compiled.grace_us and Fee.PARKING_TIME in base.fees:
        notes.append(phrase("idle_grace", seconds=compiled.grace_us // SECOND_US))
    tariff, currency = compiled.tariff, compiled.tariff.currency
    notes += (whole_adjustment_phrase(each, currency) for each in compiled.line_adjustments)
    if tariff.min_price is not None:
        amount = amount_text(tariff.min_price.before_taxes, currency)
        notes.append(phrase("session_at_least", amount=amount, currency=currency))
    if tariff.max_price is not None:
        amount = amount_text(tariff.max_price.before_taxes, currency)
        notes.append(phrase("session_at_most", amount=amount, currency=currency))
    return tuple(notes)


def _follows_series(tariff: Tariff) -> bool:
    """Tell whether any energy of *tariff* is priced by its series."""
    return any(each.series for element in tariff.elements for each in element.price_components)


def _notes(base: WeekCalendar, other: WeekCalendar, fee: Fee, when: Phrase) -> Iterator[Phrase]:
    by_price: dict[HeldPrice | None, list[HourlyDifference]] = {}
    for difference in differences(base, other, fee):
        price = None if difference.after is None else difference.after.price
        by_price.setdefault(price, []).append(difference)
    for price, found in by_price.items():
        pieces = [p for d in found for p in local_pieces(d.starts_at, d.ends_at, base.time_zone)]
        yield phrase(
            "price_later",
            when=when,
            fee=fee.name,
            price=price_phrase(price, fee, base.tariff.currency),
            windows=windows_phrase(pieces, base.days),
            by=None if price is None else label_phrase(price.element_index, price.element_name),
        )


def start_note(circumstances: Circumstances) -> Phrase:
    """Say at which point of a session a calendar looks."""
    if circumstances == AT_START:
        return phrase("prices_at_start")
    c = circumstances
    point: list[Phrase] = [] if c.energy_kwh is None else [kwh_phrase(c.energy_kwh)]
    point += [] if c.duration_s is None else [duration_phrase(c.duration_s)]
    point += [] if c.power_kw is None else [kw_phrase(c.power_kw)]
    point += [] if c.current_a is None else [ampere_phrase(c.current_a)]
    return phrase("prices_at", point=tuple(point))
