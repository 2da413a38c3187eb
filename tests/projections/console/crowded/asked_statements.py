"""What a request asks the database: each statement with the rows and buffers that it took.

The server says it itself (its `auto_explain`), for all connections to one database: no load of the
machine changes it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

_SETTINGS: Final = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_buffers": "on",
    "auto_explain.log_timing": "off",
    "auto_explain.log_format": "json",
    "auto_explain.log_parameter_max_length": "0",
}
_PLAN: Final = re.compile(r"plan:\n((?:\t.*\n)+)")


class AskedStatement(NamedTuple):
    """A statement as it was done: `rows` came back, `read` were looked at, of so many `buffers`."""

    text: str
    rows: int
    read: int
    buffers: int


class StatementLog:
    """The server's log, from where it was looked at last."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._seen = log.stat().st_size

    def new(self) -> Sequence[AskedStatement]:
        """Return what was asked since the last look."""
        with self._log.open("rb") as log:
            log.seek(self._seen)
            text = log.read()
        self._seen += len(text)
        plans = _PLAN.findall(text.decode("utf-8", "replace"))
        return [_statement(json.loads(each)) for each in plans]


@contextmanager
def statements_logged(dsn: str) -> Iterator[StatementLog]:
    """Have what is asked of the database at *dsn* logged, by who connects from now on."""
    name = sql.Identifier(str(conninfo_to_dict(dsn)["dbname"]))
    with psycopg.connect(dsn, autocommit=True) as connection:
        for setting, value in _SETTINGS.items():
            connection.execute(
                sql.SQL("ALTER DATABASE {} SET {} = {}").format(
                    name,
                    sql.SQL(setting),
                    sql.Literal(value),
                )
            )
        [(home,)] = connection.execute("SHOW data_directory").fetchall()
    yield StatementLog(Path(home).parent / "postgresql.log")


def _statement(said: dict[str, Any]) -> AskedStatement:
    plan = said["Plan"]
    return AskedStatement(
        " ".join(said["Query Text"].split()),
        round(plan["Actual Rows"] * plan["Actual Loops"]),
        round(_read(plan)),
        plan["Shared Hit Blocks"] + plan["Shared Read Blocks"],
    )


def _read(plan: dict[str, Any]) -> float:
    """Return how many rows the leaves of a plan gave and threw away."""
    below = plan.get("Plans", ())
    if below:
        return sum(map(_read, below))
    gone = plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Index Recheck", 0)
    return float((plan["Actual Rows"] + gone) * plan["Actual Loops"])
