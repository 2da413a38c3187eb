"""Elements of an OCPI tariff: price components and restrictions, with every repair noted.

Sources: OCPI 2.1.1, 2.2.1 and 2.3.0, mod_tariffs, TariffElement and its classes.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeVar

from tariffs.model.tariff import (
    COMPONENT_DIMENSIONS,
    WEEKDAYS,
    Dimension,
    PriceComponent,
    ReservationRestriction,
    Restrictions,
    TariffElement,
    Weekday,
)
from tariffs.ocpi.documents import OcpiError
from tariffs.ocpi.fields import JsonFields, shown

_DIMENSIONS: Final = {dimension.value: dimension for dimension in COMPONENT_DIMENSIONS}
_RESERVATIONS: Final = [kind for kind in ReservationRestriction if not kind.is_booking]
_BOOKINGS: Final = [kind for kind in ReservationRestriction if kind.is_booking]
_RANGES: Final = (
    ("min_kwh", "max_kwh"),
    ("min_current", "max_current"),
    ("min_power", "max_power"),
    ("min_duration", "max_duration"),
)
_SHORT_DAY: Final = 3
_Word = TypeVar("_Word", bound=StrEnum)


def element_of(fields: JsonFields) -> TariffElement:
    """Read a TariffElement."""
    components = tuple(_component(c) for c in fields.objects("price_components", required=True))
    if not components:
        raise OcpiError(fields.spot("price_components"), "is empty")
    dimensions = [component.dimension for component in components]
    for index, dimension in enumerate(dimensions):
        # OCPI does not say what a second one would mean (ocpi #402).
        if dimension in dimensions[:index]:
            message = f"{dimension} stands twice in one element; the first holds"
            fields.note(f"price_components[{index}]", "component_repeated", message)
    restrictions = _restrictions(fields)
    fields.finish()
    if restrictions.reservation is not None and set(dimensions) - {Dimension.FLAT, Dimension.TIME}:
        message = "a reservation has FLAT and TIME prices only; the others never hold"
        fields.note("price_components", "reservation_component", message)
    return TariffElement(price_components=components, restrictions=restrictions)


def _component(fields: JsonFields) -> PriceComponent:
    dimension = _dimension(fields)
    price = fields.number("price", required=True, signed=True)
    if price is not None and price < 0:
        message = (
            f"{price:f} is below zero, which OCPI neither allows nor forbids: the driver is paid"
        )
        fields.note("price", "below_zero", message)
    step = fields.whole("step_size")
    if step is None:
        fields.note("step_size", "step_size_missing", "step_size is missing; read as 1")
    component = PriceComponent(
        dimension=dimension,
        price=price or Decimal(0),
        vat=fields.number("vat"),
        step_size=1 if step is None else step,
    )
    fields.finish()
    return component


def _dimension(fields: JsonFields) -> Dimension:
    kind = fields.text("type", required=True) or ""
    dimension = _DIMENSIONS.get(kind.strip().upper())
    if dimension is None:
        raise OcpiError(fields.spot("type"), f"{shown(kind)} is not a tariff dimension")
    if kind != dimension:
        fields.note("type", "spelling", f"{kind!r} should be {dimension.value!r}")
    return dimension


def _restrictions(parent: JsonFields) -> Restrictions:
    value = parent.get("restrictions")
    if value is None or value == []:
        return Restrictions()
    if isinstance(value, list):
        if len(value) != 1:
            message = "is a list of several; OCPI has one object, and how they go together is open"
            raise OcpiError(parent.spot("restrictions"), message)
        parent.note("restrictions", "restrictions_as_list", "restrictions were sent as a list")
        value = value[0]
    fields = JsonFields(value, parent.spot("restrictions"), parent.notes)
    restrictions = Restrictions(
        start_time=fields.time("start_time"),
        end_time=fields.time("end_time", is_end=True),
        start_date=fields.date("start_date"),
        end_date=fields.date("end_date"),
        min_kwh=fields.number("min_kwh"),
        max_kwh=fields.number("max_kwh"),
        min_current=fields.number("min_current"),
        max_current=fields.number("max_current"),
        min_power=fields.number("min_power"),
        max_power=fields.number("max_power"),
        min_duration=fields.whole("min_duration"),
        max_duration=fields.whole("max_duration"),
        day_of_week=_weekdays(fields),
        reservation=_word(fields, "reservation", _RESERVATIONS)
        or _word(fields, "booking", _BOOKINGS),
    )
    fields.finish("booking")
    _note_oddities(fields, restrictions)
    return restrictions


def _note_oddities(fields: JsonFields, restrictions: Restrictions) -> None:
    """Note what is read by a choice of ours, and what can never hold."""
    start, end = restrictions.start_time, restrictions.end_time
    # One engine in the field reads the whole day, another one never.
    if start is not None and start == end:
        message = "the window ends where it starts, which OCPI leaves open; read as the whole day"
        fields.note("end_time", "window_of_no_length", message)
    for low_key, high_key in _RANGES:
        low, high = getattr(restrictions, low_key), getattr(restrictions, high_key)
        if high is not None and high <= (low or 0):
            message = f"nothing lies below {high} and from {low or 0} on: the element never holds"
            fields.note(high_key, "never_holds", message)
    first, last = restrictions.start_date, restrictions.end_date
    if first is not None and last is not None and last <= first:
        message = "end_date is exclusive and not after start_date: the element never holds"
        fields.note("end_date", "never_holds", message)


def _weekdays(fields: JsonFields) -> tuple[Weekday, ...]:
    days: set[Weekday] = set()
    for index, item in enumerate(fields.items("day_of_week")):
        spot = f"day_of_week[{index}]"
        word = item.strip().upper() if isinstance(item, str) else ""
        found = [d for d in WEEKDAYS if word == d or (len(word) == _SHORT_DAY and d[:3] == word)]
        if not found:
            raise OcpiError(fields.spot(spot), f"{shown(item)} is not a weekday")
        if item != found[0]:
            fields.note(spot, "spelling", f"{shown(item)} should be {found[0].value!r}")
        days.add(found[0])
    return tuple(day for day in WEEKDAYS if day in days)


def _word(fields: JsonFields, key: str, words: Iterable[_Word]) -> _Word | None:
    text = fields.text(key)
    if text is None:
        return None
    for word in words:
        if text.strip().upper() == word:
            if text != word:
                fields.note(key, "spelling", f"{text!r} should be {word.value!r}")
            return word
    raise OcpiError(fields.spot(key), f"{shown(text)} is not {' or '.join(words)}")
