"""Who may use the interface: bearer tokens with scopes, of which only hashes are kept.

A token is 256 random bits, shown once; whoever has the database has no token. It names who it was
made for, and that name stands in what is done with it. A person's own token has no scopes: what it
may is what its person may (`PERMISSION_OF`), as long as the account is not blocked.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, LiteralString

import msgspec
import psycopg
from psycopg import Connection
from psycopg.rows import class_row

from deploy.errors import DeployError
from ledger.users.roles import Grant, Permission, Reach, Role
from ledger.users.user import User

TOKEN_BYTES: Final = 32
_BEGINS: Final = "wl_"
_ADD: LiteralString = """
INSERT INTO access_token (name, digest, scopes, made_by, person) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (name) DO NOTHING
"""
_REVOKE: LiteralString = """
UPDATE access_token SET revoked_at = now() WHERE name = %s AND revoked_at IS NULL
"""
_LIST: LiteralString = """
SELECT name, scopes, made_by, made_at, revoked_at FROM access_token ORDER BY made_at DESC, name
"""
_FIND: LiteralString = """
SELECT digest, token.name, scopes, person, full_name, language, theme
FROM access_token AS token LEFT JOIN user_account AS account ON account.name = person
WHERE digest = ANY(%s) AND revoked_at IS NULL AND blocked_at IS NULL
"""
_GRANTS: LiteralString = """
SELECT name, role, legal_entity, site FROM user_grant WHERE name = ANY (%s)
"""
_EVERYWHERE: Final = Reach(is_everywhere=True)
_NOWHERE: Final = Reach(is_everywhere=False)


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
    TARIFFS = "tariffs"
    """Tariffs, and what a charge would cost by them."""
    BOOKS = "books"
    """Sessions with their prices, invoices, payments, customers, journal, reports."""
    CREDIT = "credit"
    """Giving back what stands on an invoice."""
    MASTER_DATA = "master-data"
    """What is declared of legal entities, sites, stations, customers and tokens."""
    DECLARE = "declare"
    """Declaring it."""
    WEBHOOKS = "webhooks"
    """Who is told of our decisions, and where."""


PERMISSION_OF: Final[Mapping[Scope, Permission]] = {
    Scope.READ: Permission.SEE_FLEET,
    Scope.COMMAND: Permission.COMMAND_STATIONS,
    Scope.TOKENS: Permission.LET_TOKENS,
    Scope.FILES: Permission.COMMAND_STATIONS,
    Scope.DOCUMENTS: Permission.SEE_BOOKS,
    Scope.TARIFFS: Permission.SEE_TARIFFS,
    Scope.BOOKS: Permission.SEE_BOOKS,
    Scope.CREDIT: Permission.CREDIT,
    Scope.MASTER_DATA: Permission.SEE_ACCESS,
    Scope.DECLARE: Permission.DECLARE,
    Scope.WEBHOOKS: Permission.GIVE_ACCESS,
}
"""What a person must be permitted for whom a route is that wants a scope: the one table of both."""


class Bearer(msgspec.Struct, frozen=True):
    """Whose token came with a request, and what it may be used for; `name` acts.

    `person`: whose own token it is; None: a machine's, which has its scopes everywhere.
    """

    name: str
    scopes: frozenset[str]
    person: User | None = None

    def may(self, scope: Scope) -> bool:
        """Say whether this token opens a route that wants *scope*, anywhere at all."""
        return bool(self.reach(scope))

    def reach(self, scope: Scope) -> Reach:
        """Return where it does."""
        if self.person is not None:
            return self.person.reach(PERMISSION_OF[scope])
        return _EVERYWHERE if scope in self.scopes else _NOWHERE


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
    connection: Connection[Any],
    name: str,
    scopes: Collection[Scope],
    *,
    by: str,
    person: str | None = None,
) -> str:
    """Return a new token for *name*; only its hash is kept. *person*: whose own it is.

    Raises:
        AccessTokenExistsError: If the name is taken.
    """
    token = _BEGINS + secrets.token_urlsafe(TOKEN_BYTES)
    values = (name, digest_of(token), sorted(set(scopes)), by, person)
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
    persons = sorted({each[3] for each in rows if each[3] is not None})
    grants: dict[str, list[Grant]] = {name: [] for name in persons}
    if persons:
        for name, role, *where in await (await connection.execute(_GRANTS, (persons,))).fetchall():
            grants[name].append(Grant(Role(role), *where))
    found = {}
    for digest, name, scopes, person, *more in rows:
        user = None
        if person is not None:
            full_name, language, theme = more
            user = User(
                name=person,
                full_name=full_name,
                grants=tuple(grants[person]),
                language=language,
                theme=theme,
            )
        found[digest] = Bearer(name if person is None else person, frozenset(scopes), user)
    return [found.get(digest) for digest in digests]


def digest_of(token: str) -> bytes:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode()).digest()
