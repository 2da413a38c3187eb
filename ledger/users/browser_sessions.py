"""Browsers that are in: a random cookie each, of which only the digest is kept.

A session ends after `IDLE` without a page, after `LONGEST` at the latest, and with the account.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.users.store import find_user
from ledger.users.user import User

IDLE: Final = timedelta(hours=8)
LONGEST: Final = timedelta(days=7)
_SEEN_EVERY: Final = timedelta(minutes=1)
_BITS: Final = 32
_BEGIN: LiteralString = """
INSERT INTO browser_session (digest, name, form_key, begun_at, seen_at, ends_at)
VALUES (%s, %s, %s, %s, %s, %s)
"""
_FIND: LiteralString = """
SELECT s.name, s.form_key, s.seen_at FROM browser_session AS s JOIN user_account AS a USING (name)
WHERE digest = %(digest)s AND ends_at > %(now)s AND seen_at > %(idle)s AND a.blocked_at IS NULL
"""
_SEEN: LiteralString = "UPDATE browser_session SET seen_at = %s WHERE digest = %s AND seen_at < %s"
_END: LiteralString = "DELETE FROM browser_session WHERE digest = %s"
_END_OTHERS: LiteralString = "DELETE FROM browser_session WHERE name = %s AND digest <> %s"
_OLD: LiteralString = "DELETE FROM browser_session WHERE ends_at <= %s OR seen_at <= %s"


class SignedIn(NamedTuple):
    """Who is in; `form_key` is what each form of this browser has to bring along."""

    user: User
    form_key: str


def begin_session(connection: Connection[Any], name: str, now: datetime) -> str:
    """Let a browser in for *name*; return what its cookie holds. Old sessions are forgotten."""
    cookie = secrets.token_urlsafe(_BITS)
    row = (_digest(cookie), name, secrets.token_urlsafe(_BITS), now, now, now + LONGEST)
    connection.execute(_OLD, (now, now - IDLE))
    connection.execute(_BEGIN, row)
    return cookie


def find_session(connection: Connection[Any], cookie: str, now: datetime) -> SignedIn | None:
    """Return who is in by this cookie, None where nobody is (any more)."""
    digest = _digest(cookie)
    asked = {"digest": digest, "now": now, "idle": now - IDLE}
    row = connection.execute(_FIND, asked).fetchone()
    if row is None:
        return None
    name, form_key, seen_at = row
    if now - seen_at > _SEEN_EVERY:
        connection.execute(_SEEN, (now, digest, now))
    user = find_user(connection, name)
    return None if user is None else SignedIn(user, form_key)


def end_session(connection: Connection[Any], cookie: str) -> None:
    """Let this browser be out."""
    connection.execute(_END, (_digest(cookie),))


def end_other_sessions(connection: Connection[Any], name: str, cookie: str = "") -> None:
    """Let every browser of *name* be out but that of *cookie*."""
    connection.execute(_END_OTHERS, (name, _digest(cookie)))


def _digest(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode(errors="replace")).digest()
