"""What the part that renders and delivers documents finds out about itself."""

from __future__ import annotations

from typing import Any, NamedTuple

from psycopg import Connection

from deploy.observing import metrics
from deploy.observing.books import BooksReader
from deploy.observing.metrics import BOOKS_READABLE, Reported, report
from deploy.observing.sample import Sample
from deploy.observing.watch import Condition, Unready
from projections.documents.delivery.deliverer import Deliverer
from projections.documents.delivery.outbox import count_deliveries
from projections.documents.keeping.keeper import DocumentKeeper
from projections.documents.keeping.tasks import count_tasks


class DocumentsState(NamedTuple):
    """What waits: to be rendered, after a failure, and deliveries by their state."""

    waiting: int
    failing: int
    deliveries: dict[str, int]


class DocumentsCondition:
    """Who renders and delivers: the database answers; what does not come about is told."""

    def __init__(self, dsn: str, keeper: DocumentKeeper) -> None:
        books = BooksReader(dsn)
        self._state = Sample(lambda: books.ask(_state))
        self._keeper = keeper
        self._deliverers: list[Deliverer] = []
        self._delivered = 0

    def follow(self, deliverer: Deliverer) -> None:
        """Count what *deliverer* delivers too; it takes the place of the one before."""
        self._delivered += sum(each.delivered for each in self._deliverers)
        self._deliverers = [deliverer]

    def __call__(self) -> Condition:
        """Find out."""
        state, trouble = self._state.look()
        unready = [Unready("database_away", trouble)] if trouble else []
        delivered = self._delivered + sum(each.delivered for each in self._deliverers)
        told: list[Reported] = [
            report(BOOKS_READABLE, int(not trouble)),
            report(metrics.RENDERED, self._keeper.rendered),
            report(metrics.DELIVERED, delivered),
        ]
        if state is not None:
            told += [
                report(metrics.DOCUMENTS_WAITING, state.waiting),
                report(metrics.DOCUMENTS_FAILING, state.failing),
                report(metrics.DELIVERIES, state.deliveries),
            ]
        return Condition(unready, told)


def _state(connection: Connection[Any]) -> DocumentsState:
    waiting, failing = count_tasks(connection)
    return DocumentsState(waiting, failing, count_deliveries(connection))
