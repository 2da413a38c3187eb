"""`wattledger user`: accounts of people who work here, their roles, their ways in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from cyclopts import Parameter

from deploy.commands.data_folder import READ_FOLDER, Limit, ReadingFolder
from deploy.commands.users.acting import acting
from deploy.errors import DeployError
from deploy.output import complain, print_json, print_rows, say
from deploy.running.opening import opened

if TYPE_CHECKING:
    from collections.abc import Iterable

    from psycopg import Connection

    from deploy.settings import Settings
    from ledger.users.roles import Grant
    from ledger.users.store import UserStanding

Roles = Annotated[list[str] | None, Parameter(name="--role", consume_multiple=True, negative=())]
Flag = Annotated[bool, Parameter(negative=())]
COLUMNS = {"name": "left", "full name": "left", "roles": "left", "comes in": "left", "": "left"}
CHANGES = {"when": "left", "account": "left", "what": "left", "by": "left", "how": "left"}


def add(
    name: str,
    /,
    *,
    full_name: str,
    role: Roles = None,
    by: str | None = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Make an account, and show the link by which its person chooses a password.

    Before there is any account this makes the first one, which is to be an administrator's.

    Args:
        name: The account; it stands beside what is decided, and is never another person's.
        full_name: The person's name.
        role: finance, pricing, roaming, operations, auditor, administrator; of a legal entity
            alone (finance@entity), or of one of its sites (operations@entity/site).
        by: Who makes it (default: your login).
        folder: Where.
    """
    from deploy.clock import SystemClock
    from ledger.users.giving import Giver, add_account, grants_of
    from ledger.users.own_account import check_first
    from ledger.users.user import User

    settings = folder.settings()
    user = User(name=name, full_name=full_name, grants=grants_of(role or ()))
    with opened(settings, is_new=True) as connection:
        check_first(connection, user)
        link = add_account(connection, user, Giver(acting(by)), SystemClock().now())
        _tell_of_no_places(connection, user.grants)
    _show_link(settings, name, link, is_json=folder.json)
    return 0


def listed(*, folder: ReadingFolder = READ_FOLDER) -> int:
    """List the accounts: their roles, how they come in, and which are blocked.

    Args:
        folder: Where.
    """
    from ledger.users.store import list_users

    with opened(folder.settings()) as connection:
        found = list_users(connection)
    if folder.json:
        print_json([_account(each) for each in found])
        return 0
    rows = [
        (
            each.user.name,
            each.user.full_name,
            ", ".join(_roles(each)),
            ", ".join(_ways(each)),
            "blocked" if each.blocked_at else "",
        )
        for each in found
    ]
    print_rows("Accounts", COLUMNS, rows)
    return 0


def changes(
    name: str | None = None, /, *, limit: Limit = 50, folder: ReadingFolder = READ_FOLDER
) -> int:
    """List what was changed of accounts, the newest first, each with its person.

    Args:
        name: Of this account only.
        limit: At most so many.
        folder: Where.
    """
    from ledger.users.store import list_changes

    with opened(folder.settings()) as connection:
        found = list_changes(connection, name=name, limit=limit)
    if folder.json:
        print_json(found)
        return 0
    rows = [
        (
            each.changed_at,
            each.name,
            each.kind,
            each.changed_by,
            msgspec.json.encode(each.change).decode(),
        )
        for each in found
    ]
    print_rows("Changes of accounts", CHANGES, rows)
    return 0


def link(name: str, /, *, by: str | None = None, folder: ReadingFolder = READ_FOLDER) -> int:
    """Show a new link by which a person chooses another password; the second factor goes with it.

    Every browser and token of theirs is out once it is used; older links hold no more.

    Args:
        name: The account.
        by: Who makes it (default: your login).
        folder: Where.
    """
    from deploy.clock import SystemClock
    from ledger.users.giving import Giver, link_account

    settings = folder.settings()
    with opened(settings) as connection:
        made = link_account(connection, name, Giver(acting(by)), SystemClock().now())
    _show_link(settings, name, made, is_json=folder.json)
    return 0


def invite(
    name: str,
    /,
    *,
    email: str | None = None,
    subject: str | None = None,
    by: str | None = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Let a person come in by the OpenID provider, by an address it verified or by its subject.

    Whoever comes with it first is this account's from then on. Only a keyed digest of it is kept.

    Args:
        name: The account.
        email: Their address with the provider.
        subject: What the provider calls them (the claim `sub`).
        by: Who invites (default: your login).
        folder: Where.
    """
    from deploy.clock import SystemClock
    from ledger.users.giving import Giver
    from ledger.users.identities import InvitedBy
    from ledger.users.identities import invite as invite_by

    if (email is None) == (subject is None):
        message = "say --email or --subject, one of the two"
        raise DeployError(message)
    kind = InvitedBy.SUBJECT if email is None else InvitedBy.EMAIL
    with opened(folder.settings()) as connection:
        giver, at = Giver(acting(by)), SystemClock().now()
        invite_by(connection, name, email or subject or "", kind, giver, at)
    return _show_account(name, folder)


def grant(
    name: str,
    /,
    *,
    role: Roles = None,
    by: str | None = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Give a person these roles, and no other, from the next page on.

    Args:
        name: The account.
        role: As in `user add`; none: the person may do nothing.
        by: Who gives them (default: your login).
        folder: Where.
    """
    from deploy.clock import SystemClock
    from ledger.users.giving import Giver, change_grants, grants_of

    grants = grants_of(role or ())
    with opened(folder.settings()) as connection:
        change_grants(connection, name, grants, Giver(acting(by)), SystemClock().now())
        _tell_of_no_places(connection, grants)
    return _show_account(name, folder)


def block(name: str, /, *, by: str | None = None, folder: ReadingFolder = READ_FOLDER) -> int:
    """Let a person in no more: browsers, tokens and links end at once.

    Args:
        name: The account.
        by: Who says so (default: your login).
        folder: Where.
    """
    from deploy.clock import SystemClock
    from ledger.users.giving import Giver, block_account

    with opened(folder.settings()) as connection:
        block_account(connection, name, Giver(acting(by)), SystemClock().now())
    return _show_account(name, folder)


def unblock(name: str, /, *, by: str | None = None, folder: ReadingFolder = READ_FOLDER) -> int:
    """Let a person in again, who was blocked.

    Args:
        name: The account.
        by: Who says so (default: your login).
        folder: Where.
    """
    from deploy.clock import SystemClock
    from ledger.users.giving import Giver, unblock_account

    with opened(folder.settings()) as connection:
        unblock_account(connection, name, Giver(acting(by)), SystemClock().now())
    return _show_account(name, folder)


def require_factor(
    name: str,
    /,
    *,
    off: Flag = False,
    by: str | None = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Have a person come in with a second factor alone; who has none sets it at the next log-in.

    Args:
        name: The account.
        off: Ask for it no more.
        by: Who says so (default: your login).
        folder: Where.
    """
    from deploy.clock import SystemClock
    from ledger.users.giving import Giver
    from ledger.users.giving import require_factor as require

    with opened(folder.settings()) as connection:
        at = SystemClock().now()
        require(connection, name, Giver(acting(by)), at, is_required=not off)
    return _show_account(name, folder)


def _show_account(name: str, folder: ReadingFolder) -> int:
    from ledger.users.store import user_standing

    with opened(folder.settings()) as connection:
        standing = user_standing(connection, name)
    if folder.json:
        print_json(_account(standing))
    else:
        what = "blocked" if standing.blocked_at else ", ".join(_roles(standing)) or "no role"
        say(f"{name}: {what}")
    return 0


def _tell_of_no_places(connection: Connection[Any], grants: Iterable[Grant]) -> None:
    """Say which roles hold nowhere: people may be added before what they work at is declared."""
    from ledger.declared.declarations import Kind
    from ledger.declared.store import load_declarations
    from ledger.master_data.sites import Site
    from ledger.users.giving import grant_text

    known = load_declarations(connection)
    for each in grants:
        history = known.history(Kind.SITE, each.site)
        site = history[-1].entity if history else None
        owner = site.legal_entity if isinstance(site, Site) else None
        is_there = not each.legal_entity or each.legal_entity in known.keys(Kind.LEGAL_ENTITY)
        if not is_there or (each.site and owner != each.legal_entity):
            complain(f"{grant_text(each)} holds nowhere: no such legal entity, or site of it, yet")


def _show_link(settings: Settings, name: str, link: str, *, is_json: bool) -> None:
    here = settings.console_at(f"http://{settings.http_host}:{settings.http_port}")
    address = f"{here}/console/link/{link}"
    if is_json:
        print_json({"name": name, "link": address})
    else:
        say(
            f"{name} comes in by {address}",
            "Hand it over: it holds for 3 days, once, and is not shown again.",
        )


def _roles(standing: UserStanding) -> list[str]:
    from ledger.users.giving import grant_text

    return [grant_text(each) for each in standing.user.grants]


def _ways(standing: UserStanding) -> list[str]:
    ways = (
        ("password", standing.has_password),
        ("second factor", standing.has_factor),
        ("second factor asked for", standing.factor_required and not standing.has_factor),
        ("OIDC", standing.has_identity),
        ("invited by OIDC", standing.is_invited),
    )
    return [way for way, is_so in ways if is_so] or ["not yet"]


def _account(standing: UserStanding) -> dict[str, object]:
    return {
        "name": standing.user.name,
        "full_name": standing.user.full_name,
        "roles": _roles(standing),
        "comes_in_by": _ways(standing),
        "made_by": standing.made_by,
        "made_at": standing.made_at,
        "blocked_at": standing.blocked_at,
    }
