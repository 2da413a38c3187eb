"""Weekly hours as people type them: a line each, "06:00-22:00 MONDAY TUESDAY"; no day: all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time
from typing import Final

from ledger.errors import LedgerError
from ledger.master_data.hours import WeeklyHours
from tariffs.model.tariff import Weekday

_LINES_MAX: Final = 50


class UnreadableHoursError(LedgerError):
    """A line that says no hours."""

    def __init__(self, line: str) -> None:
        self.line = line[:60]
        super().__init__(f"{self.line} says no hours: 06:00-22:00 MONDAY FRIDAY does")


def read_hours(text: str) -> tuple[WeeklyHours, ...]:
    """Return the hours that are typed, a line each; none: always.

    Raises:
        UnreadableHoursError: If a line says none.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > _LINES_MAX:
        raise UnreadableHoursError(lines[_LINES_MAX])
    return tuple(map(_read, lines))


def written_hours(hours: Sequence[WeeklyHours]) -> str:
    """Return hours as they are typed."""
    return "\n".join(
        " ".join([f"{each.start:%H:%M}-{each.end:%H:%M}", *map(str, each.days)]) for each in hours
    )


def _read(line: str) -> WeeklyHours:
    window, *days = line.split()
    start, dash, end = window.partition("-")
    try:
        if not dash:
            raise UnreadableHoursError(line)
        named = tuple(Weekday(day.upper()) for day in days)
        return WeeklyHours(start=_time(start), end=_time(end), days=named)
    except ValueError:
        raise UnreadableHoursError(line) from None


def _time(text: str) -> time:
    hour, _, minute = text.partition(":")
    if not (text.isascii() and hour.isdecimal() and minute.isdecimal()):
        raise ValueError(text)
    # 24:00 is how the end of a day is written; the day's hours end at 00:00.
    return time(int(hour) % 24 if int(hour) == 24 and not int(minute) else int(hour), int(minute))  # noqa: PLR2004
