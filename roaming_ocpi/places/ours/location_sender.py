"""Our Locations for partners whose drivers charge there.

Source: OCPI 2.2.1, mod_locations, Sender interface.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from psycopg import AsyncConnection

from roaming_ocpi.places.ours.evse_status import (
    NOTHING_SAID,
    REMOVED,
    STATES,
    StationSaid,
    stations_said,
)
from roaming_ocpi.places.ours.our_locations import OurEvse, OurLocation, our_locations
from roaming_ocpi.places.ours.page_numbers import is_asked, page_of
from roaming_ocpi.places.ours.publication import Publication
from roaming_ocpi.server.calls import (
    Module,
    ObjectPage,
    OcpiRefusedError,
    PartnerCall,
    Reply,
    Route,
)
from roaming_ocpi.server.resources import Resources
from roaming_ocpi.wire.differences import Tree
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId, OurSide
from roaming_ocpi.wire.moments import to_millisecond, wire_moment
from roaming_ocpi.wire.status import Status
from tariffs.ocpi.versions import OcpiVersion

_ONE: Final = "/{location_id}"
_EVSE: Final = "/{location_id}/{evse_uid}"
_CONNECTOR: Final = "/{location_id}/{evse_uid}/{connector_id}"

Said = Mapping[str, StationSaid]


class LocationSender:
    """Answers which Locations there are, and what their EVSEs are doing now."""

    def __init__(self, resources: Resources) -> None:
        self._database = resources.database
        self._published = Publication(resources, our_locations)

    def module(self) -> Module:
        """Return the module as it is offered."""
        routes = [
            Route("GET", "", self.listed, "List our Locations.", is_list=True),
            Route("GET", _ONE, self.one, "Return a Location of ours."),
            Route("GET", _EVSE, self.evse, "Return an EVSE of ours."),
            Route("GET", _CONNECTOR, self.connector, "Return a Connector of ours."),
        ]
        return Module(ModuleId.LOCATIONS, InterfaceRole.SENDER, OurSide.CPO, routes)

    async def listed(self, call: PartnerCall) -> Reply:
        """Return a page of Locations, the one that was declared first in front."""
        async with self._database.connection() as connection:
            published = await self._published.of(call, connection)
            every = published.locations if published is not None else ()
            asked = call.asked
            matching = every
            if asked.date_from is not None or asked.date_to is not None:
                said = await read_said(connection, every)
                matching = [each for each in every if is_asked(updated_at(each, said), asked)]
            page, more = page_of(matching, asked, call.query)
            said = await read_said(connection, page)
        objects = [whole_location(each, said, call.version) for each in page]
        return Reply(page=ObjectPage(objects, len(matching), asked.limit, more))

    async def one(self, call: PartnerCall) -> Reply:
        """Return one Location."""
        return Reply(await self._location(call))

    async def evse(self, call: PartnerCall) -> Reply:
        """Return one EVSE."""
        return Reply(_found(call, await self._location(call), "evses", "uid", "evse_uid"))

    async def connector(self, call: PartnerCall) -> Reply:
        """Return one Connector."""
        evse = _found(call, await self._location(call), "evses", "uid", "evse_uid")
        return Reply(_found(call, evse, "connectors", "id", "connector_id"))

    async def _location(self, call: PartnerCall) -> Tree:
        asked = call.path["location_id"].lower()
        async with self._database.connection() as connection:
            published = await self._published.of(call, connection)
            every = published.locations if published is not None else ()
            for each in every:
                if each.location_id.lower() == asked:
                    said = await read_said(connection, [each])
                    return whole_location(each, said, call.version)
        message = f"there is no Location {call.path['location_id'][:40]!a} for you"
        raise OcpiRefusedError.not_found(message, Status.UNKNOWN_LOCATION)


async def read_said(connection: AsyncConnection[Any], locations: Sequence[OurLocation]) -> Said:
    """Return what the stations of *locations* last said."""
    stations = dict.fromkeys(evse.station_id for each in locations for evse in each.evses)
    rows = await connection.execute(STATES, (list(stations),))
    return stations_said(await rows.fetchall())


def updated_at(location: OurLocation, said: Said) -> datetime:
    """Return when a Location, or what one of its EVSEs is doing, changed last."""
    stations = {evse.station_id for evse in location.evses if not evse.is_removed}
    moments = (said.get(key, NOTHING_SAID).changed_at() for key in stations)
    newest = max([location.updated_at, *(each for each in moments if each is not None)])
    return to_millisecond(newest)


def whole_location(location: OurLocation, said: Said, version: OcpiVersion) -> Tree:
    """Return a Location as *version* says it, with what its EVSEs are doing."""
    form = location.form(version)
    return form.tree | {
        "evses": [tree | moving_of(evse, said) for evse, tree in form.evses],
        "last_updated": wire_moment(updated_at(location, said)),
    }


def moving_of(evse: OurEvse, said: Said) -> Tree:
    """Return what of an EVSE its station changes; every version says it the same way."""
    status, since = said.get(evse.station_id, NOTHING_SAID).status(evse.number)
    if evse.is_removed:
        status, since = REMOVED, None
    moment = evse.updated_at if since is None else max(since, evse.updated_at)
    return {"status": status, "last_updated": wire_moment(moment)}


def _found(call: PartnerCall, tree: Tree, within: str, key: str, name: str) -> Tree:
    asked = call.path[name].lower()
    for each in tree.get(within, ()):
        if str(each.get(key)).lower() == asked:
            found: Tree = each
            return found
    message = f"there is no {name} {call.path[name][:40]!a} at this Location"
    raise OcpiRefusedError.not_found(message, Status.UNKNOWN_LOCATION)
