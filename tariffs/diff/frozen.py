"""What differs in the tables that a version carries: prices of an exchange, public holidays.

Both are frozen into it when it is published, and change what sessions cost with no word of the
elements. Sentences say by what terms a price follows the exchange, and count the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from tariffs.diff.change import ChangeKind
from tariffs.holiday_calendar import HolidayCalendar
from tariffs.model.price_series import PriceSeries
from tariffs.model.tariff import Tariff
from tariffs.phrases.phrase import Phrase, phrase

_MINUTE = 60


def frozen_changes(before: Tariff, after: Tariff) -> Iterator[tuple[ChangeKind, Phrase]]:
    """Yield a kind and a phrase for each change of the price series and of the holidays."""
    for said in _series(before.price_series, after.price_series):
        yield ChangeKind.PRICE, said
    for said in _holidays(before, after):
        yield ChangeKind.SETTING, said


def _series(before: PriceSeries | None, after: PriceSeries | None) -> Iterator[Phrase]:
    old, new = _terms(before), _terms(after)
    if old != new:
        yield phrase("series_changes", old=old, new=new)
    if before is None or after is None:
        return
    was, now = dict(before.prices), dict(after.prices)
    changed = sum(was[at] != now[at] for at in was.keys() & now.keys())
    added, removed = len(now.keys() - was.keys()), len(was.keys() - now.keys())
    if changed or added or removed:
        yield phrase("series_prices_change", changed=changed, added=added, removed=removed)


def _terms(series: PriceSeries | None) -> Phrase:
    if series is None:
        return phrase("no_series")
    return phrase(
        "series_terms",
        series=series.name,
        seconds=series.minutes * _MINUTE,
        percent=series.percent or None,
        markup=series.markup or None,
        floor=series.floor,
        cap=series.cap,
    )


def _holidays(before: Tariff, after: Tariff) -> Iterator[Phrase]:
    old, new = _calendar(before.holidays), _calendar(after.holidays)
    if old != new:
        yield phrase("holidays_change", old=old, new=new)
    was, now = _days(before), _days(after)
    if was != now:
        yield phrase("holiday_days_change", added=len(now - was), removed=len(was - now))


def _calendar(holidays: HolidayCalendar | None) -> Phrase:
    if holidays is None:
        return phrase("no_holidays")
    years = tuple(map(str, holidays.years))
    return phrase("holidays_of", country=holidays.country, region=holidays.region, years=years)


def _days(tariff: Tariff) -> set[date]:
    named = () if tariff.holidays is None else tariff.holidays.days
    return {*named, *(day for each in tariff.elements for day in each.restrictions.holidays)}
