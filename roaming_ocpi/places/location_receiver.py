"""Locations that partners push to us as an eMSP. Source: OCPI 2.2.1, mod_locations, Receiver."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from ledger.partners.told_counts import ToldCounts
from roaming_ocpi.places.location_parts import (
    NOT_KEPT,
    PartAsked,
    check_part,
    check_room,
    find_connector,
    parts_of,
    with_connector,
)
from roaming_ocpi.places.partner_locations import (
    LOCATION_ID_MAX,
    LocationSums,
    LockedLocation,
    lock_location,
    read_evse,
    read_head,
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
        part, key = _part(call), (path_party(call), _location_id(call))
        async with self._database.connection() as connection:
            if part.evse_uid is None:
                found = await read_location(connection, *key)
            else:
                evse = await read_evse(connection, *key, part.evse_uid)
                found = evse and evse.tree
        if found is not None and part.connector_id is not None:
            found = find_connector(found, part.connector_id)
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
        key = (path_party(call), _location_id(call))
        given.pop(NOT_KEPT, None)
        keep = self._keep_location if asked.kind is ObjectKind.LOCATION else self._keep_part
        with refusals():
            async with self._database.connection() as connection, connection.transaction():
                sums = await lock_location(connection, *key)
                if sums is None and (is_patch or asked.evse_uid is not None):
                    raise _unknown(call)
                place = LockedLocation(connection, self._told, *key)
                return await keep(_Told(call, asked, given, is_patch), place, sums)

    async def _keep_location(
        self, told: _Told, place: LockedLocation, before: LocationSums | None
    ) -> Reply:
        call, given = told.call, told.given
        if before is not None and is_late(before.last_updated, updated_at(given), call.now):
            return Reply(message=LATE)
        location = given
        if told.is_patch:
            head = await read_head(place.connection, place.party, place.location_id)
            location = merge(head, given)
        location |= dict(zip(("country_code", "party_id"), place.party.split("-"), strict=True))
        check_part(ObjectKind.LOCATION, location)
        only_head = told.is_patch and "evses" not in given
        await place.keep(location, before=before, at=call.now, only_head=only_head)
        return Reply(http=201 if before is None else 200)

    async def _keep_part(
        self, told: _Told, place: LockedLocation, before: LocationSums | None
    ) -> Reply:
        call, asked, given = told.call, told.asked, told.given
        assert before is not None
        assert asked.evse_uid is not None
        key = (place.party, place.location_id)
        kept = await read_evse(place.connection, *key, asked.evse_uid)
        known = kept and kept.tree
        if known is not None and asked.connector_id is not None:
            known = find_connector(known, asked.connector_id)
        if known is None and (told.is_patch or (asked.connector_id is not None and kept is None)):
            raise _unknown(call)
        if known is not None and is_late(updated_at(known), updated_at(given), call.now):
            return Reply(message=LATE)
        evse = part = merge(known or {}, given) if told.is_patch else given
        check_part(asked.kind, part)
        if asked.connector_id is not None and kept is not None:
            # What else the EVSE has was checked when it was kept; there may be one too many now.
            evse = with_connector(kept.tree, asked.connector_id, part)
            check_room(ObjectKind.EVSE, len(parts_of(ObjectKind.EVSE, evse)))
        await place.keep_evse(evse, known=kept, before=before, at=call.now)
        return Reply(http=201 if known is None else 200)


class _Told(NamedTuple):
    """What a call says of a Location, or of a part of one."""

    call: PartnerCall
    asked: PartAsked
    given: Tree
    is_patch: bool


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
