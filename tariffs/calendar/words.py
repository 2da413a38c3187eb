"""The words in which calendars, diffs and findings speak of prices, times and restrictions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Final

from tariffs.calendar.week import Fee, HeldPrice, fee_of
from tariffs.currencies import CURRENCY_EXPONENTS
from tariffs.model.tariff import WEEKDAYS, Restrictions, Tariff, TariffElement, Weekday
from tariffs.quantities import plain
from tariffs.taxes.names import rate_name
from tariffs.zones import clock_change, zone

DAY_NAMES: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
ALL_TIMES: Final = "at all times"
_MIDNIGHT: Final = time(0)
_HOUR_S: Final = 3600
_MINUTE_S: Final = 60

# A stretch of one local day; an end of 00:00 is the end of the day.
Piece = tuple[date, time, time]
# What a day's pieces are: (start, end) of each, in order.
_Spans = tuple[tuple[time, time], ...]


def amount_text(amount: Decimal, currency: str) -> str:
    """Return "0.49", with no fewer decimals than the currency has and none dropped."""
    exact = plain(amount)
    decimals = max(CURRENCY_EXPONENTS.get(currency, 2), -int(exact.as_tuple().exponent))
    return f"{exact:.{decimals}f}"


def price_text(price: HeldPrice | None, fee: Fee, currency: str) -> str:
    """Return "0.49 EUR/kWh", or "free" where no element prices the fee."""
    if price is None:
        return "free"
    return f"{amount_text(price.price, currency)} {currency}{fee.unit}"


def duration_text(seconds: int) -> str:
    """Return "4 h", "90 min" or "45 s"."""
    if seconds and seconds % _HOUR_S == 0:
        return f"{seconds // _HOUR_S} h"
    if seconds and seconds % _MINUTE_S == 0:
        return f"{seconds // _MINUTE_S} min"
    return f"{seconds} s"


def clock_text(moment: time) -> str:
    """Return "21:00", with seconds only if there are any."""
    return f"{moment:%H:%M}" if moment.second == 0 else f"{moment:%H:%M:%S}"


def end_text(moment: time) -> str:
    """Return the end of a window; midnight as an end is 24:00."""
    return "24:00" if moment == _MIDNIGHT else clock_text(moment)


def days_text(days: Iterable[int]) -> str:
    """Return "Mon-Fri, Sun" for weekdays counted from 0."""
    runs = []
    for _, group in groupby(enumerate(sorted(set(days))), key=lambda pair: pair[1] - pair[0]):
        run = [day for _, day in group]
        if len(run) > 2:  # noqa: PLR2004 - two days are named, three are a range
            runs.append(f"{DAY_NAMES[run[0]]}-{DAY_NAMES[run[-1]]}")
        else:
            runs.extend(DAY_NAMES[day] for day in run)
    return ", ".join(runs)


def local_pieces(starts_at: datetime, ends_at: datetime, time_zone: str) -> list[Piece]:
    """Cut the stretch from *starts_at* to *ends_at* (UTC) at the midnights of *time_zone*.

    The wall clock is followed through its changes: the hour that autumn repeats is two pieces.
    """
    pieces: list[Piece] = []
    for begin, finish in _steady(starts_at, ends_at, time_zone):
        local = begin.astimezone(zone(time_zone)).replace(tzinfo=None)
        end = local + (finish - begin)
        while local.date() < end.date():
            pieces.append((local.date(), local.time(), _MIDNIGHT))
            local = datetime.combine(local.date() + timedelta(days=1), _MIDNIGHT)
        if local < end:
            pieces.append((local.date(), local.time(), end.time()))
    return pieces


def _steady(
    starts_at: datetime, ends_at: datetime, time_zone: str
) -> Iterator[tuple[datetime, datetime]]:
    """Cut a stretch of at most some months where the zone's offset changes, to the second."""
    offset = starts_at.astimezone(zone(time_zone)).utcoffset()
    last = ends_at - timedelta(microseconds=1)
    if last.astimezone(zone(time_zone)).utcoffset() == offset:
        yield starts_at, ends_at
        return
    high = clock_change(starts_at, ends_at, zone(time_zone))
    yield starts_at, high
    yield from _steady(high, ends_at, time_zone)


def windows_text(pieces: Iterable[Piece], days: Sequence[date]) -> str:
    """Return "Mon-Fri 07:00-20:00; Sat, Sun" for pieces of the local *days*."""
    by_day = {day: [(start, end) for on, start, end in pieces if on == day] for day in days}
    spans = {day: _joined(found) for day, found in by_day.items()}
    whole: _Spans = ((_MIDNIGHT, _MIDNIGHT),)
    if all(found == whole for found in spans.values()):
        return ALL_TIMES
    groups: dict[_Spans, list[int]] = {}
    for day, found in spans.items():
        if found:
            groups.setdefault(found, []).append(day.weekday())
    texts = []
    for found, weekdays in groups.items():
        hours = ", ".join(f"{clock_text(start)}-{end_text(end)}" for start, end in found)
        named = "every day" if len(weekdays) == len(days) else days_text(weekdays)
        texts.append(named if found == whole else f"{named} {hours}")
    return "; ".join(texts)


def _joined(found: list[tuple[time, time]]) -> _Spans:
    """Join pieces that touch or overlap."""
    joined: list[tuple[time, time]] = []
    for start, end in sorted(set(found), key=lambda piece: (piece[0], _end(piece[1]))):
        if joined and (start, 0) <= _end(joined[-1][1]):
            joined[-1] = (joined[-1][0], max(joined[-1][1], end, key=_end))
        else:
            joined.append((start, end))
    return tuple(joined)


def _end(moment: time) -> tuple[time, int]:
    """Order ends: midnight is after every other time."""
    return (time.max, 1) if moment == _MIDNIGHT else (moment, 0)


def range_text(low: str | None, high: str | None) -> str:
    """Return "from 4 h to 6 h", "from 4 h on" or "up to 6 h"; the upper end is exclusive."""
    if low is not None and high is not None:
        return f"from {low} to {high}"
    return f"from {low} on" if low is not None else f"up to {high}"


def weekday_numbers(days: Iterable[Weekday]) -> list[int]:
    """Return *days* counted from Monday as 0."""
    return [WEEKDAYS.index(day) for day in days]


def restrictions_text(restrictions: Restrictions) -> str:
    """Return when an element applies: "Mon-Fri 07:00-20:00, from 4 h on"; empty for always."""
    r = restrictions
    parts = []
    days = [days_text(weekday_numbers(r.day_of_week))] if r.day_of_week else []
    days += ["public holidays"] if r.holidays else []
    if days:
        parts.append(" and ".join(days))
    if r.season_start is not None:
        parts.append(f"yearly from {r.season_start} to {r.season_end}")
    if r.start_time is not None or r.end_time is not None:
        start, end = r.start_time or _MIDNIGHT, r.end_time or _MIDNIGHT
        parts.append(f"{clock_text(start)}-{end_text(end)}")
    if r.start_date is not None or r.end_date is not None:
        parts.append(
            range_text(
                None if r.start_date is None else r.start_date.isoformat(),
                None if r.end_date is None else r.end_date.isoformat(),
            )
        )
    if r.min_duration is not None or r.max_duration is not None:
        parts.append(
            range_text(
                None if r.min_duration is None else duration_text(r.min_duration),
                None if r.max_duration is None else duration_text(r.max_duration),
            )
        )
    for low, high, unit in (
        (r.min_kwh, r.max_kwh, "kWh"),
        (r.min_power, r.max_power, "kW"),
        (r.min_current, r.max_current, "A"),
    ):
        if low is not None or high is not None:
            parts.append(range_text(*(None if b is None else f"{b:f} {unit}" for b in (low, high))))
    if r.reservation is not None:
        what = "booking" if r.reservation.is_booking else "reservation"
        expires = r.reservation.endswith("EXPIRES")
        parts.append(f"for an expired {what}" if expires else f"for a {what}")
    return ", ".join(parts)


def element_text(element: TariffElement, tariff: Tariff) -> str:
    """Return an element of *tariff* as a sentence part: its prices, then when it applies."""
    reserved = element.restrictions.reservation is not None
    prices = []
    for component in element.price_components:
        fee = fee_of(component.dimension, reserved=reserved)
        named, unit = (fee.value, fee.unit) if fee is not None else (component.dimension, "")
        vat = "" if component.vat is None else f" + {rate_text(component.vat, tariff)}"
        series = " over the price series" if component.series else ""
        amount = f"{amount_text(component.price, tariff.currency)} {tariff.currency}{unit}"
        prices.append(f"{named} {amount}{series}{vat}")
    when = restrictions_text(element.restrictions) or ALL_TIMES
    return f"{', '.join(prices)} ({when})"


def rate_text(percent: Decimal, tariff: Tariff) -> str:
    """Return a rate of tax by the name that the tariff, or its country, has for it."""
    return f"{percent:f} % {rate_name(percent, tariff.sales_taxes, tariff.country_code)}"


def element_label(index: int, name: str | None) -> str:
    """Return "element 3 (idle fee)"; people count from 1."""
    return f"element {index + 1}" if name is None else f"element {index + 1} ({name})"
