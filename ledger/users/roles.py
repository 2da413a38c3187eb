"""Roles: what somebody who works here may see and change, and where.

    grant = a role, of all that there is, of one legal entity, or of one site
    role -> permissions (`PERMISSIONS`) -> what a page or an operation asks for

An auditor sees all and changes nothing. Where a permission is asked for without a place, a grant
that holds anywhere lets in; what is shown then is cut to the grant's `Reach`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec


class Role(StrEnum):
    """What somebody does here."""

    FINANCE = "finance"
    PRICING = "pricing"
    ROAMING = "roaming"
    OPERATIONS = "operations"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


class Permission(StrEnum):
    """What a page or an operation asks for."""

    SEE_FLEET = "see_fleet"
    """Stations, sessions that run, and what they cost so far."""
    SEE_BOOKS = "see_books"
    """Sessions, invoices, payments, journal, customers, closed months, down to the raw frame."""
    SEE_TARIFFS = "see_tariffs"
    """Tariffs with their drafts, assignments, and what a change would cost whom."""
    SEE_ROAMING = "see_roaming"
    """Partners, CDRs and settlements."""
    SEE_ACCESS = "see_access"
    """Who may what; drivers' tokens."""
    DECIDE_SESSIONS = "decide_sessions"
    """Release, write off, correct, have judged again."""
    CREDIT = "credit"
    """Give back what stands on an invoice."""
    MOVE_MONEY = "move_money"
    """Collect, refund, match bank lines, top up."""
    CLOSE_MONTHS = "close_months"
    CHANGE_TARIFFS = "change_tariffs"
    """Draft, propose, approve (as a second person), publish, assign."""
    SETTLE = "settle"
    """With roaming partners."""
    COMMAND_STATIONS = "command_stations"
    LET_TOKENS = "let_tokens"
    """Say which tokens may charge."""
    DECLARE = "declare"
    """Master data."""
    GIVE_ACCESS = "give_access"
    """Users, their roles, tokens of the API."""


_SEES: Final = frozenset(
    {
        Permission.SEE_FLEET,
        Permission.SEE_BOOKS,
        Permission.SEE_TARIFFS,
        Permission.SEE_ROAMING,
        Permission.SEE_ACCESS,
    }
)
PERMISSIONS: Final[Mapping[Role, frozenset[Permission]]] = {
    Role.FINANCE: frozenset(
        {
            Permission.SEE_FLEET,
            Permission.SEE_BOOKS,
            Permission.SEE_TARIFFS,
            Permission.SEE_ROAMING,
            Permission.DECIDE_SESSIONS,
            Permission.CREDIT,
            Permission.MOVE_MONEY,
            Permission.CLOSE_MONTHS,
        }
    ),
    Role.PRICING: frozenset(
        {Permission.SEE_FLEET, Permission.SEE_TARIFFS, Permission.CHANGE_TARIFFS}
    ),
    Role.ROAMING: frozenset(
        {Permission.SEE_FLEET, Permission.SEE_TARIFFS, Permission.SEE_ROAMING, Permission.SETTLE}
    ),
    Role.OPERATIONS: frozenset(
        {
            Permission.SEE_FLEET,
            Permission.SEE_ACCESS,
            Permission.COMMAND_STATIONS,
            Permission.LET_TOKENS,
        }
    ),
    Role.AUDITOR: _SEES,
    Role.ADMINISTRATOR: frozenset(
        {
            Permission.SEE_FLEET,
            Permission.SEE_TARIFFS,
            Permission.SEE_ACCESS,
            Permission.LET_TOKENS,
            Permission.DECLARE,
            Permission.GIVE_ACCESS,
        }
    ),
}


class Grant(msgspec.Struct, frozen=True, order=True):
    """A role, and where: "" is everywhere; a site is one of the legal entity's."""

    role: Role
    legal_entity: str = ""
    site: str = ""


class Reach(NamedTuple):
    """Where a permission holds: everywhere, or of these legal entities whole, and these sites.

    `sites`: (legal entity, site) each: one that is another's by now is not what was given.
    """

    is_everywhere: bool
    legal_entities: frozenset[str] = frozenset()
    sites: frozenset[tuple[str, str]] = frozenset()

    def covers(self, legal_entity: str, site: str = "") -> bool:
        """Say whether something of a legal entity, at a site where it is at one, is within."""
        if self.is_everywhere or legal_entity in self.legal_entities:
            return True
        return (legal_entity, site) in self.sites

    def __bool__(self) -> bool:
        """Say whether it holds anywhere."""
        return self.is_everywhere or bool(self.legal_entities or self.sites)


def reach_of(grants: Iterable[Grant], permission: Permission) -> Reach:
    """Return where *grants* give a permission."""
    fit = [each for each in grants if permission in PERMISSIONS[each.role]]
    return Reach(
        any(not each.legal_entity and not each.site for each in fit),
        frozenset(each.legal_entity for each in fit if each.legal_entity and not each.site),
        frozenset((each.legal_entity, each.site) for each in fit if each.site),
    )
