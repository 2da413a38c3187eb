"""Connections to the product's database: every one finds its tables and keeps time in UTC."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final, LiteralString

import msgspec
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

_ENCODER: Final = msgspec.json.Encoder()
TABLES = "books, inputs, persons"
"""Where unqualified names are looked up, in this order."""


def connect(dsn: str, *, tables: str = TABLES, autocommit: bool = True) -> psycopg.Connection[Any]:
    """Return a connection whose search path is *tables*."""
    return psycopg.connect(dsn, options=connect_options(dsn, tables), autocommit=autocommit)


async def connect_async(dsn: str, *, tables: str = TABLES) -> psycopg.AsyncConnection[Any]:
    """Return an asynchronous connection whose search path is *tables*."""
    options = connect_options(dsn, tables)
    return await psycopg.AsyncConnection.connect(dsn, options=options, autocommit=True)


def ended_when_silent(dsn: str, seconds: float, *, also_idle: bool = False) -> str:
    """Return *dsn* for connections that the server ends when nobody is at their other end.

    A process that stands still, or whose machine is gone, would keep what it locked from everybody.

    Args:
        dsn: The database.
        seconds: How long somebody may say nothing within a transaction.
        also_idle: Or outside one, for who holds locks there.
    """
    limits = {
        "idle_in_transaction_session_timeout": int(seconds * 1000),
        "idle_session_timeout": int(seconds * 1000) if also_idle else 0,
        "tcp_keepalives_idle": 5,
        "tcp_keepalives_interval": 2,
        "tcp_keepalives_count": 3,
    }
    given = str(conninfo_to_dict(dsn).get("options") or "")
    options = " ".join([given, *(f"-c {name}={value}" for name, value in limits.items())])
    return make_conninfo(dsn, options=options.strip())


def dsn_of(connection: psycopg.Connection[Any]) -> str:
    """Return what leads to the database of *connection*: psycopg's own leaves the password out."""
    return make_conninfo(connection.info.dsn, password=connection.info.password or None)


def connect_options(dsn: str, tables: str = TABLES) -> str:
    """Return the options of a connection whose search path is *tables*."""
    # UTC, whatever the server's zone: what is printed or compared as text must not depend on it.
    path = tables.replace(" ", "")
    given = str(conninfo_to_dict(dsn).get("options") or "")
    return f"{given} -c search_path={path} -c timezone=UTC".strip()


def copy_rows(
    connection: psycopg.Connection[Any],
    statement: LiteralString,
    rows: Iterable[tuple[object, ...]],
) -> None:
    """Write *rows* by *statement*, a COPY from STDIN, within the caller's transaction."""
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row([_quick(each) if type(each) is datetime else each for each in row])


def _quick(moment: datetime) -> datetime | str:
    """Return *moment* as its text where it is in UTC: psycopg takes six times as long for it."""
    return _ENCODER.encode(moment)[1:-1].decode() if moment.tzinfo is UTC else moment


def array_text(values: Iterable[str]) -> str:
    """Return *values* as PostgreSQL writes an array of texts, in a quarter of psycopg's time."""
    quoted = [each.replace("\\", "\\\\").replace('"', '\\"') for each in values]
    return "{" + ",".join([f'"{each}"' for each in quoted]) + "}"


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
