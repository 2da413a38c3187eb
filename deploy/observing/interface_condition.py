"""What the part that serves the HTTP interface finds out about itself when somebody asks."""

from __future__ import annotations

from deploy.observing.books import BooksReader
from deploy.observing.metrics import BOOKS_READABLE, report
from deploy.observing.sample import Sample
from deploy.observing.watch import Condition, Unready


class InterfaceCondition:
    """Who answers requests: nothing but the database is wanted for it."""

    def __init__(self, dsn: str) -> None:
        books = BooksReader(dsn)
        self._books = Sample(lambda: books.ask(lambda each: each.execute("SELECT").fetchone()))

    def __call__(self) -> Condition:
        """Find out."""
        _, trouble = self._books.look()
        unready = [Unready("database_away", trouble)] if trouble else []
        return Condition(unready, [report(BOOKS_READABLE, int(not trouble))])
