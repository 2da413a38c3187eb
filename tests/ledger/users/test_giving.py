"""What an administrator does with accounts, and what nobody does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import Connection

from ledger.database import connect
from ledger.errors import LedgerError
from ledger.users.access_tokens import (
    NameOfPersonError,
    NoAccessTokenError,
    UnfitTokenNameError,
    list_tokens,
    make_personal_token,
    make_token,
    revoke_token,
    token_user,
)
from ledger.users.browser_sessions import begin_session, find_session
from ledger.users.giving import (
    Giver,
    LastAdministratorError,
    OutOfReachError,
    OwnAccountError,
    UnfitGrantError,
    UnfitNameError,
    UnknownRoleError,
    add_account,
    block_account,
    change_grants,
    grant_text,
    grants_of,
    link_account,
    require_factor,
    unblock_account,
)
from ledger.users.own_account import choose_password, first_link, make_first
from ledger.users.proving.links import FIRST_LASTS, INVITATION_LASTS, DeadLinkError
from ledger.users.roles import Grant, Permission, Reach, Role
from ledger.users.store import UnknownUserError, UserExistsError, find_user, list_users
from ledger.users.user import User

NOW = datetime(2026, 4, 1, 8, tzinfo=UTC)
PASSWORD = "four words in a row"
CHIEF, BERT = Giver("chief"), Giver("bert")
DEPOT = Giver("dora", Reach(is_everywhere=False, legal_entities=frozenset({"depot"})))
Act = Callable[[Connection[Any]], object]


def user(name: str, *grants: Grant) -> User:
    return User(name=name, full_name=f"{name.title()} X.", grants=grants)


@pytest.fixture
def connection(database: str) -> Iterator[Connection[Any]]:
    """Two administrators of all, one of a legal entity, and somebody at finance."""
    with connect(database) as opened:
        link = first_link(opened, NOW, by="who started it")
        make_first(opened, link or "", user("chief"), PASSWORD, NOW)
        add_account(opened, user("bert", Grant(Role.ADMINISTRATOR)), CHIEF, NOW)
        add_account(opened, user("dora", Grant(Role.ADMINISTRATOR, "depot")), CHIEF, NOW)
        add_account(opened, user("finn", Grant(Role.FINANCE, "depot")), CHIEF, NOW)
        yield opened


def test_the_first_link_makes_an_administrator_once(database: str) -> None:
    with connect(database) as opened:
        links = [first_link(opened, NOW, by="ops") or "" for _ in range(3)]
        too_old = NOW + FIRST_LASTS
        with pytest.raises(DeadLinkError):
            make_first(opened, links[0], user("late"), PASSWORD, too_old)

        # What is asked for beside the names is not taken.
        made = make_first(opened, links[1], user("chief", Grant(Role.FINANCE)), PASSWORD, NOW)

        assert made.grants == (Grant(Role.ADMINISTRATOR),)
        assert find_user(opened, "chief") == made
        for link in links:
            with pytest.raises(DeadLinkError):
                make_first(opened, link, user("second"), PASSWORD, NOW)
        assert first_link(opened, NOW, by="ops") is None


def test_of_many_that_are_first_at_once_one_is(database: str) -> None:
    with connect(database) as opened:
        links = [first_link(opened, NOW, by="ops") or "" for _ in range(4)]

    def come(number: int) -> bool:
        with connect(database) as own:
            try:
                make_first(own, links[number % 4], user(f"user{number}"), PASSWORD, NOW)
            except DeadLinkError:
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(come, range(8))) == 1
    with connect(database) as opened:
        assert len(list_users(opened)) == 1


def test_a_link_is_used_once_by_one(database: str, connection: Connection[Any]) -> None:
    link = link_account(connection, "finn", CHIEF, NOW)

    def use(_number: int) -> bool:
        with connect(database) as own:
            try:
                choose_password(own, link, PASSWORD, NOW)
            except DeadLinkError:
                return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(use, range(6))) == 1


def test_a_newer_link_and_time_end_a_link(connection: Connection[Any]) -> None:
    older = link_account(connection, "finn", CHIEF, NOW)
    newer = link_account(connection, "finn", CHIEF, NOW)

    for link, at in ((older, NOW), (newer, NOW + INVITATION_LASTS), ("", NOW), ("\udcff", NOW)):
        with pytest.raises(DeadLinkError):
            choose_password(connection, link, PASSWORD, at)


@pytest.mark.parametrize(
    ("act", "error"),
    [
        pytest.param(
            lambda c: change_grants(c, "chief", [Grant(Role.FINANCE)], CHIEF, NOW),
            OwnAccountError,
            id="another role for oneself",
        ),
        pytest.param(
            lambda c: change_grants(c, "chief", [Grant(Role.FINANCE)], Giver(" C.hief"), NOW),
            OwnAccountError,
            id="the same, written otherwise",
        ),
        pytest.param(
            lambda c: block_account(c, "chief", CHIEF, NOW), OwnAccountError, id="blocking oneself"
        ),
        pytest.param(
            lambda c: link_account(c, "chief", CHIEF, NOW), OwnAccountError, id="a link for oneself"
        ),
        pytest.param(
            lambda c: require_factor(c, "chief", CHIEF, NOW, is_required=False),
            OwnAccountError,
            id="a factor for oneself no longer asked for",
        ),
        pytest.param(
            lambda c: change_grants(c, "finn", [Grant(Role.FINANCE)], DEPOT, NOW),
            OutOfReachError,
            id="a role of all by who reaches less",
        ),
        pytest.param(
            lambda c: change_grants(c, "finn", [Grant(Role.AUDITOR, "harbour")], DEPOT, NOW),
            OutOfReachError,
            id="a role elsewhere",
        ),
        pytest.param(
            lambda c: change_grants(c, "bert", [], DEPOT, NOW),
            OutOfReachError,
            id="taking a role of all",
        ),
        pytest.param(
            lambda c: link_account(c, "bert", DEPOT, NOW),
            OutOfReachError,
            id="a link for who reaches further: it would be a way to be that person",
        ),
        pytest.param(
            lambda c: block_account(c, "bert", DEPOT, NOW), OutOfReachError, id="blocking such one"
        ),
        pytest.param(
            lambda c: add_account(c, user("eve", Grant(Role.ADMINISTRATOR)), DEPOT, NOW),
            OutOfReachError,
            id="a new administrator of all",
        ),
        pytest.param(
            lambda c: change_grants(c, "finn", [Grant(Role.FINANCE, "", "pier")], CHIEF, NOW),
            UnfitGrantError,
            id="a site without its legal entity",
        ),
        pytest.param(
            lambda c: change_grants(c, "nobody", [], CHIEF, NOW), UnknownUserError, id="nobody"
        ),
        pytest.param(
            lambda c: add_account(c, user("F-I-N-N"), CHIEF, NOW), UserExistsError, id="as finn"
        ),
        pytest.param(
            lambda c: add_account(c, user("..."), CHIEF, NOW), UnfitNameError, id="no letter"
        ),
        pytest.param(
            lambda c: add_account(c, user("a\nb"), CHIEF, NOW), UnfitNameError, id="two lines"
        ),
        pytest.param(
            lambda c: add_account(c, user("x" * 61), CHIEF, NOW), UnfitNameError, id="long"
        ),
    ],
)
def test_what_nobody_does(connection: Connection[Any], act: Act, error: type[LedgerError]) -> None:
    before = list_users(connection)

    with pytest.raises(error):
        act(connection)

    assert list_users(connection) == before


def test_an_administrator_of_a_legal_entity_gives_there(connection: Connection[Any]) -> None:
    change_grants(connection, "finn", [Grant(Role.AUDITOR, "depot", "pier")], DEPOT, NOW)
    add_account(connection, user("gina", Grant(Role.OPERATIONS, "depot")), DEPOT, NOW)

    found = find_user(connection, "finn")
    assert found is not None
    assert found.may(Permission.SEE_BOOKS, "depot", "pier")
    assert not found.may(Permission.CREDIT)


@pytest.mark.usefixtures("connection")
def test_two_administrators_cannot_take_each_other_away(database: str) -> None:
    def take(pair: tuple[str, Giver]) -> bool:
        with connect(database) as own:
            try:
                change_grants(own, pair[0], [], pair[1], NOW)
            except LastAdministratorError:
                return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(take, [("bert", CHIEF), ("chief", BERT)])) == 1


def test_a_blocked_person_is_out_by_every_way(connection: Connection[Any]) -> None:
    cookie = begin_session(connection, "finn", NOW)
    token = make_personal_token(connection, "finn", "laptop", NOW)
    link = link_account(connection, "finn", CHIEF, NOW)
    assert token_user(connection, token) == find_user(connection, "finn")

    block_account(connection, "finn", CHIEF, NOW)

    assert find_user(connection, "finn") is None
    assert find_session(connection, cookie, NOW) is None
    assert token_user(connection, token) is None
    with pytest.raises(DeadLinkError):
        choose_password(connection, link, PASSWORD, NOW)
    unblock_account(connection, "finn", CHIEF, NOW)
    # What ended stays ended.
    assert find_session(connection, cookie, NOW) is None
    assert token_user(connection, token) is None
    assert find_user(connection, "finn") is not None


def test_the_way_back_in_ends_every_other_way(connection: Connection[Any]) -> None:
    cookie = begin_session(connection, "finn", NOW)
    token = make_personal_token(connection, "finn", "laptop", NOW)

    choose_password(connection, link_account(connection, "finn", CHIEF, NOW), PASSWORD, NOW)

    assert find_session(connection, cookie, NOW) is None
    assert token_user(connection, token) is None


def test_a_person_revokes_tokens_of_their_own_alone(connection: Connection[Any]) -> None:
    later = NOW + timedelta(seconds=1)
    mine = make_personal_token(connection, "finn", "laptop", NOW)
    make_personal_token(connection, "bert", "laptop", later)
    make_token(connection, "app", ["read"], by="chief", at=later)

    for name in ("bert: laptop", "app", "nothing"):
        with pytest.raises(NoAccessTokenError):
            revoke_token(connection, name, by="finn", at=NOW, person="finn")
    revoke_token(connection, "finn: laptop", by="finn", at=NOW, person="finn")

    assert token_user(connection, mine) is None
    assert [each.name for each in list_tokens(connection, "finn")] == ["finn: laptop"]
    assert {each.name for each in list_tokens(connection) if each.revoked_at is None} == {
        "app",
        "bert: laptop",
    }


@pytest.mark.parametrize("name", ["finn", "F-inn", " FINN."])
def test_no_machine_acts_under_the_name_of_a_person(connection: Connection[Any], name: str) -> None:
    with pytest.raises(NameOfPersonError):
        make_token(connection, name, ["credit"], by="chief", at=NOW)
    make_token(connection, "till-3", ["credit"], by="chief", at=NOW)
    with pytest.raises(UserExistsError):
        add_account(connection, user("Till 3"), CHIEF, NOW)


@pytest.mark.parametrize("name", ["mara, jonas", "mara\N{FULLWIDTH COMMA} jonas"])
def test_nobody_is_called_as_two_persons_who_did_something_together(
    connection: Connection[Any], name: str
) -> None:
    with pytest.raises(UnfitNameError):
        add_account(connection, user(name), CHIEF, NOW)
    with pytest.raises(UnfitTokenNameError):
        make_token(connection, name, ["credit"], by="chief", at=NOW)


@pytest.mark.parametrize("name", ["disputes", "Pay-outs", "visits"])
def test_nobody_has_a_name_under_which_the_system_decides(
    connection: Connection[Any], name: str
) -> None:
    with pytest.raises(UnfitNameError):
        add_account(connection, user(name), CHIEF, NOW)
    with pytest.raises(NameOfPersonError):
        make_token(connection, name, ["credit"], by="chief", at=NOW)


def test_a_machine_s_token_is_nobody_s(connection: Connection[Any]) -> None:
    assert token_user(connection, make_token(connection, "app", ["read"], by="chief")) is None


def test_a_role_is_read_as_it_is_written() -> None:
    words = ["finance", "auditor@depot", "operations@depot/pier"]

    assert set(map(grant_text, grants_of(words))) == set(words)
    with pytest.raises(UnknownRoleError, match="king is no role"):
        grants_of(["king"])
