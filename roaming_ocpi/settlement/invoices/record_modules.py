"""The module `invoicereconciliation`, sender and receiver.

With direct billing the CPO sends records, with reverse billing the eMSP; the interface is the same,
so one endpoint of each role serves both. Source: OCPI 2.3.0, mod_invoice_reconciliation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from ledger.partners.bounds import Bound
from ledger.partners.party import party_named
from ledger.partners.tokens import BY_DEFAULT
from ledger.partners.told_counts import ToldCounts
from roaming_ocpi.places.taken import LATE, path_id, path_party, refusals, updated_at
from roaming_ocpi.server.calls import (
    ONLY_2_3,
    Module,
    ObjectPage,
    OcpiRefusedError,
    PartnerCall,
    Reply,
    Route,
)
from roaming_ocpi.server.ownership import own_party
from roaming_ocpi.settlement.invoices.records import (
    RECORD_ID_MAX,
    InvoiceRecord,
    invoice_record_of,
    last_record,
    lock_record,
    page_of_records,
    say,
)
from roaming_ocpi.wire.merging import is_late
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId, OurSide
from tariffs.ocpi.documents import OcpiError
from tariffs.ocpi.fields import shown

_ROOT: Final = ""
_ONE: Final = "/{country_code}/{party_id}/{id}"


class InvoiceRecords:
    """Gives our records to partners, and keeps theirs."""

    def __init__(
        self,
        database: AsyncConnectionPool[AsyncConnection[Any]],
        told: ToldCounts = BY_DEFAULT,
    ) -> None:
        self._database, self._told = database, told

    def modules(self) -> Sequence[Module]:
        """Return the module in both its roles."""
        ours = [Route("GET", "", self.page, "List invoice reconciliation records.", is_list=True)]
        theirs = [
            Route("GET", _ONE, self.get, "Return a record as it is kept here."),
            Route("POST", "", self.post, "Keep a new record.", has_body=True),
            Route("PUT", _ONE, self.put, "Keep a record as it is now.", has_body=True),
            Route("DELETE", _ONE, self.delete, "Take a record back."),
        ]
        module = ModuleId.INVOICE_RECONCILIATION
        return (
            Module(module, InterfaceRole.SENDER, OurSide.CPO, ours, versions=ONLY_2_3),
            Module(module, InterfaceRole.RECEIVER, OurSide.EMSP, theirs, versions=ONLY_2_3),
        )

    async def page(self, call: PartnerCall) -> Reply:
        """Return our records for the caller, in the order in which they were said."""
        page = call.asked
        asked = {
            "partner": call.caller.partner,
            "from": page.date_from,
            "to": page.date_to,
            "limit": page.limit,
            "offset": page.offset,
        }
        async with self._database.connection() as connection:
            found, total = await page_of_records(connection, asked)
        after = page.offset + len(found)
        following = {"offset": str(after)} if found and after < total else None
        trees = [each.tree() for each in found]
        return Reply(page=ObjectPage(trees, total, page.limit, following))

    async def get(self, call: PartnerCall) -> Reply:
        """Return a record of the caller."""
        owner, key = path_party(call), path_id(call, "id", RECORD_ID_MAX)
        own_party(call.caller, call.path["country_code"], call.path["party_id"])
        async with self._database.connection() as connection:
            found = await last_record(connection, owner, owner, key)
        return Reply(_there(found, call).tree())

    async def post(self, call: PartnerCall) -> Reply:
        """Keep a record that is new; the same again is answered the same."""
        return await self._keep(call, _record_in(call), is_new=True)

    async def put(self, call: PartnerCall) -> Reply:
        """Keep what a record says now."""
        record = _record_in(call)
        path = call.path
        if record.key != path_id(call, "id", RECORD_ID_MAX):
            message = f"id: must be the path's {shown(path['id'])}, not {shown(record.record_id)}"
            raise OcpiRefusedError.invalid(message)
        if record.owner != path_party(call):
            message = "the record's party must be the one in the path"
            raise OcpiRefusedError.invalid(message)
        return await self._keep(call, record, is_new=False)

    async def delete(self, call: PartnerCall) -> Reply:
        """Note that a record holds no longer."""
        owner, key = path_party(call), path_id(call, "id", RECORD_ID_MAX)
        own_party(call.caller, call.path["country_code"], call.path["party_id"])
        async with self._database.connection() as connection, connection.transaction():
            await lock_record(connection, owner, key)
            last = _there(await last_record(connection, owner, owner, key), call)
            await say(connection, last._replace(is_deleted=True), owner, call.now)
            await self._told.add(connection, owner, {Bound.MESSAGES: 1}, call.now)
        return Reply()

    async def _keep(self, call: PartnerCall, record: InvoiceRecord, *, is_new: bool) -> Reply:
        async with self._database.connection() as connection, connection.transaction():
            await lock_record(connection, record.owner, record.key)
            last = await last_record(connection, record.owner, record.owner, record.key)
            there = None if last is None or last.is_deleted else last
            if there is not None and _says(there) == _says(record):
                return Reply()
            if there is not None and is_new:
                message = f"there is a record {shown(record.record_id)} of yours: PUT changes it"
                raise OcpiRefusedError.invalid(message)
            if there and is_late(there.last_updated, record.last_updated, call.now):
                return Reply(message=LATE)
            await say(connection, record, record.owner, call.now)
            more = {Bound.MESSAGES: 1, Bound.BYTES: len(call.text)}
            await self._told.add(connection, record.owner, more, call.now)
        return Reply(http=200 if there else 201)


def _record_in(call: PartnerCall) -> InvoiceRecord:
    with refusals():
        body = call.body
        if not isinstance(body, dict):
            raise OcpiError(_ROOT, f"must be an object, not {shown(body)}")
        own_party(call.caller, body.get("country_code"), body.get("party_id"))
        owner = party_named(body["country_code"], body["party_id"])
        return invoice_record_of(body, owner, updated_at(body))


def _there(record: InvoiceRecord | None, call: PartnerCall) -> InvoiceRecord:
    if record is None or record.is_deleted:
        message = f"there is no record {shown(call.path['id'])} of yours here"
        raise OcpiRefusedError.not_found(message)
    return record


def _says(record: InvoiceRecord) -> bytes:
    return msgspec.json.Encoder(order="deterministic", decimal_format="number").encode(
        record.tree()
    )
