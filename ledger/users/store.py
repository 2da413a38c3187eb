"""Accounts in the database: every change of one is a decision with its person."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString

import msgspec
from psycopg import Connection
from psycopg.rows import dict_row

from ledger.errors import LedgerError
from ledger.four_eyes import is_same_person, letters_of
from ledger.shapes import read_stored
from ledger.users.roles import Grant, Reach, Role
from ledger.users.user import User

LOCK_NAMES: LiteralString = "SELECT pg_advisory_xact_lock(hashtext('wattledger users'))"
"""Names, roles and who is an administrator change one after another."""
RESERVED: Final = frozenset({"disputes", "payouts", "policy", "refunding", "visits"})
"""Under these names the system itself decides: no person and no machine is called so."""
_MACHINES: LiteralString = "SELECT name FROM access_token WHERE person IS NULL"
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


_LOOKS: LiteralString = "UPDATE user_account SET language = %s, theme = %s WHERE name = %s"
_STANDING: LiteralString = """
SELECT name, full_name, language, theme, made_by, made_at, blocked_at,
    password IS NOT NULL AS has_password, second_factor IS NOT NULL AS has_factor,
    factor_required, identity IS NOT NULL AS has_identity, invited_as IS NOT NULL AS is_invited
FROM user_account WHERE
"""
_ALL: LiteralString = "(%(name)s::text IS NULL OR name = %(name)s) ORDER BY name"
# Those of a prefix follow each other in the index; nothing comes behind the highest sign.
_PAGE: LiteralString = """
name > %(after)s AND name < %(before)s AND name >= %(begins)s AND name < %(beyond)s
"""
_SEEN: LiteralString = """
AND (name = %(own)s OR name IN (
    SELECT name FROM user_grant JOIN unnest(%(legal_entities)s::text[], %(sites)s::text[])
        AS part (entity, place) ON legal_entity = entity AND place IN ('', site)))
"""
_IN_ORDER: LiteralString = "ORDER BY name LIMIT %(limit)s"
_FROM_THE_LAST: LiteralString = "ORDER BY name DESC LIMIT %(limit)s"
_HIGHEST: Final = "\U0010ffff"
_CHANGES: LiteralString = """
SELECT number, name, kind, change, changed_by, changed_at FROM user_change
WHERE number < %(before)s ORDER BY number DESC LIMIT %(limit)s
"""
_CHANGES_OF: LiteralString = """
SELECT number, name, kind, change, changed_by, changed_at FROM user_change
WHERE name = %(name)s AND number < %(before)s ORDER BY number DESC LIMIT %(limit)s
"""
NEWEST: Final = 2**63 - 1


class UserStanding(msgspec.Struct, frozen=True, kw_only=True):
    """An account as an administrator sees it, blocked ones too."""

    user: User
    made_by: str
    made_at: datetime
    blocked_at: datetime | None
    has_password: bool
    has_factor: bool
    factor_required: bool
    has_identity: bool
    is_invited: bool


class UserChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change of an account: what, by whom, when; `number` counts all of them.

    `change` is None where it cannot be read.
    """

    number: int
    name: str
    kind: str
    change: Any
    changed_by: str
    changed_at: datetime


class UnknownUserError(LedgerError):
    """No account has this name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"there is no account {name}: `wattledger user list` shows them")


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
        UserExistsError: If the name is taken, also by a machine's token; it stays its own for ever.
    """
    connection.execute(LOCK_NAMES)
    machines = connection.execute(_MACHINES).fetchall()
    if any(is_same_person(user.name, machine) for (machine,) in machines):
        raise UserExistsError(user.name)
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


def list_users(connection: Connection[Any], name: str | None = None) -> Sequence[UserStanding]:
    """Return all accounts by name, blocked ones too, or the one of *name* if there is one."""
    return _standings(connection, _STANDING + _ALL, {"name": name})


def find_users(
    connection: Connection[Any],
    reach: Reach,
    *,
    own: str,
    begins: str = "",
    after: str = "",
    is_down: bool = False,
    limit: int,
) -> Sequence[UserStanding]:
    """Return accounts whose name begins with *begins*, by name, from behind *after* on.

    *is_down*: from the last name on. Those with a role within *reach*, and that of *own*,
    whoever asks.
    """
    parts = [*((each, "") for each in sorted(reach.legal_entities)), *sorted(reach.sites)]
    asked = {
        "own": own,
        "begins": begins,
        "beyond": begins + _HIGHEST,
        "after": "" if is_down else after,
        "before": (is_down and after) or _HIGHEST,
        "legal_entities": [each for each, _ in parts],
        "sites": [site for _, site in parts],
        "limit": limit,
    }
    order = _FROM_THE_LAST if is_down else _IN_ORDER
    seen: LiteralString = "" if reach.is_everywhere else _SEEN
    return _standings(connection, _STANDING + _PAGE + seen + order, asked)


def _standings(
    connection: Connection[Any], query: LiteralString, asked: Mapping[str, object]
) -> Sequence[UserStanding]:
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query, asked).fetchall()
    grants = _grants(connection, [row["name"] for row in rows])
    return [
        UserStanding(
            user=User(
                name=row["name"],
                full_name=row.pop("full_name"),
                grants=grants[row.pop("name")],
                language=row.pop("language"),
                theme=row.pop("theme"),
            ),
            **row,
        )
        for row in rows
    ]


def user_standing(connection: Connection[Any], name: str) -> UserStanding:
    """Return the account of *name*, blocked or not.

    Raises:
        UnknownUserError: If there is none.
    """
    found = list_users(connection, name)
    if not found:
        raise UnknownUserError(name)
    return found[0]


def list_changes(
    connection: Connection[Any],
    *,
    name: str | None = None,
    before: int = NEWEST,
    limit: int = 50,
) -> list[UserChange]:
    """Return changes of accounts, the newest first, those before the number *before*."""
    asked = {"name": name, "before": before, "limit": limit}
    statement = _CHANGES if name is None else _CHANGES_OF
    return [
        UserChange(
            number=number, name=whose, kind=kind, change=read_stored(change, object),
            changed_by=by, changed_at=at,
        )
        for number, whose, kind, change, by, at in connection.execute(statement, asked)
    ]  # fmt: skip


def replace_grants(connection: Connection[Any], name: str, grants: Collection[Grant]) -> None:
    """Let *name* have these roles and no other, in the caller's transaction."""
    connection.execute("DELETE FROM user_grant WHERE name = %s", (name,))
    _grant(connection, name, grants)


def set_looks(connection: Connection[Any], name: str, *, language: str, theme: str) -> None:
    """Keep in which language and how *name* sees pages."""
    connection.execute(_LOOKS, (language, theme, name))


def note_change(
    connection: Connection[Any], name: str, kind: str, change: object, *, by: str, at: datetime
) -> None:
    """Keep what was changed of an account, and by whom; no secret belongs into *change*."""
    connection.execute(_CHANGED, (name, kind, _ENCODER.encode(change), by, at))


def _users(connection: Connection[Any], name: str | None) -> Sequence[User]:
    rows = connection.execute(_FIND, {"name": name}).fetchall()
    grants = _grants(connection, [row[0] for row in rows])
    return [
        User(
            name=whose,
            full_name=full_name,
            grants=grants[whose],
            language=language,
            theme=theme,
        )
        for whose, full_name, language, theme in rows
    ]


def _grants(connection: Connection[Any], names: Sequence[str]) -> dict[str, tuple[Grant, ...]]:
    found: dict[str, tuple[Grant, ...]] = dict.fromkeys(names, ())
    for whose, role, legal_entity, site in connection.execute(_GRANTS, ([*names],)):
        found[whose] = (*found[whose], Grant(Role(role), legal_entity, site))
    return found


def _grant(connection: Connection[Any], name: str, grants: Collection[Grant]) -> None:
    rows = [(name, each.role.value, each.legal_entity, each.site) for each in sorted(set(grants))]
    connection.cursor().executemany(_GRANT, rows)
