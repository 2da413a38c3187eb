"""Migrations: applied once, in order, all or none, and never changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from deploy.postgres import migrate
from deploy.postgres.migrate import ChangedMigrationError, MisplacedMigrationError, apply


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "books").mkdir()
    (tmp_path / "books" / "0001_one.sql").write_text("CREATE TABLE one (n integer);")
    return tmp_path


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DROP SCHEMA books CASCADE")
        yield connection


def test_a_second_run_finds_nothing_to_do(connection: psycopg.Connection, folder: Path) -> None:
    assert apply(connection, "books", folder=folder) == ["0001_one.sql"]
    assert apply(connection, "books", folder=folder) == []


def test_a_new_file_is_applied_to_an_old_schema(
    connection: psycopg.Connection, folder: Path
) -> None:
    apply(connection, "books", folder=folder)
    (folder / "books" / "0002_two.sql").write_text("ALTER TABLE one ADD COLUMN two integer;")

    assert apply(connection, "books", folder=folder) == ["0002_two.sql"]
    connection.execute("INSERT INTO books.one (two) VALUES (2)")


def test_a_changed_file_is_refused_by_name(connection: psycopg.Connection, folder: Path) -> None:
    apply(connection, "books", folder=folder)
    (folder / "books" / "0001_one.sql").write_text("CREATE TABLE one (n bigint);")

    with pytest.raises(ChangedMigrationError, match=r"0001_one\.sql"):
        apply(connection, "books", folder=folder)


def test_a_database_of_a_newer_program_is_refused(
    connection: psycopg.Connection, folder: Path
) -> None:
    (folder / "books" / "0002_two.sql").write_text("CREATE TABLE two (n integer);")
    apply(connection, "books", folder=folder)
    (folder / "books" / "0002_two.sql").unlink()

    with pytest.raises(ChangedMigrationError, match=r"0002_two\.sql"):
        apply(connection, "books", folder=folder)


def test_a_failing_file_leaves_the_schema_as_it_was(
    connection: psycopg.Connection, folder: Path
) -> None:
    (folder / "books" / "0002_two.sql").write_text("CREATE TABLE two (n integer); SELECT 1/0;")

    with pytest.raises(psycopg.errors.DivisionByZero):
        apply(connection, "books", folder=folder)

    found = connection.execute("SELECT to_regclass('books.one')").fetchone()
    assert found == (None,)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        pytest.param("0000_late.sql", "comes before", id="a number before an applied one"),
        pytest.param("0001_again.sql", "the number of another", id="a number twice"),
        pytest.param("two.sql", "not named", id="no number"),
    ],
)
def test_a_misplaced_file_is_refused(
    connection: psycopg.Connection, folder: Path, name: str, why: str
) -> None:
    apply(connection, "books", folder=folder)
    (folder / "books" / name).write_text("SELECT 1;")

    with pytest.raises(MisplacedMigrationError, match=why):
        apply(connection, "books", folder=folder)


def test_a_scratch_schema_is_built_by_the_same_files_beside_the_books(
    connection: psycopg.Connection, folder: Path
) -> None:
    apply(connection, "books", folder=folder)

    assert apply(connection, "books", schema="scratch", folder=folder) == ["0001_one.sql"]

    connection.execute("INSERT INTO scratch.one VALUES (1)")
    assert connection.execute("SELECT count(*) FROM books.one").fetchone() == (0,)


def test_the_programs_own_files_are_numbered_and_apply(database: str) -> None:
    with psycopg.connect(database) as connection:
        for migrations in ("inputs", "books"):
            files = sorted(path.name for path in (migrate.MIGRATIONS / migrations).glob("*.sql"))
            rows = connection.execute(f"SELECT name FROM {migrations}.migration ORDER BY name")
            assert [name for (name,) in rows] == files


def test_two_programs_that_start_at_once_migrate_once(database: str, folder: Path) -> None:
    with psycopg.connect(database) as first, psycopg.connect(database) as second:
        with first.transaction():
            apply(first, "books", schema="scratch", folder=folder)
            second.execute("SET lock_timeout = '100ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                apply(second, "books", schema="scratch", folder=folder)
        second.rollback()

        assert apply(second, "books", schema="scratch", folder=folder) == []
