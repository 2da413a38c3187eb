"""A connection leads to a further one: nothing of what it needed is lost."""

from __future__ import annotations

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ledger.database import array_text, connect, dsn_of


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
