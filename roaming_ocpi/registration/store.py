"""What is kept of each link and of the tokens that lead in, and every change of it.

A token of ours is kept as its SHA-256 alone. The partner's is sealed with a key of its own, which
goes with the link. While one of our tokens takes another's place both hold, until the new one was
used (`prove`): no kill on either side leaves a partner with none.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from ledger.persons.holders import roaming_holder
from ledger.persons.sealing import Subject, seal
from ledger.persons.store import KNOWN, MAKE, ContendedSubjectError, asked, fresh
from roaming_ocpi.errors import RoamingError
from roaming_ocpi.registration.link import LinkState
from roaming_ocpi.registration.versions import Endpoints
from tariffs.ocpi.versions import OcpiVersion

Database = AsyncConnection[Any]
TOKEN_BYTES: Final = 32
INVITATION_HOURS: Final = 168
RETRY_MINUTES: Final = 5
"""How long an invitation that led to a token still does, for who never got the answer."""
UNUSED_MAX: Final = 8
"""Access tokens that never were used, of one partner: answers that did not arrive leave them."""
_LOCK: LiteralString = "SELECT state FROM roaming_link WHERE partner = %s FOR UPDATE"
_INVITE: LiteralString = """
INSERT INTO roaming_link (partner, state, changed_at) VALUES (%s, 'invited', %s)
ON CONFLICT (partner) DO UPDATE SET state = 'invited', changed_at = excluded.changed_at
WHERE roaming_link.state = 'revoked' RETURNING partner
"""
_ADD_INVITATION: LiteralString = """
INSERT INTO roaming_token (digest, partner, kind, expires_at)
VALUES (%s, %s, 'invitation', now() + make_interval(hours => %s))
"""
_ADD_ACCESS: LiteralString = """
INSERT INTO roaming_token (digest, partner, kind) VALUES (%s, %s, 'access')
"""
_DROP_INVITATIONS: LiteralString = """
DELETE FROM roaming_token WHERE partner = %s AND kind = 'invitation'
"""
_PRESENTED: LiteralString = """
SELECT digest, number, partner, kind, is_spent FROM roaming_token
WHERE digest = ANY (%s) AND (expires_at IS NULL OR expires_at > now())
"""
_STILL: LiteralString = _PRESENTED + "FOR UPDATE"
_SPEND: LiteralString = """
UPDATE roaming_token SET is_spent = true,
    expires_at = least(expires_at, now() + make_interval(mins => %s))
WHERE number = %s
"""
_DROP_UNUSED: LiteralString = """
DELETE FROM roaming_token AS token USING (
    SELECT number, rank() OVER (ORDER BY number DESC) AS rank FROM roaming_token
    WHERE partner = %s AND kind = 'access' AND number <> %s
) AS unused
WHERE token.number = unused.number AND rank > %s
"""
# An invitation that led to nothing yet was made since the link was, and is the manager's to end.
_DROP_OLDER: LiteralString = """
DELETE FROM roaming_token
WHERE partner = %s AND number < %s AND (kind = 'access' OR is_spent)
"""
_DROP_ALL: LiteralString = "DELETE FROM roaming_token WHERE partner = %s"
_REGISTER: LiteralString = """
UPDATE roaming_link SET state = %s, our_party = %s, version = %s, versions_url = %s,
    endpoints = %s, parties = %s, sealed = %s, changed_at = %s
WHERE partner = %s
"""
# Corrections that 2.1.1 had no form for, and no statement says yet: as CDRs, in their order.
_SAY_NOW: LiteralString = """
INSERT INTO outgoing (party, kind, subject, lane)
SELECT made.party, made.kind, made.cdr_id, made.session_id FROM roaming_cdr AS made
JOIN roaming_link AS link ON link.partner = made.party AND link.version = %(oldest)s
WHERE made.party = %(partner)s AND (made.kind = 'credit' OR made.revision > 1)
AND NOT EXISTS (
    SELECT FROM settled_cdr AS settled WHERE settled.side = 'sent'
    AND settled.party = made.party AND settled.cdr_key = lower(made.cdr_id)
) AND NOT EXISTS (
    SELECT FROM outgoing_attempt AS sent WHERE sent.party = made.party
    AND sent.kind = made.kind AND sent.subject = made.cdr_id
    AND sent.came_of_it IN ('delivered', 'known')
)
ORDER BY made.number ON CONFLICT (party, kind, subject) DO NOTHING
"""
_REGISTERED_AT: LiteralString = "SELECT versions_url = %s FROM roaming_link WHERE partner = %s"
# What a token that held no more put off is tried at once. Both are locked in the relay's order.
_ASK_AGAIN: LiteralString = """
UPDATE outgoing_party SET next_at = '-infinity', failures = 0, refusals = 0
WHERE party = ANY (%s)
"""
_GO_ON: LiteralString = """
WITH paused AS (
    SELECT id FROM outgoing
    WHERE party = ANY (%s) AND state = 'waiting' AND next_at > '-infinity'
    ORDER BY kind <> 'session', subject COLLATE "C" FOR UPDATE
)
UPDATE outgoing SET next_at = '-infinity', failures = 0
FROM paused WHERE outgoing.id = paused.id
"""
_MOVE: LiteralString = "UPDATE roaming_link SET state = %s, changed_at = %s WHERE partner = %s"
_CLEAR: LiteralString = "UPDATE roaming_link SET sealed = NULL WHERE partner = %s"
_FORGET_KEY: LiteralString = "DELETE FROM subject WHERE kind = %s AND name = %s"
_ENDS: LiteralString = """
SELECT count(*) FROM roaming_link_change WHERE partner = %s AND state = 'revoked'
"""
_NOTE: LiteralString = """
INSERT INTO roaming_link_change (partner, state, version, at, by, why)
SELECT partner, state, version, %s, %s, %s FROM roaming_link WHERE partner = %s
"""

# Behind a link that is made anew there may be another system: what the one before knew, and said
# of itself, it is told and asked again.
_ANEW: LiteralString = """
WITH told AS (DELETE FROM place_told WHERE partner = %(partner)s),
    places AS (DELETE FROM place_pulled WHERE partner = %(partner)s),
    lists AS (DELETE FROM partner_pull WHERE party = %(partner)s)
UPDATE partner_token_list SET listed_at = NULL, full_at = NULL, tried_at = NULL
WHERE party = %(partner)s
"""


class CredentialKind(StrEnum):
    """What one of our tokens is for."""

    INVITATION = "invitation"
    """The handshake alone (TOKEN_A)."""
    ACCESS = "access"
    """What OCPI calls TOKEN_B where we begin the handshake, and TOKEN_C where the partner does."""


class PresentedToken(NamedTuple):
    """One of our tokens, as a partner showed it; a higher number was made later."""

    digest: bytes
    number: int
    partner: str
    kind: CredentialKind
    is_spent: bool = False
    """It led to a token, of which we do not know yet whether the partner got it."""


class Agreed(NamedTuple):
    """What a handshake came to: all that a link is made of. `token` is the partner's for us."""

    our_party: str
    version: OcpiVersion
    versions_url: str
    endpoints: Endpoints
    parties: Sequence[str]
    token: str

    def __repr__(self) -> str:
        return f"Agreed({self.our_party}, OCPI {self.version})"


class SpentTokenError(RoamingError):
    """The token of a handshake holds no more: it was used, took too long, or the link ended."""

    def __init__(self) -> None:
        super().__init__("this token holds no more: it was used, took too long, or the link ended")


class NotLinkedError(RoamingError):
    """What needs a handshake that was done was asked of a partner with whom it was not."""

    def __init__(self, partner: str) -> None:
        self.partner = partner
        super().__init__(
            f"{partner} is not registered: `wattledger partner register {partner}` begins that"
        )


def new_token() -> str:
    """Return 256 random bits as a token: 43 characters."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def digest_of(token: str) -> bytes:
    """Return what is kept of one of our tokens."""
    return hashlib.sha256(token.encode()).digest()


async def presented(
    database: Database, digests: Sequence[bytes], *, query: LiteralString = _PRESENTED
) -> PresentedToken | None:
    """Return which of our tokens has one of *digests*, of all its spellings; None: none."""
    row = await (await database.execute(query, (list(digests),))).fetchone()
    if row is None:
        return None
    digest, number, partner, kind, is_spent = row
    return PresentedToken(digest, number, partner, CredentialKind(kind), is_spent)


async def invite(
    database: Database, partner: str, token: str, *, hours: int, at: datetime, by: str
) -> None:
    """Let *partner* begin the handshake with *token*; an earlier invitation holds no more."""
    async with database.transaction():
        was = await (await database.execute(_INVITE, (partner, at))).fetchone()
        await database.execute(_DROP_INVITATIONS, (partner,))
        await database.execute(_ADD_INVITATION, (digest_of(token), partner, hours))
        why = "invited" if was else "invited to register once more"
        await database.execute(_NOTE, (at, by, why, partner))


async def ends_of(database: Database, partner: str) -> int:
    """Return how often a link with *partner* was ended: what `promise` is given."""
    [(ends,)] = await (await database.execute(_ENDS, (partner,))).fetchall()
    return int(ends)


async def promise(
    database: Database, partner: str, token: str, *, ends: int, at: datetime, by: str
) -> None:
    """Let *token* in before the partner is told it: what we offer in a handshake that we begin.

    *ends*: how often the link had been ended when it was begun.

    Raises:
        SpentTokenError: If it was ended once more since.
    """
    async with database.transaction():
        await database.execute(_INVITE, (partner, at))
        # Whoever ends it waits for this row, or has written that by now.
        await database.execute(_LOCK, (partner,))
        if await ends_of(database, partner) != ends:
            raise SpentTokenError
        # None is dropped here: a partner whose answer we lost may have any of those before.
        await database.execute(_ADD_ACCESS, (digest_of(token), partner))
        await database.execute(_NOTE, (at, by, "offered a new token", partner))


async def accept(
    database: Database, shown: PresentedToken, agreed: Agreed, token: str, *, at: datetime
) -> None:
    """Do what a handshake that *shown*'s partner began came to; *token* is what it is given.

    Raises:
        SpentTokenError: If the token that it began with holds no more.
    """
    async with database.transaction():
        await database.execute(_LOCK, (shown.partner,))
        still = await presented(database, [shown.digest], query=_STILL)
        if still is None:
            raise SpentTokenError
        if still.is_spent:
            # Who never got the answer asks again from where he was; anybody else found the token.
            asked = await database.execute(_REGISTERED_AT, (agreed.versions_url, shown.partner))
            if await asked.fetchone() != (True,):
                raise SpentTokenError
        await database.execute(_ADD_ACCESS, (digest_of(token), shown.partner))
        if shown.kind is CredentialKind.INVITATION:
            await database.execute(_SPEND, (RETRY_MINUTES, shown.number))
            await database.execute(_ANEW, {"partner": shown.partner})
        # Who asks has what he showed; of what he was answered before, and never used, a few stay.
        await database.execute(_DROP_UNUSED, (shown.partner, shown.number, UNUSED_MAX))
        await _register(database, shown.partner, agreed, at)
        why = "registered" if shown.kind is CredentialKind.INVITATION else "renewed"
        await database.execute(_NOTE, (at, shown.partner, f"{why} by the partner", shown.partner))


async def conclude(
    database: Database,
    partner: str,
    agreed: Agreed,
    *,
    ends: int,
    at: datetime,
    by: str,
    is_anew: bool,
) -> None:
    """Keep what a handshake that we began came to; a link that *is_anew* goes on with nothing.

    *ends*: how often the link had been ended when it was begun.

    Raises:
        SpentTokenError: If the link was ended meanwhile.
    """
    async with database.transaction():
        row = await (await database.execute(_LOCK, (partner,))).fetchone()
        if row is None or await ends_of(database, partner) != ends:
            raise SpentTokenError
        await _register(database, partner, agreed, at)
        if is_anew:
            await database.execute(_ANEW, {"partner": partner})
        why = "registered by us" if is_anew else "renewed by us"
        await database.execute(_NOTE, (at, by, why, partner))


async def prove(database: Database, shown: PresentedToken) -> None:
    """Let what *shown* takes the place of hold no more: the partner has it, for it used it."""
    await database.execute(_DROP_OLDER, (shown.partner, shown.number))


async def move(
    database: Database, partner: str, state: LinkState, *, at: datetime, by: str, why: str
) -> None:
    """Pause a link or let it go on.

    Raises:
        NotLinkedError: If there is none.
    """
    async with database.transaction():
        row = await (await database.execute(_LOCK, (partner,))).fetchone()
        if row is None or row[0] not in {LinkState.REGISTERED, LinkState.PAUSED}:
            raise NotLinkedError(partner)
        if row[0] != state:
            await database.execute(_MOVE, (state, at, partner))
            await database.execute(_NOTE, (at, by, why, partner))


async def revoke(database: Database, partner: str, *, at: datetime, by: str, why: str) -> None:
    """Let no token of *partner*'s lead in any more; ours for it stays until `forget`.

    Raises:
        NotLinkedError: If nothing was begun with it.
    """
    async with database.transaction():
        row = await (await database.execute(_LOCK, (partner,))).fetchone()
        if row is None:
            raise NotLinkedError(partner)
        await database.execute(_DROP_ALL, (partner,))
        if row[0] != LinkState.REVOKED:
            await database.execute(_MOVE, (LinkState.REVOKED, at, partner))
            await database.execute(_NOTE, (at, by, why, partner))


async def forget(database: Database, partner: str) -> None:
    """Forget the partner's token for us, with the key that it was sealed with."""
    holder = roaming_holder(partner)
    async with database.transaction():
        await database.execute(_CLEAR, (partner,))
        await database.execute(_FORGET_KEY, (holder.kind, holder.name))


async def _register(database: Database, partner: str, agreed: Agreed, at: datetime) -> None:
    row = await (await database.execute(_LOCK, (partner,))).fetchone()
    state = LinkState.PAUSED if row and row[0] == LinkState.PAUSED else LinkState.REGISTERED
    endpoints = [
        {"identifier": module, "role": role, "url": url}
        for (module, role), url in agreed.endpoints.items()
    ]
    sealed = seal(await _subject(database, partner), agreed.token)
    values = (
        state,
        agreed.our_party,
        agreed.version,
        agreed.versions_url,
        Jsonb(endpoints),
        list(agreed.parties),
        sealed,
        at,
        partner,
    )
    if agreed.version is not OcpiVersion.V2_1_1:
        oldest = OcpiVersion.V2_1_1.value
        await database.execute(_SAY_NOW, {"partner": partner, "oldest": oldest})
    await database.execute(_REGISTER, values)
    parties = sorted({partner, *agreed.parties})
    for query in (_ASK_AGAIN, _GO_ON):
        await database.execute(query, (parties,))


async def _subject(database: Database, partner: str) -> Subject:
    holder = roaming_holder(partner)
    for _ in range(2):
        row = await (await database.execute(KNOWN, asked([holder]))).fetchone()
        if row:
            return Subject(row[2], row[3])
        await database.execute(MAKE, fresh([holder]))
    raise ContendedSubjectError
