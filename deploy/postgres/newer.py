"""Whether a newer version has brought the tables up to date under a process that still runs.

A process that begins then is refused (`migrate.apply`). One that runs would go on to write as its
own version does: rows without what is new, and lines set aside because the database refuses them.
So the worker looks in each transaction, and each part once a second; then they end, with words.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, Final, get_args

import psycopg
from psycopg import Connection, sql

from deploy.errors import DeployError
from deploy.observing.books import BooksReader
from deploy.postgres.migrate import MigrationSet, own_files

LOOK_SECONDS: Final = 1.0


class NewerTablesError(DeployError):
    """This process is of an older version than the tables."""


def newer_tables(connection: Connection[Any]) -> str:
    """Say in words that the tables have migrations that this program does not know; empty: none."""
    unknown = [name for (name,) in connection.execute(_question(), list(_known().values()))]
    if not unknown:
        return ""
    return (
        f"a newer version has brought the tables up to date ({', '.join(unknown)}): this process "
        "of an older one ends; start it with the newer version"
    )


@contextmanager
def ended_by_newer(dsn: str) -> Iterator[None]:
    """End this process as by SIGTERM where that happens meanwhile.

    Raises:
        NewerTablesError: At the end, if it happened; at once, if it has.
    """
    ending, found = threading.Event(), list[str]()
    reader = BooksReader(dsn)

    def look() -> None:
        with suppress(psycopg.Error):  # that the database is away, others say
            found.extend(filter(None, [reader.ask(newer_tables)]))

    def look_on() -> None:
        while not found and not ending.wait(LOOK_SECONDS):
            look()
        reader.close()
        if found:
            os.kill(os.getpid(), signal.SIGTERM)

    look()
    if found:
        reader.close()
        raise NewerTablesError(found[0])
    # Not waited for at the end: a question to a dead host may take long.
    threading.Thread(target=look_on, name="newer", daemon=True).start()
    try:
        yield
    finally:
        ending.set()
    if found:
        raise NewerTablesError(found[0])


@cache
def _known() -> dict[str, list[str]]:
    """Return the names of our migrations by set: read once, an upgrade may replace the files."""
    return {each: own_files(each) for each in get_args(MigrationSet)}


@cache
def _question() -> sql.Composed:
    unknown = sql.SQL("SELECT name FROM {}.migration WHERE name <> ALL(%s)")
    each = [unknown.format(sql.Identifier(schema)) for schema in _known()]
    return sql.SQL(" UNION ALL ").join(each)
