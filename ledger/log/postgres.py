"""The event log in PostgreSQL: its tables, its records, and how the next position is taken.

Readers follow positions: a record that becomes visible after one with a higher position would be
passed over for ever. So the position is taken under the lock of the partition's row in `log_head`,
which is held until the commit. A sequence would be faster and have no lock, but leaves gaps at each
rollback and lets a higher number appear first; a reader could not tell a gap from a record that is
still on its way.

What must stay true: tests/ledger/log/log_contract.py. The tables are made by
deploy/migrations/inputs/0001_log.sql; test_log_port.py sees that no other module names them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, LiteralString, NamedTuple, Self

import psycopg

from ledger.log.event_log import (
    LogError,
    LogUnavailableError,
    NewRecord,
    Position,
    Record,
    Stamp,
    UnfitLineError,
    check_line,
)
from ledger.log.format import pack_payload, unpack_payload

if TYPE_CHECKING:
    from collections.abc import Iterator

CHANNEL: Final = "log_batch"
_PAGE: Final = 200
"""Of so many records the sizes are asked for first: mostly they are more lines than will fit."""
NEEDED_SETTINGS: Final = ("fsync", "full_page_writes", "synchronous_commit")

SESSION: LiteralString = """
SET search_path = inputs;
SET synchronous_commit = on;
SET default_transaction_isolation = 'read committed'
"""
COPIES: LiteralString = "SET wattledger.copies_log = on"
# The lock is taken in the order of partitions, or two processes could wait for each other; the
# position is read from the row as it is once the lock is ours.
APPEND: LiteralString = """
WITH given AS (
    SELECT * FROM unnest(
        %b::int4[], %b::int4[], %b::int4[], %b::text[], %b::bytea[], %b::text[], %b::int8[]
    ) AS given (partition, rank, lines, codec, payload, producer, sequence)
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
    INSERT INTO log_batch (partition, position, lines, codec, payload, producer, sequence)
    SELECT partition, first + rank, lines, codec, payload, producer, sequence
    FROM given JOIN head USING (partition)
)
SELECT partition, first, pg_notify('log_batch', '') FROM head
"""
PARTITIONS: LiteralString = "SELECT count(*) FROM log_head"
ENDS: LiteralString = "SELECT next_position FROM log_head ORDER BY partition"
HAS_RECORDS: LiteralString = "SELECT EXISTS (SELECT FROM log_batch)"
RECORDS: LiteralString = "SELECT coalesce(sum(next_position), 0)::bigint FROM log_head"
READ: LiteralString = """
SELECT position, codec, payload, producer, sequence FROM log_batch
WHERE partition = %s AND position >= %s ORDER BY position LIMIT %s
"""
SIZES: LiteralString = """
SELECT lines FROM log_batch WHERE partition = %s AND position >= %s ORDER BY position LIMIT %s
"""
READ_AT: LiteralString = """
SELECT position, codec, payload, producer, sequence FROM log_batch
WHERE partition = %s AND position = ANY (%s)
"""
DURABLE: LiteralString = "SELECT name, current_setting(name) FROM unnest(%s::text[]) AS name"
# Two processes that open a new log at once must not both make its partitions.
LOCK: LiteralString = "LOCK TABLE log_head IN SHARE ROW EXCLUSIVE MODE"
MAKE: LiteralString = "INSERT INTO log_head (partition) SELECT generate_series(0, %s - 1)"


class LogNotDurableError(LogError):
    """The server would lose what it has confirmed."""

    def __init__(self, setting: str, value: str) -> None:
        self.setting, self.value = setting, value
        super().__init__(f"PostgreSQL runs with {setting}={value}; the event log needs it on")


class AppendRows(NamedTuple):
    """The parameters of APPEND: one array a column."""

    partitions: list[int]
    ranks: list[int]
    lines: list[int]
    codecs: list[str]
    payloads: list[bytes]
    producers: list[str | None]
    sequences: list[int | None]

    @classmethod
    def of(cls, records: Sequence[NewRecord]) -> Self:
        """Return *records* as rows; those of one partition keep their order."""
        rows = cls([], [], [], [], [], [], [])
        ranks: dict[int, int] = {}
        for partition, lines, stamp in records:
            codec, payload = pack_payload(lines)
            rows.partitions.append(partition)
            rows.ranks.append(ranks.get(partition, 0))
            rows.lines.append(len(lines))
            rows.codecs.append(codec)
            rows.payloads.append(payload)
            rows.producers.append(stamp.producer if stamp else None)
            rows.sequences.append(stamp.sequence if stamp else None)
            ranks[partition] = rows.ranks[-1] + 1
        return rows

    def positions(self, found: Sequence[tuple[int, int, str]]) -> list[Position]:
        """Return where each record went, from what APPEND returned.

        Raises:
            UnfitLineError: If the log has lost a partition.
        """
        first = {partition: position for partition, position, _ in found}
        if lacking := set(self.partitions) - first.keys():
            message = f"the event log has no partition {min(lacking)}"
            raise UnfitLineError(message)
        return [
            Position(partition, first[partition] + rank, 0)
            for partition, rank in zip(self.partitions, self.ranks, strict=True)
        ]


class PostgresEventLog:
    """An `EventLog` in PostgreSQL. It connects when it is first asked."""

    def __init__(self, dsn: str, *, is_copied_to: bool = False) -> None:
        """Prepare; who copies a log that has moved back to this one says *is_copied_to*."""
        self._dsn, self._is_copied_to = dsn, is_copied_to
        self._connection: psycopg.Connection[Any] | None = None
        self._partitions = 0
        self._listens = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def partitions(self) -> int:
        """The number of partitions, fixed when the log was made."""
        if not self._partitions:
            with self._connected() as connection:
                ((count,),) = connection.execute(PARTITIONS).fetchall()
            self._partitions = int(count)
        return self._partitions

    def ends(self) -> list[int]:
        """Return, by partition, the position that its next record will get."""
        with self._connected() as connection:
            return [position for (position,) in connection.execute(ENDS)]

    def read(
        self, partition: int, start: int, *, records: int, lines: int | None = None
    ) -> list[Record]:
        """Return the records of *partition* from position *start* on (see `EventLog.read`)."""
        with self._connected() as connection:
            if lines is not None:
                # Sizes first: the payloads of records that will not fit are never read.
                for count in (_PAGE, records):
                    rows = connection.execute(SIZES, (partition, start, min(count, records)))
                    sizes = [size for (size,) in rows]
                    if len(sizes) < count or sum(sizes) >= lines:
                        break
                records = _records_until(lines, sizes)
            rows = connection.execute(READ, (partition, start, records), binary=True)
            return [_record(partition, *row) for row in rows]

    def read_at(self, partition: int, positions: Collection[int]) -> Mapping[int, Record]:
        """Return the records at *positions* that there are, by position."""
        with self._connected() as connection:
            rows = connection.execute(READ_AT, (partition, list(positions)), binary=True)
            return {row[0]: _record(partition, *row) for row in rows}

    def append(self, records: Sequence[NewRecord]) -> list[Position]:
        """Store *records* in one commit (see `EventLog.append`)."""
        for partition, lines, _ in records:
            for line in lines or (b"",):
                check_line(line, partition, partitions=self.partitions)
        if not records:
            return []
        rows = AppendRows.of(records)
        with self._connected() as connection:
            return rows.positions(connection.execute(APPEND, rows).fetchall())

    def wait(self, seconds: float) -> None:
        """Return when there may be more to read (see `EventLog.wait`)."""
        with self._connected() as connection:
            if not self._listens:
                # What came before nobody told us: the caller looks again.
                connection.execute(f"LISTEN {CHANNEL}")
                self._listens = True
                return
            for _ in connection.notifies(timeout=seconds, stop_after=1):
                pass

    def close(self) -> None:
        """Let the connection go; the next call would make another."""
        if self._connection is not None:
            self._connection.close()
        self._connection, self._listens = None, False

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection[Any]]:
        """Yield the connection; after an error the next call begins on a new one."""
        try:
            if self._connection is None:
                self._connection = psycopg.connect(self._dsn, autocommit=True)
                self._connection.execute(SESSION)
                if self._is_copied_to:
                    self._connection.execute(COPIES)
            yield self._connection
        except psycopg.Error as error:
            self.close()
            message = f"the event log cannot be read, or may not have stored the lines: {error}"
            raise LogUnavailableError(message) from error


def make_log(connection: psycopg.Connection[Any], partitions: int) -> int:
    """Make the log in a migrated database if there is none; return how many partitions it has."""
    connection.execute(SESSION)
    if found := _count(connection):
        return found
    with connection.transaction():
        connection.execute(LOCK)
        if not _count(connection):
            connection.execute(MAKE, (partitions,))
        return _count(connection)


def check_durable(connection: psycopg.Connection[Any]) -> None:
    """Refuse a server that does not keep what it confirms.

    Raises:
        LogNotDurableError: If it would lose something.
    """
    connection.execute(SESSION)
    for setting, value in connection.execute(DURABLE, (list(NEEDED_SETTINGS),)).fetchall():
        if value != "on":
            raise LogNotDurableError(setting, value)


def _count(connection: psycopg.Connection[Any]) -> int:
    ((count,),) = connection.execute(PARTITIONS).fetchall()
    return int(count)


def _records_until(lines: int, sizes: Sequence[int]) -> int:
    """Return how many records it takes to reach *lines*, or how many there are."""
    for count, size in enumerate(sizes, 1):
        lines -= size
        if lines <= 0:
            return count
    return len(sizes)


def _record(
    partition: int,
    position: int,
    codec: Any,  # noqa: ANN401 - a row of the table
    payload: bytes,
    producer: str | None,
    sequence: int,
) -> Record:
    stamp = None if producer is None else Stamp(producer, sequence)
    return Record(partition, position, unpack_payload(codec, payload), stamp)
