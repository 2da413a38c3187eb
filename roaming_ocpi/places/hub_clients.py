"""Who is reached through a hub, as the hub tells it, and what we tell of ourselves.

A hub's word holds for the parties that we declared as reached through it, and for no others.
Source: OCPI 2.2.1, mod_hub_client_info.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from ledger.master_data.partners import Partner, PartnerRole
from ledger.partners.party import BadPartyError, party_named
from roaming_ocpi.places.taken import LATE, refusals, taken_object, updated_at
from roaming_ocpi.server.calls import (
    SINCE_2_2,
    Module,
    ObjectPage,
    OcpiRefusedError,
    PartnerCall,
    Reply,
    Route,
)
from roaming_ocpi.server.resources import Resources
from roaming_ocpi.wire.differences import Tree
from roaming_ocpi.wire.merging import is_late
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId, OurSide
from roaming_ocpi.wire.moments import to_millisecond, wire_moment
from roaming_ocpi.wire.walls import encoded
from tariffs.ocpi.documents import OcpiError, decode_json
from tariffs.ocpi.fields import JsonFields

CLIENTS_MAX: Final = 10_000
"""Of one hub."""
_NAME_MAX: Final = 40
UNREACHABLE: Final = frozenset({"OFFLINE", "PLANNED", "SUSPENDED"})
"""To whom nothing is to be sent, says its hub."""
_ONE: Final = "/{country_code}/{party_id}"
_OUR_ROLES: Final = (
    ("CPO", frozenset({PartnerRole.EMSP, PartnerRole.HUB})),
    ("EMSP", frozenset({PartnerRole.CPO, PartnerRole.HUB})),
)

_LOCK: LiteralString = "SELECT pg_advisory_xact_lock(hashtextextended('hub_client ' || %s, 0))"
_KNOWN: LiteralString = """
SELECT last_updated, (SELECT count(*) FROM hub_client AS each WHERE each.hub = asked.hub)
FROM (SELECT %s::text AS hub, %s::text AS party, %s::text AS role) AS asked
LEFT JOIN hub_client USING (hub, party, role)
"""
_KEEP: LiteralString = """
INSERT INTO hub_client (hub, party, role, status, received_at, last_updated, body)
VALUES (%s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (hub, party, role) DO UPDATE SET status = excluded.status,
    received_at = excluded.received_at, last_updated = excluded.last_updated, body = excluded.body
"""
_READ: LiteralString = """
SELECT body FROM hub_client WHERE hub = %s AND party = %s
ORDER BY last_updated DESC, role LIMIT 1
"""
_AWAY: LiteralString = """
SELECT hub, party FROM hub_client WHERE party = ANY (%s)
GROUP BY hub, party HAVING bool_and(status = ANY (%s))
"""
_OURS_SINCE: LiteralString = """
SELECT max(greatest(declared_at, valid_from)) FROM declaration
WHERE kind = 'partner' AND key = %s AND valid_from <= %s
"""


class HubClient(NamedTuple):
    """A party as a hub tells of it."""

    hub: str
    party: str


async def unreachable_clients(
    connection: AsyncConnection[Any], parties: Sequence[str]
) -> frozenset[HubClient]:
    """Return of which of *parties* a hub told that nothing can be sent to it, in whatever role."""
    rows = await connection.execute(_AWAY, (list(parties), sorted(UNREACHABLE)))
    return frozenset([HubClient(*row) async for row in rows])


async def keep_client(
    connection: AsyncConnection[Any], hub: str, party: str, client: Tree, *, now: datetime
) -> bool | None:
    """Keep what *hub* says of *party*; return whether it is new, None: an older one came late.

    Raises:
        OcpiError: If it says nothing that can be kept.
    """
    fields = JsonFields(client, "", [])
    role, status = (_name(fields, key) for key in ("role", "status"))
    updated = updated_at(client)
    async with connection.transaction():
        await connection.execute(_LOCK, (hub,))
        rows = await connection.execute(_KNOWN, (hub, party, role))
        [(known, count)] = await rows.fetchall()
        if known is not None and is_late(known, updated, now):
            return None
        if known is None and count >= CLIENTS_MAX:
            raise OcpiError(fields.path, f"a hub has at most {CLIENTS_MAX:,} clients here")
        values = (hub, party, role, status, now, updated, encoded(client))
        await connection.execute(_KEEP, values)
    return known is None


class HubClients:
    """Hears of a hub who is reached through it, and tells a partner what we are to it."""

    def __init__(self, resources: Resources) -> None:
        self._database: AsyncConnectionPool[AsyncConnection[Any]] = resources.database
        self._declared = resources.declared

    def modules(self) -> Sequence[Module]:
        """Return the modules as they are offered; 2.1.1 knows no hubs."""
        told = [
            Route("GET", _ONE, self.get, "Return a ClientInfo as it is kept here."),
            Route("PUT", _ONE, self.put, "Keep a ClientInfo of a hub.", has_body=True),
        ]
        listed = [Route("GET", "", self.listed, "Say what we are to the partner.", is_list=True)]
        kind, side = ModuleId.HUB_CLIENT_INFO, OurSide.CPO
        return [
            Module(kind, InterfaceRole.RECEIVER, side, told, versions=SINCE_2_2),
            Module(kind, InterfaceRole.SENDER, side, listed, versions=SINCE_2_2),
        ]

    async def put(self, call: PartnerCall) -> Reply:
        """Keep what a hub says of a party."""
        hub, party = await self._hub(call), _party(call)
        client = taken_object(call, id_key="party_id", id_path="party_id", partial=False)
        with refusals():
            country = JsonFields(client, "", []).text("country_code", required=True) or ""
            if country.upper() != call.path["country_code"].upper():
                spot = "country_code"
                raise OcpiError(spot, "must be the path's")
            async with self._database.connection() as connection:
                is_new = await keep_client(connection, hub, party, client, now=call.now)
        if is_new is None:
            return Reply(message=LATE)
        return Reply(http=201 if is_new else 200)

    async def get(self, call: PartnerCall) -> Reply:
        """Return what a hub said of a party last."""
        hub, party = await self._hub(call), _party(call)
        async with self._database.connection() as connection:
            rows = await connection.execute(_READ, (hub, party))
            row = await rows.fetchone()
        if row is None:
            message = f"{party} is not known here through {hub}"
            raise OcpiRefusedError.not_found(message)
        return Reply(decode_json(row[0]))

    async def listed(self, call: PartnerCall) -> Reply:
        """Say of ourselves what we are to the partner: nobody is reached through us."""
        declared, asked = await self._declared(), call.asked
        partner = declared.partner(call.caller.partner, call.now)
        async with self._database.connection() as connection:
            rows = await connection.execute(_OURS_SINCE, (call.caller.partner, call.now))
            [(since,)] = await rows.fetchall()
        found = [] if partner is None or since is None else _ourselves(call, partner, since)
        shown = found[asked.offset : asked.offset + asked.limit]
        more = asked.offset + asked.limit
        following = {"offset": str(more)} if more < len(found) else None
        return Reply(page=ObjectPage(shown, len(found), asked.limit, following))

    async def _hub(self, call: PartnerCall) -> str:
        declared = await self._declared()
        partner = declared.partner(call.caller.partner, call.now)
        if partner is None or PartnerRole.HUB not in partner.roles:
            message = f"{call.caller.partner} is not declared as a hub here"
            raise OcpiRefusedError.forbidden(message)
        return call.caller.partner


def _ourselves(call: PartnerCall, partner: Partner, since: datetime) -> list[Tree]:
    asked, moment = call.asked, to_millisecond(since)
    if asked.date_from is not None and moment < asked.date_from:
        return []
    if asked.date_to is not None and moment >= asked.date_to:
        return []
    country, party_id = call.caller.our_party.split("-")
    return [
        {
            "party_id": party_id,
            "country_code": country,
            "role": role,
            "status": "CONNECTED",
            "last_updated": wire_moment(moment),
        }
        for role, wanted in _OUR_ROLES
        if wanted & set(partner.roles)
    ]


def _party(call: PartnerCall) -> str:
    try:
        return party_named(call.path["country_code"], call.path["party_id"])
    except BadPartyError as error:
        raise OcpiRefusedError.invalid(str(error)) from None


def _name(fields: JsonFields, key: str) -> str:
    text = fields.text(key, required=True) or ""
    if not 0 < len(text) <= _NAME_MAX:
        raise OcpiError(fields.spot(key), f"has 1 to {_NAME_MAX} characters")
    return text
