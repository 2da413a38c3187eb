"""How people, their roles and what was changed of them are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Final

import msgspec

from ledger.users.giving import grant_text
from ledger.users.roles import Grant
from ledger.users.store import UserChange, UserStanding
from projections.console.addresses import PageAddress
from projections.console.listing import Cell, Column, Listing
from projections.console.navigation import HOME
from projections.console.page import ConsolePage

ACCESS: Final = f"{HOME}/access"
PEOPLE_SHOWN: Final = 50
CHANGES_SHOWN: Final = 50
KINDS: Final[Mapping[str, str]] = {
    "added": "Account made",
    "blocked": "Blocked",
    "factor_dropped": "Second factor given up",
    "factor_required": "Second factor asked for, or no longer",
    "factor_set": "Second factor set",
    "granted": "Roles changed",
    "identified": "Came in by a provider for the first time",
    "invited": "Invited by a provider",
    "linked": "Link made",
    "password_by_link": "Password chosen by a link",
    "password_changed": "Password changed",
    "token_made": "Token made",
    "token_revoked": "Token revoked",
    "unblocked": "Unblocked",
}
"""What is kept of changes of accounts, in words."""


def changes_listing(page: ConsolePage, found: Sequence[UserChange]) -> Listing:
    """Return changes of accounts as a list; one more than is shown says that more follow."""
    shown = found[:CHANGES_SHOWN]
    return Listing(
        caption=page.text("Changes of accounts"),
        columns=[
            Column("at", "When (UTC)"),
            Column("account", "Account"),
            Column("what", "What"),
            Column("by", "By"),
        ],
        rows=[
            [
                Cell(at=each.changed_at, zone=UTC),
                Cell(each.name, person_address(each.name)),
                Cell(page.text(KINDS.get(each.kind, each.kind)), note=_details(each)),
                Cell(each.changed_by),
            ]
            for each in shown
        ],
        address=page.address,
        empty=page.text("Nothing was changed yet."),
        next_after=str(shown[-1].number) if len(found) > CHANGES_SHOWN else "",
    )


def person_address(name: str) -> str:
    """Return where a person's account is shown."""
    return page_address("person", name=name)


def page_address(path: str, **query: str) -> str:
    """Return the address of a page of this room."""
    return PageAddress(f"{ACCESS}/{path}", query).with_()


def _details(change: UserChange) -> str:
    """Return what a change says beside its kind."""
    said = change.change if isinstance(change.change, dict) else {}
    match change.kind:
        case "granted":
            return " → ".join(_grants_text(said.get(key)) for key in ("before", "after"))
        case "token_made" | "token_revoked":
            return str(said.get("token", ""))
        case _:
            return ""


def _grants_text(kept: object) -> str:
    try:
        grants = msgspec.convert(kept, tuple[Grant, ...])
    except msgspec.ValidationError:
        return "?"
    return ", ".join(map(grant_text, grants)) or "–"


def roles_text(page: ConsolePage, grants: Sequence[Grant]) -> str:
    """Return roles as they are read: "Finance (harbour-ag, pier)"."""
    said = []
    for each in grants:
        where = ", ".join(filter(None, (each.legal_entity, each.site)))
        role = page.text(each.role.value)
        said.append(f"{role} ({where})" if where else role)
    return "; ".join(said) or page.text("No role")


def ways_cell(page: ConsolePage, standing: UserStanding) -> Cell:
    """Return by what a person signs in."""
    if standing.blocked_at is not None:
        return Cell(page.text("Blocked"), tone="bad")
    ways = [
        page.text(way)
        for way, is_so in (
            ("a password", standing.has_password),
            ("a second factor", standing.has_factor),
            ("a provider", standing.has_identity),
        )
        if is_so
    ]
    waits = standing.factor_required and not standing.has_factor
    note = page.text("A second factor is asked for") if waits else ""
    return Cell(", ".join(ways) or page.text("Did not sign in yet"), note=note)


def people_listing(page: ConsolePage, found: Sequence[UserStanding]) -> Listing:
    """Return accounts as a list; one more than is shown says that more follow."""
    shown = found[:PEOPLE_SHOWN]
    return Listing(
        caption=page.text("People"),
        columns=[
            Column("name", "Name", sorts=True),
            Column("roles", "Roles"),
            Column("ways", "Signs in with"),
            Column("since", "Since (UTC)"),
        ],
        rows=[
            [
                Cell(each.user.name, person_address(each.user.name), each.user.full_name),
                Cell(roles_text(page, each.user.grants)),
                ways_cell(page, each),
                Cell(at=each.made_at, zone=UTC, note=each.made_by),
            ]
            for each in shown
        ],
        address=page.address,
        empty=page.text("Nobody whose account you may see has a name that begins like that."),
        next_after=shown[-1].user.name if len(found) > PEOPLE_SHOWN else "",
        by_itself="name",
    )
