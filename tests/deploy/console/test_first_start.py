"""While there is no account, whoever starts the system gets a link that makes one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from deploy.console.first_start import first_address, first_words
from ledger.database import connect
from ledger.users.own_account import make_first
from ledger.users.proving.links import FIRST_LASTS, DeadLinkError
from ledger.users.user import User

NOW = datetime(2026, 4, 1, 10, tzinfo=UTC)
HERE = "http://127.0.0.1:8080"
PASSWORD = "four words in a row"


def test_the_link_makes_the_first_account_and_no_other(database: str) -> None:
    first, again = (first_address(database, HERE, NOW, by="ops") for _ in range(2))
    assert first.startswith(f"{HERE}/console/first/")
    assert first in first_words(first)
    token = again.rpartition("/")[2]
    with connect(database) as connection:
        made_by = "SELECT DISTINCT made_by FROM user_link"
        assert connection.execute(made_by).fetchall() == [("ops",)]
        chief = User(name="chief", full_name="Chief")
        with pytest.raises(DeadLinkError):
            make_first(connection, token, chief, PASSWORD, NOW + FIRST_LASTS)
        make_first(connection, token, chief, PASSWORD, NOW + FIRST_LASTS - timedelta(seconds=1))

    assert first_address(database, HERE, NOW, by="ops") == ""


def test_where_no_page_is_served_there_is_no_link(database: str) -> None:
    assert first_address(database, "", NOW, by="ops") == ""
    with connect(database) as connection:
        assert connection.execute("SELECT FROM user_link").fetchall() == []
