"""Which station and EVSE of ours a partner's ids name, of those that it may use."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from ledger.declared.declarations import Declarations, Kind
from roaming_ocpi.places.audience import audience_of
from roaming_ocpi.wire.ids import evse_uid, location_id


class NamedEvse(NamedTuple):
    """An EVSE of ours; None: any of the station."""

    station_id: str
    evse: int | None


def named_evse(
    declared: Declarations, party: str, location: str, uid: str | None, at: datetime
) -> NamedEvse | None:
    """Return what a location's id and an EVSE's name; None: nothing that *party* may use.

    Without an EVSE it is the location's only station: where there are more, none is meant.
    """
    audience = audience_of(declared, party, at)
    sites = {
        key
        for key, _ in (audience.sites(declared, at) if audience else ())
        if location_id(key).casefold() == location.casefold()
    }
    found = []
    for station_id in declared.keys(Kind.STATION):
        station = declared.station(station_id, at)
        if station is None or station.site not in sites:
            continue
        if uid is None:
            found.append(NamedEvse(station_id, None))
            continue
        for evse in sorted({each.evse_id for each in station.connectors}):
            if evse_uid(station_id, evse).casefold() == uid.casefold():
                return NamedEvse(station_id, evse)
    return found[0] if len(found) == 1 else None
