"""Time zones from the pinned tzdata package, never from the machine: a replay must see the same."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo

from tariffs.errors import TariffError

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


class UnknownZoneError(TariffError):
    """A time zone that does not exist."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no time zone {name!r}")
        self.name = name
