"""Accounts that come in by a provider (OpenID Connect): who somebody is there, and who was invited.

No account is made by itself. An administrator invites an e-mail address or a subject to an account,
of which a keyed digest is kept; the first who comes with it (an address that the provider verified)
is that account's from then on, by issuer and subject alone.
"""

from __future__ import annotations

import hmac
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final, LiteralString

from psycopg import Connection

from ledger.errors import LedgerError
from ledger.persons.holders import user_holder
from ledger.persons.store import find_or_make
from ledger.users.giving import Giver, invited_account, put_out
from ledger.users.store import note_change

INVITED_MAX: Final = 255
_OF_INVITATIONS: Final = ""
"""No account is called so: the key of the digests is this one's."""
_FIND: LiteralString = """
SELECT name FROM user_account WHERE identity = %s AND blocked_at IS NULL
"""
_INVITE: LiteralString = """
UPDATE user_account SET invited_as = %s, identity = NULL, version = version + 1 WHERE name = %s
"""
_TAKEN: LiteralString = "SELECT FROM user_account WHERE invited_as = %s AND name <> %s"
# Of two that come at once, one finds the invitation taken.
_TAKE: LiteralString = """
UPDATE user_account SET identity = %s, invited_as = NULL, version = version + 1
WHERE invited_as = ANY (%s) AND identity IS NULL AND blocked_at IS NULL RETURNING name
"""
_IS_KNOWN: LiteralString = "SELECT FROM user_account WHERE identity = %s"


class InvitedBy(StrEnum):
    """What was invited."""

    EMAIL = "email"
    SUBJECT = "subject"


class NotInvitedError(LedgerError):
    """Somebody whom the provider knows, and we do not."""

    def __init__(self) -> None:
        super().__init__("nobody invited you here: ask an administrator for an account")


class UnfitInvitationError(LedgerError):
    """What was invited is nothing, or somebody else was invited by it."""

    def __init__(self) -> None:
        super().__init__("this invites nobody, or invites somebody else already")


def invite(
    connection: Connection[Any],
    name: str,
    what: str,
    kind: InvitedBy,
    giver: Giver,
    at: datetime,
) -> None:
    """Let who comes with *what* by the provider be *name* from then on, and no one before them.

    Raises:
        UnfitInvitationError: If it is empty, too long, or another account's.
        LedgerError: As `link_account` does.
    """
    if not what.strip() or len(what) > INVITED_MAX or (kind is InvitedBy.EMAIL and "@" not in what):
        raise UnfitInvitationError
    digest = _digest(connection, kind, what)
    with invited_account(connection, name, giver):
        if connection.execute(_TAKEN, (digest, name)).fetchone() is not None:
            raise UnfitInvitationError
        connection.execute(_INVITE, (digest, name))
        note_change(connection, name, "invited", {"by": kind}, by=giver.name, at=at)


def come_by_identity(
    connection: Connection[Any], issuer: str, subject: str, email: str, now: datetime
) -> str:
    """Return whose account it is who *subject* is with *issuer*.

    `email`: an address that the provider verified, "" where none is.

    Raises:
        NotInvitedError: If it is nobody's, or a blocked account's.
    """
    identity = f"{issuer} {subject}"
    row = connection.execute(_FIND, (identity,)).fetchone()
    if row is not None:
        return str(row[0])
    offered = [_digest(connection, InvitedBy.SUBJECT, subject)]
    if email:
        offered.append(_digest(connection, InvitedBy.EMAIL, email))
    with connection.transaction():
        # Whoever is an account's already, a blocked one's too, is not invited to another.
        if connection.execute(_IS_KNOWN, (identity,)).fetchone() is not None:
            raise NotInvitedError
        taken = connection.execute(_TAKE, (identity, offered[:1])).fetchone()
        taken = taken or connection.execute(_TAKE, (identity, offered[1:])).fetchone()
        if taken is None:
            raise NotInvitedError
        name = str(taken[0])
        # Who was in by another identity is so no more.
        put_out(connection, name, now)
        note_change(connection, name, "identified", {"issuer": issuer}, by=name, at=now)
    return name


def _digest(connection: Connection[Any], kind: InvitedBy, what: str) -> bytes:
    """Return what is kept of an invitation: who reads the table learns no address."""
    [subject] = find_or_make(connection, [user_holder(_OF_INVITATIONS)]).values()
    text = what.strip().encode(errors="replace")
    # Of ASCII alone: folded by Unicode, straße.example and strasse.example, two owners', were one.
    text = text.lower() if kind is InvitedBy.EMAIL else text
    return hmac.new(subject.key, f"{kind}:".encode() + text, sha256).digest()
