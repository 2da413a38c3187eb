"""Work that tests have done: each is a kind, as the process of a job finds it by name."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import msgspec
from psycopg import Connection

from ledger.errors import LedgerError
from ledger.jobs.working import JobKind, JobProgress, Workplace

NOW = datetime(2026, 4, 1, 8, tzinfo=UTC)


class ExampleRefusedError(LedgerError):
    """What these kinds refuse."""


def now() -> datetime:
    """Return a time that stands."""
    return NOW


def place_at(dsn: str) -> Workplace:
    """Return a workplace on a test's database."""
    return Workplace(dsn, now)


def add(connection: Connection[Any], parameters: bytes, progress: JobProgress) -> object:
    """Add up numbers, leave a row behind and write a file."""
    numbers = msgspec.json.decode(parameters, type=list[int])
    for done in range(len(numbers)):
        progress(done + 1, len(numbers))
    with progress.file("numbers.txt") as file:
        file.write(b"\n".join(str(each).encode() for each in numbers))
    connection.execute("INSERT INTO example_done VALUES (%s)", (sum(numbers),))
    return {"sum": sum(numbers)}


def wait_for_a_row(connection: Connection[Any], parameters: bytes, progress: JobProgress) -> object:
    """Wait until the table `example_gate` has a row, then say so."""
    while not connection.execute("SELECT FROM example_gate").rowcount:
        progress(1, 3)
        threading.Event().wait(0.02)
    return parameters.decode()


def refuse(_: Connection[Any], __: bytes, ___: JobProgress) -> object:
    """Refuse the work in words."""
    message = "there is nothing to add"
    raise ExampleRefusedError(message)


def break_down(_: Connection[Any], __: bytes, ___: JobProgress) -> object:
    """Fail as nobody foresaw."""
    return {"a": 1}["secret of somebody"]


def eat(_: Connection[Any], __: bytes, ___: JobProgress) -> object:
    """Want more memory than there is."""
    return len(bytearray(1 << 34))


KINDS = {
    work.__name__: JobKind(work, (ExampleRefusedError,))
    for work in (add, wait_for_a_row, refuse, break_down, eat)
}
