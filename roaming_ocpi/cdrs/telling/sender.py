"""The module by which partners fetch CDRs of ours: theirs alone, whoever else may be reached.

Source: OCPI 2.1.1, mod_cdrs, 10.3.1; OCPI 2.2.1 and 2.3.0, mod_cdrs, Sender Interface (GET).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from roaming_ocpi.cdrs.telling.disclosure import (
    BEARERS,
    SIGNED,
    bearers_asked,
    disclosures,
    signed_asked,
)
from roaming_ocpi.cdrs.telling.excerpt import CdrExcerpt, excerpt_in
from roaming_ocpi.cdrs.telling.pages import (
    OWN,
    PAGE,
    STRETCHES,
    NumberStretch,
    next_query,
    page_of,
    stretches_asked,
)
from roaming_ocpi.cdrs.telling.wire import is_said, wire_cdr
from roaming_ocpi.server.calls import (
    Module,
    ObjectPage,
    OcpiRefusedError,
    PageAsked,
    PartnerCall,
    Reply,
    Route,
)
from roaming_ocpi.server.paging import LIMIT
from roaming_ocpi.server.resources import Resources
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId, OurSide
from tariffs.ocpi.versions import OcpiVersion

_SHOWN_MAX = 40


class CdrSender:
    """Serves CDRs from the table in which they are kept."""

    def __init__(self, database: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._database = database

    def module(self) -> Module:
        """Return the module as it is offered."""
        return Module(
            identifier=ModuleId.CDRS,
            role=InterfaceRole.SENDER,
            side=OurSide.CPO,
            routes=(
                Route("GET", "", self.list, "Return CDRs of your drivers.", is_list=True),
                Route("GET", "/{cdr_id}", self.get, "Return one CDR of a driver of yours."),
            ),
        )

    async def list(self, call: PartnerCall) -> Reply:
        """Return a page of the caller's CDRs, in the order in which they were made."""
        asked = call.page or PageAsked(0, LIMIT)
        async with self._database.connection() as connection:
            rows = await connection.execute(STRETCHES, stretches_asked(call.caller.parties, asked))
            found = [NumberStretch(*row) for row in await rows.fetchall()]
            page = page_of(found, asked, call.query)
            made = []
            for each in page.stretches:
                given = {**each._asdict(), "limit": each.length}
                # Bytes as they are: a page in hexadecimal is twice as much to be read and turned.
                cursor = await connection.execute(PAGE, given, binary=True)
                made.extend([excerpt_in(row) for row in await cursor.fetchall()])
            objects = await _written(connection, made, call.version)
        return Reply(
            page=ObjectPage(objects, page.total, asked.limit, next_query(page, found, asked))
        )

    async def get(self, call: PartnerCall) -> Reply:
        """Return one CDR of the caller's."""
        cdr_id = call.path["cdr_id"]
        if not (cdr_id.isascii() and cdr_id.isprintable()):
            raise _none_here(cdr_id)
        async with self._database.connection() as connection:
            given = (cdr_id, sorted(call.caller.parties))
            row = await (await connection.execute(OWN, given)).fetchone()
            made = [] if row is None else [excerpt_in(row)]
            objects = await _written(connection, made, call.version)
        if not objects:
            raise _none_here(cdr_id)
        return Reply(data=objects[0])


def _none_here(cdr_id: str) -> OcpiRefusedError:
    return OcpiRefusedError.not_found(f"there is no CDR {cdr_id[:_SHOWN_MAX]!a} of yours here")


async def _written(
    connection: AsyncConnection[Any], made: Sequence[CdrExcerpt], version: OcpiVersion
) -> Sequence[msgspec.Raw]:
    """Return those of *made* that are told in *version*, as it has them."""
    said = [each for each in made if is_said(each, version)]
    if not said:
        return []
    bearers = await (await connection.execute(BEARERS, bearers_asked(said))).fetchall()
    sessions = signed_asked(said)
    signed = []
    if sessions:
        signed = await (await connection.execute(SIGNED, (sessions,))).fetchall()
    keys = disclosures(said, bearers, signed)
    return [msgspec.Raw(wire_cdr(each, version, keys[each.cdr_id]).json) for each in said]


def cdrs_module(resources: Resources) -> Module:
    """Return the module CDRs as partners with drivers call it."""
    return CdrSender(resources.database).module()
