"""Where a session was, as its CDR says it: by what was declared of site and station then."""

from __future__ import annotations

from ledger.declared.declarations import Declarations
from ledger.master_data.stations import Plug
from ledger.rating.decisions import SessionRated
from roaming_ocpi.cdrs.made import CdrPlace
from roaming_ocpi.places.ours.our_locations import degrees
from roaming_ocpi.wire.countries import three_letters
from roaming_ocpi.wire.ids import connector_id, evse_id, evse_uid, location_id


def place_of(declared: Declarations, rated: SessionRated, our_party: str) -> CdrPlace:
    """Return the CdrLocation of *rated*; what is not declared is left out."""
    site = declared.site(rated.site_id, rated.started_at)
    address = site.address if site else None
    at = (site.latitude, site.longitude) if site else (None, None)
    plug = _plug(declared, rated)
    return CdrPlace(
        location_id=location_id(rated.site_id),
        evse_uid=evse_uid(rated.station_id, rated.evse_id),
        evse_id=evse_id(our_party, rated.station_id, rated.evse_id),
        connector_id=connector_id(rated.connector_id),
        time_zone=rated.time_zone,
        name=(site.name if site else "") or rated.site_id,
        address=(address.street or None) if address else None,
        city=(address.city or None) if address else None,
        postal_code=(address.postal_code or None) if address else None,
        country=three_letters(rated.country),
        latitude=None if at[0] is None else degrees(at[0]),
        longitude=None if at[1] is None else degrees(at[1]),
        standard=plug.standard if plug else None,
        format=plug.format.value if plug else None,
        power_type=plug.power_type.value if plug else None,
    )


def _plug(declared: Declarations, rated: SessionRated) -> Plug | None:
    """Return what the driver plugged in: the connector's, or the station's where it says none."""
    station = declared.station(rated.station_id, rated.started_at)
    if station is None:
        return None
    used = [
        each
        for each in station.connectors
        if each.evse_id == rated.evse_id
        and (rated.connector_id is None or each.connector_id == rated.connector_id)
    ]
    plugs = {each.plug for each in used if each.plug is not None}
    return plugs.pop() if len(plugs) == 1 else station.plug
