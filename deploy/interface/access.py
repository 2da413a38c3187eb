"""Who may use the interface: whose token came, and what it opens (`ledger/users/access_tokens.py`).

A person's own token has no scopes: what it may is what its person may (`PERMISSION_OF`), as long as
the account is not blocked, and has the second factor that is asked of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, LiteralString

import msgspec
import psycopg

from ledger.users.roles import Grant, Permission, Reach, Role
from ledger.users.user import User

SCHEME: Final = "Bearer"
"""The scheme of HTTP by which a token comes."""
ANYBODY: Final = "anybody"
"""The scope of a route that wants no token: what it gives away, its address guards."""
_FIND: LiteralString = """
SELECT digest, token.name, scopes, person, full_name, language, theme,
    factor_required AND second_factor IS NULL
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
    DECIDE = "decide"
    """Deciding about sessions: of people alone."""
    MONEY = "money"
    """Saying what money was for that nobody could tell."""
    MASTER_DATA = "master_data"
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
    Scope.DECIDE: Permission.DECIDE_SESSIONS,
    Scope.MONEY: Permission.MOVE_MONEY,
    Scope.MASTER_DATA: Permission.SEE_ACCESS,
    Scope.DECLARE: Permission.DECLARE,
    Scope.WEBHOOKS: Permission.GIVE_ACCESS,
}
"""What a person must be permitted for whom a route is that wants a scope: the one table of both."""


class Bearer(msgspec.Struct, frozen=True):
    """Whose token came with a request, and what it may be used for; `name` acts.

    `person`: whose own token it is; None: a machine's, which has its scopes everywhere.
    `lacks_factor`: it opens nothing until its person has a second factor.
    """

    name: str
    scopes: frozenset[str]
    person: User | None = None
    lacks_factor: bool = False

    def may(self, scope: Scope) -> bool:
        """Say whether this token opens a route that wants *scope*, anywhere at all."""
        return bool(self.reach(scope))

    def reach(self, scope: Scope) -> Reach:
        """Return where it does."""
        if self.person is not None:
            return self.person.reach(PERMISSION_OF[scope])
        return _EVERYWHERE if scope in self.scopes else _NOWHERE


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
            full_name, language, theme, _ = more
            user = User(
                name=person,
                full_name=full_name,
                grants=tuple(grants[person]),
                language=language,
                theme=theme,
            )
        acts = name if person is None else person
        found[digest] = Bearer(acts, frozenset(scopes), user, lacks_factor=bool(more[-1]))
    return [found.get(digest) for digest in digests]
