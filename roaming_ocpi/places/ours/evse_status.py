"""What EVSEs are doing, of what stations last said, in OCPI's words.

Source: OCPI 2.2.1, mod_locations, Status. A station that is not connected says nothing: UNKNOWN.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

AVAILABLE, CHARGING, UNKNOWN, REMOVED = "AVAILABLE", "CHARGING", "UNKNOWN", "REMOVED"
INOPERATIVE, OUTOFORDER, RESERVED = "INOPERATIVE", "OUTOFORDER", "RESERVED"

_SAID: Final[Mapping[str, str]] = {
    "Available": AVAILABLE,
    # Somebody is at it already, or still is.
    "Preparing": CHARGING,
    "Charging": CHARGING,
    "SuspendedEV": CHARGING,
    "SuspendedEVSE": CHARGING,
    "Finishing": CHARGING,
    "Occupied": CHARGING,
    "Reserved": RESERVED,
    "Unavailable": INOPERATIVE,
    "Faulted": OUTOFORDER,
}
_STOPS_ALL: Final = frozenset({INOPERATIVE, OUTOFORDER})
# Of an EVSE's connectors one is used at a time: who uses it goes before who could.
_FIRST: Final = (CHARGING, RESERVED, AVAILABLE, INOPERATIVE, OUTOFORDER)

STATES: LiteralString = """
SELECT asked.station_id, link.station_id IS NOT NULL,
       coalesce(epoch.closed_at, epoch.opened_at), said.evse_id, said.connector_id, said.status,
       said.received_at
FROM unnest(%s::text[]) AS asked (station_id)
LEFT JOIN connected_station AS link USING (station_id)
LEFT JOIN connection_epoch AS epoch USING (station_id)
LEFT JOIN connector_state AS said USING (station_id)
"""


class StationSaid(NamedTuple):
    """What a station said: status by EVSE and connector (0: all of them), when each was heard.

    `turned_at`: when it connected, or was gone; None: it never was there.
    """

    is_connected: bool
    turned_at: datetime | None
    statuses: Mapping[tuple[int, int], tuple[str | None, datetime]]

    def status(self, evse: int) -> tuple[str, datetime | None]:
        """Return what an EVSE is doing, and since when that is known."""
        told = [
            (place, status, at)
            for place, (status, at) in self.statuses.items()
            if place[0] in (evse, 0)
        ]
        since = max(filter(None, (self.turned_at, *(at for _, _, at in told))), default=None)
        if not self.is_connected:
            return UNKNOWN, since
        said = {place: _SAID.get(status or "", UNKNOWN) for place, status, _ in told}
        for whole in ((0, 0), (evse, 0)):
            if said.get(whole) in _STOPS_ALL:
                return said[whole], since
        of_plugs = {status for (number, _), status in said.items() if number == evse}
        return next((each for each in _FIRST if each in of_plugs), UNKNOWN), since

    def changed_at(self) -> datetime | None:
        """Return when it last said or did something that an EVSE's status shows."""
        moments = (self.turned_at, *(at for _, at in self.statuses.values()))
        return max(filter(None, moments), default=None)


NOTHING_SAID: Final = StationSaid(is_connected=False, turned_at=None, statuses={})


def stations_said(rows: Sequence[Sequence[Any]]) -> Mapping[str, StationSaid]:
    """Return what stations said, of the rows of STATES."""
    links: dict[str, tuple[bool, datetime | None]] = {}
    statuses: defaultdict[str, dict[tuple[int, int], tuple[str | None, datetime]]]
    statuses = defaultdict(dict)
    for station_id, is_connected, turned_at, evse, connector, status, heard_at in rows:
        links[station_id] = is_connected, turned_at
        if heard_at is not None:
            statuses[station_id][evse, connector] = status, heard_at
    return {key: StationSaid(*link, statuses[key]) for key, link in links.items()}
