"""Where the worker stands in a partition: stored with what follows from the records before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.books.feed import FIRST_NUMBER
from ledger.log.event_log import EventLog, Stamp
from ledger.log.reading import count_lines, numbered_lines
from ledger.log.repeats import LastSequences

COUNTED_RECORDS: Final = 16
"""So many waiting records are read to count their lines, and not more once they hold that many:"""
COUNTED_LINES: Final = 500

_BEGIN: LiteralString = """
INSERT INTO worker_position (partition, next_position, declared_version, next_number)
VALUES (%s, 0, 0, %s) ON CONFLICT (partition) DO NOTHING
"""
_LOAD: LiteralString = """
SELECT next_position, declared_version, next_number, last_at, producers, sequences
FROM worker_position WHERE partition = %s
"""
_LOCK: LiteralString = """
SELECT 1 FROM worker_position WHERE partition = %s AND next_position = %s FOR UPDATE
"""
_STORE: LiteralString = """
UPDATE worker_position SET next_position = %s, declared_version = %s, next_number = %s,
    last_at = %s, producers = %s, sequences = %s
WHERE partition = %s
"""
_ALL: LiteralString = "SELECT partition, next_position FROM worker_position"


class Reached(NamedTuple):
    """All that the worker must know again of a partition after a restart.

    `position` is the next record's, `version` that of the declarations that hold, `number` the next
    decision's in the feed, `last_at` when the last record was received that says a time;
    `sequences` tell a repeat.
    """

    partition: int
    position: int
    version: int
    number: int
    last_at: datetime | None
    sequences: LastSequences


def load_position(connection: Connection[Any], partition: int) -> Reached | None:
    """Return where the worker stands, at first the beginning; None if the row was taken away."""
    connection.execute(_BEGIN, (partition, FIRST_NUMBER))
    found = connection.execute(_LOAD, (partition,)).fetchone()
    if found is None:
        return None
    position, version, number, last_at, producers, sequences = found
    last = LastSequences(map(Stamp, producers, sequences))
    return Reached(partition, position, version, number, last_at, last)


def lock_position(connection: Connection[Any], partition: int, position: int) -> bool:
    """Lock the row for the transaction; say whether it is still at *position*."""
    return connection.execute(_LOCK, (partition, position)).fetchone() is not None


def store_position(connection: Connection[Any], reached: Reached) -> None:
    """Write where the worker stands now."""
    kept = reached.sequences.kept()
    producers, sequences = [each.producer for each in kept], [each.sequence for each in kept]
    row = (reached.position, reached.version, reached.number, reached.last_at)
    connection.execute(_STORE, (*row, producers, sequences, reached.partition))


def has_caught_up(connection: Connection[Any], ends: Sequence[int]) -> bool:
    """Say whether the worker has taken all of a log that ended at *ends*, by partition."""
    reached = dict(connection.execute(_ALL).fetchall())
    return all(reached.get(partition, 0) >= end for partition, end in enumerate(ends))


class Lag(NamedTuple):
    """How far the worker is behind the end of a partition.

    `lines` is counted in the first records that wait and scaled by the number of all, so exact
    where they are few; `since` is when the first line that waits was received, None where nothing
    waits or it cannot be read.
    """

    partition: int
    records: int = 0
    lines: int = 0
    since: datetime | None = None


def lags(connection: Connection[Any], log: EventLog) -> list[Lag]:
    """Return how far the worker is behind, by partition; it costs no more the further that is.

    Raises:
        LogUnavailableError: If the log does not answer.
    """
    # First: what the worker takes meanwhile must not look as if it were taken before it came.
    reached = dict(connection.execute(_ALL).fetchall())
    return [
        _lag(log, partition, reached.get(partition, 0), end)
        for partition, end in enumerate(log.ends())
    ]


def _lag(log: EventLog, partition: int, start: int, end: int) -> Lag:
    if start >= end:
        return Lag(partition)
    first = log.read(partition, start, records=COUNTED_RECORDS, lines=COUNTED_LINES)
    if not first:
        return Lag(partition, end - start)
    waiting = max(end - start, len(first))
    lines = sum(count_lines(record.payload) for record in first)
    times = (line.received_at for _, line in numbered_lines(first[0].payload) if line is not None)
    return Lag(partition, waiting, lines * waiting // len(first), next(times, None))
