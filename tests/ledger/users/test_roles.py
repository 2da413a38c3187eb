"""What a role lets somebody do, and where."""

from __future__ import annotations

from itertools import product

import pytest

from ledger.users.roles import PERMISSIONS, Grant, Permission, Role
from ledger.users.user import User

CHANGES = [each for each in Permission if not each.startswith("see_")]


def user(*grants: Grant) -> User:
    return User(name="anna", full_name="Anna", grants=grants)


def test_an_auditor_sees_all_and_changes_nothing() -> None:
    auditor = user(Grant(Role.AUDITOR))

    assert {each for each in Permission if auditor.may(each)} == {
        each for each in Permission if each.startswith("see_")
    }


@pytest.mark.parametrize("permission", CHANGES)
def test_each_change_is_some_role_and_never_all(permission: Permission) -> None:
    holders = [role for role in Role if permission in PERMISSIONS[role]]

    assert holders
    assert len(holders) <= 2


def test_a_grant_holds_where_it_was_given() -> None:
    scoped = user(Grant(Role.FINANCE, "depot"), Grant(Role.FINANCE, "harbour", "pier"))

    found = {
        (entity, site): scoped.may(Permission.CREDIT, entity, site)
        for entity, site in product(("depot", "harbour"), ("", "pier", "quay"))
    }

    assert found == {
        ("depot", ""): True,
        ("depot", "pier"): True,
        ("depot", "quay"): True,
        ("harbour", ""): False,
        ("harbour", "pier"): True,
        ("harbour", "quay"): False,
    }
    assert scoped.may(Permission.CREDIT)
    # The pier was sold: its new owner's sessions are not what was given.
    assert not scoped.may(Permission.CREDIT, "linden", "pier")
    assert not scoped.may(Permission.CLOSE_MONTHS, "linden")
    assert not scoped.may(Permission.GIVE_ACCESS)


def test_nobody_without_a_grant_may_anything() -> None:
    assert not any(user().may(each) for each in Permission)
