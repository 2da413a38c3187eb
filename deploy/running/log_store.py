"""Which store holds the event log: the one place that knows it."""

from __future__ import annotations

from typing import Any

from psycopg import Connection

from deploy.settings import Settings
from ledger.log.event_log import EventLog, LineWriter
from ledger.log.postgres import PostgresEventLog, make_log
from ledger.log.postgres_lines import PostgresLineWriter


def make_event_log(connection: Connection[Any], settings: Settings) -> None:
    """Make the event log if there is none.

    Args:
        connection: To the migrated database.
        settings: How many partitions a new log gets.
    """
    make_log(connection, settings.partitions)


def open_event_log(dsn: str) -> EventLog:
    """Return the log, for those who read it and who add whole records; it has to be closed."""
    return PostgresEventLog(dsn)


async def open_line_writer(dsn: str, settings: Settings) -> LineWriter:
    """Return the log's other end, for the lines of stations; it has to be closed.

    Raises:
        LogError: If the log has another number of partitions, or could lose what it confirms.
    """
    return await PostgresLineWriter.open(
        dsn, partitions=settings.partitions, linger_seconds=settings.linger_ms / 1000
    )
