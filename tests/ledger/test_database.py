"""A connection leads to a further one: nothing of what it needed is lost."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ledger.database import array_text, connect, copy_rows, dsn_of
from tariffs.zones import zone


def test_a_further_connection_has_the_password_of_the_first(database: str) -> None:
    with connect(make_conninfo(database, password="s3 cret")) as connection:
        found = conninfo_to_dict(dsn_of(connection))

    assert found["password"] == "s3 cret"
    assert found["dbname"] == conninfo_to_dict(database)["dbname"]


def test_without_a_password_none_is_made_up(database: str) -> None:
    with connect(database) as connection:
        assert "password" not in conninfo_to_dict(dsn_of(connection))


def test_an_array_of_texts_is_read_as_it_was_written(postgres_dsn: str) -> None:
    arrays = [[], [""], ["NULL", "{a,b}", ' "quoted" ', "\\", '\\"', "a\nb\tc", "ü€😀", "-5"]]
    with connect(postgres_dsn) as connection:
        for each in arrays:
            found = connection.execute("SELECT %s::text[]", (array_text(each),)).fetchone()
            assert found == (each,)
            with connection.cursor() as cursor:
                cursor.execute("CREATE TEMPORARY TABLE IF NOT EXISTS told (words text[])")
                cursor.execute("TRUNCATE told")
                with cursor.copy("COPY told FROM STDIN") as copy:
                    copy.write_row((array_text(each),))
            assert connection.execute("SELECT words FROM told").fetchone() == (each,)


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(datetime(2026, 3, 29, 1, 30, tzinfo=UTC), id="whole seconds"),
        pytest.param(datetime(2026, 3, 29, 1, 30, 0, 5, tzinfo=UTC), id="a few microseconds"),
        pytest.param(datetime(1, 1, 2, tzinfo=UTC), id="long ago"),
        pytest.param(datetime(9999, 12, 30, 23, 59, 59, 999_999, tzinfo=UTC), id="far ahead"),
        pytest.param(
            datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=zone("Europe/Berlin")), id="zone"
        ),
        pytest.param(datetime(2026, 1, 1, tzinfo=timezone(-timedelta(hours=9.5))), id="offset"),
    ],
)
def test_a_moment_is_copied_as_it_is(postgres_dsn: str, moment: datetime) -> None:
    with connect(postgres_dsn) as connection:
        connection.execute("CREATE TEMPORARY TABLE told (at timestamptz, day date, said text)")
        copy_rows(connection, "COPY told FROM STDIN", [(moment, date(2026, 1, 1), None)])

        assert connection.execute("SELECT * FROM told").fetchone() == (
            moment.astimezone(UTC),
            date(2026, 1, 1),
            None,
        )
