"""Moments as text, a quarter of an hour at a time: thousands of lines share a date and an offset.

Every clock of the world shows whole quarters of an hour more or less than UTC, and changes at one,
since 1972. Where a zone's history says otherwise, its text is made moment by moment.
"""

from __future__ import annotations

from datetime import datetime, tzinfo
from functools import lru_cache
from typing import Final

from tariffs.model.usage import moment_of

_QUARTER_US: Final = 900 * 1_000_000
_SECOND_US: Final = 1_000_000
_QUARTERS_KEPT: Final = 1 << 14
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MINUTES: Final = tuple(f"{minute:02}:" for minute in range(60))
_SECONDS: Final = tuple(f"{second:02}" for second in range(60))
# As much as +01:00 of an offset, which may have had seconds once.
_OFFSET: Final = 6


def utc_text(instant_us: int) -> str:
    """Return microseconds since 1970 as 2026-03-02T17:00:00Z."""
    quarter, rest = divmod(instant_us, _QUARTER_US)
    seconds, micros = divmod(rest, _SECOND_US)
    if micros:
        return f"{moment_of(instant_us).isoformat()[:-_OFFSET]}Z"
    hour, minute = _utc_hour(quarter)
    later, second = divmod(seconds, 60)
    return f"{hour}{_MINUTES[minute + later]}{_SECONDS[second]}Z"


@lru_cache(maxsize=_QUARTERS_KEPT)
def _utc_hour(quarter: int) -> tuple[str, int]:
    """Return the date and hour of a quarter of an hour as text, and its minute."""
    moment = moment_of(quarter * _QUARTER_US)
    return f"{moment.isoformat()[:14]}", moment.minute


def local_text(instant_us: int, zone: tzinfo) -> str:
    """Return the local time at microseconds since 1970: Mon 2026-03-02 18:00:00 +01:00.

    With its offset, for autumn repeats an hour.
    """
    quarter, rest = divmod(instant_us, _QUARTER_US)
    seconds, micros = divmod(rest, _SECOND_US)
    known = _local_hour(quarter, zone)
    if micros or known is None:
        return _text(moment_of(instant_us).astimezone(zone))
    hour, minute, offset = known
    later, second = divmod(seconds, 60)
    return f"{hour}{_MINUTES[minute + later]}{_SECONDS[second]}{offset}"


@lru_cache(maxsize=_QUARTERS_KEPT)
def _local_hour(quarter: int, zone: tzinfo) -> tuple[str, int, str] | None:
    """Return what all of a quarter of an hour shares; None where its clock shows no quarter."""
    first, last = (
        moment_of(at).astimezone(zone)
        for at in (quarter * _QUARTER_US, (quarter + 1) * _QUARTER_US - 1)
    )
    if first.utcoffset() != last.utcoffset() or first.minute % 15 or first.second:
        return None
    text = _text(first)
    at = text.index(":") + 1
    return text[:at], first.minute, text[text.rindex(" ") :]


def _text(local: datetime) -> str:
    # By ISO 8601: strftime takes several times as long.
    date_, time_ = local.isoformat().split("T")
    at = max(time_.rfind("+"), time_.rfind("-"))
    seconds = time_[:at].rstrip("0") if local.microsecond else time_[:at]
    return f"{_DAYS[local.weekday()]} {date_} {seconds} {time_[at : at + _OFFSET]}"
