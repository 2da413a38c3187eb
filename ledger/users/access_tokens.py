"""Tokens in place of a browser: a person's own have what the person may, others their scopes.

A token is 256 random bits, shown once; whoever has the database has no token. It names who it was
made for, and that name stands in what is done with it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime
from typing import Any, Final, LiteralString

import msgspec
from psycopg import Connection
from psycopg.rows import class_row

from ledger.errors import LedgerError
from ledger.four_eyes import letters_of, reads_as_two
from ledger.users.store import LOCK_NAMES, RESERVED, find_user, note_change
from ledger.users.user import User

TOKEN_BYTES: Final = 32
NAME_MAX: Final = 120
_BEGINS: Final = "wl_"
_ADD: LiteralString = """
INSERT INTO access_token (name, digest, scopes, made_by, made_at, person)
VALUES (%s, %s, %s, %s, coalesce(%s, now()), %s) ON CONFLICT (name) DO NOTHING
"""
_IS_PERSON: LiteralString = "SELECT FROM user_account WHERE letters = %s"
_REVOKE: LiteralString = """
UPDATE access_token SET revoked_at = coalesce(%(at)s, now())
WHERE name = %(name)s AND revoked_at IS NULL
    AND (%(person)s::text IS NULL OR person = %(person)s)
RETURNING person
"""
_REVOKE_ALL: LiteralString = """
UPDATE access_token SET revoked_at = %s WHERE person = %s AND revoked_at IS NULL
"""
_END: LiteralString = """
UPDATE access_token SET revoked_at = %s WHERE digest = %s AND revoked_at IS NULL
"""
_LIST: LiteralString = """
SELECT name, scopes, made_by, made_at, revoked_at, person FROM access_token
WHERE %(person)s::text IS NULL OR person = %(person)s ORDER BY made_at DESC, name
"""
_PAGE: LiteralString = """
SELECT name, scopes, made_by, made_at, revoked_at, person FROM access_token
WHERE name > %(after)s AND name >= %(begins)s AND name < %(beyond)s ORDER BY name LIMIT %(limit)s
"""
_OWN: LiteralString = """
SELECT name, scopes, made_by, made_at, revoked_at, person FROM access_token
WHERE person = %(person)s AND revoked_at IS NULL AND name > %(after)s ORDER BY name LIMIT %(limit)s
"""
_HIGHEST: Final = "\U0010ffff"
_PERSON: LiteralString = """
SELECT person, factor_required AND second_factor IS NULL
FROM access_token JOIN user_account AS account ON account.name = person
WHERE digest = %s AND revoked_at IS NULL
"""


class AccessToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token as it is listed; `person`: whose own it is, None: it has its scopes."""

    name: str
    scopes: list[str]
    made_by: str
    made_at: datetime
    revoked_at: datetime | None
    person: str | None


class AccessTokenExistsError(LedgerError):
    """A name was given to a token before; it stays its own, also once that is revoked."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"there is a token {name} already: choose another name")


class NameOfPersonError(LedgerError):
    """A machine's token would act under the name of a person, or of the system itself."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"{name} is a person here, the system itself, or written nearly so: choose another name"
        )


class NoAccessTokenError(LedgerError):
    """No token of that name is in force."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"no token {name} is in force: `wattledger access list` shows them")


class FactorMissingError(LedgerError):
    """Whose token it is has to have a second factor, and has none: it holds again with one."""

    def __init__(self, person: str) -> None:
        self.person = person
        super().__init__(
            f"{person} acts with a second factor alone, and has none: set one at /console/login, "
            "then this token holds again"
        )


class UnfitTokenNameError(LedgerError):
    """A name that no token can have."""

    def __init__(self) -> None:
        super().__init__(
            f"a token's name has 1 to {NAME_MAX} printable characters, a machine's no comma"
        )


def make_token(
    connection: Connection[Any],
    name: str,
    scopes: Collection[str],
    *,
    by: str,
    at: datetime | None = None,
    person: str | None = None,
) -> str:
    """Return a new token for *name*; only its hash is kept.

    Raises:
        AccessTokenExistsError: If the name is taken.
        UnfitTokenNameError: If no token can be called so.
        NameOfPersonError: If it is a machine's, and a person's name, or the system's own.
    """
    if not name.strip() or not name.isprintable() or len(name) > NAME_MAX:
        raise UnfitTokenNameError
    # A machine acts under this name.
    if person is None and reads_as_two(name):
        raise UnfitTokenNameError
    token = _BEGINS + secrets.token_urlsafe(TOKEN_BYTES)
    values = (name, digest_of(token), sorted(set(scopes)), by, at, person)
    with connection.transaction():
        connection.execute(LOCK_NAMES)
        # What a token does stands under its name.
        if person is None and (letters_of(name) in RESERVED or _is_person(connection, name)):
            raise NameOfPersonError(name)
        if not connection.execute(_ADD, values).rowcount:
            raise AccessTokenExistsError(name)
        if at is not None:
            note_change(connection, person or by, "token_made", {"token": name}, by=by, at=at)
    return token


def _is_person(connection: Connection[Any], name: str) -> bool:
    return connection.execute(_IS_PERSON, (letters_of(name),)).fetchone() is not None


def make_personal_token(
    connection: Connection[Any], person: str, what_for: str, at: datetime
) -> str:
    """Return a new token with which *person* acts; *what_for* tells it from others of theirs.

    Raises:
        AccessTokenExistsError: If there is one for that.
        UnfitTokenNameError: If that is no name for one.
    """
    name = f"{person}: {what_for.strip()}" if what_for.strip() else ""
    return make_token(connection, name, (), by=person, at=at, person=person)


def revoke_token(
    connection: Connection[Any],
    name: str,
    *,
    by: str = "",
    at: datetime | None = None,
    person: str | None = None,
) -> None:
    """Let a token hold no more, within half a second; *person*: if it is that person's own.

    Raises:
        NoAccessTokenError: If none of that name is in force.
    """
    asked = {"name": name, "at": at, "person": person}
    with connection.transaction():
        row = connection.execute(_REVOKE, asked).fetchone()
        if row is None:
            raise NoAccessTokenError(name)
        if at is not None:
            note_change(connection, row[0] or by, "token_revoked", {"token": name}, by=by, at=at)


def end_token(connection: Connection[Any], token: str, at: datetime) -> None:
    """Let *token* hold no more, by who has it."""
    connection.execute(_END, (at, digest_of(token)))


def revoke_tokens_of(connection: Connection[Any], person: str, at: datetime) -> None:
    """Let no token of *person* hold any more."""
    connection.execute(_REVOKE_ALL, (at, person))


def list_tokens(connection: Connection[Any], person: str | None = None) -> list[AccessToken]:
    """Return all tokens, or those of *person*, the newest first."""
    with connection.cursor(row_factory=class_row(AccessToken)) as cursor:
        return cursor.execute(_LIST, {"person": person}).fetchall()


def find_tokens(
    connection: Connection[Any], *, begins: str = "", after: str = "", limit: int
) -> list[AccessToken]:
    """Return tokens whose name begins with *begins*, by name, from behind *after* on."""
    asked = {"begins": begins, "beyond": begins + _HIGHEST, "after": after, "limit": limit}
    with connection.cursor(row_factory=class_row(AccessToken)) as cursor:
        return cursor.execute(_PAGE, asked).fetchall()


def tokens_in_force(
    connection: Connection[Any], person: str, *, after: str = "", limit: int
) -> list[AccessToken]:
    """Return what *person* acts with: tokens in force, by name, from behind *after* on."""
    asked = {"person": person, "after": after, "limit": limit}
    with connection.cursor(row_factory=class_row(AccessToken)) as cursor:
        return cursor.execute(_OWN, asked).fetchall()


def token_user(connection: Connection[Any], token: str) -> User | None:
    """Return who acts with a personal token, None where it holds no more, or nobody's is.

    Raises:
        FactorMissingError: If its person is to have a second factor first.
    """
    row = connection.execute(_PERSON, (digest_of(token),)).fetchone()
    user = None if row is None else find_user(connection, row[0])
    if row is not None and user is not None and row[1]:
        raise FactorMissingError(user.name)
    return user


def digest_of(token: str) -> bytes:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode(errors="replace")).digest()
