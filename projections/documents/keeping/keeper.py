"""Whoever renders: each document once, after it was booked, and what was rendered is kept.

    booked -> a task (with the feed's position) -> claimed: the attempt counts -> rendered, sealed,
    kept, its delivery put down, the task gone: one transaction

A kill before its end leaves the task, and the document is rendered again; only bytes that were kept
are ever delivered. Two renderers take different tasks, and the row of the first who keeps counts.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Final, Protocol

import psycopg
from psycopg import Connection

from ledger.database import connect, is_of_content
from ledger.declared.store import NewestDeclarations
from ledger.persons.sealing import Subject
from ledger.persons.store import keys_of
from projections.documents.delivery.outbox import put_down
from projections.documents.keeping.issued import IssuedDocument, read_issued
from projections.documents.keeping.kept import RenderedDocument, keep
from projections.documents.keeping.tasks import (
    claim_task,
    end_task,
    follow_feed,
    hold_task,
    note_erased,
    note_failure,
)

LOOK_SECONDS: Final = 0.5
_LOGGER = logging.getLogger(__name__)


class Renderer(Protocol):
    """Makes a document's bytes: `projections.documents.keeping.rendering`."""

    def __call__(self, connection: Connection[Any], issued: IssuedDocument, /) -> RenderedDocument:
        """Return *issued* as its reader gets it."""


class DocumentKeeper:
    """Renders and keeps for one process. After a database error, make a new one."""

    def __init__(self, dsn: str, render: Renderer) -> None:
        """Connect to *dsn*."""
        self._connection: Connection[Any] = connect(dsn)
        self._declarations = NewestDeclarations()
        self._render = render
        self.rendered = self.failed = 0
        """How many attempts of this process came to something, and how many did not."""

    def close(self) -> None:
        """Let the connections go."""
        self._connection.close()

    def run(self, stop: threading.Event, *, beat: Callable[[], None] = lambda: None) -> None:
        """Render what is booked until *stop* is set; call *beat* before each document."""

        def is_over() -> bool:
            beat()
            return stop.is_set()

        while not is_over():
            if not self.run_once(is_over):
                stop.wait(LOOK_SECONDS)

    def run_once(self, is_over: Callable[[], bool] = lambda: False) -> int:
        """Render all that is due by now, until *is_over*; return how many were tried."""
        while follow_feed(self._connection) and not is_over():
            pass
        tried = 0
        while not is_over() and (number := claim_task(self._connection)) is not None:
            self._attempt(number)
            tried += 1
        return tried

    def render_now(self, number: str) -> None:
        """Render document *number* if it is booked and nobody has.

        Raises:
            UnknownInvoiceError: If there is none of that number.
            Exception: Whatever makes it fail.
        """
        while follow_feed(self._connection):
            pass
        issued = read_issued(self._connection, number)
        with self._connection.transaction():
            if hold_task(self._connection, number):
                self._keep(issued)

    def _attempt(self, number: str) -> None:
        """Render document *number*; what its content makes fail is noted, and tried again later.

        Raises:
            psycopg.Error: If the database is away.
        """
        issued: IssuedDocument | None = None
        try:
            with self._connection.transaction():
                if not hold_task(self._connection, number):
                    return
                issued = read_issued(self._connection, number)
                self._keep(issued)
        except Exception as error:
            if isinstance(error, psycopg.Error) and not is_of_content(error):
                raise
            self.failed += 1
            why = f"{type(error).__name__}: {error}"
            _LOGGER.error("%s was not rendered: %s", number, type(error).__name__)  # noqa: TRY400 - a trace may quote its reader
            subject = None if issued is None else self._subject_of(issued)
            if subject is not None:
                note_failure(self._connection, subject, number, why)

    def _keep(self, issued: IssuedDocument) -> None:
        """Render *issued*, keep it and put its delivery down, within the caller's transaction."""
        number, subject = issued.document.number, self._subject_of(issued)
        if subject is None:
            note_erased(self._connection, number)
            return
        rendered = self._render(self._connection, issued)
        if keep(self._connection, subject, issued, rendered):
            put_down(self._connection, self._declarations.of(self._connection), issued)
            self.rendered += 1
        end_task(self._connection, number)

    def _subject_of(self, issued: IssuedDocument) -> Subject | None:
        key = keys_of(self._connection, [issued.subject]).get(issued.subject)
        return None if key is None else Subject(issued.subject, key)
