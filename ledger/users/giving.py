"""What an administrator does with accounts: each change a row with its person.

Nobody changes what he himself may, and nobody governs an account, or gives a role, that reaches
further than he does; the last administrator stays one. Changes come one after another, by a lock.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.errors import LedgerError
from ledger.four_eyes import is_same_person, letters_of, reads_as_two
from ledger.users.access_tokens import revoke_tokens_of
from ledger.users.browser_sessions import end_other_sessions
from ledger.users.proving.coming_in import NAME_MAX
from ledger.users.proving.links import INVITATION_LASTS, end_links, make_link
from ledger.users.proving.refusals import forget_browsers
from ledger.users.roles import Grant, Reach, Role
from ledger.users.store import (
    LOCK_NAMES,
    RESERVED,
    UserStanding,
    add_user,
    note_change,
    replace_grants,
    user_standing,
)
from ledger.users.user import User

FULL_NAME_MAX: Final = 120
_ADMINISTRATOR: Final = Grant(Role.ADMINISTRATOR)
EVERYWHERE: Final = Reach(is_everywhere=True)
_BLOCK: LiteralString = """
UPDATE user_account SET blocked_at = %s, version = version + 1 WHERE name = %s
"""
_REQUIRE: LiteralString = """
UPDATE user_account SET factor_required = %s, version = version + 1 WHERE name = %s
"""
_NEXT: LiteralString = "UPDATE user_account SET version = version + 1 WHERE name = %s"
_ADMINISTRATORS: LiteralString = """
SELECT count(*) FROM user_account JOIN user_grant USING (name)
WHERE role = 'administrator' AND legal_entity = '' AND site = '' AND blocked_at IS NULL
"""


class Giver(NamedTuple):
    """Who changes accounts, and where that person may."""

    name: str
    reach: Reach = EVERYWHERE


class UnfitNameError(LedgerError):
    """A name that no account can have."""

    def __init__(self) -> None:
        super().__init__(
            f"an account's name has 1 to {NAME_MAX} printable characters, a letter or digit among "
            "them and no comma, and is none of the system's own; a full name has up to "
            f"{FULL_NAME_MAX}"
        )


class OwnAccountError(LedgerError):
    """Somebody would change what he himself may."""

    def __init__(self) -> None:
        super().__init__("nobody changes what he himself may: ask another administrator")


class OutOfReachError(LedgerError):
    """A role, or an account, reaches further than who would give or change it."""

    def __init__(self) -> None:
        super().__init__("this reaches further than you do: ask an administrator of all")


class LastAdministratorError(LedgerError):
    """Nobody would be left who can give access."""

    def __init__(self) -> None:
        super().__init__("this is the last administrator: make another one first")


class UnfitGrantError(LedgerError):
    """A site without its legal entity."""

    def __init__(self) -> None:
        super().__init__("a role at a site names the site's legal entity too")


def add_account(connection: Connection[Any], user: User, giver: Giver, at: datetime) -> str:
    """Make an account, and return what stands in the link by which its person comes in first.

    Raises:
        UserExistsError: If the name is taken.
        UnfitNameError: If no account can be called so.
        OutOfReachError: If a role reaches further than the giver.
        UnfitGrantError: If a role is given at a site without its legal entity.
    """
    check_names(user)
    _check_reach(giver, user.grants)
    with _in_turn(connection):
        add_user(connection, user, by=giver.name, at=at)
        return _linked(connection, user.name, giver, at)


def change_grants(
    connection: Connection[Any], name: str, grants: Collection[Grant], giver: Giver, at: datetime
) -> None:
    """Let *name* have these roles and no other, from the next page on.

    Raises:
        LedgerError: As `give_and_take` does.
    """
    _regrant(connection, name, lambda _before: set(grants), giver, at)


def give_and_take(
    connection: Connection[Any],
    name: str,
    giver: Giver,
    at: datetime,
    *,
    given: Collection[Grant] = (),
    taken: Collection[Grant] = (),
) -> None:
    """Give *name* some roles and take others, whatever else somebody changes at this moment.

    Raises:
        UnknownUserError: If there is no such account.
        OwnAccountError: If it is the giver's.
        OutOfReachError: If a role that is given or taken reaches further than the giver.
        UnfitGrantError: If a role is given at a site without its legal entity.
        LastAdministratorError: If nobody would be left.
    """
    _regrant(connection, name, lambda before: (before | {*given}) - {*taken}, giver, at)


def _regrant(
    connection: Connection[Any],
    name: str,
    change: Callable[[set[Grant]], set[Grant]],
    giver: Giver,
    at: datetime,
) -> None:
    with _in_turn(connection):
        standing = _governed(connection, name, giver, whole=False)
        before = set(standing.user.grants)
        after = change(before)
        _check_reach(giver, before ^ after)
        if before == after:
            return
        replace_grants(connection, name, after)
        connection.execute(_NEXT, (name,))
        if _ADMINISTRATOR in before - after:
            _check_somebody_left(connection)
        said = {"before": sorted(before), "after": sorted(after)}
        note_change(connection, name, "granted", said, by=giver.name, at=at)


def block_account(connection: Connection[Any], name: str, giver: Giver, at: datetime) -> None:
    """Let *name* in no more: browsers, tokens and links end with that, at once and for good.

    Raises:
        UnknownUserError: If there is no such account.
        OwnAccountError: If it is the giver's.
        OutOfReachError: If the account reaches further than the giver.
        LastAdministratorError: If nobody would be left.
    """
    with _in_turn(connection):
        standing = _governed(connection, name, giver)
        if standing.blocked_at is not None:
            return
        connection.execute(_BLOCK, (at, name))
        put_out(connection, name, at)
        if _ADMINISTRATOR in standing.user.grants:
            _check_somebody_left(connection)
        note_change(connection, name, "blocked", {}, by=giver.name, at=at)


def unblock_account(connection: Connection[Any], name: str, giver: Giver, at: datetime) -> None:
    """Let *name* in again, with password and second factor as they were.

    Raises:
        UnknownUserError: If there is no such account.
        OwnAccountError: If it is the giver's.
        OutOfReachError: If the account reaches further than the giver.
    """
    with _in_turn(connection):
        if _governed(connection, name, giver).blocked_at is None:
            return
        connection.execute(_BLOCK, (None, name))
        note_change(connection, name, "unblocked", {}, by=giver.name, at=at)


def link_account(connection: Connection[Any], name: str, giver: Giver, at: datetime) -> str:
    """Return what stands in a new link for *name*; older ones hold no more.

    Whoever uses it chooses a password, and the second factor is gone: it is the way back in.

    Raises:
        UnknownUserError: If there is no such account, or it is blocked.
        OwnAccountError: If it is the giver's.
        OutOfReachError: If the account reaches further than the giver.
    """
    with _in_turn(connection):
        if _governed(connection, name, giver).blocked_at is not None:
            raise BlockedAccountError(name)
        return _linked(connection, name, giver, at)


def require_factor(
    connection: Connection[Any], name: str, giver: Giver, at: datetime, *, is_required: bool
) -> None:
    """Say whether *name* comes in with a second factor alone.

    Who has none is out in every browser, and sets one when coming in; tokens hold again then.

    Raises:
        UnknownUserError: If there is no such account.
        OutOfReachError: If the account reaches further than the giver.
        OwnAccountError: If it is the giver's and no longer asked for.
    """
    with _in_turn(connection):
        if is_required and is_same_person(name, giver.name):
            standing = user_standing(connection, name)
        else:
            standing = _governed(connection, name, giver)
        if standing.factor_required == is_required:
            return
        connection.execute(_REQUIRE, (is_required, name))
        if is_required and not standing.has_factor:
            end_other_sessions(connection, name)
        change = {"required": is_required}
        note_change(connection, name, "factor_required", change, by=giver.name, at=at)


class BlockedAccountError(LedgerError):
    """An account that is let in no more."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"{name} is blocked: unblock the account first")


def put_out(connection: Connection[Any], name: str, at: datetime) -> None:
    """End every way in that *name* has open: browsers, personal tokens, links."""
    end_other_sessions(connection, name)
    forget_browsers(connection, name)
    end_links(connection, name, at)
    revoke_tokens_of(connection, name, at)


def check_names(user: User) -> None:
    """Check that an account can be called so.

    Raises:
        UnfitNameError: If it cannot.
    """
    name, full_name = user.name, user.full_name
    fits = name == name.strip() and full_name.strip() and name.isprintable()
    fits = fits and len(name) <= NAME_MAX and len(full_name) <= FULL_NAME_MAX
    fits = fits and letters_of(name) not in RESERVED and not reads_as_two(name)
    if not fits or not full_name.isprintable() or not letters_of(name):
        raise UnfitNameError


@contextmanager
def invited_account(connection: Connection[Any], name: str, giver: Giver) -> Iterator[None]:
    """Hold an account that *giver* may invite somebody to, in a transaction.

    Raises:
        LedgerError: As `link_account` does.
    """
    with _in_turn(connection):
        if _governed(connection, name, giver).blocked_at is not None:
            raise BlockedAccountError(name)
        yield


@contextmanager
def _in_turn(connection: Connection[Any]) -> Iterator[None]:
    with connection.transaction():
        connection.execute(LOCK_NAMES)
        yield


def _linked(connection: Connection[Any], name: str, giver: Giver, at: datetime) -> str:
    end_links(connection, name, at)
    until = at + INVITATION_LASTS
    note_change(connection, name, "linked", {"until": until}, by=giver.name, at=at)
    return make_link(connection, name, by=giver.name, at=at, lasts=INVITATION_LASTS)


def _governed(
    connection: Connection[Any], name: str, giver: Giver, *, whole: bool = True
) -> UserStanding:
    """Return the account, if the giver may change it; *whole*: whatever it may."""
    standing = user_standing(connection, name)
    if is_same_person(name, giver.name):
        raise OwnAccountError
    if whole:
        _check_reach(giver, standing.user.grants)
    return standing


def _check_reach(giver: Giver, grants: Iterable[Grant]) -> None:
    for each in grants:
        if each.site and not each.legal_entity:
            raise UnfitGrantError
        if not giver.reach.is_everywhere and not (
            each.legal_entity and giver.reach.covers(each.legal_entity, each.site)
        ):
            raise OutOfReachError


def _check_somebody_left(connection: Connection[Any]) -> None:
    [(left,)] = connection.execute(_ADMINISTRATORS).fetchall()
    if not left:
        raise LastAdministratorError


def grants_of(text: Iterable[str]) -> tuple[Grant, ...]:
    """Return the grants of words as people type them: `finance`, `finance@entity/site`.

    Raises:
        UnknownRoleError: If one names no role.
    """
    return tuple(sorted({_grant_of(each) for each in text}))


def _grant_of(text: str) -> Grant:
    role, _, where = text.partition("@")
    legal_entity, _, site = where.partition("/")
    try:
        return Grant(Role(role.strip()), legal_entity.strip(), site.strip())
    except ValueError:
        raise UnknownRoleError(role) from None


class UnknownRoleError(LedgerError):
    """A word that is no role."""

    def __init__(self, role: str) -> None:
        super().__init__(f"{role[:60]} is no role: {', '.join(Role)} are")


def grant_text(grant: Grant) -> str:
    """Return a grant as people type it."""
    where = "/".join(filter(None, (grant.legal_entity, grant.site)))
    return f"{grant.role}@{where}" if where else str(grant.role)
