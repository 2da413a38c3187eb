"""Invoicing after the worker's transactions: issue what is due, once, whoever asks again."""

from __future__ import annotations

from datetime import date
from typing import Any

from psycopg import Connection

from ingest.worker_partition import PartitionWorker
from ledger.books import Books
from ledger.invoicing import issue_due


class Invoicer:
    """Asks for due invoices when there are new decisions, and when a new day begins in the log."""

    def __init__(self, connection: Connection[Any], dsn: str) -> None:
        self._connection, self._books = connection, Books(dsn)
        self._asked: dict[int, tuple[int, date]] = {}

    def issue(self, partition: PartitionWorker) -> None:
        """Issue what is due at the time that *partition* has reached."""
        state = (partition.decisions_stored, partition.reached.date())
        if self._asked.get(partition.partition) != state:
            declarations, up_to = partition.declarations, partition.reached
            issue_due(self._connection, self._books, declarations, up_to=up_to)
            self._asked[partition.partition] = state

    def close(self) -> None:
        """Let the connections of the decisions go."""
        self._books.close()
