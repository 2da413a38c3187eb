"""Time zones from the pinned tzdata package, never from the machine: a replay must see the same."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo

from tariffs.errors import TariffError
from tariffs.phrases.phrase import phrase

TZDATA_VERSION: Final = version("tzdata")


@cache
def zone_names() -> frozenset[str]:
    """Return the names of all zones that the pinned tzdata knows."""
    return frozenset(files("tzdata").joinpath("zones").read_text("utf-8").split())


@cache
def zone(name: str) -> ZoneInfo:
    """Return the zone called *name* ("Europe/Berlin").

    Raises:
        UnknownZoneError: If tzdata has no such zone.
    """
    if name not in zone_names():
        raise UnknownZoneError(name)
    path = files("tzdata").joinpath("zoneinfo", *name.split("/"))
    with path.open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def instant_of(day: date, clock: time, local_zone: tzinfo) -> datetime:
    """Return when (UTC) the clocks of a zone first show *clock* on *day*, or jump over it.

    A restriction begins or ceases to hold there too: what holds is asked of the local time.
    """
    local = datetime.combine(day, clock, tzinfo=local_zone)
    instant = local.astimezone(UTC)
    if instant.astimezone(local_zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return instant
    # Left out in spring: with the offset from before it lies after the jump, with that from after
    # it before the jump.
    return clock_change(local.replace(fold=1).astimezone(UTC), instant, local_zone)


def clock_change(low: datetime, high: datetime, local_zone: tzinfo) -> datetime:
    """Return where (to the second) the offset of *low* ends, which *high* no longer has."""
    before = low.astimezone(local_zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        if middle.astimezone(local_zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high


class UnknownZoneError(TariffError):
    """A time zone that does not exist."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name, self.said = name, phrase("unknown_zone", zone=name)
