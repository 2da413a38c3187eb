"""Lines into the event log in PostgreSQL: one transaction a flush (see `ledger.log.gathering`).

What must stay true: tests/ledger/log/log_contract.py (order, no gaps, readers that follow miss
nothing), and tests/faults/test_durability.py: what was answered is there after a kill of the
server, and with `synchronous_commit` off it is not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, Self

import psycopg

from ledger.log.event_log import NewRecord, PartitionsMismatchError, Position, check_line
from ledger.log.gathering import LINGER_SECONDS, LineGathering
from ledger.log.postgres import APPEND, SESSION, AppendRows, check_durable, make_log

# A server that was killed under load was back after 2 s (measured).
PATIENCE_SECONDS: Final = 10.0
RETRY_SECONDS: Final = 0.1


class PostgresLineWriter:
    """A `LineWriter` into PostgreSQL. Made by `open`; belongs to one event loop."""

    def __init__(self, dsn: str, *, partitions: int, linger_seconds: float) -> None:
        self._dsn, self._partitions = dsn, partitions
        self._lines = LineGathering(self._store, linger_seconds=linger_seconds)
        self._connection: psycopg.AsyncConnection[Any] | None = None

    @classmethod
    async def open(
        cls, dsn: str, *, partitions: int, linger_seconds: float = LINGER_SECONDS
    ) -> Self:
        """Open the log in the migrated database *dsn*; the first one fixes its partitions.

        Raises:
            PartitionsMismatchError: If the log has another number of partitions.
            LogNotDurableError: If the server does not keep what it confirms.
        """
        found = await asyncio.to_thread(_make, dsn, partitions)
        if found != partitions:
            raise PartitionsMismatchError(found, partitions)
        log = cls(dsn, partitions=partitions, linger_seconds=linger_seconds)
        log._connection = await _connect(dsn)
        return log

    @property
    def partitions(self) -> int:
        """The number of partitions, fixed when the log was made."""
        return self._partitions

    async def append(self, partition: int, line: bytes) -> Position:
        """Store *line*; return its position once it is durable (see `LineWriter.append`)."""
        check_line(line, partition, partitions=self._partitions)
        return await self._lines.append(partition, line)

    async def close(self) -> None:
        """Store what waits, then close the connection."""
        await self._lines.close()
        if self._connection is not None:
            await self._connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _store(self, records: Sequence[NewRecord]) -> list[Position]:
        """Store *records* in one transaction; return where, once they are durable."""
        rows = AppendRows.of(records)
        if self._connection is None or self._connection.closed:
            self._connection = await _connect_patiently(self._dsn)
        try:
            cursor = await self._connection.execute(APPEND, rows)
            return rows.positions(await cursor.fetchall())
        except BaseException:
            # What it has sent is unknown; the next flush begins on a new connection.
            await self._connection.close()
            raise


def _make(dsn: str, partitions: int) -> int:
    with psycopg.connect(dsn, autocommit=True) as connection:
        check_durable(connection)
        return make_log(connection, partitions)


async def _connect(dsn: str) -> psycopg.AsyncConnection[Any]:
    connection = await psycopg.AsyncConnection.connect(dsn, autocommit=True)
    await connection.execute(SESSION)
    return connection


async def _connect_patiently(dsn: str) -> psycopg.AsyncConnection[Any]:
    """Connect to a server that may be starting again; nothing is sent yet, so waiting is safe."""
    loop = asyncio.get_running_loop()
    limit = loop.time() + PATIENCE_SECONDS
    while True:
        try:
            return await _connect(dsn)
        except psycopg.OperationalError:
            if loop.time() > limit:
                raise
        await asyncio.sleep(RETRY_SECONDS)
