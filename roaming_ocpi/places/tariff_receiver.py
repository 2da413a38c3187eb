"""Tariffs that partners push to us as an eMSP. Source: OCPI 2.2.1, mod_tariffs, Receiver."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from ledger.partners.told_counts import ToldCounts
from roaming_ocpi.places.partner_tariffs import (
    TARIFF_ID_MAX,
    KeptTariff,
    given_tariff,
    keep_tariff,
    last_tariff,
    lock_tariff,
)
from roaming_ocpi.places.taken import (
    LATE,
    path_id,
    path_party,
    refusals,
    taken_object,
    updated_at,
)
from roaming_ocpi.server.calls import SINCE_2_2, Module, OcpiRefusedError, PartnerCall, Reply, Route
from roaming_ocpi.wire.differences import Tree
from roaming_ocpi.wire.forms import ObjectKind, from_wire, to_wire
from roaming_ocpi.wire.merging import is_late, merge
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId, OurSide
from roaming_ocpi.wire.moments import wire_moment
from tariffs.ocpi.documents import OcpiError, decode_json
from tariffs.ocpi.fields import JsonFields
from tariffs.ocpi.tariff_reader import ocpi_tariff_of
from tariffs.ocpi.versions import OcpiVersion

_ONE: Final = "/{country_code}/{party_id}/{tariff_id}"


class TariffReceiver:
    """Keeps tariffs of partners as versions by receipt."""

    def __init__(
        self, database: AsyncConnectionPool[AsyncConnection[Any]], told: ToldCounts
    ) -> None:
        self._database, self._told = database, told

    def modules(self) -> Sequence[Module]:
        """Return the module as it is offered; since 2.2 a Tariff is replaced whole."""
        routes = [
            Route("GET", _ONE, self.get, "Return a Tariff as it is kept here."),
            Route("PUT", _ONE, self.put, "Keep a Tariff.", has_body=True),
            Route("DELETE", _ONE, self.delete, "Take a Tariff back."),
        ]
        patch = Route("PATCH", _ONE, self.patch, "Change a Tariff.", has_body=True)
        offered = Module(
            ModuleId.TARIFFS, InterfaceRole.RECEIVER, OurSide.EMSP, routes, versions=SINCE_2_2
        )
        oldest = frozenset({OcpiVersion.V2_1_1})
        return [offered, offered._replace(routes=[*routes, patch], versions=oldest)]

    async def get(self, call: PartnerCall) -> Reply:
        """Return a tariff in the version that the caller speaks."""
        party, tariff_id = path_party(call), path_id(call, "tariff_id", TARIFF_ID_MAX)
        async with self._database.connection() as connection:
            kept = await last_tariff(connection, party, tariff_id)
        return Reply(_said(_there(kept, call), call.version))

    async def put(self, call: PartnerCall) -> Reply:
        """Keep a new version of a tariff, where it says something new."""
        body = taken_object(call, id_key="id", id_path="tariff_id", partial=False)
        with refusals():
            check_tariff_object(body)
        return await self._keep(call, body, is_patch=False)

    async def patch(self, call: PartnerCall) -> Reply:
        """Change what a tariff says."""
        patch = taken_object(call, id_key="id", id_path="tariff_id", partial=True)
        return await self._keep(call, patch, is_patch=True)

    async def delete(self, call: PartnerCall) -> Reply:
        """Note that a tariff holds no longer; sessions that began before keep it."""
        party, tariff_id = path_party(call), path_id(call, "tariff_id", TARIFF_ID_MAX)
        async with self._database.connection() as connection, connection.transaction():
            await lock_tariff(connection, party, tariff_id)
            last = _there(await last_tariff(connection, party, tariff_id), call)
            gone = given_tariff(None, call.version, last_updated=call.now, now=call.now)
            await keep_tariff(connection, self._told, (party, tariff_id), last, gone)
        return Reply()

    async def _keep(self, call: PartnerCall, given: Tree, *, is_patch: bool) -> Reply:
        party, tariff_id = path_party(call), path_id(call, "tariff_id", TARIFF_ID_MAX)
        updated = updated_at(given)
        async with self._database.connection() as connection, connection.transaction():
            await lock_tariff(connection, party, tariff_id)
            last = await last_tariff(connection, party, tariff_id)
            if (
                last is not None
                and last.body is not None
                and is_late(last.last_updated, updated, call.now)
            ):
                return Reply(message=LATE)
            body = given
            if is_patch:
                with refusals():
                    body = merge(_said(_there(last, call), call.version), given)
            version = given_tariff(body, call.version, last_updated=updated, now=call.now)
            await keep_tariff(connection, self._told, (party, tariff_id), last, version)
        is_new = last is None or last.body is None
        return Reply(message=_unpriceable(body, call.version), http=201 if is_new else 200)


def check_tariff_object(body: Tree) -> None:
    """Check that an object of any version has what makes it a Tariff.

    Raises:
        OcpiError: If it has not; the error names the spot.
    """
    fields = JsonFields(body, "", [])
    fields.text("currency", required=True)
    list(fields.objects("elements", required=True))


def _there(kept: KeptTariff | None, call: PartnerCall) -> KeptTariff:
    if kept is None or kept.body is None:
        message = f"there is no Tariff {call.path['tariff_id'][:TARIFF_ID_MAX]!a} of yours here"
        raise OcpiRefusedError.not_found(message)
    return kept


def _said(kept: KeptTariff, version: OcpiVersion) -> Tree:
    """Return a tariff as it came, or, where the partner speaks another version now, as that has."""
    tree: Tree = decode_json(kept.body or b"{}")
    if updated_at(tree) < kept.last_updated:
        tree["last_updated"] = wire_moment(kept.last_updated)
    if kept.version is version:
        return tree
    model, _ = from_wire(ObjectKind.TARIFF, tree, kept.version)
    said, _ = to_wire(ObjectKind.TARIFF, model, version)
    return said


def _unpriceable(body: Tree, version: OcpiVersion) -> str | None:
    """Return what the partner is told of a tariff by which no CDR can be checked."""
    try:
        ocpi_tariff_of(body, version=version)
    except OcpiError as error:
        return f"kept, but no CDR can be priced by it: {error}"
    return None
