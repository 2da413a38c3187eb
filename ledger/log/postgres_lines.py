"""Lines into the event log in PostgreSQL: group commits, one transaction a flush.

A station may be answered only when its frame cannot be lost any more, that is after a commit that
reached the disk. A disk of the measured kind does 1,609 such commits a second; 10,000 stations that
send ten frames a minute each would want 1,667.

So lines that wait at the same moment share a record and all records a commit. The first line opens
a linger of 5 ms; 100 lines of one partition end it early; what comes while a commit runs goes with
the next one. Three lines wait together, two of partition 0 and one of partition 1; a fourth later:

    lines a, b (0), c (1)  -> one commit: a at 0/0/0, b at 0/0/1, c at 1/0/0
    line d (0)             -> the next commit: d at 0/1/0

A failed commit may or may not have stored its lines. Nothing is sent again from here: the station
gets no answer and sends its frame again, and the fold takes a frame that is there twice.

What must stay true: tests/ledger/log/log_contract.py (order, no gaps, readers that follow miss
nothing), and tests/faults/test_durability.py: what was answered is there after a kill of the
server, and with `synchronous_commit` off it is not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, Self

import psycopg

from ledger.log.event_log import (
    LogError,
    LogUnavailableError,
    NewRecord,
    Position,
    check_line,
)
from ledger.log.postgres import APPEND, SESSION, AppendRows, check_durable, make_log

LINGER_SECONDS: Final = 0.005
LINES_ENOUGH: Final = 100  # a partition with that many waiting lines ends the linger
# A record is read and judged whole, whatever its size.
RECORD_LINES_MAX: Final = 1_000
RECORD_BYTES_MAX: Final = 1 << 20
# Beyond that stations wait for their answers instead of our memory growing.
WAITING_BYTES_MAX: Final = 32 << 20
# A server that was killed under load was back after 2 s (measured).
PATIENCE_SECONDS: Final = 10.0
RETRY_SECONDS: Final = 0.1


class PartitionsMismatchError(LogError):
    """The log was made with another number of partitions, which its order depends on."""

    def __init__(self, found: int, wanted: int) -> None:
        self.found, self.wanted = found, wanted
        super().__init__(f"the event log has {found} partitions, not {wanted}; set partitions back")


class _Batch:
    """Lines of one partition that become one record, and who waits for each."""

    __slots__ = ("lines", "partition", "size", "waiters")

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.lines: list[bytes] = []
        self.waiters: list[asyncio.Future[Position]] = []
        self.size = 0

    @property
    def is_full(self) -> bool:
        return self.size >= RECORD_BYTES_MAX or len(self.lines) >= RECORD_LINES_MAX


class PostgresLineWriter:
    """A `LineWriter` into PostgreSQL. Made by `open`; belongs to one event loop."""

    def __init__(self, dsn: str, *, partitions: int, linger_seconds: float) -> None:
        self._dsn, self._partitions, self._linger = dsn, partitions, linger_seconds
        self._waiting: dict[int, list[_Batch]] = {}
        self._waiting_bytes = 0
        self._since = 0.0
        self._enough = asyncio.Event()
        self._room = asyncio.Event()
        self._flusher: asyncio.Task[None] | None = None
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
        while self._waiting_bytes >= WAITING_BYTES_MAX:
            self._room.clear()
            await self._room.wait()
        loop = asyncio.get_running_loop()
        if not self._waiting:
            self._since = loop.time()
        batches = self._waiting.setdefault(partition, [])
        if not batches or batches[-1].is_full:
            batches.append(_Batch(partition))
        batch = batches[-1]
        waiter: asyncio.Future[Position] = loop.create_future()
        batch.lines.append(line)
        batch.waiters.append(waiter)
        batch.size += len(line)
        self._waiting_bytes += len(line)
        if len(batch.lines) >= LINES_ENOUGH or batch.is_full:
            self._enough.set()
        if self._flusher is None or self._flusher.done():
            self._flusher = loop.create_task(self._flush_while_waiting())
        return await waiter  # cancelling it leaves the line in its batch

    async def close(self) -> None:
        """Store what waits, then close the connection."""
        if self._flusher is not None:
            self._enough.set()
            await self._flusher
        if self._connection is not None:
            await self._connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _flush_while_waiting(self) -> None:
        while self._waiting:
            rest = self._since + self._linger - asyncio.get_running_loop().time()
            if rest > 0 and not self._enough.is_set():
                try:
                    async with asyncio.timeout(rest):
                        await self._enough.wait()
                except TimeoutError:
                    pass
            batches, self._waiting = self._waiting, {}
            self._enough.clear()
            self._waiting_bytes = 0
            self._room.set()
            await self._flush([batch for some in batches.values() for batch in some])

    async def _flush(self, batches: Sequence[_Batch]) -> None:
        """Store *batches* in one transaction and tell everyone who waits for them."""
        try:
            positions = await self._store(
                AppendRows.of([NewRecord(batch.partition, batch.lines) for batch in batches])
            )
        except BaseException as error:
            count = sum(len(batch.lines) for batch in batches)
            message = f"{count} lines may not be in the event log: {error}"
            for waiter in (waiter for batch in batches for waiter in batch.waiters):
                if not waiter.done():
                    waiter.set_exception(LogUnavailableError(message))
            if isinstance(error, Exception):
                return
            raise
        for batch, first in zip(batches, positions, strict=True):
            for index, waiter in enumerate(batch.waiters):
                if not waiter.done():
                    waiter.set_result(Position(first.partition, first.position, index))

    async def _store(self, rows: AppendRows) -> list[Position]:
        """Return each record's position, once they are durable.

        Nothing is sent a second time: after a failure the lines may or may not be stored, and the
        stations, which get no answer, send them again.
        """
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
