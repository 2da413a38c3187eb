"""The event log in PostgreSQL: group commits, one transaction a flush, no gaps.

A station may be answered only when its frame cannot be lost any more, that is after a commit that
reached the disk. A disk of the measured kind does 1,609 such commits a second; 10,000 stations that
send ten frames a minute each would want 1,667. And readers follow positions: one that becomes
visible after a higher one would be passed over for ever.

So lines that wait at the same moment share a record and all records a commit. The first line opens
a linger of 5 ms; 100 lines of one partition end it early; what comes while a commit runs goes with
the next one. Three lines wait together, two of partition 0 and one of partition 1; a fourth later:

    lines a, b (0), c (1)  -> one commit: a at 0/0/0, b at 0/0/1, c at 1/0/0
    line d (0)             -> the next commit: d at 0/1/0

The position is taken under the lock of the partition's row in `log_head`, which is held until the
commit. A sequence would be faster and have no lock, but leaves gaps at each rollback and lets a
higher number appear first; a reader could not tell a gap from a record that is still on its way.

A failed commit may or may not have stored its lines. Nothing is sent again from here: the station
gets no answer and sends its frame again, and the fold takes a frame that is there twice.

What must stay true: tests/ledger/log/log_contract.py (order, no gaps, readers that follow miss
nothing), and tests/faults/test_durability.py: what was answered is there after a kill of the
server, and with `synchronous_commit` off it is not. Tables: deploy/migrations/inputs/0001_log.sql.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, LiteralString, NamedTuple, Self

import psycopg

from ledger.log.event_log import LogError, Position, Record
from ledger.log.format import pack_payload, unpack_payload

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
CHANNEL: Final = "log_batch"
NEEDED_SETTINGS: Final = ("fsync", "full_page_writes", "synchronous_commit")

SESSION: LiteralString = """
SET search_path = inputs;
SET synchronous_commit = on;
SET default_transaction_isolation = 'read committed'
"""
# The lock is taken in the order of partitions, or two processes could wait for each other; the
# position is read from the row as it is once the lock is ours.
APPEND: LiteralString = """
WITH given AS (
    SELECT * FROM unnest(%b::int4[], %b::int4[], %b::int4[], %b::text[], %b::bytea[])
        AS given (partition, rank, lines, codec, payload)
), added AS (
    SELECT partition, count(*) AS records FROM given GROUP BY partition
), locked AS MATERIALIZED (
    SELECT partition FROM log_head WHERE partition IN (SELECT partition FROM added)
    ORDER BY partition FOR UPDATE
), head AS (
    UPDATE log_head SET next_position = next_position + records
    FROM locked JOIN added USING (partition) WHERE log_head.partition = locked.partition
    RETURNING log_head.partition, next_position - records AS first
), stored AS (
    INSERT INTO log_batch (partition, position, lines, codec, payload)
    SELECT partition, first + rank, lines, codec, payload FROM given JOIN head USING (partition)
)
SELECT partition, first, pg_notify('log_batch', '') FROM head
"""
READ: LiteralString = """
SELECT position, codec, payload FROM log_batch
WHERE partition = %s AND position >= %s ORDER BY position LIMIT %s
"""
END: LiteralString = "SELECT next_position FROM log_head WHERE partition = %s"
MAKE: LiteralString = "INSERT INTO log_head (partition) SELECT generate_series(0, %s - 1)"


class LogUnavailableError(LogError):
    """The lines could not be stored, or nobody knows: whoever sent them gets no answer."""

    def __init__(self, lines: int, why: str) -> None:
        self.lines, self.why = lines, why
        super().__init__(f"{lines} lines may not be in the event log: {why}")


class PartitionsMismatchError(LogError):
    """The log was made with another number of partitions, which its order depends on."""

    def __init__(self, found: int, wanted: int) -> None:
        self.found, self.wanted = found, wanted
        super().__init__(f"the event log has {found} partitions, not {wanted}; set partitions back")


class LogNotDurableError(LogError):
    """The server would lose what it has confirmed."""

    def __init__(self, setting: str, value: str) -> None:
        self.setting, self.value = setting, value
        super().__init__(f"PostgreSQL runs with {setting}={value}; the event log needs it on")


class UnfitLineError(LogError):
    """A line that would not be one line of the log, or a partition that the log has not."""


class _Batch:
    """Lines of one partition that become one record, and who waits for each."""

    __slots__ = ("lines", "size", "waiters")

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.waiters: list[asyncio.Future[Position]] = []
        self.size = 0

    @property
    def is_full(self) -> bool:
        return self.size >= RECORD_BYTES_MAX or len(self.lines) >= RECORD_LINES_MAX


class _Rows(NamedTuple):
    """The parameters of APPEND: one array a column."""

    partitions: list[int]
    ranks: list[int]
    lines: list[int]
    codecs: list[str]
    payloads: list[bytes]


class PostgresEventLog:
    """An `EventLog` in PostgreSQL. Made by `open`; belongs to one event loop."""

    def __init__(self, dsn: str, *, partitions: int, linger_seconds: float) -> None:
        self._dsn, self._partitions, self._linger = dsn, partitions, linger_seconds
        self._waiting: dict[int, list[_Batch]] = {}
        self._waiting_bytes = 0
        self._since = 0.0
        self._enough = asyncio.Event()
        self._room = asyncio.Event()
        self._flusher: asyncio.Task[None] | None = None
        self._writer: psycopg.AsyncConnection[Any] | None = None
        self._reader: psycopg.AsyncConnection[Any] | None = None
        self._reading = asyncio.Lock()

    @classmethod
    async def open(
        cls, dsn: str, *, partitions: int, linger_seconds: float = LINGER_SECONDS
    ) -> Self:
        """Open the log in the migrated database *dsn*; the first one fixes its partitions.

        Raises:
            PartitionsMismatchError: If the log has another number of partitions.
            LogNotDurableError: If the server does not keep what it confirms.
        """
        log = cls(dsn, partitions=partitions, linger_seconds=linger_seconds)
        log._writer = await _connect(dsn)
        try:
            await _prepare(log._writer, partitions)
        except BaseException:
            await log._writer.close()
            raise
        return log

    @property
    def partitions(self) -> int:
        """The number of partitions, fixed when the log was made."""
        return self._partitions

    async def append(self, partition: int, line: bytes) -> Position:
        """Store *line*; return its position once it is durable (see `EventLog.append`).

        Raises:
            LogUnavailableError: If it may not have been stored.
            UnfitLineError: If it is empty or holds a line feed.
        """
        _check_line(line, partition, self._partitions)
        while self._waiting_bytes >= WAITING_BYTES_MAX:
            self._room.clear()
            await self._room.wait()
        loop = asyncio.get_running_loop()
        if not self._waiting:
            self._since = loop.time()
        batches = self._waiting.setdefault(partition, [])
        if not batches or batches[-1].is_full:
            batches.append(_Batch())
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

    async def read(self, partition: int, start: int, *, limit: int) -> Sequence[Record]:
        """Return up to *limit* records of *partition* from position *start* on, in order."""
        rows = await self._ask(READ, (partition, start, limit))
        return [
            Record(partition, position, unpack_payload(codec, payload))
            for position, codec, payload in rows
        ]

    async def end(self, partition: int) -> int:
        """Return the position that the partition's next record will get."""
        ((position,),) = await self._ask(END, (partition,))
        return int(position)

    async def close(self) -> None:
        """Store what waits, then close the connections."""
        if self._flusher is not None:
            self._enough.set()
            await self._flusher
        for connection in (self._writer, self._reader):
            if connection is not None:
                await connection.close()

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
            await self._flush(batches)

    async def _flush(self, batches: Mapping[int, Sequence[_Batch]]) -> None:
        """Store *batches* in one transaction and tell everyone who waits for them."""
        try:
            first = await self._store(
                _rows({partition: [b.lines for b in some] for partition, some in batches.items()})
            )
        except BaseException as error:
            count = sum(len(batch.lines) for some in batches.values() for batch in some)
            for waiter in (w for some in batches.values() for batch in some for w in batch.waiters):
                if not waiter.done():
                    waiter.set_exception(LogUnavailableError(count, str(error)))
            if isinstance(error, Exception):
                return
            raise
        for partition, some in batches.items():
            for position, batch in enumerate(some, start=first[partition]):
                for index, waiter in enumerate(batch.waiters):
                    if not waiter.done():
                        waiter.set_result(Position(partition, position, index))

    async def _store(self, rows: _Rows) -> dict[int, int]:
        """Return the position of each partition's first record, once they are durable.

        Nothing is sent a second time: after a failure the lines may or may not be stored, and the
        stations, which get no answer, send them again.
        """
        if self._writer is None or self._writer.closed:
            self._writer = await _connect_patiently(self._dsn)
        try:
            cursor = await self._writer.execute(APPEND, rows)
            return _first_positions(rows, await cursor.fetchall())
        except BaseException:
            # What it has sent is unknown; the next flush begins on a new connection.
            await self._writer.close()
            raise

    async def _ask(self, query: LiteralString, parameters: Sequence[object]) -> list[Any]:
        async with self._reading:
            if self._reader is None or self._reader.closed:
                self._reader = await _connect(self._dsn)
            cursor = self._reader.cursor(binary=True)
            await cursor.execute(query, parameters)
            return await cursor.fetchall()


def append_lines(
    connection: psycopg.Connection[Any], lines: Mapping[int, Sequence[bytes]]
) -> dict[int, int]:
    """Append *lines* by partition, one record each, in the caller's transaction.

    For markers that must appear together with what they announce. Appending to these partitions
    waits until the caller commits. Returns the position of each partition's record.

    Raises:
        UnfitLineError: If a line is empty or holds a line feed, or a partition does not exist.
    """
    for partition, some in lines.items():
        for line in some:
            _check_line(line, partition, partition + 1)
    rows = _rows({partition: [some] for partition, some in lines.items() if some})
    return _first_positions(rows, connection.execute(APPEND, rows).fetchall())


def _first_positions(rows: _Rows, found: Sequence[tuple[int, int, str]]) -> dict[int, int]:
    first = {partition: position for partition, position, _ in found}
    if lacking := set(rows.partitions) - first.keys():
        message = f"the event log has no partition {min(lacking)}"
        raise UnfitLineError(message)
    return first


def _rows(batches: Mapping[int, Sequence[Sequence[bytes]]]) -> _Rows:
    rows = _Rows([], [], [], [], [])
    for partition, records in batches.items():
        for rank, lines in enumerate(records):
            codec, payload = pack_payload(lines)
            rows.partitions.append(partition)
            rows.ranks.append(rank)
            rows.lines.append(len(lines))
            rows.codecs.append(codec)
            rows.payloads.append(payload)
    return rows


def _check_line(line: bytes, partition: int, partitions: int) -> None:
    if not line or b"\n" in line:
        message = "a line of the event log is not empty and holds no line feed"
        raise UnfitLineError(message)
    if not 0 <= partition < partitions:
        message = f"the event log has no partition {partition}"
        raise UnfitLineError(message)


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


async def _prepare(connection: psycopg.AsyncConnection[Any], partitions: int) -> None:
    for setting in NEEDED_SETTINGS:
        cursor = await connection.execute("SELECT current_setting(%s)", (setting,))
        ((value,),) = await cursor.fetchall()
        if value != "on":
            raise LogNotDurableError(setting, value)
    async with connection.transaction():
        # Two processes that open a new log at once must not both make its partitions.
        await connection.execute("LOCK TABLE log_head IN SHARE ROW EXCLUSIVE MODE")
        cursor = await connection.execute("SELECT count(*) FROM log_head")
        ((found,),) = await cursor.fetchall()
        if found == 0:
            await connection.execute(MAKE, (partitions,))
        elif found != partitions:
            raise PartitionsMismatchError(found, partitions)
