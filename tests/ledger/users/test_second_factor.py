"""A code of the second factor: each once, and none instead of it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from psycopg import Connection

from ledger.database import connect
from ledger.users.access_tokens import FactorMissingError, make_personal_token, token_user
from ledger.users.browser_sessions import begin_session, find_session
from ledger.users.giving import (
    add_account,
    link_account,
    require_factor,
)
from ledger.users.own_account import (
    FactorRequiredError,
    begin_factor,
    change_password,
    choose_password,
    confirm_factor,
    drop_factor,
)
from ledger.users.proving.coming_in import (
    Halfway,
    WrongCodeError,
    offered_in,
    try_code,
    try_password,
)
from ledger.users.proving.links import DeadLinkError
from ledger.users.proving.refusals import (
    ACCOUNT_SECONDS_MAX,
    CODE_SECONDS_MAX,
    FREE,
    Comer,
    TooManyGuessesError,
    count_attempt,
    know_browser,
)
from ledger.users.proving.second_factor import code_at, key_in, offered_address
from ledger.users.store import find_user
from ledger.users.user import User
from tests.ledger.users.somebody_coming import GIVER, HERE, NOW, PASSWORD, key_of


@pytest.fixture
def connection(database: str) -> Iterator[Connection[Any]]:
    with connect(database) as opened:
        yield opened


@pytest.fixture
def anna(connection: Connection[Any]) -> str:
    link = add_account(connection, User(name="anna", full_name="Anna A."), GIVER, NOW)
    return choose_password(connection, link, PASSWORD, NOW)


def test_a_code_is_taken_once_and_none_before_it(connection: Connection[Any], anna: str) -> None:
    key = key_of(connection)
    later = NOW + timedelta(minutes=5)
    halfway = [try_password(connection, anna, PASSWORD, HERE, later) for _ in range(4)]
    assert all(isinstance(each, Halfway) and not each.is_new for each in halfway)
    first, second, third, fourth = (each for each in halfway if isinstance(each, Halfway))

    assert try_code(connection, first, code_at(key, later), HERE, later) == anna

    for step, at in ((second, later), (third, later - timedelta(seconds=30))):
        with pytest.raises(WrongCodeError):
            try_code(connection, step, code_at(key, at), HERE, later)
    ahead = later + timedelta(seconds=30)
    typed = code_at(key, ahead)
    assert try_code(connection, second, f" {typed[:3]} {typed[3:]}", HERE, later) == anna
    with pytest.raises(DeadLinkError):
        try_code(connection, second, code_at(key, ahead + timedelta(seconds=30)), HERE, ahead)
    with pytest.raises(WrongCodeError):
        try_code(connection, fourth, code_at(key, later + timedelta(minutes=2)), HERE, later)


def test_one_code_lets_one_of_several_in_at_once(
    database: str, connection: Connection[Any], anna: str
) -> None:
    key, later = key_of(connection), NOW + timedelta(minutes=5)
    comers = [Comer("", know_browser(connection, anna, HERE, NOW)) for _ in range(4)]
    halfway = [try_password(connection, anna, PASSWORD, each, later) for each in comers]

    def come(comer: Comer, each: str | Halfway) -> bool:
        assert isinstance(each, Halfway)
        with connect(database) as own:
            try:
                return try_code(own, each, code_at(key, later), comer, later) == anna
            except WrongCodeError:
                return False

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(come, comers, halfway)) == 1


@pytest.mark.parametrize(
    "code",
    ["", "12345", "1234567", "abcdef", "\uff11\uff12\uff13\uff14\uff15\uff16", "-12345", "\0"],
)
def test_what_is_no_code_is_refused_and_slowed(
    connection: Connection[Any], anna: str, code: str
) -> None:
    key_of(connection)
    halfway = try_password(connection, anna, PASSWORD, HERE, NOW)
    assert isinstance(halfway, Halfway)
    for _ in range(FREE - 1):
        with pytest.raises(WrongCodeError):
            try_code(connection, halfway, code, HERE, NOW)

    with pytest.raises(TooManyGuessesError):
        try_code(connection, halfway, code, HERE, NOW)


def test_the_password_alone_forgets_no_wrong_code(connection: Connection[Any], anna: str) -> None:
    key_of(connection)
    at, looked_at = NOW + timedelta(minutes=1), 0
    for _ in range(20):
        try:
            halfway = try_password(connection, anna, PASSWORD, HERE, at)
            assert isinstance(halfway, Halfway)
            try_code(connection, halfway, "000000", HERE, at)
        except WrongCodeError:
            looked_at += 1
        except TooManyGuessesError:
            break

    assert looked_at == FREE // 2


def test_who_knows_the_password_guesses_at_a_hundred_codes_a_day_and_the_owner_comes_in(
    connection: Connection[Any], anna: str
) -> None:
    key, at, tried = key_of(connection), NOW, 0
    known = Comer("192.0.2.9", know_browser(connection, anna, HERE, NOW))
    until = NOW + timedelta(days=1)
    while at < until:
        try:
            comer = Comer(f"198.51.100.{tried}")
            count_attempt(connection, anna, comer, at, is_code=True)
            tried += 1
        except TooManyGuessesError as slowed:
            at += timedelta(seconds=slowed.seconds)

    assert 100 < tried < 115
    with pytest.raises(TooManyGuessesError):
        count_attempt(connection, anna, Comer("203.0.113.1"), until, is_code=True)
    # A browser that was in waits for nobody, any other one at most so long.
    slowed_until = until + timedelta(seconds=CODE_SECONDS_MAX)
    for comer, came_at in ((known, until), (HERE, slowed_until)):
        halfway = try_password(connection, anna, PASSWORD, comer, came_at)
        assert isinstance(halfway, Halfway)
        typed_at = came_at + timedelta(seconds=ACCOUNT_SECONDS_MAX)
        assert try_code(connection, halfway, code_at(key, typed_at), comer, typed_at) == anna
    count_attempt(connection, anna, HERE, slowed_until + timedelta(minutes=2), is_code=True)


def test_who_has_to_have_a_second_factor_sets_it_before_coming_in(
    connection: Connection[Any], anna: str
) -> None:
    cookie = begin_session(connection, anna, NOW)
    token = make_personal_token(connection, anna, "laptop", NOW)
    require_factor(connection, anna, GIVER, NOW, is_required=True)
    assert find_session(connection, cookie, NOW) is None
    with pytest.raises(FactorMissingError, match="set one at /console/login, then this token"):
        token_user(connection, token)
    halfway = try_password(connection, anna, PASSWORD, HERE, NOW)
    assert isinstance(halfway, Halfway)
    assert halfway.is_new
    # A step is what it was made for: to set a factor, it is no proof of one.
    with pytest.raises(DeadLinkError):
        try_code(connection, halfway._replace(is_new=False), "000000", HERE, NOW)
    key = key_in(offered_in(connection, halfway.step, NOW))
    with pytest.raises(WrongCodeError):
        try_code(connection, halfway, "000000", HERE, NOW)

    assert try_code(connection, halfway, code_at(key, NOW), HERE, NOW) == anna
    assert token_user(connection, token) == find_user(connection, anna)

    later = NOW + timedelta(minutes=1)
    again = try_password(connection, anna, PASSWORD, HERE, later)
    assert isinstance(again, Halfway)
    assert not again.is_new
    cookie = begin_session(connection, anna, later)
    for is_required in (False, True):
        require_factor(connection, anna, GIVER, later, is_required=is_required)
    assert find_session(connection, cookie, later) is not None
    with pytest.raises(FactorRequiredError):
        drop_factor(connection, anna, PASSWORD, HERE, later)


def test_who_came_in_without_a_second_factor_is_out_once_one_is_set(
    connection: Connection[Any], anna: str
) -> None:
    mine, another = (begin_session(connection, anna, NOW) for _ in range(2))
    begin_factor(connection, anna, PASSWORD, HERE, NOW)
    key = key_in(offered_address(connection, anna) or "")
    assert not confirm_factor(connection, anna, "000000", NOW, cookie=mine)
    assert find_session(connection, another, NOW) is not None
    assert confirm_factor(connection, anna, code_at(key, NOW), NOW, cookie=mine)

    assert find_session(connection, mine, NOW) is not None
    assert find_session(connection, another, NOW) is None


def test_who_is_half_way_in_by_a_password_that_was_changed_comes_no_further(
    connection: Connection[Any], anna: str
) -> None:
    key, later = key_of(connection), NOW + timedelta(minutes=1)
    halfway = try_password(connection, anna, PASSWORD, HERE, later)
    link = link_account(connection, anna, GIVER, later)
    again = try_password(connection, anna, PASSWORD, HERE, later)
    change_password(connection, anna, (PASSWORD, "another password"), HERE, later)

    for each in (halfway, again):
        assert isinstance(each, Halfway)
        with pytest.raises(DeadLinkError):
            try_code(connection, each, code_at(key, later), HERE, later)
    with pytest.raises(DeadLinkError):
        choose_password(connection, link, "a third password", later)


def test_a_step_is_no_link_and_a_link_no_step(connection: Connection[Any], anna: str) -> None:
    key_of(connection)
    later = NOW + timedelta(minutes=1)
    halfway = try_password(connection, anna, PASSWORD, HERE, later)
    assert isinstance(halfway, Halfway)
    link = link_account(connection, anna, GIVER, later)

    with pytest.raises(DeadLinkError):
        choose_password(connection, halfway.step, "another password here", later)
    with pytest.raises(DeadLinkError):
        try_code(connection, Halfway(link, is_new=False), "000000", HERE, later)


def test_who_is_blocked_half_way_does_not_come_in(connection: Connection[Any], anna: str) -> None:
    key, later = key_of(connection), NOW + timedelta(minutes=1)
    halfway = try_password(connection, anna, PASSWORD, HERE, later)
    assert isinstance(halfway, Halfway)
    connection.execute("UPDATE user_account SET blocked_at = now() WHERE name = 'anna'")

    with pytest.raises(DeadLinkError):
        try_code(connection, halfway, code_at(key, later), HERE, later)
