"""Addresses under which a document is fetched without a token: unguessable, for some days."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Any, Final, LiteralString

from psycopg import Connection

TOKEN_BYTES: Final = 32
PATH: Final = "/documents"
"""Where the interface serves them."""
_TOKEN_CHARACTERS_MAX: Final = 100
_MAKE: LiteralString = """
INSERT INTO document_link (digest, number, expires_at)
VALUES (%s, %s, now() + %s * interval '1 day') ON CONFLICT (digest) DO NOTHING
"""
_FIND: LiteralString = "SELECT number FROM document_link WHERE digest = %s AND expires_at > now()"
_CLEAR: LiteralString = "DELETE FROM document_link WHERE expires_at < now() - interval '1 day'"


def make_link(
    connection: Connection[Any], number: str, *, days: int, secret: str | None = None
) -> str:
    """Return the token of a link to document *number*, of which only the hash is kept.

    It may be used until it expires, as often as somebody likes: who looks through mails for harm
    opens links before their reader does. With a *secret* that nobody guesses it is the same one
    each time.
    """
    token = secrets.token_urlsafe(TOKEN_BYTES)
    if secret is not None:
        token = hmac.new(secret.encode(), number.encode(), hashlib.sha256).hexdigest()
    connection.execute(_MAKE, (_digest(token), number, days))
    connection.execute(_CLEAR)
    return token


def linked(connection: Connection[Any], token: str) -> str | None:
    """Return the number of the document that *token* leads to, None if it leads nowhere."""
    if len(token) > _TOKEN_CHARACTERS_MAX:
        return None
    row = connection.execute(_FIND, (_digest(token),)).fetchone()
    return None if row is None else row[0]


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
