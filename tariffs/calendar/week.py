"""The price that holds at each instant of a week, per fee, as the kernel itself would choose it.

Nothing is evaluated here: the wall clock, the bands and the selection are those of a
`CompiledTariff`. A calendar only asks them instant by instant and keeps where the answer changes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from operator import attrgetter
from typing import Final

import msgspec

from tariffs.kernel.compiled import CompiledComponent, CompiledTariff, State, Why
from tariffs.model.periods import DAY_US
from tariffs.model.restrictions import MIDNIGHT, SECOND_US, Bands
from tariffs.model.tariff import Dimension, Tariff
from tariffs.model.usage import microseconds, moment_of
from tariffs.quantities import EXACT
from tariffs.taxes.taxes import ENERGY_UNITS_PER_KWH, ENERGY_UNITS_PER_WH
from tariffs.zones import instant_of, zone

WEEK_DAYS: Final = 7
QUARTER: Final = timedelta(minutes=15)
_QUARTERS_PER_DAY: Final = 96
_MILLI_PER_KW: Final = 1_000_000
_MILLI_PER_A: Final = 1_000
_MICROSECOND: Final = timedelta(microseconds=1)
_STARTS_AT: Final = attrgetter("starts_at")


class Fee(StrEnum):
    """What a driver pays for; the words are those that people read."""

    ENERGY = "Energy"
    TIME = "Charging time"
    PARKING_TIME = "Parking time"
    FLAT = "Session fee"
    RESERVATION_TIME = "Reservation time"
    RESERVATION_FLAT = "Reservation fee"

    @property
    def unit(self) -> str:
        """Return what a price is for: "/kWh", "/h", or nothing for once."""
        return UNITS[self]


UNITS: Final[dict[Fee, str]] = {
    Fee.ENERGY: "/kWh",
    Fee.TIME: "/h",
    Fee.PARKING_TIME: "/h",
    Fee.FLAT: "",
    Fee.RESERVATION_TIME: "/h",
    Fee.RESERVATION_FLAT: "",
}
# The state in which the kernel is asked for a fee, and its index in the selection.
_ASKED: Final[dict[Fee, tuple[State, int]]] = {
    Fee.ENERGY: (State.CHARGING, 1),
    Fee.TIME: (State.CHARGING, 2),
    Fee.PARKING_TIME: (State.PARKING, 2),
    Fee.FLAT: (State.CHARGING, 0),
    Fee.RESERVATION_TIME: (State.RESERVATION, 2),
    Fee.RESERVATION_FLAT: (State.RESERVATION, 0),
}


class Circumstances(msgspec.Struct, frozen=True, kw_only=True):
    """How far a session is: kWh and seconds so far, power and current where measured.

    Without power or current a restriction on them is ignored, as the default policy does; so is
    one on energy or duration, where None is given.
    """

    energy_kwh: Decimal | None = Decimal(0)
    duration_s: int | None = 0
    power_kw: Decimal | None = None
    current_a: Decimal | None = None


AT_START: Final = Circumstances()


class HeldPrice(msgspec.Struct, frozen=True, kw_only=True):
    """The price that holds: per kWh, per hour or once, and the element it comes from (from 0).

    `step_size` in Wh or seconds; 0 for none.
    """

    price: Decimal
    vat: Decimal | None
    step_size: int
    element_index: int
    element_name: str | None

    def costs_the_same_as(self, other: HeldPrice | None) -> bool:
        """Tell whether *other* bills the same, whatever element says so."""
        return other is not None and (self.price, self.vat, self.step_size) == (
            other.price,
            other.vat,
            other.step_size,
        )


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """From `starts_at` until `ends_at` (UTC, half open) one price holds; None is no price.

    `valid` is False where the tariff itself does not hold (before its start, after its end).
    """

    starts_at: datetime
    ends_at: datetime
    price: HeldPrice | None
    valid: bool = True


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """One quarter of an hour of one local day.

    `instants` are where it begins (UTC): one, two in the hour that autumn repeats, none in the
    hour that spring leaves out.
    """

    day: date
    starts_at: time
    instants: tuple[datetime, ...]


class WeekCalendar(msgspec.Struct, frozen=True, kw_only=True):
    """What each fee of one tariff costs at each instant of some local days."""

    tariff: Tariff
    time_zone: str
    first_day: date
    days: tuple[date, ...]
    circumstances: Circumstances
    stretches: dict[Fee, tuple[Stretch, ...]]

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Return every quarter of an hour of the days, in order of the wall clock."""
        return tuple(slot for day in self.days for slot in _slots(day, self.time_zone))

    @property
    def fees(self) -> tuple[Fee, ...]:
        """Return the fees that the tariff names anywhere, in a fixed order."""
        return tuple(fee for fee in Fee if fee in self.stretches)

    def held(self, fee: Fee, instant: datetime) -> Stretch:
        """Return the stretch of *fee* in which *instant* (within the week) lies."""
        return next(held_within(self.stretches[fee], instant, instant + _MICROSECOND))

    def constant(self, fee: Fee) -> Stretch | None:
        """Return the one stretch of *fee* if it costs the same all the time, else None."""
        stretches = self.stretches[fee]
        return stretches[0] if len(stretches) == 1 and stretches[0].valid else None

    def slot_minutes(self, fee: Fee) -> int:
        """Return 60 if *fee* changes on full local hours only, else 15."""
        whole = all(
            stretch.starts_at.astimezone(zone(self.time_zone)).time().minute == 0
            and stretch.starts_at.second == 0
            for stretch in self.stretches.get(fee, ())[1:]
        )
        return 60 if whole else 15

    def cell(self, fee: Fee, day: date, start: time, minutes: int) -> tuple[Stretch, ...]:
        """Return what holds from *start* for *minutes* of local *day*, in order of time.

        Empty for an hour that does not exist; more than one where the price changes within.
        """
        begin = start.hour * 60 + start.minute
        found: list[Stretch] = []
        instants = sorted(
            instant
            for slot in _slots(day, self.time_zone)
            if begin <= slot.starts_at.hour * 60 + slot.starts_at.minute < begin + minutes
            for instant in slot.instants
        )
        for instant in instants:
            found.extend(
                stretch
                for stretch in held_within(self.stretches[fee], instant, instant + QUARTER)
                if not found or found[-1].price != stretch.price
            )
        return tuple(found)


def held_within(stretches: Sequence[Stretch], begin: datetime, end: datetime) -> Iterator[Stretch]:
    """Yield what of *stretches*, which follow each other, holds from *begin* until *end*."""
    first = bisect_right(stretches, begin, key=_STARTS_AT) - 1
    for index in range(max(first, 0), len(stretches)):
        stretch = stretches[index]
        if stretch.starts_at >= end:
            return
        if begin < stretch.ends_at:
            yield stretch


def week_calendar(
    compiled: CompiledTariff,
    *,
    time_zone: str,
    first_day: date,
    days: int = WEEK_DAYS,
    circumstances: Circumstances = AT_START,
) -> WeekCalendar:
    """Return what *compiled* charges during *days* local days from *first_day* on.

    Raises:
        UnknownZoneError: If *time_zone* does not exist.
    """
    local_days = tuple(first_day + timedelta(days=i) for i in range(days))
    begin = instant_of(first_day, MIDNIGHT, zone(time_zone))
    end = instant_of(first_day + timedelta(days=days), MIDNIGHT, zone(time_zone))
    allowed = quantity_mask(compiled, circumstances)
    changes = list(_changes(compiled, time_zone, begin, end))
    return WeekCalendar(
        tariff=compiled.tariff,
        time_zone=time_zone,
        first_day=first_day,
        days=local_days,
        circumstances=circumstances,
        stretches={
            fee: tuple(_merged(_stretches(compiled, fee, allowed, changes, end)))
            for fee in fees_of(compiled.tariff)
        },
    )


def fees_of(tariff: Tariff) -> tuple[Fee, ...]:
    """Return the fees for which *tariff* has a component, in a fixed order."""
    named = {
        fee_of(component.dimension, reserved=element.restrictions.reservation is not None)
        for element in tariff.elements
        for component in element.price_components
    }
    return tuple(fee for fee in Fee if fee in named)


def fee_of(dimension: Dimension, *, reserved: bool) -> Fee | None:
    """Return the fee that a component is, None if OCPI knows no such combination."""
    match dimension:
        case Dimension.FLAT:
            return Fee.RESERVATION_FLAT if reserved else Fee.FLAT
        case Dimension.TIME:
            return Fee.RESERVATION_TIME if reserved else Fee.TIME
        case Dimension.RESERVATION_TIME:
            return Fee.RESERVATION_TIME
        case Dimension.ENERGY:
            return None if reserved else Fee.ENERGY
        case Dimension.PARKING_TIME:
            return None if reserved else Fee.PARKING_TIME
        case Dimension.SESSION:
            return None


def quantity_mask(compiled: CompiledTariff, circumstances: Circumstances) -> int:
    """Return the elements that kWh, duration, power and current allow."""
    bands, mask = compiled.bands, compiled.all_elements
    duration_s = circumstances.duration_s
    asked: list[tuple[Bands | None, int | None]] = [
        (bands.energy, _units(circumstances.energy_kwh, ENERGY_UNITS_PER_KWH)),
        (bands.duration, None if duration_s is None else duration_s * SECOND_US),
        (bands.min_power, _units(circumstances.power_kw, _MILLI_PER_KW)),
        (bands.max_power, _units(circumstances.power_kw, _MILLI_PER_KW)),
        (bands.min_current, _units(circumstances.current_a, _MILLI_PER_A)),
        (bands.max_current, _units(circumstances.current_a, _MILLI_PER_A)),
    ]
    for band, value in asked:
        if band is not None and value is not None:
            mask &= band.mask_at(value)
    return mask


def _units(value: Decimal | None, per_unit: int) -> int | None:
    return None if value is None else int(EXACT.multiply(value, Decimal(per_unit)))


def select(compiled: CompiledTariff, mask: int, fee: Fee) -> HeldPrice | None:
    """Return the price of *fee* that the kernel chooses among the elements in *mask*."""
    state, index = _ASKED[fee]
    return _held(compiled.select(mask, state)[index])


def _held(component: CompiledComponent | None) -> HeldPrice | None:
    if component is None or component.why is not Why.PRICED or component.element_index is None:
        return None
    step_unit = ENERGY_UNITS_PER_WH if component.dimension is Dimension.ENERGY else SECOND_US
    return HeldPrice(
        price=component.price,
        vat=component.vat,
        step_size=component.step_units // step_unit,
        element_index=component.element_index,
        element_name=component.element_name,
    )


def _changes(
    compiled: CompiledTariff, time_zone: str, begin: datetime, end: datetime
) -> Iterator[tuple[datetime, int, bool]]:
    """Yield (instant, mask, whether the tariff is valid) at the begin and at every change."""
    clock = compiled.clock(zone(time_zone))
    begin_us, end_us = microseconds(begin), microseconds(end)
    instants = {begin_us}
    for day in range(begin_us // DAY_US, (end_us - 1) // DAY_US + 1):
        instants |= {at for at, _ in clock.changes(day)}
    tariff = compiled.tariff
    bounds = (tariff.start_date_time, tariff.end_date_time)
    instants |= {microseconds(bound) for bound in bounds if bound is not None}
    for instant_us in sorted(at for at in instants if begin_us <= at < end_us):
        instant = moment_of(instant_us)
        yield instant, clock.mask_at(instant_us), _is_valid(tariff, instant)


def _is_valid(tariff: Tariff, instant: datetime) -> bool:
    starts_at, ends_at = tariff.start_date_time, tariff.end_date_time
    return (starts_at is None or starts_at <= instant) and (ends_at is None or instant < ends_at)


def _stretches(
    compiled: CompiledTariff,
    fee: Fee,
    allowed: int,
    changes: Sequence[tuple[datetime, int, bool]],
    end: datetime,
) -> Iterator[Stretch]:
    ends = [at for at, _, _ in changes[1:]] + [end]
    for (at, mask, valid), ends_at in zip(changes, ends, strict=True):
        price = select(compiled, mask & allowed, fee) if valid else None
        yield Stretch(starts_at=at, ends_at=ends_at, price=price, valid=valid)


def _merged(stretches: Iterator[Stretch]) -> Iterator[Stretch]:
    held: Stretch | None = None
    for stretch in stretches:
        if held is not None and (held.price, held.valid) == (stretch.price, stretch.valid):
            held = msgspec.structs.replace(held, ends_at=stretch.ends_at)
            continue
        if held is not None:
            yield held
        held = stretch
    if held is not None:
        yield held


@lru_cache(maxsize=64)
def _slots(day: date, time_zone: str) -> tuple[Slot, ...]:
    starts = (time(quarter // 4, quarter % 4 * 15) for quarter in range(_QUARTERS_PER_DAY))
    return tuple(
        Slot(day=day, starts_at=start, instants=_instants(day, start, time_zone))
        for start in starts
    )


def _instants(day: date, start: time, time_zone: str) -> tuple[datetime, ...]:
    local = datetime.combine(day, start, tzinfo=zone(time_zone))
    found = {local.replace(fold=fold).astimezone(UTC) for fold in (0, 1)}
    return tuple(
        instant
        for instant in sorted(found)
        if instant.astimezone(zone(time_zone)).replace(tzinfo=None) == local.replace(tzinfo=None)
    )
