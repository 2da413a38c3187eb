"""A connection leads to a further one: nothing of what it needed is lost."""

from __future__ import annotations

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ledger.database import connect, dsn_of


def test_a_further_connection_has_the_password_of_the_first(database: str) -> None:
    with connect(make_conninfo(database, password="s3 cret")) as connection:
        found = conninfo_to_dict(dsn_of(connection))

    assert found["password"] == "s3 cret"
    assert found["dbname"] == conninfo_to_dict(database)["dbname"]


def test_without_a_password_none_is_made_up(database: str) -> None:
    with connect(database) as connection:
        assert "password" not in conninfo_to_dict(dsn_of(connection))
