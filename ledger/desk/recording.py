"""Recording what a person says: a line of the log, and what the worker makes of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

from psycopg import Connection

from ledger.errors import LedgerError
from ledger.log.envelope import Choice, Validation, encode_line
from ledger.log.event_log import Position, partition_of
from ledger.log.postgres import append_lines

WAIT_SECONDS_MAX: Final = 20.0


class NotTakenYetError(LedgerError):
    """The log holds the line, but the worker did not come to it in time."""

    def __init__(self, at: Position) -> None:
        self.at = at
        super().__init__(
            f"it is recorded at {at.partition}/{at.position}, but the worker has not taken it yet"
        )


WorkOff = Callable[[str, int], None]
"""Takes the worker's and the invoicer's turn over a database and its number of partitions."""


def record(
    connection: Connection[Any], line: Choice | Validation, *, work_off: WorkOff | None
) -> Position:
    """Append *line* to its station's partition; return once the worker has taken it.

    Args:
        connection: To the books.
        line: What was said.
        work_off: How the worker's turn is taken where no system is up; None waits for the one
            that is.

    Raises:
        NotTakenYetError: If the worker does not take it in time.
    """
    (partitions,) = connection.execute("SELECT count(*) FROM log_head").fetchone() or (0,)
    partition = partition_of(line.station, partitions=partitions)
    with connection.transaction():
        positions = append_lines(connection, {partition: [encode_line(line)]})
    at = Position(partition, positions[partition], 0)
    if work_off is not None:
        work_off(connection.info.dsn, partitions)
    _wait_for(connection, at)
    return at


def _wait_for(connection: Connection[Any], at: Position) -> None:
    query = "SELECT FROM worker_position WHERE partition = %s AND next_position > %s"
    limit = time.monotonic() + WAIT_SECONDS_MAX
    pause = threading.Event()
    while not connection.execute(query, (at.partition, at.position)).rowcount:
        if time.monotonic() > limit:
            raise NotTakenYetError(at)
        pause.wait(0.1)
