"""Connections to the product's database: every one finds its tables and keeps time in UTC."""

from __future__ import annotations

from typing import Any, Final

import psycopg
from psycopg.conninfo import make_conninfo

TABLES = "books, inputs, persons"
"""Where unqualified names are looked up, in this order."""


def connect(dsn: str, *, tables: str = TABLES, autocommit: bool = True) -> psycopg.Connection[Any]:
    """Return a connection whose search path is *tables*."""
    return psycopg.connect(dsn, options=_options(tables), autocommit=autocommit)


async def connect_async(dsn: str, *, tables: str = TABLES) -> psycopg.AsyncConnection[Any]:
    """Return an asynchronous connection whose search path is *tables*."""
    return await psycopg.AsyncConnection.connect(dsn, options=_options(tables), autocommit=True)


def dsn_of(connection: psycopg.Connection[Any]) -> str:
    """Return what leads to the database of *connection*: psycopg's own leaves the password out."""
    return make_conninfo(connection.info.dsn, password=connection.info.password or None)


def _options(tables: str) -> str:
    # UTC, whatever the server's zone: what is printed or compared as text must not depend on it.
    path = tables.replace(" ", "")
    return f"-c search_path={path} -c timezone=UTC"


_OF_CONTENT: Final = ("22", "23", "54", "P0")
"""Classes of errors that what was written or asked makes, and makes again: data exceptions,
constraints, limits of rows and indexes, our own triggers. Source: PostgreSQL, appendix A."""


def is_of_content(error: BaseException) -> bool:
    """Say whether *error* would come again with the same content, and with no other.

    A database that is away, a lock, a full disk or a missing table is no content's fault.
    """
    if not isinstance(error, psycopg.Error):
        return isinstance(error, Exception) and not isinstance(error, OSError | MemoryError)
    if error.sqlstate is not None:
        return error.sqlstate.startswith(_OF_CONTENT)
    # Found before it was sent: a text with U+0000, a number that fits no column.
    return isinstance(error, psycopg.DataError | psycopg.ProgrammingError)
