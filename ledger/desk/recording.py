"""Recording what a person says: a line of the log, and what the worker makes of it."""

from __future__ import annotations

import threading
import time
from typing import Any, Final

from psycopg import Connection

from deploy.errors import DeployError
from ledger.invoices.invoicer import Invoicer
from ledger.log.envelope import Choice, Validation, encode_line
from ledger.log.event_log import Position, partition_of
from ledger.log.postgres import append_lines
from ledger.worker.worker import Worker

WAIT_SECONDS_MAX: Final = 20.0


class NotTakenYetError(DeployError):
    """The log holds the line, but the worker did not come to it in time."""

    def __init__(self, at: Position) -> None:
        self.at = at
        super().__init__(
            f"it is recorded at {at.partition}/{at.position}, but the worker has not taken it yet"
        )


def record(connection: Connection[Any], line: Choice | Validation, *, is_up: bool) -> Position:
    """Append *line* to its station's partition; return once the worker has taken it.

    Where no system is up, the worker's and the invoicing's turn is taken here.

    Raises:
        NotTakenYetError: If the worker does not take it in time.
    """
    (partitions,) = connection.execute("SELECT count(*) FROM log_head").fetchone() or (0,)
    partition = partition_of(line.station, partitions=partitions)
    with connection.transaction():
        positions = append_lines(connection, {partition: [encode_line(line)]})
    at = Position(partition, positions[partition], 0)
    if not is_up:
        _work_off(connection.info.dsn, range(partitions))
    _wait_for(connection, at)
    return at


def _work_off(dsn: str, partitions: range) -> None:
    """Take the worker's turn, and the invoicing's, until nothing is left to do."""
    with Worker(dsn, partitions=partitions) as worker:
        while worker.run_once():
            pass
    invoicer = Invoicer(dsn)
    try:
        invoicer.run_once()
    finally:
        invoicer.close()


def _wait_for(connection: Connection[Any], at: Position) -> None:
    query = "SELECT FROM worker_position WHERE partition = %s AND next_position > %s"
    limit = time.monotonic() + WAIT_SECONDS_MAX
    pause = threading.Event()
    while not connection.execute(query, (at.partition, at.position)).rowcount:
        if time.monotonic() > limit:
            raise NotTakenYetError(at)
        pause.wait(0.1)
