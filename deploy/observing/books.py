"""What is read of books and log to be told: cheap whatever stands in them, and within a time.

Each question has a connection of its own beside the part's work. Sessions are counted in a small
table as they move, all else is found by an index or in tables of a row for each partition.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, LiteralString, NamedTuple, TypeVar

import psycopg
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from deploy.observing.metrics import BOOKS_READABLE, Reported, report
from deploy.observing.sample import Look
from deploy.observing.watch import Unready
from ledger.database import connect

T = TypeVar("T")

STATEMENT_SECONDS: Final = 2
SILENT_SECONDS_MAX: Final = 5
"""How long a server is waited for that says nothing at all; the next question begins anew."""
_REACHED: LiteralString = """
SELECT partition, next_position, next_number - 1 FROM worker_position ORDER BY partition
"""
_SESSIONS: LiteralString = """
SELECT state, sum(sessions)::bigint FROM session_count GROUP BY state ORDER BY state
"""
_SET_ASIDE: LiteralString = """
SELECT reason, count(*) FROM line_set_aside WHERE taken_at IS NULL GROUP BY reason ORDER BY reason
"""
_OUTBOX: LiteralString = "SELECT count(*) FROM outbox WHERE position IS NULL"
QUESTIONS: Final[Sequence[LiteralString]] = (_REACHED, _SESSIONS, _SET_ASIDE, _OUTBOX)


def asking(dsn: str) -> str:
    """Return *dsn* for connections whose questions end, also where the server's machine is gone."""
    given = str(conninfo_to_dict(dsn).get("options") or "")
    return make_conninfo(
        dsn,
        options=f"{given} -c statement_timeout={STATEMENT_SECONDS}s".strip(),
        connect_timeout=SILENT_SECONDS_MAX,
        tcp_user_timeout=SILENT_SECONDS_MAX * 1000,
        keepalives_idle=SILENT_SECONDS_MAX,
        keepalives_interval=2,
        keepalives_count=3,
    )


class BooksState(NamedTuple):
    """What stands in the books now."""

    records: dict[int, int]
    """Records taken, by partition."""
    decisions: dict[int, int]
    """Decisions about sessions, by partition."""
    sessions: dict[str, int]
    """By state."""
    set_aside: dict[str, int]
    """Lines that wait to be taken again, by reason."""
    outbox: int
    """Lines on their way to the log."""


class BooksReader:
    """A connection for questions of one kind, made anew when it was lost."""

    def __init__(self, dsn: str) -> None:
        self._dsn = asking(dsn)
        self._connection: Connection[Any] | None = None

    def ask(self, question: Callable[[Connection[Any]], T]) -> T:
        """Return the answer to *question*.

        Raises:
            psycopg.Error: If the database does not answer in time.
        """
        try:
            if self._connection is None:
                self._connection = connect(self._dsn)
            return question(self._connection)
        except psycopg.Error:
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            raise

    def close(self) -> None:
        """Close the connection; who asks again makes a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def answers(connection: Connection[Any]) -> bool:
    """Say that the database answers."""
    return connection.execute("SELECT").rowcount == 1


def books_state(connection: Connection[Any]) -> BooksState:
    """Return what stands in the books now."""
    reached = connection.execute(_REACHED).fetchall()
    [(outbox,)] = connection.execute(_OUTBOX).fetchall()
    return BooksState(
        records={partition: records for partition, records, _ in reached},
        decisions={partition: decisions for partition, _, decisions in reached},
        sessions=dict(connection.execute(_SESSIONS).fetchall()),
        set_aside=dict(connection.execute(_SET_ASIDE).fetchall()),
        outbox=outbox,
    )


def away(database: Look[Any], log: Look[Any]) -> list[Unready]:
    """Return which of the two does not answer, and why."""
    return [
        Unready(code, look.trouble)
        for code, look in (("database_away", database), ("log_away", log))
        if look.trouble
    ]


def readable(*looks: Look[Any]) -> Reported:
    """Return whether all that was asked for was answered, as a metric."""
    return report(BOOKS_READABLE, int(not any(each.trouble for each in looks)))
