"""Two accounts that are two people, where something takes two, and those that are not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from ledger.database import connect
from ledger.users.giving import Giver, add_account, block_account, change_grants, link_account
from ledger.users.own_account import choose_password
from ledger.users.pairs import AgreerGoneError, LetInError, ProposerGoneError, check_pair
from ledger.users.roles import Grant, Permission, Role
from ledger.users.user import User

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
FINANCE, ADMINISTRATOR = Grant(Role.FINANCE), Grant(Role.ADMINISTRATOR)
MOVES = Permission.MOVE_MONEY


@pytest.fixture
def people(database: str) -> Iterator[psycopg.Connection[Any]]:
    """Accounts: ada and abe, administrators with finance, and ben, whom ada made."""
    with connect(database) as connection:
        for name, by in (("ada", "the first start"), ("abe", "the first start"), ("ben", "ada")):
            grants = (FINANCE,) if name == "ben" else (FINANCE, ADMINISTRATOR)
            add_account(connection, User(name=name, full_name=name, grants=grants), Giver(by), AT)
        yield connection


@pytest.mark.parametrize(("first", "second"), [("ada", "ben"), ("ben", "ada"), ("ben", "Ada ")])
def test_who_made_an_account_is_no_second_person_to_it(
    people: psycopg.Connection[Any], first: str, second: str
) -> None:
    with pytest.raises(LetInError, match="made the way in of ben"):
        check_pair(people, first, second, MOVES)

    check_pair(people, "abe", "ben", MOVES)
    check_pair(people, "ada", "abe", MOVES)


def test_the_last_way_in_counts_once_it_is_used(people: psycopg.Connection[Any]) -> None:
    later = AT + timedelta(days=1)
    link = link_account(people, "ben", Giver("abe"), later)

    # Until then whoever came in before is in still.
    for giver in ("ada", "abe"):
        with pytest.raises(LetInError):
            check_pair(people, giver, "ben", MOVES)
    choose_password(people, link, "a password of ben's own", later)
    check_pair(people, "ada", "ben", MOVES)
    with pytest.raises(LetInError):
        check_pair(people, "abe", "ben", MOVES)
    link_account(people, "abe", Giver("ada"), AT + timedelta(days=2))
    with pytest.raises(LetInError):
        check_pair(people, "abe", "ada", MOVES)


def test_who_may_not_do_it_any_more_proposed_nothing_to_agree_with(
    people: psycopg.Connection[Any],
) -> None:
    change_grants(people, "ben", [Grant(Role.PRICING)], Giver("ada"), AT)
    with pytest.raises(ProposerGoneError, match="may not do that any more"):
        check_pair(people, "ben", "abe", MOVES)
    # What both may do, they may agree about.
    check_pair(people, "ben", "abe", Permission.SEE_TARIFFS)
    with pytest.raises(AgreerGoneError):
        check_pair(people, "abe", "ben", MOVES)

    block_account(people, "ben", Giver("ada"), AT)
    with pytest.raises(ProposerGoneError):
        check_pair(people, "ben", "abe", Permission.SEE_FLEET)
    with pytest.raises(AgreerGoneError, match="ben may not do that any more"):
        check_pair(people, "abe", "ben", Permission.SEE_FLEET)


def test_names_without_an_account_are_taken_as_they_are(people: psycopg.Connection[Any]) -> None:
    check_pair(people, "cleo", "ben", MOVES)
    check_pair(people, "ben", "cleo", MOVES)
    check_pair(people, "cleo", "dora", MOVES)
