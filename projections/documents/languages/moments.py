"""Days, moments and spans as a language writes them, by the clocks of the site.

A moment brings its local time (`tariffs.offsets.zone_with`). What its clocks show twice, in the
hour that autumn repeats, is told apart by the zone's abbreviation: 02:30 MESZ, 02:30 MEZ.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from babel.core import Locale
from babel.dates import DateTimePattern, format_skeleton, parse_pattern

from tariffs.offsets import RecordedZone
from tariffs.zones import zone, zone_names

# As bills of the language have it. CLDR's "short" leaves out the century in four of these, its
# "medium" is longer than a column; English spells the month, which its readers order differently.
_DAYS: Final = {
    "de": "dd.MM.y",
    "en": "d MMM y",
    "en-US": "MMM d, y",
    "es": "dd/MM/y",
    "fr": "dd/MM/y",
    "it": "dd/MM/y",
    "nl": "dd-MM-y",
    "pl": "dd.MM.y",
    "sv": "y-MM-dd",
}
# CLDR has the same in all of them, between thin spaces, which the font of our pages does not have.
_FROM_TO: Final = "{} \N{EN DASH} {}"
_MINUTES: Final = 60
_LEAP_YEAR: Final = 2000
_END_OF_DAY: Final = "24:00"
_ZERO: Final = timedelta(0)


class Moments:
    """How one language writes days and times; *zone_word* says a zone's abbreviation in it."""

    def __init__(self, tag: str, locale: Locale, zone_word: Callable[[str], str]) -> None:
        self._locale, self._zone_word = locale, zone_word
        self._day = parse_pattern(_DAYS[tag])
        self._clock: DateTimePattern = locale.time_formats["short"]
        self._seconds: DateTimePattern = locale.time_formats["medium"]
        self._day_and_clock = str(locale.datetime_formats["short"])

    def day(self, day: date) -> str:
        """Return a date in full."""
        return self._day.apply(day, self._locale)

    def month(self, month: str) -> str:
        """Return a month, "2026-03", as "March 2026".

        Raises:
            ValueError: If it is no month.
        """
        first = date.fromisoformat(f"{month}-01")
        return format_skeleton("yMMMM", first, locale=self._locale)

    def day_of_year(self, text: str) -> str:
        """Return a day of every year, "05-01", as "1 May".

        Raises:
            ValueError: If it is no day.
        """
        day = date.fromisoformat(f"{_LEAP_YEAR}-{text}")
        return format_skeleton("MMMMd", day, locale=self._locale)

    def clock_text(self, text: str) -> str:
        """Return a time of day, "17:30" or "24:00" or "06:00:30", as the language's clocks show it.

        Raises:
            ValueError: If it is no time.
        """
        if text == _END_OF_DAY:
            # Clocks of twelve hours have no 24:00.
            has_24 = "H" in self._clock.pattern
            return text if has_24 else self._locale.day_periods["format"]["wide"]["midnight"]
        at = datetime.fromisoformat(f"{_LEAP_YEAR}-01-01T{text}")
        return (self._seconds if at.second else self._clock).apply(at, self._locale)

    def clock(self, at: datetime, *, seconds: bool = False) -> str:
        """Return the local time of day, its zone with it where clocks show it twice."""
        return self._told_apart(at, seconds, is_told=_comes_twice(at))

    def moment(self, at: datetime, *, seconds: bool = False) -> str:
        """Return local date and time."""
        return self._joined(self.day(at), self.clock(at, seconds=seconds))

    def span(self, starts_at: datetime, ends_at: datetime, *, seconds: bool = False) -> str:
        """Return from when to when, the date once where it is the same.

        Both have their zone where either is shown twice, or the clocks changed between them.
        """
        is_told = (
            _comes_twice(starts_at)
            or _comes_twice(ends_at)
            or starts_at.utcoffset() != ends_at.utcoffset()
        )
        first = self._told_apart(starts_at, seconds, is_told=is_told)
        last = self._told_apart(ends_at, seconds, is_told=is_told)
        if starts_at.date() != ends_at.date():
            last = self._joined(self.day(ends_at), last)
        return _FROM_TO.format(self._joined(self.day(starts_at), first), last)

    def _joined(self, day: str, clock: str) -> str:
        return self._day_and_clock.format(clock, day)

    def _told_apart(self, at: datetime, seconds: bool, *, is_told: bool) -> str:  # noqa: FBT001 - passed on
        text = (self._seconds if seconds else self._clock).apply(at, self._locale)
        return f"{text} {self._zone(at)}" if is_told else text

    def _zone(self, at: datetime) -> str:
        """Return the abbreviation that tzdata has for these clocks, else how far they are ahead."""
        offset, name = at.utcoffset() or _ZERO, _zone_name(at)
        if name in zone_names():
            known = at.astimezone(zone(name))
            word = known.tzname() or ""
            # A tzdata of another year may say otherwise: what was recorded holds.
            if known.utcoffset() == offset and word.isalpha():
                return self._zone_word(word)
        return _utc(offset)


def _comes_twice(at: datetime) -> bool:
    """Return whether the clocks show this local time twice (PEP 495: then fold 0 is ahead)."""
    first, second = (at.replace(fold=fold).utcoffset() or _ZERO for fold in (0, 1))
    return first > second


def _zone_name(at: datetime) -> str:
    if isinstance(at.tzinfo, ZoneInfo):
        return at.tzinfo.key or ""
    return at.tzinfo.name or "" if isinstance(at.tzinfo, RecordedZone) else ""


def _utc(offset: timedelta) -> str:
    hours, minutes = divmod(abs(offset) // timedelta(minutes=1), _MINUTES)
    sign = "\N{MINUS SIGN}" if offset < _ZERO else "+"
    return f"UTC{sign}{hours}:{minutes:02}" if minutes else f"UTC{sign}{hours}"
