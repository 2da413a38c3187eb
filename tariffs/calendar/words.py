"""The phrases in which calendars, diffs and findings speak of prices, times and restrictions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Final, TypeVar

from tariffs.adjustments.adjustment import Adjustment, IdleGrace
from tariffs.adjustments.phrases import adjustment_phrase
from tariffs.calendar.english import ENGLISH, WORDS
from tariffs.calendar.week import Fee, HeldPrice, fee_of
from tariffs.currencies import CURRENCY_EXPONENTS
from tariffs.model.tariff import WEEKDAYS, Restrictions, Tariff, TariffElement, Weekday
from tariffs.phrases.phrase import Phrase, phrase
from tariffs.quantities import plain
from tariffs.taxes.names import rate_name
from tariffs.zones import clock_change, zone

DAY_NAMES: Final = tuple(WORDS[f"short_day.{day}"] for day in WEEKDAYS)
ALWAYS: Final = phrase("always")
_MIDNIGHT: Final = time(0)
_RUN_MIN: Final = 3

Bound = TypeVar("Bound")

# A stretch of one local day; an end of 00:00 is the end of the day.
Piece = tuple[date, time, time]
# What a day's pieces are: (start, end) of each, in order.
_Spans = tuple[tuple[time, time], ...]


def sentence(text: str) -> str:
    """Return what a phrase says as a sentence: with a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:]}."


def note_text(said: Phrase) -> str:
    """Return a note in English, as a sentence."""
    return sentence(ENGLISH.words(said))


def amount_text(amount: Decimal, currency: str) -> str:
    """Return "0.49", with no fewer decimals than the currency has and none dropped."""
    exact = plain(amount)
    decimals = max(CURRENCY_EXPONENTS.get(currency, 2), -int(exact.as_tuple().exponent))
    return f"{exact:.{decimals}f}"


def price_phrase(price: HeldPrice | None, fee: Fee, currency: str) -> Phrase:
    """Say "0.49 EUR/kWh", or "free" where no element prices the fee."""
    if price is None:
        return phrase("no_price")
    amount = amount_text(price.price, currency)
    return phrase("price_for", amount=amount, currency=currency, unit=fee.unit)


def price_text(price: HeldPrice | None, fee: Fee, currency: str) -> str:
    """Return "0.49 EUR/kWh" or "free"."""
    return ENGLISH.words(price_phrase(price, fee, currency))


def clock_text(moment: time) -> str:
    """Return "21:00", with seconds only if there are any."""
    return f"{moment:%H:%M}" if moment.second == 0 else f"{moment:%H:%M:%S}"


def hours_phrase(start: time, end: time) -> Phrase:
    """Say "07:00-20:00"; midnight as an end is 24:00."""
    last = "24:00" if end == _MIDNIGHT else clock_text(end)
    return phrase("hours", start=clock_text(start), end=last)


def days_phrase(days: Iterable[Weekday]) -> Phrase:
    """Say "Mon-Fri, Sun"."""
    runs: list[Phrase] = []
    indices = sorted({WEEKDAYS.index(day) for day in days})
    for _, group in groupby(enumerate(indices), key=lambda pair: pair[1] - pair[0]):
        run = [WEEKDAYS[day] for _, day in group]
        if len(run) >= _RUN_MIN:
            runs.append(phrase("run_of_days", first=run[0], last=run[-1]))
        else:
            runs.extend(phrase("one_day", day=day) for day in run)
    return phrase("on_days", days=tuple(runs))


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


def windows_phrase(pieces: Iterable[Piece], days: Sequence[date]) -> Phrase:
    """Say "Mon-Fri 07:00-20:00; Sat, Sun" of pieces of the local *days*; `ALWAYS` of all."""
    by_day = {day: [(start, end) for on, start, end in pieces if on == day] for day in days}
    spans = {day: _joined(found) for day, found in by_day.items()}
    whole: _Spans = ((_MIDNIGHT, _MIDNIGHT),)
    if all(found == whole for found in spans.values()):
        return ALWAYS
    groups: dict[_Spans, list[Weekday]] = {}
    for day, found in spans.items():
        if found:
            groups.setdefault(found, []).append(WEEKDAYS[day.weekday()])
    said = []
    for found, weekdays in groups.items():
        is_every = len(weekdays) == len(days)
        named = phrase("every_day") if is_every else days_phrase(weekdays)
        hours = tuple(hours_phrase(start, end) for start, end in found)
        said.append(named if found == whole else phrase("days_with_hours", days=named, hours=hours))
    return phrase("windows", groups=tuple(said))


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


def range_phrases(low: Phrase | None, high: Phrase | None) -> tuple[Phrase, ...]:
    """Say "from 4 h to 6 h", "from 4 h on" or "up to 6 h", or nothing; *high* is exclusive."""
    if low is not None:
        return (
            (phrase("from_on", low=low),)
            if high is None
            else (phrase("between", low=low, high=high),)
        )
    return () if high is None else (phrase("up_to", high=high),)


def duration_phrase(seconds: int) -> Phrase:
    """Say "4 h"."""
    return phrase("duration", seconds=seconds)


def kwh_phrase(kwh: Decimal) -> Phrase:
    """Say "50 kWh"."""
    return phrase("kwh", kwh=kwh)


def kw_phrase(kw: Decimal) -> Phrase:
    """Say "11 kW"."""
    return phrase("kw", kw=kw)


def ampere_phrase(ampere: Decimal) -> Phrase:
    """Say "16 A"."""
    return phrase("ampere", ampere=ampere)


def _date_phrase(day: date) -> Phrase:
    return phrase("on_date", date=day.isoformat())


def restriction_phrases(restrictions: Restrictions) -> tuple[Phrase, ...]:
    """Say when an element applies: "Mon-Fri", "07:00-20:00", "from 4 h on"; nothing for always."""
    r = restrictions
    said: list[Phrase] = []
    if r.day_of_week:
        days = days_phrase(r.day_of_week)
        said.append(phrase("or_holidays", days=days) if r.holidays else days)
    elif r.holidays:
        said.append(phrase("holidays"))
    if r.season_start is not None:
        said.append(phrase("yearly", start=r.season_start, end=r.season_end))
    if r.start_time is not None or r.end_time is not None:
        said.append(hours_phrase(r.start_time or _MIDNIGHT, r.end_time or _MIDNIGHT))
    for low, high in (
        (_of(r.start_date, _date_phrase), _of(r.end_date, _date_phrase)),
        (_of(r.min_duration, duration_phrase), _of(r.max_duration, duration_phrase)),
        (_of(r.min_kwh, kwh_phrase), _of(r.max_kwh, kwh_phrase)),
        (_of(r.min_power, kw_phrase), _of(r.max_power, kw_phrase)),
        (_of(r.min_current, ampere_phrase), _of(r.max_current, ampere_phrase)),
    ):
        said += range_phrases(low, high)
    if r.reservation is not None:
        said.append(Phrase(r.reservation.lower()))
    return tuple(said)


def _of(bound: Bound | None, said: Callable[[Bound], Phrase]) -> Phrase | None:
    return None if bound is None else said(bound)


def element_phrase(element: TariffElement, tariff: Tariff) -> Phrase:
    """Say an element of *tariff*: its prices, then when it applies."""
    reserved = element.restrictions.reservation is not None
    prices = []
    for component in element.price_components:
        fee = fee_of(component.dimension, reserved=reserved)
        named, unit = (component.dimension, "") if fee is None else (fee.name, fee.unit)
        prices.append(
            phrase(
                "component_price",
                fee=named,
                amount=amount_text(component.price, tariff.currency),
                currency=tariff.currency,
                unit=unit,
                series="yes" if component.series else None,
                tax=None if component.vat is None else rate_phrase(component.vat, tariff),
            )
        )
    when = restriction_phrases(element.restrictions) or (ALWAYS,)
    return phrase("element_prices", prices=tuple(prices), when=when)


def element_text(element: TariffElement, tariff: Tariff) -> str:
    """Return "Energy 0.49 EUR/kWh (Mon-Fri, 07:00-20:00)"."""
    return ENGLISH.words(element_phrase(element, tariff))


def rate_phrase(percent: Decimal, tariff: Tariff) -> Phrase:
    """Say a rate of tax by the name that the tariff, or its country, has for it."""
    name = rate_name(percent, tariff.sales_taxes, tariff.country_code)
    return phrase("rate_of_tax", percent=percent, name=name)


def label_phrase(index: int, name: str | None) -> Phrase:
    """Say "element 3 (idle fee)"; people count from 1."""
    return phrase("element_label", element=index, name=name)


def whole_adjustment_phrase(adjustment: Adjustment, currency: str) -> Phrase:
    """Say what an adjustment does, of a grace as well, and why the tariff has it."""
    if isinstance(adjustment, IdleGrace):
        because = adjustment.reason or None
        return phrase("idle_grace", seconds=adjustment.seconds, because=because)
    return ENGLISH.whole(adjustment_phrase(adjustment, currency), {"currency": currency})


def adjustment_text(adjustment: Adjustment, currency: str) -> str:
    """Return "the first 15 min of every stretch of parking cost nothing: time to come back"."""
    return ENGLISH.words(whole_adjustment_phrase(adjustment, currency))
