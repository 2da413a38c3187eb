"""A name, its password, a code: who comes in, and what guessing is worth."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from psycopg import Connection

from ledger.database import connect
from ledger.errors import LedgerError
from ledger.users.giving import (
    add_account,
    block_account,
    link_account,
)
from ledger.users.own_account import (
    NotYourPasswordError,
    begin_factor,
    change_password,
    choose_password,
    drop_factor,
)
from ledger.users.proving import passwords
from ledger.users.proving.coming_in import (
    NotLetInError,
    try_password,
)
from ledger.users.proving.passwords import WeakPasswordError, hash_password
from ledger.users.proving.refusals import (
    ACCOUNT_SECONDS_MAX,
    ADDRESS_FREE,
    FREE,
    Comer,
    TooManyGuessesError,
    know_browser,
)
from ledger.users.proving.second_factor import key_in, offered_address
from ledger.users.store import list_changes
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


def test_a_name_with_its_password_is_in(connection: Connection[Any], anna: str) -> None:
    assert try_password(connection, " anna ", PASSWORD, HERE, NOW) == anna


@pytest.mark.parametrize(
    ("name", "password"),
    [
        pytest.param("anna", "four words in a rov", id="another password"),
        pytest.param("anna", "", id="none"),
        pytest.param("anna", "\udcff" * 20, id="no text"),
        pytest.param("anna", "x" * 2_000_000, id="one that is too long to be looked at"),
        pytest.param("nobody", PASSWORD, id="a name that nobody has"),
        pytest.param("an\0na", PASSWORD + "x", id="a name that no table holds"),
        pytest.param("x" * 1_000_000, PASSWORD, id="a name that is too long"),
        pytest.param("", "", id="nothing"),
        pytest.param("bert", PASSWORD, id="an account without a password"),
        pytest.param("carl", PASSWORD, id="a blocked account"),
    ],
)
@pytest.mark.usefixtures("anna")
def test_whoever_is_refused_is_told_the_same(
    connection: Connection[Any], name: str, password: str
) -> None:
    add_account(connection, User(name="bert", full_name="Bert"), GIVER, NOW)
    link = add_account(connection, User(name="carl", full_name="Carl"), GIVER, NOW)
    choose_password(connection, link, PASSWORD, NOW)
    block_account(connection, "carl", GIVER, NOW)

    with pytest.raises(NotLetInError) as told:
        try_password(connection, name, password, HERE, NOW)

    assert str(told.value) == str(NotLetInError())


class Counted:
    """What looks at passwords, and how often it did."""

    times = 0

    @classmethod
    def verify_phc_encoded(cls, raw: bytes, kept: str) -> None:
        cls.times += 1
        Argon2id.verify_phc_encoded(raw, kept)


@pytest.mark.usefixtures("anna")
def test_a_name_that_nobody_has_costs_as_much_as_one_that_somebody_has(
    connection: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "Argon2id", Counted)
    costs = []
    for name, password in (("anna", "wrong words"), ("nobody", PASSWORD), ("anna", "x" * 9_000)):
        before = Counted.times
        with pytest.raises(NotLetInError):
            try_password(connection, name, password, HERE, NOW)
        costs.append(Counted.times - before)

    assert costs == [1, 1, 1]


@pytest.mark.parametrize(
    "password",
    [
        pytest.param("short words", id="short"),
        pytest.param("1234567890123", id="digits"),
        pytest.param("aaaabbbbccccdddd"[:4] * 4, id="one letter"),
        pytest.param("Anna-Anna-20261", id="the name and digits"),
        pytest.param("x" * 1025, id="long"),
        pytest.param("abcdefghijkl\ud800", id="no text"),
    ],
)
def test_a_password_that_is_guessed_at_once_is_none(password: str) -> None:
    with pytest.raises(WeakPasswordError):
        hash_password(password, "annaanna" if "Anna" in password else "anna")


def test_a_password_is_the_same_however_its_letters_are_composed(
    connection: Connection[Any],
) -> None:
    link = add_account(connection, User(name="zoe", full_name="Zoë"), GIVER, NOW)
    choose_password(connection, link, "fünf Wörter stehen hier", NOW)

    assert (
        try_password(connection, "zoe", "fu\u0308nf Wo\u0308rter stehen hier", HERE, NOW) == "zoe"
    )


def test_nothing_kept_of_a_password_or_a_link_is_it(connection: Connection[Any], anna: str) -> None:
    link = link_account(connection, anna, GIVER, NOW)
    begin_factor(connection, anna, PASSWORD, HERE, NOW)
    key = key_in(offered_address(connection, anna) or "")

    tables = ("user_account", "user_link", "user_change", "login_refusal")
    kept = "".join(str(connection.execute(f"SELECT * FROM {table}").fetchall()) for table in tables)

    assert "$argon2id$v=19$m=19456,t=2,p=1$" in kept
    for secret in (PASSWORD, link, key.hex(), str(key)[2:-1], HERE.address):
        assert secret not in kept


def test_guessing_takes_longer_each_time_and_nobody_is_out_for_ever(
    connection: Connection[Any], anna: str
) -> None:
    at, guesses = NOW, 0
    while at < NOW + timedelta(hours=1):
        with pytest.raises(LedgerError) as told:
            try_password(connection, anna, f"guess {guesses:012}", Comer("198.51.100.9"), at)
        guesses += isinstance(told.value, NotLetInError)
        at += timedelta(seconds=5)

    assert FREE + 3600 / ACCOUNT_SECONDS_MAX - 5 < guesses < FREE + 3600 / ACCOUNT_SECONDS_MAX + 15
    after = at + timedelta(seconds=ACCOUNT_SECONDS_MAX)
    assert try_password(connection, anna, PASSWORD, HERE, after) == anna


def test_a_clock_that_was_ahead_and_is_set_back_keeps_nobody_out(
    connection: Connection[Any], anna: str
) -> None:
    ahead = NOW + timedelta(days=400)
    with pytest.raises(NotLetInError):
        try_password(connection, anna, "another password", HERE, ahead)
    try_password(connection, anna, PASSWORD, HERE, ahead)

    assert try_password(connection, anna, PASSWORD, HERE, NOW) == anna
    for _ in range(FREE):
        with pytest.raises(NotLetInError):
            try_password(connection, anna, "another password", HERE, NOW)
    with pytest.raises(TooManyGuessesError):
        try_password(connection, anna, "another password", HERE, NOW)


def test_the_wait_that_is_told_is_the_wait(connection: Connection[Any], anna: str) -> None:
    for _ in range(FREE):
        with pytest.raises(NotLetInError):
            try_password(connection, anna, "another password", HERE, NOW)
    with pytest.raises(TooManyGuessesError) as told:
        try_password(connection, anna, PASSWORD, HERE, NOW)

    after = NOW + timedelta(seconds=told.value.seconds)
    assert try_password(connection, anna, PASSWORD, HERE, after) == anna


def test_a_browser_that_was_in_waits_for_nobody_s_guesses(
    connection: Connection[Any], anna: str
) -> None:
    known = Comer("192.0.2.7", know_browser(connection, anna, HERE, NOW))
    for _ in range(FREE):
        with pytest.raises(NotLetInError):
            try_password(connection, anna, "another password", HERE, NOW)
    with pytest.raises(TooManyGuessesError):
        try_password(connection, anna, PASSWORD, HERE, NOW)

    assert try_password(connection, anna, PASSWORD, known, NOW) == anna


def test_a_browser_of_somebody_else_is_none_that_was_in(
    connection: Connection[Any], anna: str
) -> None:
    known = Comer("192.0.2.7", know_browser(connection, anna, HERE, NOW))
    add_account(connection, User(name="bert", full_name="Bert"), GIVER, NOW)
    for _ in range(FREE):
        with pytest.raises(NotLetInError):
            try_password(connection, "bert", "another password", known, NOW)

    with pytest.raises(TooManyGuessesError):
        try_password(connection, "bert", "another password", known, NOW)


def test_an_address_that_tries_many_names_waits(connection: Connection[Any], anna: str) -> None:
    asked = []
    for number in range(ADDRESS_FREE + 5):
        # A household has 64 bits of addresses.
        comer = Comer(f"2001:db8:1:2::{number:x}")
        with pytest.raises(LedgerError) as told:
            try_password(connection, f"name {number}", "another password", comer, NOW)
        asked.append(type(told.value))

    assert asked == [NotLetInError] * ADDRESS_FREE + [TooManyGuessesError] * 5
    assert try_password(connection, anna, PASSWORD, HERE, NOW) == anna


def test_who_comes_in_gives_an_address_no_new_guesses(
    connection: Connection[Any], anna: str
) -> None:
    refused = 0
    for number in range(3 * ADDRESS_FREE):
        with pytest.raises(LedgerError) as told:
            try_password(connection, f"name {number}", "another password", HERE, NOW)
        refused += isinstance(told.value, TooManyGuessesError)
        if number % 3 == 0 and not refused:
            assert try_password(connection, anna, PASSWORD, HERE, NOW) == anna

    assert refused == 2 * ADDRESS_FREE


def test_many_guesses_at_once_are_no_more_than_one_after_another(database: str, anna: str) -> None:
    def guess(_number: int) -> bool:
        with connect(database) as own:
            try:
                try_password(own, anna, "another password", HERE, NOW)
            except TooManyGuessesError:
                return False
            except NotLetInError:
                return True
        raise AssertionError

    with ThreadPoolExecutor(8) as pool:
        looked_at = sum(pool.map(guess, range(24)))

    assert looked_at == FREE


def test_a_browser_left_open_is_not_its_person(connection: Connection[Any], anna: str) -> None:
    guess = "a guessed password"
    with pytest.raises(NotYourPasswordError):
        begin_factor(connection, anna, guess, HERE, NOW)
    with pytest.raises(NotYourPasswordError):
        drop_factor(connection, anna, guess, HERE, NOW)
    with pytest.raises(NotYourPasswordError):
        change_password(connection, anna, (guess, "another password"), HERE, NOW)

    change_password(connection, anna, (PASSWORD, "another password"), HERE, NOW)
    assert try_password(connection, anna, "another password", HERE, NOW) == anna


def test_what_changed_of_an_account_is_kept_with_its_person(
    connection: Connection[Any], anna: str
) -> None:
    key_of(connection)
    drop_factor(connection, anna, PASSWORD, HERE, NOW)
    block_account(connection, anna, GIVER, NOW)

    assert [(each.kind, each.changed_by) for each in list_changes(connection, name=anna)] == [
        ("blocked", "root"),
        ("factor_dropped", "anna"),
        ("factor_set", "anna"),
        ("password_by_link", "anna"),
        ("linked", "root"),
        ("added", "root"),
    ]
