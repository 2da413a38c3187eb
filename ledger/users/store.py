"""Accounts in the database: every change of one is a decision with its person."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString

import msgspec
from psycopg import Connection

from ledger.errors import LedgerError
from ledger.four_eyes import letters_of
from ledger.users.roles import Grant, Role
from ledger.users.user import User

_ADD: LiteralString = """
INSERT INTO user_account (name, letters, full_name, made_by, made_at) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT DO NOTHING
"""
_FIND: LiteralString = """
SELECT name, full_name, language, theme FROM user_account
WHERE blocked_at IS NULL AND (%(name)s::text IS NULL OR name = %(name)s) ORDER BY name
"""
_GRANTS: LiteralString = """
SELECT name, role, legal_entity, site FROM user_grant WHERE name = ANY (%s)
ORDER BY name, role, legal_entity, site
"""
_GRANT: LiteralString = """
INSERT INTO user_grant (name, role, legal_entity, site) VALUES (%s, %s, %s, %s)
"""
_CHANGED: LiteralString = """
INSERT INTO user_change (name, kind, change, changed_by, changed_at) VALUES (%s, %s, %s, %s, %s)
"""
_ENCODER: Final = msgspec.json.Encoder(order="deterministic")


class UserExistsError(LedgerError):
    """A name is an account's already, or one that differs from it in nothing that tells people."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"there is an account {name} already, or one written nearly so")


def add_user(
    connection: Connection[Any],
    user: User,
    *,
    by: str,
    at: datetime,
) -> None:
    """Make an account with its grants, in the caller's transaction.

    Raises:
        UserExistsError: If the name is taken; it stays its own for ever.
    """
    row = (user.name, letters_of(user.name), user.full_name, by, at)
    if not connection.execute(_ADD, row).rowcount:
        raise UserExistsError(user.name)
    _grant(connection, user.name, user.grants)
    note_change(connection, user.name, "added", user, by=by, at=at)


def find_user(connection: Connection[Any], name: str) -> User | None:
    """Return the account of *name*, None where there is none, or it is blocked."""
    found = _users(connection, name)
    return found[0] if found else None


def is_anybody(connection: Connection[Any]) -> bool:
    """Say whether there is any account."""
    [(found,)] = connection.execute("SELECT EXISTS (SELECT FROM user_account)").fetchall()
    return bool(found)


def note_change(
    connection: Connection[Any], name: str, kind: str, change: object, *, by: str, at: datetime
) -> None:
    """Keep what was changed of an account, and by whom; no secret belongs into *change*."""
    connection.execute(_CHANGED, (name, kind, _ENCODER.encode(change), by, at))


def _users(connection: Connection[Any], name: str | None) -> Sequence[User]:
    rows = connection.execute(_FIND, {"name": name}).fetchall()
    grants: dict[str, list[Grant]] = {row[0]: [] for row in rows}
    for whose, role, legal_entity, site in connection.execute(_GRANTS, ([*grants],)):
        grants[whose].append(Grant(Role(role), legal_entity, site))
    return [
        User(
            name=whose,
            full_name=full_name,
            grants=tuple(grants[whose]),
            language=language,
            theme=theme,
        )
        for whose, full_name, language, theme in rows
    ]


def _grant(connection: Connection[Any], name: str, grants: Collection[Grant]) -> None:
    rows = [(name, each.role.value, each.legal_entity, each.site) for each in sorted(set(grants))]
    connection.cursor().executemany(_GRANT, rows)
