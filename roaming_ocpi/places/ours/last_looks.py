"""What a partner was found to know when it was looked at last: the next look costs what changed.

An EVSE is told alone; so what a station says costs that station's EVSEs, however many its site has.
Every few minutes all is looked at once more, as after anything else that changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection

from roaming_ocpi.places.ours.evse_status import STATES, StationSaid, stations_said
from roaming_ocpi.places.ours.our_locations import OurEvse, OurLocation
from roaming_ocpi.places.ours.our_tariffs import OurTariff
from roaming_ocpi.registration.link import Link
from roaming_ocpi.wire.differences import Tree
from tariffs.ocpi.versions import OcpiVersion

ALL_SECONDS: Final = 300.0
"""After which all is looked at again, whatever changed."""

ToldEvse = tuple[OurLocation, OurEvse, Tree]
"""An EVSE, and where it is, as a version says it."""


class SaidLately:
    """What stations said, as one look of all partners reads it: of each station once.

    Args:
        known: What was known before; what did not change is the same object again.
    """

    def __init__(self, known: dict[str, StationSaid]) -> None:
        self._known, self._read = known, set[str]()

    async def of(
        self, connection: AsyncConnection[Any], locations: Sequence[OurLocation]
    ) -> Mapping[str, StationSaid]:
        """Return what the stations of *locations* last said."""
        stations = dict.fromkeys(evse.station_id for each in locations for evse in each.evses)
        unread = [each for each in stations if each not in self._read]
        if unread:
            rows = await connection.execute(STATES, (unread,))
            for key, said in stations_said(await rows.fetchall()).items():
                if self._known.get(key) != said:
                    self._known[key] = said
            self._read.update(unread)
        return {each: self._known[each] for each in stations}


class PartnerLook(NamedTuple):
    """What there was to tell a partner, all of which it knows; `all_at`: when all was looked at.

    `evses` has them by their station; it is made where all is looked at.
    """

    link: Link
    tariffs: Sequence[OurTariff] | None
    locations: Sequence[OurLocation] | None
    said: Mapping[str, StationSaid]
    all_at: float
    evses: Mapping[str, Sequence[ToldEvse]]

    def changed_until(self, now: PartnerLook) -> Sequence[str] | None:
        """Return whose EVSEs may have changed by *now*; None: everything may."""
        is_same = self.tariffs is now.tariffs and self.locations is now.locations
        if not is_same or self.link != now.link or now.all_at - self.all_at >= ALL_SECONDS:
            return None
        before = self.said
        return [key for key, said in now.said.items() if before.get(key) is not said]


def by_station(
    locations: Sequence[OurLocation], version: OcpiVersion
) -> Mapping[str, Sequence[ToldEvse]]:
    """Return the EVSEs of *locations* that *version* can say, by their station."""
    found: defaultdict[str, list[ToldEvse]] = defaultdict(list)
    for location in locations:
        for evse, tree in location.form(version).evses:
            found[evse.station_id].append((location, evse, tree))
    return found
