"""How far a worker is behind: exact where little waits, and never dearer than that."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from psycopg import Connection

from ledger.database import connect
from ledger.log.envelope import Tick, encode_line
from ledger.log.event_log import NewRecord
from ledger.log.postgres import PostgresEventLog, make_log
from ledger.worker.position import COUNTED_LINES, COUNTED_RECORDS, Lag, lags, load_position

BEGAN = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)


class ReadLog(PostgresEventLog):
    """Counts the lines that were read."""

    lines_read = 0

    def read(self, partition, start, *, records, lines=None):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
        found = super().read(partition, start, records=records, lines=lines)
        self.lines_read += sum(record.payload.count(b"\n") + 1 for record in found)
        return found


@pytest.fixture
def books(database: str) -> Iterator[Connection]:
    with connect(database) as connection:
        make_log(connection, 2)
        # That sets the search path of the log's own connections.
        connection.execute("SET search_path = books, inputs, persons")
        for partition in (0, 1):
            load_position(connection, partition)
        yield connection


@pytest.fixture
def log(database: str, books: Connection) -> Iterator[ReadLog]:  # noqa: ARG001 - it makes the log
    with ReadLog(database) as log:
        yield log


def write(log: PostgresEventLog, *sizes: int) -> None:
    """Append records of so many lines to partition 1; each line is a minute later."""
    minutes = 0
    for size in sizes:
        lines = []
        for _ in range(size):
            lines.append(encode_line(Tick(received_at=BEGAN + timedelta(minutes=minutes))))
            minutes += 1
        log.append([NewRecord(1, lines)])


def taken(books: Connection, records: int) -> None:
    query = "UPDATE worker_position SET next_position = %s WHERE partition = 1"
    books.execute(query, (records,))


def test_few_waiting_records_are_counted_line_by_line(books: Connection, log: ReadLog) -> None:
    write(log, 3, 5, 7)

    assert lags(books, log) == [Lag(0), Lag(1, 3, 15, BEGAN)]
    taken(books, 1)
    assert lags(books, log)[1] == Lag(1, 2, 12, BEGAN + timedelta(minutes=3))
    taken(books, 3)
    assert lags(books, log)[1] == Lag(1)


def test_many_are_scaled_from_the_first(books: Connection, log: ReadLog) -> None:
    write(log, *[2] * COUNTED_RECORDS, *[4] * COUNTED_RECORDS)

    assert lags(books, log)[1].lines == 2 * 2 * COUNTED_RECORDS
    taken(books, COUNTED_RECORDS)
    assert lags(books, log)[1].lines == 4 * COUNTED_RECORDS


def test_no_more_is_read_than_tells_it(books: Connection, log: ReadLog) -> None:
    write(log, *[COUNTED_LINES - 1] * 4)

    found = lags(books, log)[1]

    assert (found.records, found.lines) == (4, 4 * (COUNTED_LINES - 1))
    assert log.lines_read == 2 * (COUNTED_LINES - 1)


def test_a_worker_that_never_began_is_behind_by_all(books: Connection, log: ReadLog) -> None:
    write(log, 2)
    books.execute("DELETE FROM worker_position")

    assert lags(books, log) == [Lag(0), Lag(1, 1, 2, BEGAN)]


def test_a_line_that_cannot_be_read_has_no_time(books: Connection, log: ReadLog) -> None:
    log.append([NewRecord(1, [b"no JSON"])])
    write(log, 1)

    assert lags(books, log)[1] == Lag(1, 2, 2, None)


def test_what_the_log_does_not_give_is_counted_as_records_alone(
    books: Connection, log: ReadLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where it ends further on than it can be read by now."""
    write(log, 3, 5, 7)
    taken(books, 1)
    monkeypatch.setattr(log, "read", lambda *_, **__: [])

    assert lags(books, log)[1] == Lag(1, 2)
