"""Recording what a person says: a line of the log, and what the worker makes of it.

The line goes through the outbox: it comes into the log once, however often that has to be tried.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

from psycopg import Connection

from ledger.database import dsn_of
from ledger.errors import LedgerError
from ledger.log.envelope import Choice, TakeAgain, Validation, encode_line
from ledger.log.event_log import EventLog, Position, partition_of
from ledger.log.outbox import carried_up_to, carry, put

WAIT_SECONDS_MAX: Final = 20.0


class NotTakenYetError(LedgerError):
    """The log holds the line, but the worker did not come to it in time."""

    def __init__(self, at: Position) -> None:
        self.at = at
        super().__init__(
            f"it is recorded at {at.partition}/{at.position}, but the worker has not taken it yet"
        )


class ReasonlessChoiceError(LedgerError):
    """Nobody says why something is decided."""

    def __init__(self) -> None:
        super().__init__("say why: the reason is kept with what is decided")


WorkOff = Callable[[str, EventLog], None]
"""Takes the worker's and the invoicer's turn over a database and its log."""


def check_reason(reason: str) -> None:
    """See that a decision has a reason; blanks are none.

    Raises:
        ReasonlessChoiceError: If it has none.
    """
    if not reason.strip():
        raise ReasonlessChoiceError


def record(
    connection: Connection[Any],
    line: Choice | Validation | TakeAgain,
    *,
    log: EventLog,
    work_off: WorkOff | None,
    partition: int | None = None,
    beside: Callable[[], None] = lambda: None,
) -> Position:
    """Append *line* to a partition; return once the worker has taken it.

    Args:
        connection: To the books.
        line: What was said.
        log: Where it is to stand.
        work_off: How the worker's turn is taken where no system is up; None waits for the one
            that is.
        partition: Which partition; None: its station's.
        beside: Writes what belongs to it, in the transaction in which it is said.

    Raises:
        NotCarriedError: If the log cannot take it now.
        NotTakenYetError: If the worker does not take it in time.
    """
    if partition is None:
        partition = partition_of(line.station, partitions=log.partitions)
    with connection.transaction():
        beside()
        lines = {partition: encode_line(line)}
        [number] = put(connection, lines, partitions=log.partitions)
    carry(connection, log)
    at = carried_up_to(connection, log, number, partition)
    if work_off is not None:
        work_off(dsn_of(connection), log)
    wait_for(connection, at)
    return at


def wait_for(connection: Connection[Any], at: Position) -> None:
    """Return once the worker has taken the line *at* a place.

    Raises:
        NotTakenYetError: If it does not in time.
    """
    query = "SELECT FROM worker_position WHERE partition = %s AND next_position > %s"
    limit = time.monotonic() + WAIT_SECONDS_MAX
    pause = threading.Event()
    while not connection.execute(query, (at.partition, at.position)).rowcount:
        if time.monotonic() > limit:
            raise NotTakenYetError(at)
        pause.wait(0.1)
