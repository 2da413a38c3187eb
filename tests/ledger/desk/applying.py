"""Apply files as the command does, with a log of their own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import psycopg

from ledger.desk.apply import Applied, apply_files
from ledger.log.postgres import PostgresEventLog


def applied_files(
    connection: psycopg.Connection[Any],
    files: Sequence[tuple[str, str]],
    *,
    by: str,
    at: datetime,
    is_dry: bool = False,
) -> Applied:
    """Apply *files* through *connection*."""
    with PostgresEventLog(connection.info.dsn) as log:
        return apply_files(connection, files, log=log, by=by, at=at, is_dry=is_dry)
