"""Locations that partners push to us as an eMSP. Source: OCPI 2.2.1, mod_locations, Receiver."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from ledger.partners.told_counts import ToldCounts
from roaming_ocpi.places.location_parts import (
    NOT_KEPT,
    PartAsked,
    check_part,
    check_room,
    find_part,
    with_part,
)
from roaming_ocpi.places.partner_locations import (
    LOCATION_ID_MAX,
    keep_location,
    lock_location,
    read_location,
)
from roaming_ocpi.places.taken import (
    LATE,
    path_id,
    path_party,
    refusals,
    taken_object,
    updated_at,
)
from roaming_ocpi.server.calls import Module, OcpiRefusedError, PartnerCall, Reply, Route
from roaming_ocpi.wire.differences import Tree, UnsayableError
from roaming_ocpi.wire.forms import ObjectKind, from_wire, to_wire
from roaming_ocpi.wire.merging import is_late, merge
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId, OurSide
from roaming_ocpi.wire.status import Status

_LOCATION: Final = "/{country_code}/{party_id}/{location_id}"
_PATHS: Final[Mapping[str, str]] = {
    _LOCATION: "a Location",
    f"{_LOCATION}/{{evse_uid}}": "an EVSE",
    f"{_LOCATION}/{{evse_uid}}/{{connector_id}}": "a Connector",
}
_ID_OF: Final = {
    ObjectKind.LOCATION: ("id", "location_id"),
    ObjectKind.EVSE: ("uid", "evse_uid"),
    ObjectKind.CONNECTOR: ("id", "connector_id"),
}


class LocationReceiver:
    """Keeps Locations of partners, whole or part by part."""

    def __init__(
        self, database: AsyncConnectionPool[AsyncConnection[Any]], told: ToldCounts
    ) -> None:
        self._database, self._told = database, told

    def module(self) -> Module:
        """Return the module as it is offered."""
        routes = [
            route
            for path, what in _PATHS.items()
            for route in (
                Route("GET", path, self.get, f"Return {what} as it is kept here."),
                Route("PUT", path, self.put, f"Keep {what}.", has_body=True),
                Route("PATCH", path, self.patch, f"Change {what}.", has_body=True),
            )
        ]
        return Module(ModuleId.LOCATIONS, InterfaceRole.RECEIVER, OurSide.EMSP, routes)

    async def get(self, call: PartnerCall) -> Reply:
        """Return a part as it is kept, in the version that the caller speaks."""
        part = _part(call)
        async with self._database.connection() as connection:
            location = await read_location(connection, path_party(call), _location_id(call))
        found = None if location is None else find_part(location, part)
        if found is None:
            raise _unknown(call)
        try:
            return Reply(to_wire(part.kind, found, call.version)[0])
        except UnsayableError as error:
            raise OcpiRefusedError.not_found(str(error), Status.UNKNOWN_LOCATION) from None

    async def put(self, call: PartnerCall) -> Reply:
        """Keep a part in place of what was there."""
        part = _part(call)
        body = _taken(call, part, partial=False)
        body, _ = from_wire(part.kind, body, call.version)
        return await self._keep(call, part, body, is_patch=False)

    async def patch(self, call: PartnerCall) -> Reply:
        """Change what is said of a part."""
        part = _part(call)
        body = _taken(call, part, partial=True)
        body, _ = from_wire(part.kind, body, call.version, partial=True)
        return await self._keep(call, part, body, is_patch=True)

    async def _keep(
        self, call: PartnerCall, asked: PartAsked, given: Tree, *, is_patch: bool
    ) -> Reply:
        party, location_id = path_party(call), _location_id(call)
        given.pop(NOT_KEPT, None)
        with refusals():
            async with self._database.connection() as connection, connection.transaction():
                await lock_location(connection, party, location_id)
                location = await read_location(connection, party, location_id)
                known = None if location is None else find_part(location, asked)
                if (is_patch and known is None) or (location is None and asked.evse_uid):
                    raise _unknown(call)
                if known is not None and is_late(updated_at(known), updated_at(given), call.now):
                    return Reply(message=LATE)
                part = merge(known or {}, given) if is_patch else given
                if asked.kind is ObjectKind.LOCATION:
                    part |= dict(zip(("country_code", "party_id"), party.split("-"), strict=True))
                changed = part if location is None else with_part(location, asked, part)
                if changed is None:
                    raise _unknown(call)
                # What else there is was checked when it was kept; there may be one too many now.
                check_part(asked.kind, part)
                check_room(changed, asked)
                await keep_location(
                    connection,
                    self._told,
                    (party, location_id),
                    changed,
                    before=location,
                    at=call.now,
                )
        return Reply(http=201 if known is None else 200)


def _taken(call: PartnerCall, part: PartAsked, *, partial: bool) -> Tree:
    id_key, id_path = _ID_OF[part.kind]
    return taken_object(call, id_key=id_key, id_path=id_path, partial=partial)


def _location_id(call: PartnerCall) -> str:
    return path_id(call, "location_id", LOCATION_ID_MAX)


def _part(call: PartnerCall) -> PartAsked:
    names = [
        path_id(call, name, LOCATION_ID_MAX) if name in call.path else None
        for name in ("evse_uid", "connector_id")
    ]
    return PartAsked(*names)


def _unknown(call: PartnerCall) -> OcpiRefusedError:
    names = "/".join(
        call.path[name][:LOCATION_ID_MAX]
        for name in ("location_id", "evse_uid", "connector_id")
        if name in call.path
    )
    message = f"{names!a} of yours is not known here: PUT its Location first"
    return OcpiRefusedError.not_found(message, Status.UNKNOWN_LOCATION)
