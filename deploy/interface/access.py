"""Who may use the interface: whose token came, and its scopes (`ledger/users/access_tokens.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import LiteralString

import msgspec
import psycopg

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


async def find_bearers(
    connection: psycopg.AsyncConnection, digests: Sequence[bytes]
) -> Sequence[Bearer | None]:
    """Return whose tokens have these *digests* (`digest_of`), None for those of nobody."""
    rows = await (await connection.execute(_FIND, (list(digests),))).fetchall()
    found = {digest: Bearer(name, frozenset(scopes)) for digest, name, scopes in rows}
    return [found.get(digest) for digest in digests]
