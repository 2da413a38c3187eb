"""Who may use the interface: bearer tokens with scopes, of which only hashes are kept.

A token is 256 random bits, shown once; whoever has the database has no token. It names who it was
made for, and that name stands in what is done with it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, LiteralString

import msgspec
import psycopg
from psycopg import Connection
from psycopg.rows import class_row

from deploy.errors import DeployError

TOKEN_BYTES: Final = 32
_BEGINS: Final = "wl_"
_ADD: LiteralString = """
INSERT INTO access_token (name, digest, scopes, made_by) VALUES (%s, %s, %s, %s)
ON CONFLICT (name) DO NOTHING
"""
_REVOKE: LiteralString = """
UPDATE access_token SET revoked_at = now() WHERE name = %s AND revoked_at IS NULL
"""
_LIST: LiteralString = """
SELECT name, scopes, made_by, made_at, revoked_at FROM access_token ORDER BY made_at DESC, name
"""
_FIND: LiteralString = """
SELECT digest, name, scopes FROM access_token WHERE digest = ANY(%s) AND revoked_at IS NULL
"""


class Scope(StrEnum):
    """What a token may be used for."""

    READ = "read"
    """Stations, transactions and calls."""
    COMMAND = "command"
    """Calls to stations: they may start and stop charging."""
    TOKENS = "tokens"
    """Drivers' tokens: who may charge."""
    FILES = "files"
    """What is in the files that stations sent: logs may name drivers."""
    DOCUMENTS = "documents"
    """Invoices as their readers get them, with names and addresses."""


class Bearer(msgspec.Struct, frozen=True):
    """Whose token came with a request, and what it may be used for."""

    name: str
    scopes: frozenset[str]


class AccessToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token as it is listed."""

    name: str
    scopes: list[str]
    made_by: str
    made_at: datetime
    revoked_at: datetime | None


class AccessTokenExistsError(DeployError):
    """A name was given to a token before; it stays its own, also once that is revoked."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"there is a token {name} already: choose another name")


class NoAccessTokenError(DeployError):
    """No token of that name is in force."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"no token {name} is in force: `wattledger access list` shows them")


def make_token(
    connection: Connection[Any], name: str, scopes: Collection[Scope], *, by: str
) -> str:
    """Return a new token for *name*; only its hash is kept.

    Raises:
        AccessTokenExistsError: If the name is taken.
    """
    token = _BEGINS + secrets.token_urlsafe(TOKEN_BYTES)
    values = (name, digest_of(token), sorted(set(scopes)), by)
    if not connection.execute(_ADD, values).rowcount:
        raise AccessTokenExistsError(name)
    return token


def revoke_token(connection: Connection[Any], name: str) -> None:
    """Let a token hold no more, from the next request on.

    Raises:
        NoAccessTokenError: If none of that name is in force.
    """
    if not connection.execute(_REVOKE, (name,)).rowcount:
        raise NoAccessTokenError(name)


def list_tokens(connection: Connection[Any]) -> list[AccessToken]:
    """Return all tokens, the newest first."""
    with connection.cursor(row_factory=class_row(AccessToken)) as cursor:
        return cursor.execute(_LIST).fetchall()


async def find_bearers(
    connection: psycopg.AsyncConnection, digests: Sequence[bytes]
) -> Sequence[Bearer | None]:
    """Return whose tokens have these *digests* (`digest_of`), None for those of nobody."""
    rows = await (await connection.execute(_FIND, (list(digests),))).fetchall()
    found = {digest: Bearer(name, frozenset(scopes)) for digest, name, scopes in rows}
    return [found.get(digest) for digest in digests]


def digest_of(token: str) -> bytes:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode()).digest()
