"""Connections to the product's database: every one finds its tables and keeps time in UTC."""

from __future__ import annotations

from typing import Any

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
