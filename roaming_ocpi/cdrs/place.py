"""Where a session was, as its CDR says it: by what was declared of site and station then."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from ledger.declared.declarations import Declarations
from ledger.master_data.stations import Plug
from ledger.rating.decisions import SessionRated
from roaming_ocpi.cdrs.made import CdrPlace
from roaming_ocpi.places.ours.our_locations import degrees
from roaming_ocpi.wire.ids import connector_id, evse_id, evse_uid, location_id
from tariffs.ocpi.countries import three_letters


class Whereabouts(NamedTuple):
    """Where and when a session began, in our words; `country` by two letters."""

    site_id: str
    station_id: str
    evse_id: int | None
    connector_id: int | None
    started_at: datetime
    time_zone: str
    country: str

    @classmethod
    def of(cls, rated: SessionRated) -> Whereabouts:
        """Return those of a rated session."""
        return cls(
            site_id=rated.site_id,
            station_id=rated.station_id,
            evse_id=rated.evse_id,
            connector_id=rated.connector_id,
            started_at=rated.started_at,
            time_zone=rated.time_zone,
            country=rated.country,
        )


def place_of(declared: Declarations, where: Whereabouts, our_party: str) -> CdrPlace:
    """Return the CdrLocation of a session; what is not declared is left out."""
    site = declared.site(where.site_id, where.started_at)
    address = site.address if site else None
    at = (site.latitude, site.longitude) if site else (None, None)
    plug = _plug(declared, where)
    return CdrPlace(
        location_id=location_id(where.site_id),
        evse_uid=evse_uid(where.station_id, where.evse_id),
        evse_id=evse_id(our_party, where.station_id, where.evse_id),
        connector_id=connector_id(where.connector_id),
        time_zone=where.time_zone,
        name=(site.name if site else "") or where.site_id,
        address=(address.street or None) if address else None,
        city=(address.city or None) if address else None,
        postal_code=(address.postal_code or None) if address else None,
        country=three_letters(where.country),
        latitude=None if at[0] is None else degrees(at[0]),
        longitude=None if at[1] is None else degrees(at[1]),
        standard=plug.standard if plug else None,
        format=plug.format.value if plug else None,
        power_type=plug.power_type.value if plug else None,
    )


def _plug(declared: Declarations, where: Whereabouts) -> Plug | None:
    """Return what the driver plugged in: the connector's, or the station's where it says none."""
    station = declared.station(where.station_id, where.started_at)
    if station is None:
        return None
    used = [
        each
        for each in station.connectors
        if each.evse_id == where.evse_id
        and (where.connector_id is None or each.connector_id == where.connector_id)
    ]
    plugs = {each.plug for each in used if each.plug is not None}
    return plugs.pop() if len(plugs) == 1 else station.plug
