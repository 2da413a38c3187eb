"""A browser is in by its cookie, for a while."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import Connection

from ledger.database import connect
from ledger.users.browser_sessions import IDLE, LONGEST, begin_session, end_session, find_session
from ledger.users.roles import Grant, Role
from ledger.users.store import UserExistsError, add_user, find_user, is_anybody
from ledger.users.user import User

NOW = datetime(2026, 4, 1, 8, tzinfo=UTC)
ANNA = User(name="anna", full_name="Anna", grants=(Grant(Role.FINANCE, "depot"),))


@pytest.fixture
def connection(database: str) -> Iterator[Connection[Any]]:
    with connect(database) as opened:
        yield opened


def test_an_account_is_found_as_it_was_made(connection: Connection[Any]) -> None:
    assert not is_anybody(connection)
    add_user(connection, ANNA, by="first", at=NOW)

    assert is_anybody(connection)
    assert find_user(connection, "anna") == ANNA


@pytest.mark.parametrize("name", ["anna", "Anna", "a.n.n.a", "ÁNNA"])
def test_no_two_accounts_are_told_apart_by_writing_alone(
    connection: Connection[Any], name: str
) -> None:
    add_user(connection, ANNA, by="first", at=NOW)

    with pytest.raises(UserExistsError):
        add_user(connection, User(name=name, full_name="Anna"), by="first", at=NOW)


def test_a_browser_is_in_until_it_is_idle(connection: Connection[Any]) -> None:
    add_user(connection, ANNA, by="first", at=NOW)
    cookie = begin_session(connection, "anna", NOW)

    found = find_session(connection, cookie, NOW + IDLE - timedelta(seconds=1))

    assert found is not None
    assert found.user == ANNA
    # It was seen a second before the end: as long again.
    assert find_session(connection, cookie, NOW + 2 * IDLE - timedelta(seconds=2)) is not None
    assert find_session(connection, cookie, NOW + 4 * IDLE) is None


def test_no_browser_is_in_for_longer_than_a_week(connection: Connection[Any]) -> None:
    add_user(connection, ANNA, by="first", at=NOW)
    cookie = begin_session(connection, "anna", NOW)
    at = NOW
    while at < NOW + LONGEST - timedelta(hours=1):
        at += timedelta(hours=1)
        assert (find_session(connection, cookie, at) is None) == (at >= NOW + LONGEST)

    assert find_session(connection, cookie, NOW + LONGEST) is None


def test_a_blocked_account_and_an_ended_session_are_out_at_once(
    connection: Connection[Any],
) -> None:
    add_user(connection, ANNA, by="first", at=NOW)
    ended, blocked = (begin_session(connection, "anna", NOW) for _ in range(2))
    end_session(connection, ended)

    assert find_session(connection, ended, NOW) is None
    assert find_session(connection, blocked, NOW) is not None
    connection.execute("UPDATE user_account SET blocked_at = now() WHERE name = 'anna'")
    assert find_session(connection, blocked, NOW) is None
