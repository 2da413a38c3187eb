"""What people do with accounts of their own: a password, a second factor; the first of all."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, LiteralString

from psycopg import Connection

from ledger.errors import LedgerError
from ledger.users.browser_sessions import end_other_sessions
from ledger.users.giving import check_names, put_out
from ledger.users.proving.links import (
    FIRST_LASTS,
    DeadLinkError,
    end_links,
    linked_name,
    make_link,
    use_link,
)
from ledger.users.proving.passwords import hash_password, is_password
from ledger.users.proving.refusals import Comer, clear_attempts, count_attempt
from ledger.users.proving.second_factor import offer_factor, remove_factor, set_factor
from ledger.users.roles import Grant, Role
from ledger.users.store import LOCK_NAMES, add_user, is_anybody, note_change
from ledger.users.user import User

FIRST: Final = ""
"""The name of who makes the first account, in its link."""
_SET: LiteralString = "UPDATE user_account SET password = %s, version = version + 1 WHERE name = %s"
_NO_IDENTITY: LiteralString = """
UPDATE user_account SET identity = NULL, invited_as = NULL WHERE name = %s
"""
_KEPT: LiteralString = """
SELECT password, second_factor IS NOT NULL, factor_required FROM user_account WHERE name = %s
"""


class NotYourPasswordError(LedgerError):
    """What was typed as the present password is not it."""

    def __init__(self) -> None:
        super().__init__("this is not your present password")


class FirstAccountError(LedgerError):
    """The first account would be one that can give nobody access."""

    def __init__(self) -> None:
        super().__init__(
            "the first account is an administrator's: add it with --role administrator"
        )


class FactorRequiredError(LedgerError):
    """An administrator asks for a second factor of this account."""

    def __init__(self) -> None:
        super().__init__("an administrator asks for a second factor: set another one instead")


def first_link(connection: Connection[Any], now: datetime, *, by: str) -> str | None:
    """Return what stands in a link for whoever makes the first account, None once there is one."""
    if is_anybody(connection):
        return None
    return make_link(connection, FIRST, by=by, at=now, lasts=FIRST_LASTS)


def check_first(connection: Connection[Any], user: User) -> None:
    """Check that *user* may be added: the first account of all is an administrator's.

    Raises:
        FirstAccountError: If it is the first, and is none.
    """
    if Grant(Role.ADMINISTRATOR) not in user.grants and not is_anybody(connection):
        raise FirstAccountError


def make_first(
    connection: Connection[Any], token: str, user: User, password: str, now: datetime
) -> User:
    """Make the first account, an administrator's, by the link for that.

    Raises:
        DeadLinkError: If the link holds no more, or somebody was first.
        UnfitNameError: If no account can be called so.
        WeakPasswordError: If the password is no good one.
    """
    user = User(name=user.name, full_name=user.full_name, grants=(Grant(Role.ADMINISTRATOR),))
    check_names(user)
    if linked_name(connection, token, now) != FIRST:
        raise DeadLinkError
    kept = hash_password(password, user.name)
    with connection.transaction():
        connection.execute(LOCK_NAMES)
        use_link(connection, token, now)
        if is_anybody(connection):
            raise DeadLinkError
        add_user(connection, user, by=user.name, at=now)
        connection.execute(_SET, (kept, user.name))
    return user


def choose_password(connection: Connection[Any], token: str, password: str, now: datetime) -> str:
    """Set the password by a link, and return whose; every other way in ends.

    The second factor, too, and what a provider says of somebody: they are invited anew.

    Raises:
        DeadLinkError: If the link holds no more.
        WeakPasswordError: If the password is no good one; the link still holds.
    """
    name = linked_name(connection, token, now)
    if name == FIRST:
        raise DeadLinkError
    kept = hash_password(password, name)
    with connection.transaction():
        use_link(connection, token, now)
        connection.execute(_SET, (kept, name))
        connection.execute(_NO_IDENTITY, (name,))
        remove_factor(connection, name)
        put_out(connection, name, now)
        note_change(connection, name, "password_by_link", {}, by=name, at=now)
    return name


def change_password(
    connection: Connection[Any],
    name: str,
    passwords: tuple[str, str],
    comer: Comer,
    now: datetime,
    *,
    cookie: str = "",
) -> None:
    """Set another password, given the present one; browsers but that of *cookie* are out by that.

    So is who came half-way in by the password that was, or has a link to choose one.

    Raises:
        TooManyGuessesError: If the present one was guessed at too often.
        NotYourPasswordError: If the present one is another.
        WeakPasswordError: If the new one is no good one.
    """
    present, new = passwords
    prove_password(connection, name, present, comer, now)
    kept = hash_password(new, name)
    with connection.transaction():
        connection.execute(_SET, (kept, name))
        end_other_sessions(connection, name, cookie)
        end_links(connection, name, now)
        note_change(connection, name, "password_changed", {}, by=name, at=now)


def begin_factor(
    connection: Connection[Any], name: str, password: str, comer: Comer, now: datetime
) -> None:
    """Offer a key for a second factor to *name*, who proves to be it.

    Raises:
        TooManyGuessesError: If the password was guessed at too often.
        NotYourPasswordError: If it is another.
    """
    prove_password(connection, name, password, comer, now)
    offer_factor(connection, name)


def confirm_factor(
    connection: Connection[Any], name: str, code: str, now: datetime, *, cookie: str = ""
) -> bool:
    """Set the second factor that is offered, if *code* is one of it; say whether.

    Browsers but that of *cookie* are out by that: they came in without it.
    """
    with connection.transaction():
        is_set = set_factor(connection, name, code, now)
        if is_set:
            end_other_sessions(connection, name, cookie)
            note_change(connection, name, "factor_set", {}, by=name, at=now)
    return is_set


def drop_factor(
    connection: Connection[Any], name: str, password: str, comer: Comer, now: datetime
) -> None:
    """Let *name*, who proves to be it, have no second factor.

    Raises:
        TooManyGuessesError: If the password was guessed at too often.
        NotYourPasswordError: If it is another.
        FactorRequiredError: If an administrator asks for one.
    """
    prove_password(connection, name, password, comer, now)
    row = connection.execute(_KEPT, (name,)).fetchone()
    if row is not None and row[2]:
        raise FactorRequiredError
    with connection.transaction():
        remove_factor(connection, name)
        note_change(connection, name, "factor_dropped", {}, by=name, at=now)


def prove_password(
    connection: Connection[Any], name: str, password: str, comer: Comer, now: datetime
) -> None:
    """Check that who is in is who came in: a browser left open is not its person.

    An account without a password (it comes in by OIDC alone) has nothing to prove.

    Raises:
        TooManyGuessesError: If it was guessed at too often.
        NotYourPasswordError: If it is another.
    """
    row = connection.execute(_KEPT, (name,)).fetchone()
    if row is None or row[0] is None:
        return
    count_attempt(connection, name, comer, now)
    if not is_password(password, row[0]):
        raise NotYourPasswordError
    clear_attempts(connection, name, comer, now)
