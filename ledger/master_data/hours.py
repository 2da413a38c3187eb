"""Weekly hours in which a token may charge, by the clock on the wall of the site."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from tariffs.model.tariff import Weekday

_DAY: Final = timedelta(days=1)
_WEEK: Final = 7


_NUMBERS: Final = {day: number for number, day in enumerate(Weekday)}


class WeeklyHours(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From `start` until before `end` on each of `days` (none named: on all), local time.

    An end that is not after the start lies on the next day: 22:00 to 06:00 of Friday ends on
    Saturday morning, 00:00 to 00:00 is the whole day.
    """

    start: time = time(0)
    end: time = time(0)
    days: tuple[Weekday, ...] = ()


def closes_at(hours: Sequence[WeeklyHours], moment: datetime, time_zone: str) -> datetime | None:
    """Return when the *hours* that hold at *moment* end, None if none hold then.

    Where clocks are set meanwhile, it is when the clock on the wall shows the end first.
    """
    zone = ZoneInfo(time_zone)
    local = moment.astimezone(zone).replace(tzinfo=None)
    end = None
    # Windows that meet are one: what goes on into the next day goes on.
    for _ in range(_WEEK + 1):
        last = max(_ends(hours, end or local), default=None)
        if last is None or (end is not None and last <= end):
            break
        end = last
    return None if end is None else max(end.replace(tzinfo=zone).astimezone(moment.tzinfo), moment)


def _ends(hours: Sequence[WeeklyHours], local: datetime) -> Iterator[datetime]:
    """Yield the ends of those that hold at *local*."""
    for each in hours:
        for day in (local.date(), local.date() - _DAY):
            if each.days and day.weekday() not in {_NUMBERS[name] for name in each.days}:
                continue
            start, end = datetime.combine(day, each.start), datetime.combine(day, each.end)
            if end <= start:
                end += _DAY
            if start <= local < end:
                yield end
