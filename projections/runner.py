"""Follow the decisions: each page of notifications and its position go down in one transaction.

The position moves only from where this runner left it, so that a page takes effect once, whatever
is restarted; a rival finds the position moved and takes the next page.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, LiteralString, Protocol, Self

import psycopg
from eventsourcing.persistence import Notification
from psycopg import Connection

from ledger.invoices.issuer import InvoiceIssuer

PAGE: Final = 500
LOOK_SECONDS: Final = 1.0

BEGIN: LiteralString = """
INSERT INTO projection_position (name, notification_id) VALUES (%s, 0)
ON CONFLICT (name) DO NOTHING
"""
LOAD: LiteralString = """
SELECT notification_id FROM projection_position WHERE name = %s FOR UPDATE
"""
ADVANCE: LiteralString = "UPDATE projection_position SET notification_id = %s WHERE name = %s"


class Projection(Protocol):
    """A read model that follows the decisions."""

    @property
    def name(self) -> str:
        """Under which its position is kept; a new name begins from the start."""

    @property
    def topics(self) -> Sequence[str]:
        """The kinds of events it wants."""

    def project(
        self, connection: Connection[Any], issuer: InvoiceIssuer, page: Sequence[Notification]
    ) -> None:
        """Take *page* into account within the caller's transaction."""


class Runner:
    """Keeps some projections up to date."""

    def __init__(
        self, dsn: str, projections: Sequence[Projection], *, schema: str = "books"
    ) -> None:
        self._projections = tuple(projections)
        self._issuer = InvoiceIssuer(dsn)
        self._connection: Connection[Any] = psycopg.connect(dsn, autocommit=True)
        path = psycopg.sql.SQL("SET search_path = {}, inputs")
        self._connection.execute(path.format(psycopg.sql.Identifier(schema)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._issuer.close()
        self._connection.close()

    def run(self, stop: threading.Event) -> None:
        """Follow the decisions until *stop* is set."""
        while not stop.is_set():
            if not self.run_once():
                stop.wait(LOOK_SECONDS)

    def run_once(self) -> int:
        """Take one page for every projection; return how many notifications were taken."""
        return sum(self._advance(projection) for projection in self._projections)

    def _advance(self, projection: Projection) -> int:
        with self._connection.transaction():
            self._connection.execute(BEGIN, (projection.name,))
            # FOR UPDATE: a rival waits here until the page and its position are written together.
            [(position,)] = self._connection.execute(LOAD, (projection.name,)).fetchall()
            page = self._issuer.recorder.select_notifications(
                position, PAGE, topics=projection.topics, inclusive_of_start=False
            )
            if not page:
                return 0
            projection.project(self._connection, self._issuer, page)
            self._connection.execute(ADVANCE, (page[-1].id, projection.name))
        return len(page)
