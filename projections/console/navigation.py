"""The screens: one job each, in the order in which the navigation has them."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from ledger.users.roles import Permission
from ledger.users.user import User

HOME: Final = "/console"


class Group(StrEnum):
    """What stands together in the navigation; the value is its title, in English."""

    ALL = "Overview"
    FINANCE = "Finance"
    PRICING = "Pricing"
    ADMINISTRATION = "Administration"


class Screen(NamedTuple):
    """A screen: its title in English, what its job is, its address, and who sees it."""

    id: str
    title: str
    job: str
    path: str
    group: Group
    permission: Permission


SCREENS: Final[Sequence[Screen]] = (
    Screen(
        "fleet",
        "Fleet now",
        "Is all well?",
        f"{HOME}/fleet",
        Group.ALL,
        Permission.SEE_FLEET,
    ),
    Screen(
        "work",
        "Work list",
        "What waits for me?",
        f"{HOME}/work",
        Group.FINANCE,
        Permission.SEE_BOOKS,
    ),
    Screen(
        "invoices",
        "Invoices",
        "Find one",
        f"{HOME}/invoices",
        Group.FINANCE,
        Permission.SEE_BOOKS,
    ),
    Screen(
        "payments",
        "Payments",
        "What came, what is it for?",
        f"{HOME}/payments",
        Group.FINANCE,
        Permission.SEE_BOOKS,
    ),
    Screen(
        "customers",
        "Customers",
        "What happened?",
        f"{HOME}/customers",
        Group.FINANCE,
        Permission.SEE_BOOKS,
    ),
    Screen(
        "sessions",
        "Sessions",
        "Decide one",
        f"{HOME}/sessions",
        Group.FINANCE,
        Permission.SEE_BOOKS,
    ),
    Screen(
        "months",
        "Month close",
        "May I close?",
        f"{HOME}/months",
        Group.FINANCE,
        Permission.SEE_BOOKS,
    ),
    Screen(
        "integrity",
        "Integrity",
        "Is it untouched?",
        f"{HOME}/integrity",
        Group.FINANCE,
        Permission.SEE_BOOKS,
    ),
    Screen(
        "tariffs",
        "Tariffs",
        "What holds where?",
        f"{HOME}/tariffs",
        Group.PRICING,
        Permission.SEE_TARIFFS,
    ),
    Screen(
        "what_if",
        "What if",
        "What would change?",
        f"{HOME}/what-if",
        Group.PRICING,
        Permission.SEE_TARIFFS,
    ),
    Screen(
        "access",
        "Access",
        "Who may what?",
        f"{HOME}/access",
        Group.ADMINISTRATION,
        Permission.SEE_ACCESS,
    ),
)


def screens_of(user: User) -> list[tuple[Group, list[Screen]]]:
    """Return the screens that a person may see, by group; a group without any is left out."""
    seen = [each for each in SCREENS if user.may(each.permission)]
    grouped = [(group, [each for each in seen if each.group is group]) for group in Group]
    return [(group, screens) for group, screens in grouped if screens]
