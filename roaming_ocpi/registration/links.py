"""Who is linked with us, and whose token came with a request.

How a partner is declared now counts, not how it was at the handshake: whether its tokens go as they
are, whether it is a hub and whom it brings. A partner that is declared no more is nobody.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final, LiteralString

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from ledger.declared.declarations import Kind, decode_entity
from ledger.master_data.partners import Partner, PartnerRole
from ledger.persons.sealing import BrokenSealError, Subject, unseal
from roaming_ocpi.registration.link import Link, LinkState
from roaming_ocpi.registration.spelling import decoded_token
from roaming_ocpi.registration.store import CredentialKind, digest_of, presented, prove
from roaming_ocpi.registration.terms import sides_facing
from roaming_ocpi.server.calls import Caller, OcpiRefusedError
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId
from roaming_ocpi.wire.status import Status
from tariffs.ocpi.versions import OcpiVersion

Pool = AsyncConnectionPool[AsyncConnection[Any]]
_LINKS: LiteralString = """
SELECT link.partner, our_party, state, link.version, endpoints, sealed, subject, key, body
FROM roaming_link AS link
JOIN subject ON subject.kind = 'secret' AND subject.name = 'roaming ' || link.partner
CROSS JOIN LATERAL (
    SELECT body FROM declaration
    WHERE kind = 'partner' AND key = link.partner AND valid_from <= now()
    ORDER BY valid_from DESC, version DESC LIMIT 1
) AS declared
WHERE state IN ('registered', 'paused') AND sealed IS NOT NULL
"""
_LINK_OF: LiteralString = _LINKS + "AND link.partner = %s"
_ALL_LINKS: LiteralString = _LINKS + "ORDER BY link.partner"
_CALLER: LiteralString = """
SELECT digest, token.kind, link.partner, our_party, state, link.version, body,
    EXISTS (
        SELECT FROM roaming_token AS older
        WHERE older.partner = link.partner AND older.number < token.number
        AND (older.kind = 'access' OR older.is_spent)
    )
FROM roaming_token AS token JOIN roaming_link AS link USING (partner)
CROSS JOIN LATERAL (
    SELECT body FROM declaration
    WHERE kind = 'partner' AND key = link.partner AND valid_from <= now()
    ORDER BY valid_from DESC, version DESC LIMIT 1
) AS declared
WHERE digest = ANY (%s) AND (expires_at IS NULL OR expires_at > now()) AND state <> 'revoked'
"""
_BEHIND: LiteralString = """
SELECT key FROM (
    SELECT DISTINCT ON (key) key, body FROM declaration
    WHERE kind = 'partner' AND valid_from <= now() ORDER BY key, valid_from DESC, version DESC
) AS newest WHERE body::jsonb ->> 'hub' = %s
"""
_TOKEN_LENGTH_MAX: Final = 200
_LOGGER: Final = logging.getLogger("wattledger.roaming")


async def link_of(database: Pool, partner: str, *, hub: str | None = None) -> Link | None:
    """Return the link with *partner*, its token opened; None where the handshake was not done.

    With a *hub*, through which the partner is reached, it is the hub's, and leads to the partner.
    """
    async with database.connection() as connection:
        row = await (await connection.execute(_LINK_OF, (hub or partner,))).fetchone()
    link = None if row is None else _link(row)
    return link if link is None or hub is None else link._replace(partner=partner)


async def links(database: Pool) -> Sequence[Link]:
    """Return every link of whom the handshake was done with, also paused ones."""
    async with database.connection() as connection:
        rows = await (await connection.execute(_ALL_LINKS)).fetchall()
    return [found for row in rows if (found := _link(row)) is not None]


async def caller_of(database: Pool, token: str) -> Caller | None:
    """Return whose *token*, as it stands in the header behind "Token ", came; None: nobody's.

    It goes in Base64, or as it is with who is declared so, speaks 2.1.1 or is only invited.

    Raises:
        OcpiRefusedError: If it is somebody's, and not spelt as agreed.

    Source: OCPI 2.2.1, 4.1.1 and 7.1.1.
    """
    spellings = spellings_of(token)
    async with database.connection() as connection:
        rows = await (await connection.execute(_CALLER, (list(spellings),))).fetchall()
        for digest, kind, party, ours, state, version, body, has_older in rows:
            is_plain = _spelling(spellings, digest)
            partner = decode_entity(Kind.PARTNER, body)
            if is_plain is None or not isinstance(partner, Partner):
                continue
            is_invited = kind == CredentialKind.INVITATION or state == LinkState.INVITED
            may_be_plain = is_invited or partner.plain_token or version == OcpiVersion.V2_1_1
            if is_plain and not may_be_plain:
                raise _misspelt()
            parties = {party}
            if PartnerRole.HUB in partner.roles:
                behind = await (await connection.execute(_BEHIND, (party,))).fetchall()
                parties |= {key for (key,) in behind}
            is_fresh = has_older and not is_invited
            sides = sides_facing(partner)
            return Caller(party, frozenset(parties), ours or "", is_invited, is_fresh, sides)
    return None


async def prove_use(database: Pool, token: str) -> None:
    """Note that a partner keeps *token* (as in the header): what it replaced holds no more.

    To be called for everything but versions and credentials, which a partner may ask for before it
    has kept its token.
    """
    async with database.connection() as connection:
        shown = await presented(connection, list(spellings_of(token)))
        if shown is not None:
            await prove(connection, shown)


def spellings_of(token: str) -> dict[bytes, bool]:
    """Return the digests of what *token* may be, and whether it then was sent as it is."""
    if len(token) > _TOKEN_LENGTH_MAX:
        return {}
    decoded = decoded_token(token)
    found = {digest_of(token.encode("utf-8", "replace").decode()): True}
    return found if decoded is None else {**found, digest_of(decoded): False}


def _spelling(spellings: Mapping[bytes, bool], digest: bytes) -> bool | None:
    """Return whether the token with *digest* was sent as it is; None: it was not sent."""
    for known, is_plain in spellings.items():
        if hmac.compare_digest(known, digest):
            return is_plain
    return None


def _misspelt() -> OcpiRefusedError:
    message = (
        "the token came as it is, and OCPI since 2.2 wants it in Base64 (RFC 4648, section 4); "
        "who cannot do that agrees it with us (plain_token)"
    )
    return OcpiRefusedError(message, status=Status.CLIENT_ERROR, http=401)


def _link(row: tuple[Any, ...]) -> Link | None:
    partner, our_party, state, version, endpoints, sealed, subject, key, body = row
    declared = decode_entity(Kind.PARTNER, body)
    if not isinstance(declared, Partner):
        return None
    spoken = OcpiVersion(version)
    try:
        token = unseal(Subject(subject, key), sealed)
    except BrokenSealError:
        _LOGGER.warning("the token of %s cannot be opened: it has to register again", partner)
        return None
    return Link(
        partner=partner,
        our_party=our_party,
        state=LinkState(state),
        version=spoken,
        token=token,
        endpoints={
            (ModuleId(each["identifier"]), InterfaceRole(each["role"])): each["url"]
            for each in endpoints
        },
        is_plain=declared.plain_token or spoken is OcpiVersion.V2_1_1,
    )
