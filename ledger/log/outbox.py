"""The outbox: lines that must appear in the log because of a row in the database.

A declaration is a row, its marker a line of the log, and no transaction spans the two. Written one
after the other, a kill between them leaves a declaration that never holds, or a marker of what was
never declared. So the line is first written to the table `outbox`, in the row's own transaction
(`put`), and carried to the log afterwards (`carry`): by whoever wrote it, at once, and should he be
killed by the next one who carries, and by the process that ticks.

    put 7, commit | append 7 to the log | note where 7 stands
                  ^ killed here: 7 waits for the next carrier
                                        ^ killed here: the next carrier appends 7 once more

The second 7 is a repeat, and readers drop it (`ledger.log.repeats`). That wants numbers that ascend
in each partition, in the order in which they come to the log. So a number is given under a lock
that is held until the commit: a lower one never becomes visible after a higher one. And a line is
appended only when those before it are known to be stored, or together with them. Carriers wait for
each other, but nothing hangs on that: what a carrier appends that was taken for dead is a repeat.

What must stay true: tests/ledger/log/test_outbox.py, with a kill between each pair of steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, LiteralString

import psycopg
from psycopg import Connection
from psycopg.pq import TransactionStatus

from ledger.log.event_log import (
    EventLog,
    LogError,
    NewRecord,
    Position,
    Stamp,
    UnfitLineError,
    check_line,
)

PRODUCER: Final = "outbox"
"""How the producer's name begins; `_INCARNATION` follows, in 16 hexadecimal digits."""
LINE_BYTES_MAX: Final = 1 << 16
"""What somebody says may be that long. A line that no log takes would stop all behind it."""
CARRIED_AT_ONCE: Final = 200
"""Which is also what a carrier holds in memory: 13 MB at the most."""
CARRIED_KEPT: Final = 1_000
"""So many carried lines stay, for those who wrote them to see where they went (`carried_up_to`)."""
PATIENCE_SECONDS: Final = 20
"""How long one carrier waits for another, and the server for one that stands still."""

_PUTTING: LiteralString = "SELECT pg_advisory_xact_lock(1869968493, 1)"  # "outm"
_PUT: LiteralString = """
INSERT INTO outbox (partition, line)
SELECT partition, line
FROM unnest(%s::int[], %s::bytea[]) WITH ORDINALITY AS given (partition, line, place)
ORDER BY place RETURNING sequence
"""
_CARRYING: LiteralString = """
SELECT set_config('lock_timeout', %(patience)s, true),
       set_config('idle_in_transaction_session_timeout', %(patience)s, true)
"""
_CARRIER: LiteralString = "SELECT pg_advisory_xact_lock(1869968493, 2)"
# A database that was restored gives numbers a second time, to lines that are no repeats. It is
# another database, of another server or on another timeline.
_INCARNATION: LiteralString = """
SELECT substr(md5(concat_ws('/', system_identifier, timeline_id, oid)), 1, 16)
FROM pg_control_system(), pg_control_checkpoint(), pg_database WHERE datname = current_database()
"""
_WAITING: LiteralString = """
SELECT sequence, partition, line FROM outbox WHERE position IS NULL ORDER BY sequence LIMIT %s
"""
_NOTE: LiteralString = """
UPDATE outbox SET position = carried.position, line = ''
FROM unnest(%s::bigint[], %s::bigint[]) AS carried (sequence, position)
WHERE outbox.sequence = carried.sequence
"""
_FORGET: LiteralString = "DELETE FROM outbox WHERE position IS NOT NULL AND sequence <= %s"
_WHERE: LiteralString = "SELECT partition, position FROM outbox WHERE sequence = %s"

_LET_DOWN: Final = (psycopg.OperationalError, psycopg.errors.IdleInTransactionSessionTimeout)
"""The database is away, another carrier takes too long, or the server gave this one up."""


class NotCarriedError(LogError):
    """What was said is on record, but not in the event log yet."""

    def __init__(self, why: object) -> None:
        super().__init__(
            f"it is recorded, and not in the event log yet: {why}. The next command or a running "
            "system carries it there; do not say it again"
        )


class NoTransactionError(LogError):
    """The outbox was used in a transaction, or outside one, where that is wrong."""


def put(connection: Connection[Any], lines: Mapping[int, bytes], *, partitions: int) -> list[int]:
    """Put a line for each partition of *lines* into the outbox, in the caller's transaction.

    As `put_all`; their numbers come in the order of partitions.
    """
    return put_all(connection, sorted(lines.items()), partitions=partitions)


def put_all(
    connection: Connection[Any], lines: Sequence[tuple[int, bytes]], *, partitions: int
) -> list[int]:
    """Put *lines*, each for its partition, into the outbox in the caller's transaction.

    Other transactions that put something wait until the caller's is over. Returns their numbers,
    in order.

    Raises:
        UnfitLineError: If a line is none that every log takes, or its partition does not exist.
        NoTransactionError: If the connection is in no transaction.
    """
    for partition, line in lines:
        check_line(line, partition, partitions=partitions)
        if len(line) > LINE_BYTES_MAX:
            message = f"{len(line)} bytes are too much to say: {LINE_BYTES_MAX} are the limit"
            raise UnfitLineError(message)
    if not lines:
        return []
    connection.execute(_PUTTING)
    if connection.info.transaction_status != TransactionStatus.INTRANS:
        message = "a line is put into the outbox in the transaction of what it announces"
        raise NoTransactionError(message)
    columns = [partition for partition, _ in lines], [line for _, line in lines]
    rows = connection.execute(_PUT, columns)
    return [sequence for (sequence,) in rows]


def carry(connection: Connection[Any], log: EventLog) -> None:
    """Append what waits in the outbox to *log*; return once all that was put before is there.

    Args:
        connection: Outside a transaction.
        log: Where to.

    Raises:
        NotCarriedError: If the log does not take it now; it waits on.
        NoTransactionError: If the connection is in a transaction, which may yet be rolled back.
    """
    if connection.info.transaction_status != TransactionStatus.IDLE:
        message = "the outbox is carried once the transaction of what it announces is over"
        raise NoTransactionError(message)
    try:
        while _carry_some(connection, log) == CARRIED_AT_ONCE:
            pass
    except (LogError, *_LET_DOWN) as error:
        raise NotCarriedError(error) from error


def carried_to(connection: Connection[Any], sequence: int) -> Position | None:
    """Return where the line with this number stands in the log, None if that is not known."""
    row = connection.execute(_WHERE, (sequence,)).fetchone()
    return None if row is None or row[1] is None else Position(row[0], row[1], 0)


def carried_up_to(
    connection: Connection[Any], log: EventLog, sequence: int, partition: int
) -> Position:
    """Return where a line that was carried stands in its partition of *log*.

    Where so much came behind it that its place is not kept any more: the last place that there is.
    Who waits for it then waits for some of what came later, too.
    """
    at = carried_to(connection, sequence)
    return Position(partition, log.ends()[partition] - 1, 0) if at is None else at


def _carry_some(connection: Connection[Any], log: EventLog) -> int:
    with connection.transaction():
        connection.execute(_CARRYING, {"patience": f"{PATIENCE_SECONDS}s"})
        connection.execute(_CARRIER)
        # Only now, so that what another carrier did is seen.
        rows = connection.execute(_WAITING, (CARRIED_AT_ONCE,)).fetchall()
        if rows:
            _carry_rows(connection, log, rows)
    return len(rows)


def _carry_rows(
    connection: Connection[Any], log: EventLog, rows: Sequence[tuple[int, int, bytes]]
) -> None:
    ((incarnation,),) = connection.execute(_INCARNATION).fetchall()
    producer = f"{PRODUCER}-{incarnation}"
    positions = log.append(
        [NewRecord(partition, [line], Stamp(producer, number)) for number, partition, line in rows]
    )
    numbers = [number for number, _, _ in rows]
    connection.execute(_NOTE, (numbers, [at.position for at in positions]))
    connection.execute(_FORGET, (numbers[-1] - CARRIED_KEPT,))
