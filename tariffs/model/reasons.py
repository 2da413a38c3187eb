"""Why a line stands where it stands, as phrases; `tariffs.phrases.english` has the words.

A line's phrase leaves out what the line itself says: its element, the name and the dimension.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import time
from decimal import Decimal
from typing import Final

from tariffs.model.tariff import WEEKDAYS, Restrictions, Weekday
from tariffs.phrases.phrase import Phrase, phrase

_RUN_MIN: Final = 3


def priced_reason(restrictions: Restrictions) -> Phrase:
    """Say why an element's component holds: it is the first whose *restrictions* do."""
    when = tuple(_when(restrictions))
    return phrase("priced_when", when=when) if when else phrase("priced")


def unpriced_reason() -> Phrase:
    """Say that nothing prices a dimension."""
    return phrase("unpriced")


def grace_reason(reason: str | None) -> Phrase:
    """Say that parking is within the grace."""
    return phrase("grace", because=reason or None)


def _when(restrictions: Restrictions) -> Iterator[Phrase]:
    if restrictions.reservation is not None:
        yield Phrase(restrictions.reservation.lower())
    yield from _days(restrictions)
    if restrictions.season_start is not None:
        yield phrase("season", start=restrictions.season_start, end=restrictions.season_end)
    start, end = restrictions.start_time, restrictions.end_time
    if start is not None or end is not None:
        last = "24:00" if end is None or end == time(0) else _clock(end)
        yield phrase("clock", start=_clock(start or time(0)), end=last)
    if restrictions.start_date is not None:
        yield phrase("from_date", date=str(restrictions.start_date))
    if restrictions.end_date is not None:
        yield phrase("before_date", date=str(restrictions.end_date))
    yield from _range("kWh", restrictions.min_kwh, restrictions.max_kwh)
    yield from _range("kW", restrictions.min_power, restrictions.max_power)
    yield from _range("A", restrictions.min_current, restrictions.max_current)
    if restrictions.min_duration is not None:
        yield phrase("after", seconds=restrictions.min_duration)
    if restrictions.max_duration is not None:
        yield phrase("in_the_first", seconds=restrictions.max_duration)


def _range(unit: str, low: Decimal | None, high: Decimal | None) -> Iterator[Phrase]:
    if low is not None:
        yield phrase("from_amount", amount=low, unit=unit)
    if high is not None:
        yield phrase("below_amount", amount=high, unit=unit)


def _days(restrictions: Restrictions) -> Iterator[Phrase]:
    if not restrictions.day_of_week:
        if restrictions.holidays:
            yield phrase("holidays")
        return
    days = _weekdays(restrictions.day_of_week)
    yield phrase("days_and_holidays", days=days) if restrictions.holidays else days


def _weekdays(days: Sequence[Weekday]) -> Phrase:
    indices = sorted(WEEKDAYS.index(day) for day in days)
    if indices == list(range(indices[0], indices[-1] + 1)) and len(indices) >= _RUN_MIN:
        return phrase("days_from_to", first=WEEKDAYS[indices[0]], last=WEEKDAYS[indices[-1]])
    return phrase("days", days=tuple(WEEKDAYS[i] for i in indices))


def _clock(moment: time) -> str:
    return f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"
