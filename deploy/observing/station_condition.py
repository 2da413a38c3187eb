"""What the server for stations finds out about itself when somebody asks."""

from __future__ import annotations

from collections import Counter

from deploy.observing import metrics
from deploy.observing.books import BooksReader, answers, away, readable
from deploy.observing.measured_log import MeasuredLineWriter
from deploy.observing.metrics import report
from deploy.observing.sample import Sample
from deploy.observing.watch import Condition, Unready
from ingest.edge.admissions import Reason
from ingest.edge.server import DIALECTS, Server
from ingest.prices.telling import HowTold
from ledger.log.event_log import EventLog


class StationsCondition:
    """The server for stations: the log takes lines, the database knows who may connect."""

    def __init__(self, dsn: str, log: EventLog, server: Server, writer: MeasuredLineWriter) -> None:
        """Prepare; *log* is for this object alone."""
        books = BooksReader(dsn)
        self._database, self._log = Sample(lambda: books.ask(answers)), Sample(log.ends)
        self._server, self._writer = server, writer

    def __call__(self) -> Condition:
        """Find out."""
        found = self._database.look(), self._log.look()
        unready = away(*found)
        if trouble := self._writer.trouble():
            unready.append(Unready("log_not_writable", trouble))
        counts = self._server.counts
        # A list of a dictionary's values is made in one go, whatever its owner does meanwhile.
        connected = Counter(each.protocol for each in list(self._server.connections.values()))
        none = dict.fromkeys(DIALECTS, 0)
        frames = {
            (direction, protocol): number
            for direction, counted in (("in", counts.taken), ("out", counts.sent))
            for protocol, number in (none | counted).items()
        }
        return Condition(
            unready,
            [
                readable(*found),
                report(metrics.CONNECTIONS, none | connected),
                report(metrics.OPENED, none | counts.opened),
                report(metrics.REFUSED, dict.fromkeys(Reason, 0) | dict(self._server.refused)),
                report(metrics.FRAMES, frames),
                report(metrics.PRICES_TOLD, dict.fromkeys(HowTold, 0) | dict(counts.told)),
                report(metrics.APPEND_SECONDS, self._writer.seconds),
                report(metrics.APPEND_FAILURES, self._writer.failures),
                report(metrics.APPENDS_WAITING, self._writer.waiting),
            ],
        )
