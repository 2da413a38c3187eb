"""The part that issues invoices: looks what was rated, issues what is due, books it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString

from psycopg import Connection

from ledger.database import connect, ended_when_silent
from ledger.declared.declarations import Declarations
from ledger.declared.store import load_declarations, load_version
from ledger.invoices.checks.refusal import CheckMissingError, DocumentCheck
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.issuing import issue_due
from ledger.invoices.refusals.refused import Refusals
from ledger.log.event_log import EventLog
from ledger.log.reading import numbered_lines

LOGGER = logging.getLogger(__name__)
LOOK_SECONDS: Final = 0.5
STOPPED_SECONDS: Final = 10.0
"""So long it waits where documents cannot be checked: no look would find another answer sooner."""
THRESHOLDS_EVERY: Final = timedelta(minutes=1)
"""Of the log's time: a look at thresholds costs what waits there, and changes no invoice."""
_IS_ANYTHING_RATED: LiteralString = """
SELECT EXISTS (SELECT FROM uninvoiced_session) OR EXISTS (
    SELECT FROM correction_to_document WHERE NOT is_settled_with_partner
)
"""
_DECIDED_UP_TO: LiteralString = "SELECT max(last_at) FROM worker_position"
_REACHED: LiteralString = "SELECT partition, next_position FROM worker_position"


class Invoicer:
    """Issues what is due, by the time of the last records that the worker decided about."""

    def __init__(
        self,
        dsn: str,
        log: EventLog,
        check: DocumentCheck | None = None,
        *,
        silent_seconds: float | None = None,
    ) -> None:
        """Connect to *dsn*; *log* stays the caller's to close, *check* looks at each document.

        *silent_seconds*: so long it may say nothing before the server ends what it holds.
        """
        # The one holds a lock between its transactions, the issuer's wait idle for a document.
        holding = waiting = dsn
        if silent_seconds is not None:
            holding = ended_when_silent(dsn, silent_seconds, also_idle=True)
            waiting = ended_when_silent(dsn, silent_seconds)
        self._connection, self._log = connect(holding), log
        self._issuer = InvoiceIssuer(waiting, check)
        self._declarations = Declarations()
        self._told: dict[str, str] = {}
        self._refusals = Refusals()
        self._thresholds_at: datetime | None = None
        self.issued = 0
        """How many were issued since the start."""
        self.stopped = ""
        """Why nothing is issued at all, in words; empty where something may be."""

    @property
    def failing(self) -> int:
        """Return how many causes are due that could not be issued when they were tried last."""
        return len(self._refusals)

    def close(self) -> None:
        """Let the connections go."""
        self._issuer.close()
        self._connection.close()

    def run(self, stop: threading.Event, *, beat: Callable[[], None] = lambda: None) -> None:
        """Issue what is due until *stop* is set; call *beat* at each look and before each one."""

        def is_over() -> bool:
            beat()
            return stop.is_set()

        # By looking, not by notice: what makes a month due is time, which nobody announces.
        while not stop.wait(STOPPED_SECONDS if self.stopped else LOOK_SECONDS):
            beat()
            self.run_once(is_over)

    def run_once(self, is_over: Callable[[], bool] = lambda: False) -> tuple[str, ...]:
        """Issue what is due now, until *is_over*; return the numbers."""
        try:
            numbers = self._issue_due(is_over)
        except CheckMissingError as missing:
            # One line for all documents, and one that stays: the part is not ready until it ends.
            if self.stopped != str(missing):
                self.stopped = str(missing)
                LOGGER.error("%s", missing)  # noqa: TRY400 - its words say all
            return ()
        if self.stopped:
            LOGGER.warning("documents can be checked again: what is due is issued")
            self.stopped = ""
        self.issued += len(numbers)
        return numbers

    def _issue_due(self, is_over: Callable[[], bool]) -> tuple[str, ...]:
        """Issue what is due now; note what cannot be issued."""
        if self._connection.execute(_IS_ANYTHING_RATED).fetchone() != (True,):
            if self._refusals:
                self._refusals.forget(self._connection)
            return ()
        # What time it is, the log says: nothing below the edges reads a clock.
        up_to = decided_up_to(self._connection)
        if up_to is None:
            return ()
        complete_up_to = waiting_since(self._connection, self._log)
        if load_version(self._connection) != self._declarations.version:
            known = self._declarations
            self._declarations = load_declarations(self._connection, known=known)
        looked_at = self._thresholds_at
        with_thresholds = looked_at is None or up_to - looked_at >= THRESHOLDS_EVERY
        if with_thresholds:
            self._thresholds_at = up_to
        return issue_due(
            self._connection,
            self._issuer,
            self._declarations,
            up_to=up_to,
            complete_up_to=complete_up_to,
            is_over=is_over,
            told=self._tell,
            refusals=self._refusals,
            with_thresholds=with_thresholds,
        )

    def _tell(self, cause: str, why: Exception) -> None:
        """Log what cannot be invoiced, once for each reason: it is tried again and again."""
        if self._told.get(cause) != str(why):
            self._told[cause] = str(why)
            LOGGER.error("no invoice for %s: %s", cause, why)


def decided_up_to(connection: Connection[Any]) -> datetime | None:
    """Return the latest time of receipt of the last record that was taken of each partition.

    None where nothing was taken yet.
    """
    (up_to,) = connection.execute(_DECIDED_UP_TO).fetchone() or (None,)
    return up_to


def waiting_since(connection: Connection[Any], log: EventLog) -> datetime | None:
    """Return the earliest time of receipt of what the worker has not taken yet, None if nothing.

    A month is not invoiced while a record of its time is still to be decided, so the log is asked
    for the record that is next where the worker stands. Should the worker take it meanwhile, a time
    comes out that is too early, never one that is too late.
    """
    reached = dict(connection.execute(_REACHED).fetchall())
    # A line that cannot be read is set aside by the worker; it must not stop invoicing either.
    return min(
        (
            line.received_at
            for partition, end in enumerate(log.ends())
            if (position := reached.get(partition, 0)) < end
            for record in log.read(partition, position, records=1)
            for _, line in numbered_lines(record.payload)
            if line is not None
        ),
        default=None,
    )
