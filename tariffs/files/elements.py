"""Elements in a tariff file: prices with their units, and restrictions in OCPI's words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal
from typing import Final

from tariffs.files.yaml.fields import (
    Fields,
    Notebook,
    amount_of,
    choice_of,
    date_of,
    read_scalar,
    signed_of,
    time_of,
)
from tariffs.files.yaml.reader import Node, Scalar
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
from tariffs.quantities import EXACT, plain

_PRICE: Final = re.compile(
    r"(?P<amount>\S+?)(?:\s*(?:/|\bper\b)\s*(?P<unit>\w+)|\s+(?P<once>once))?$"
)
_DURATION: Final = re.compile(r"(?P<amount>[\d.]+)\s*(?P<unit>s|min|h)?$")
_ENERGY_STEP: Final = re.compile(r"(?P<amount>[-+.\d]\S*?)\s*(?P<unit>k?Wh)?$")
_DAY_OF_YEAR: Final = re.compile(r"\d\d-\d\d", re.ASCII)
_WATT_HOURS: Final = {None: Decimal(1), "Wh": Decimal(1), "kWh": Decimal(1000)}
_SECONDS: Final = {None: 1, "s": 1, "min": 60, "h": 3600}
_PER_KWH: Final = {"kWh": Decimal(1)}
_PER_HOUR: Final = {"h": Decimal(1), "hour": Decimal(1), "min": Decimal(60), "minute": Decimal(60)}
_ONCE: Final = {"session": Decimal(1), "once": Decimal(1)}
_UNITS: Final = {
    Dimension.ENERGY: _PER_KWH,
    Dimension.TIME: _PER_HOUR,
    Dimension.PARKING_TIME: _PER_HOUR,
    Dimension.FLAT: _ONCE,
}
HOLIDAY: Final = "HOLIDAY"
_DAY_SETS: Final = {
    "WEEKDAYS": WEEKDAYS[:5],
    "WEEKENDS": WEEKDAYS[5:],
    "EVERY DAY": WEEKDAYS,
}


def read_element(
    node: Node,
    notebook: Notebook,
    vat: Mapping[Dimension, Decimal | None],
    holidays: tuple[date, ...] = (),
    *,
    below_zero: bool = False,
) -> TariffElement | None:
    """Read one element; *vat* has the tariff's own rates, for prices that name none.

    Its prices may be negative where the tariff says *below_zero*.
    """
    fields = Fields(node, notebook, "an element")
    name = fields.text("name")
    components = [
        component
        for dimension in COMPONENT_DIMENSIONS
        if (component := _component(fields, dimension, vat.get(dimension), notebook)) is not None
    ]
    for component in components:
        if component.price < 0 and not below_zero:
            spot = fields.key_node(component.dimension.lower())
            message = f"{component.price:f} is negative; say below_zero: yes if that is meant"
            notebook.complain(spot, f"'{component.dimension.lower()}': {message}")
    restrictions = _restrictions(fields.node_of("restrictions"), notebook, holidays)
    fields.finish()
    priced = [d for d in COMPONENT_DIMENSIONS if fields.has(d.lower())]
    if not priced:
        notebook.complain(node, "an element needs a price: energy, time, parking_time or flat")
    if restrictions.reservation is not None:
        for dimension in priced:
            if dimension in {Dimension.ENERGY, Dimension.PARKING_TIME}:
                spot = fields.key_node(dimension.lower())
                notebook.complain(spot, "a reservation can only have flat and time prices")
    if not components:
        return None
    return TariffElement(price_components=tuple(components), restrictions=restrictions, name=name)


def _component(
    fields: Fields, dimension: Dimension, vat: Decimal | None, notebook: Notebook
) -> PriceComponent | None:
    """Read `energy: 0.49 per kWh` or `energy: {price: ..., step_size: ..., vat: ...}`."""
    key = dimension.lower()
    node = fields.node_of(key)
    if node is None:
        return None
    step: int | None = None
    series = False
    if isinstance(node, Scalar):
        price = read_scalar(node, lambda text: price_of(text, dimension), notebook, key)
    else:
        inner = Fields(node, notebook, key)
        price = inner.read(
            "price", lambda text: price_of(text, dimension), required=not inner.has("series")
        )
        series = bool(inner.flag("series"))
        price = Decimal(0) if series and not inner.has("price") else price
        step = inner.read("step_size", lambda text: _step_of(text, dimension))
        own = inner.read("vat", percent_of)
        vat = vat if own is None else own
        inner.finish()
    if price is None:
        return None
    return PriceComponent(
        dimension=dimension,
        price=price,
        vat=vat,
        step_size=step or 0,
        series=series,
    )


def price_of(text: str, dimension: Dimension) -> Decimal:
    """Read a price, with or without its unit, as OCPI means it: per kWh, per hour, once."""
    match = _PRICE.match(text.strip())
    if match is None:
        message = f"{text!r} is not a price"
        raise ValueError(message)
    amount = signed_of(match["amount"])
    unit = match["unit"] or match["once"]
    if unit is None:
        return amount
    units = _UNITS[dimension]
    if unit not in units:
        known = " or ".join(f"per {known}" for known in units if known != "once")
        message = f"{dimension.lower()} is priced {known}, not per {unit}"
        raise ValueError(message)
    return plain(EXACT.multiply(amount, units[unit]))


def percent_of(text: str) -> Decimal:
    """Read a percentage, with or without its sign."""
    percent = amount_of(text.removesuffix("%"))
    if percent > 100:  # noqa: PLR2004 - percent
        message = f"{text} is more than 100 %"
        raise ValueError(message)
    return percent


def seconds_of(text: str) -> int:
    """Read a duration: 15 min, 2 h, 90 s, or a number of seconds."""
    match = _DURATION.match(text.strip())
    if match is None:
        message = f"{text!r} is not a duration; write it as 15 min, 2 h or 90 s"
        raise ValueError(message)
    seconds = EXACT.multiply(amount_of(match["amount"]), Decimal(_SECONDS[match["unit"]]))
    if seconds != seconds.to_integral_value():
        message = f"{text!r} is not a whole number of seconds"
        raise ValueError(message)
    return int(seconds)


def _step_of(text: str, dimension: Dimension) -> int:
    if dimension is not Dimension.ENERGY:
        return seconds_of(text)
    match = _ENERGY_STEP.match(text.strip())
    if match is not None:
        energy_wh = EXACT.multiply(amount_of(match["amount"]), _WATT_HOURS[match["unit"]])
        if energy_wh == energy_wh.to_integral_value():
            return int(energy_wh)
    message = f"{text!r} is no whole number of watt-hours; write it as 100 Wh or 0.5 kWh"
    raise ValueError(message)


def _restrictions(
    node: Node | None, notebook: Notebook, holidays: tuple[date, ...]
) -> Restrictions:
    if node is None:
        return Restrictions()
    fields = Fields(node, notebook, "restrictions")
    kind = fields.choice("reservation", [kind.value for kind in ReservationRestriction])
    restrictions = Restrictions(
        start_time=fields.read("start_time", time_of),
        end_time=fields.read("end_time", time_of),
        start_date=fields.read("start_date", date_of),
        end_date=fields.read("end_date", date_of),
        min_kwh=fields.number("min_kwh"),
        max_kwh=fields.number("max_kwh"),
        min_current=fields.number("min_current"),
        max_current=fields.number("max_current"),
        min_power=fields.number("min_power"),
        max_power=fields.number("max_power"),
        min_duration=fields.read("min_duration", seconds_of),
        max_duration=fields.read("max_duration", seconds_of),
        day_of_week=_weekdays(fields, notebook),
        holidays=_holidays(fields, notebook, holidays),
        season_start=fields.read("season_start", _season_of),
        season_end=fields.read("season_end", _season_of),
        reservation=None if kind is None else ReservationRestriction(kind),
    )
    fields.finish()
    _check_ranges(fields, restrictions, notebook)
    return restrictions


def _weekdays(fields: Fields, notebook: Notebook) -> tuple[Weekday, ...]:
    """Read MONDAY, or MONDAY-FRIDAY, weekdays, weekends, in any case; in the week's order."""
    days: set[Weekday] = set()
    for node in fields.items("day_of_week"):
        if _is_holiday(node):
            continue
        days.update(read_scalar(node, _days_of, notebook, "day_of_week") or ())
    return tuple(day for day in WEEKDAYS if day in days)


def _holidays(fields: Fields, notebook: Notebook, holidays: tuple[date, ...]) -> tuple[date, ...]:
    """Return the tariff's holidays if HOLIDAY is among the days."""
    for node in fields.items("day_of_week"):
        if _is_holiday(node):
            if not holidays:
                notebook.complain(node, "HOLIDAY needs 'holidays: {country: ..., years: [...]}'")
            return holidays
    return ()


def _is_holiday(node: Node) -> bool:
    return isinstance(node, Scalar) and node.text.strip().upper() == HOLIDAY


def _season_of(text: str) -> str:
    """Read a day of every year, 11-01."""
    try:
        # 2028 is a leap year: 02-29 is a day of the year. Weeks (W10) have no place in every year.
        day = text.strip() if _DAY_OF_YEAR.fullmatch(text.strip()) else ""
        return f"{date.fromisoformat(f'2028-{day}'):%m-%d}"
    except ValueError:
        message = f"{text!r} is not a day of the year; write it as 11-01"
        raise ValueError(message) from None


def _days_of(text: str) -> tuple[Weekday, ...]:
    shown = text.strip().upper()
    if shown in _DAY_SETS:
        return _DAY_SETS[shown]
    ends = [WEEKDAYS.index(Weekday(choice_of(end.strip(), WEEKDAYS))) for end in shown.split("-")]
    first, last = ends[0], ends[-1]
    if first <= last:
        return WEEKDAYS[first : last + 1]
    return WEEKDAYS[first:] + WEEKDAYS[: last + 1]


_Bound = Decimal | int | date | time | None


def _check_ranges(fields: Fields, restrictions: Restrictions, notebook: Notebook) -> None:
    """Refuse ranges that nothing can lie in, and a window whose meaning OCPI leaves open."""
    ranges: list[tuple[str, _Bound, _Bound]] = [
        ("max_kwh", restrictions.min_kwh, restrictions.max_kwh),
        ("max_current", restrictions.min_current, restrictions.max_current),
        ("max_power", restrictions.min_power, restrictions.max_power),
        ("max_duration", restrictions.min_duration, restrictions.max_duration),
    ]
    for key, low, high in ranges:
        if isinstance(low, Decimal | int) and isinstance(high, Decimal | int) and high <= low:
            notebook.complain(fields.key_node(key), f"{key} must be more than its minimum")
    starts, ends = restrictions.start_date, restrictions.end_date
    if starts is not None and ends is not None and ends <= starts:
        notebook.complain(fields.key_node("end_date"), "end_date must come after start_date")
    if (restrictions.season_start is None) != (restrictions.season_end is None):
        key = "season_start" if restrictions.season_end is None else "season_end"
        notebook.complain(fields.key_node(key), "a season needs season_start and season_end")
    elif restrictions.season_start is not None and restrictions.season_start == (
        restrictions.season_end
    ):
        notebook.complain(fields.key_node("season_end"), "season_end equals season_start")
    if restrictions.start_time is not None and restrictions.start_time == restrictions.end_time:
        # OCPI leaves it open and partners read it both ways; a file of ours can be clear.
        message = "end_time equals start_time; leave both out for the whole day"
        notebook.complain(fields.key_node("end_time"), message)
