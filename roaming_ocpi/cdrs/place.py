"""Where a session was, as its CDR says it: by what was declared of site and station then."""

from __future__ import annotations

from ledger.declared.declarations import Declarations
from ledger.rating.decisions import SessionRated
from roaming_ocpi.cdrs.made import CdrPlace
from roaming_ocpi.wire.countries import three_letters
from roaming_ocpi.wire.ids import connector_id, evse_id, evse_uid, location_id


def place_of(declared: Declarations, rated: SessionRated, our_party: str) -> CdrPlace:
    """Return the CdrLocation of *rated*; what is not declared is left out."""
    site = declared.site(rated.site_id, rated.started_at)
    return CdrPlace(
        location_id=location_id(rated.site_id),
        evse_uid=evse_uid(rated.station_id, rated.evse_id),
        evse_id=evse_id(our_party, rated.station_id, rated.evse_id),
        connector_id=connector_id(rated.connector_id),
        time_zone=rated.time_zone,
        name=site.name if site and site.name else None,
        country=three_letters(rated.country),
    )
