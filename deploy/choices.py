"""A person's choice about a held session: into the log, and what follows from it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any, Final

from psycopg import Connection

from deploy.errors import DeployError
from deploy.invoicing import Invoicer
from ingest.envelope import Choice, encode_line
from ingest.log import Position, partition_of
from ingest.log_postgres import append_lines
from ingest.worker import Worker

WAIT_SECONDS_MAX: Final = 20.0


class UnknownSessionError(DeployError):
    """There is no session of that id."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        super().__init__(f"there is no session {session_id}: `wattledger sessions` lists them")


class NotHeldError(DeployError):
    """Only a held session waits for a person's choice."""

    def __init__(self, session_id: str, state: str) -> None:
        self.session_id, self.state = session_id, state
        super().__init__(f"session {session_id} is {state}, not held: there is nothing to decide")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What became of a session after a person's choice; the choice stands in the log at `at`."""

    session_id: str
    state: str
    reasons: tuple[str, ...]
    at: Position


def choose(connection: Connection[Any], session_id: str, *, choice: Choice, is_up: bool) -> Chosen:
    """Record *choice* in the log and return what it led to.

    Where no system is up, the worker's and the invoicing's turn is taken here.

    Raises:
        UnknownSessionError: If there is no such session.
        NotHeldError: If it is not held.
    """
    state, _ = _state_of(connection, session_id)
    if state != "held":
        raise NotHeldError(session_id, state)
    (partitions,) = connection.execute("SELECT count(*) FROM log_head").fetchone() or (0,)
    partition = partition_of(choice.station, partitions=partitions)
    with connection.transaction():
        positions = append_lines(connection, {partition: [encode_line(choice)]})
    position = positions[partition]
    if not is_up:
        _work_off(connection.info.dsn, range(partitions))
    _wait_for(connection, partition, position)
    state, reasons = _state_of(connection, session_id)
    at = Position(partition, position, 0)
    return Chosen(session_id=session_id, state=state, reasons=tuple(reasons), at=at)


def station_of(connection: Connection[Any], session_id: str) -> str:
    """Return the station of a session.

    Raises:
        UnknownSessionError: If there is no such session.
    """
    query = "SELECT station_id FROM session WHERE session_id = %s"
    row = connection.execute(query, (session_id,)).fetchone()
    if row is None:
        raise UnknownSessionError(session_id)
    return str(row[0])


def _state_of(connection: Connection[Any], session_id: str) -> tuple[str, list[str]]:
    query = "SELECT state, reasons FROM session WHERE session_id = %s"
    row = connection.execute(query, (session_id,)).fetchone()
    if row is None:
        raise UnknownSessionError(session_id)
    return row[0], row[1]


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


def _wait_for(connection: Connection[Any], partition: int, position: int) -> None:
    """Return once the worker has decided about the record.

    Raises:
        DeployError: If it does not in time.
    """
    query = "SELECT FROM worker_position WHERE partition = %s AND next_position > %s"
    limit = time.monotonic() + WAIT_SECONDS_MAX
    pause = threading.Event()
    while not connection.execute(query, (partition, position)).rowcount:
        if time.monotonic() > limit:
            message = "the choice is recorded, but the worker has not taken it yet"
            raise DeployError(message)
        pause.wait(0.1)
