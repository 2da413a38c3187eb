"""Links that let somebody in once: the digest of what stands in them is kept.

The first of all makes the first account; others let somebody choose a password. The steps of a
log-in are kept in the same way, for minutes.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, LiteralString

from psycopg import Connection

from ledger.errors import LedgerError

FIRST_LASTS: Final = timedelta(hours=1)
INVITATION_LASTS: Final = timedelta(days=3)
STEP_LASTS: Final = timedelta(minutes=10)
_BYTES: Final = 32
_MAKE: LiteralString = """
INSERT INTO user_link (digest, name, made_by, made_at, ends_at, purpose)
VALUES (%s, %s, %s, %s, %s, %s)
"""
_OLD: LiteralString = "DELETE FROM user_link WHERE ends_at <= %s"
_FIND: LiteralString = """
SELECT link.name FROM user_link AS link LEFT JOIN user_account AS account USING (name)
WHERE digest = %s AND purpose = %s AND used_at IS NULL AND ends_at > %s
    AND (link.name = '' OR (account.name IS NOT NULL AND account.blocked_at IS NULL))
"""
_USE: LiteralString = """
UPDATE user_link SET used_at = %s WHERE digest = %s AND used_at IS NULL AND ends_at > %s
"""
_END: LiteralString = """
UPDATE user_link SET used_at = %s WHERE name = %s AND used_at IS NULL
"""


class LinkPurpose(StrEnum):
    """What a link, or a step of a log-in, leads to."""

    PASSWORD = "password"  # noqa: S105 - a purpose
    """To choose a password."""
    CODE = "code"
    """The password was right: the second factor's code is awaited."""
    FACTOR = "factor"
    """The same, and a second factor is to be set first."""


class DeadLinkError(LedgerError):
    """A link that was used, is too old, or never was."""

    def __init__(self) -> None:
        super().__init__(
            "this link holds no more: it was used, or is too old; ask an administrator for another"
        )


def make_link(
    connection: Connection[Any],
    name: str,
    *,
    by: str,
    at: datetime,
    lasts: timedelta,
    purpose: LinkPurpose = LinkPurpose.PASSWORD,
) -> str:
    """Return what stands in a new link for *name*; "": for whoever makes the first account."""
    token = secrets.token_urlsafe(_BYTES)
    connection.execute(_OLD, (at,))
    connection.execute(_MAKE, (_digest(token), name, by, at, at + lasts, purpose.value))
    return token


def linked_name(
    connection: Connection[Any],
    token: str,
    now: datetime,
    purpose: LinkPurpose = LinkPurpose.PASSWORD,
) -> str:
    """Return whose link it is, "" of the first; looking at it does not use it.

    Raises:
        DeadLinkError: If it holds no more, or its account is blocked.
    """
    row = connection.execute(_FIND, (_digest(token), purpose.value, now)).fetchone()
    if row is None:
        raise DeadLinkError
    return str(row[0])


def use_link(connection: Connection[Any], token: str, now: datetime) -> None:
    """Use a link up, in the transaction of what it lets do: of two at once one finds it used.

    Raises:
        DeadLinkError: If it holds no more.
    """
    if not connection.execute(_USE, (now, _digest(token), now)).rowcount:
        raise DeadLinkError


def end_links(connection: Connection[Any], name: str, now: datetime) -> None:
    """Let no link of *name* hold any more."""
    connection.execute(_END, (now, name))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()
