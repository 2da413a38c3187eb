"""What the part that issues invoices finds out about itself when somebody asks."""

from __future__ import annotations

from deploy.observing import metrics
from deploy.observing.books import BooksReader, answers, away, readable
from deploy.observing.metrics import report
from deploy.observing.sample import Sample
from deploy.observing.watch import Condition, Unready
from ledger.invoices.invoicer import Invoicer
from ledger.log.event_log import EventLog


class InvoicingCondition:
    """Who issues invoices: database and log answer; what cannot be issued is told."""

    def __init__(self, dsn: str, log: EventLog, invoicer: Invoicer) -> None:
        """Prepare; *log* is for this object alone."""
        books = BooksReader(dsn)
        self._database, self._log = Sample(lambda: books.ask(answers)), Sample(log.ends)
        self._invoicer = invoicer

    def __call__(self) -> Condition:
        """Find out."""
        found = self._database.look(), self._log.look()
        counted = (
            report(metrics.ISSUED, self._invoicer.issued),
            report(metrics.FAILING, self._invoicer.failing),
        )
        stopped = self._invoicer.stopped
        unchecked = [Unready("documents_unchecked", stopped)] if stopped else []
        return Condition([*away(*found), *unchecked], [readable(*found), *counted])
