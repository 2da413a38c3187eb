"""Numbered SQL files, applied once each, in order, and never changed afterwards."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any, Literal

import psycopg
from psycopg import sql

from deploy.errors import DeployError

MIGRATIONS = Path(__file__).parents[1] / "migrations"
NAME = re.compile(r"\d{4}_[a-z0-9_]+\.sql")
LOCK = 0x77617474  # "watt": one migration at a time in a database

MigrationSet = Literal["inputs", "persons", "books"]

TABLE = """
CREATE TABLE IF NOT EXISTS migration (
    name text PRIMARY KEY,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


class ChangedMigrationError(DeployError):
    """The database was built by migrations other than those of this program."""

    def __init__(self, schema: str, names: list[str]) -> None:
        self.schema, self.names = schema, names
        super().__init__(
            f"schema {schema} was built by other migrations than this program has "
            f"({', '.join(names)}): use the version that built it, or a newer one"
        )


class MisplacedMigrationError(DeployError):
    """A migration's file has no number, or one that comes before an applied one."""

    def __init__(self, name: str, why: str) -> None:
        self.name, self.why = name, why
        super().__init__(f"migration {name} {why}")


def apply(
    connection: psycopg.Connection[Any],
    migrations: MigrationSet,
    *,
    schema: str | None = None,
    folder: Path = MIGRATIONS,
) -> list[str]:
    """Bring *schema* (by default named as the set) up to date; return the files applied.

    All of them in one transaction: a failure leaves the schema as it was. The statements find
    their tables in *schema*, then in `inputs`, so that a scratch schema is built by the same files.

    Raises:
        ChangedMigrationError: If an applied file has changed or is gone.
        MisplacedMigrationError: If a new file does not come after the applied ones.
    """
    schema = schema or migrations
    files = _files(folder / migrations)
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        quoted = sql.Identifier(schema)
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(quoted))
        connection.execute(sql.SQL("SET LOCAL search_path = {}, inputs").format(quoted))
        connection.execute(TABLE)
        applied = dict(connection.execute("SELECT name, sha256 FROM migration").fetchall())
        hashes = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()}
        if changed := [name for name in sorted(applied) if applied[name] != hashes.get(name)]:
            raise ChangedMigrationError(schema, changed)
        new = [name for name in files if name not in applied]
        for name in new:
            if applied and name < max(applied):
                raise MisplacedMigrationError(
                    name, f"comes before {max(applied)}, which is applied"
                )
            connection.execute(files[name].encode())
            row = (name, hashes[name])
            connection.execute("INSERT INTO migration (name, sha256) VALUES (%s, %s)", row)
    return new


def own_files(migrations: MigrationSet) -> list[str]:
    """Return the names of the files that this program has of a set, in order."""
    return list(_files(MIGRATIONS / migrations))


def _files(folder: Path) -> dict[str, str]:
    """Return the texts by file name, in order."""
    paths = sorted(folder.glob("*.sql"))
    numbers: set[str] = set()
    for path in paths:
        if not NAME.fullmatch(path.name):
            raise MisplacedMigrationError(path.name, "is not named NNNN_what_it_does.sql")
        if path.name[:4] in numbers:
            raise MisplacedMigrationError(path.name, "has the number of another one")
        numbers.add(path.name[:4])
    return {path.name: path.read_text("utf-8") for path in paths}
