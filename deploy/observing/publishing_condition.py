"""What the part that publishes decisions finds out about itself when somebody asks."""

from __future__ import annotations

from time import monotonic
from typing import Final

from deploy.observing import metrics
from deploy.observing.books import BooksReader
from deploy.observing.metrics import BOOKS_READABLE, Reported, report
from deploy.observing.sample import Sample
from deploy.observing.watch import Condition, Unready
from projections.publishing.publisher import EventPublisher
from projections.publishing.sources import decisions_waiting

STUCK_SECONDS_MAX: Final = 30.0
"""How long Kafka may take nothing: brokers that are killed are replaced after 4 to 12 s."""


class PublishingCondition:
    """Who publishes: the database answers, and Kafka takes what there is."""

    def __init__(self, dsn: str, publisher: EventPublisher) -> None:
        books = BooksReader(dsn)
        self._waiting = Sample(lambda: books.ask(decisions_waiting))
        self._publisher = publisher

    def __call__(self) -> Condition:
        """Find out."""
        waiting, trouble = self._waiting.look()
        unready = [Unready("database_away", trouble)] if trouble else []
        stuck, now = self._publisher.stuck_since, monotonic()
        if stuck is not None and now - stuck >= STUCK_SECONDS_MAX:
            why = f"Kafka has not taken events for {now - stuck:.0f} s"
            unready.append(Unready("not_publishing", why))
        told: list[Reported] = [
            report(BOOKS_READABLE, int(not trouble)),
            report(metrics.EVENTS_PUBLISHED, self._publisher.published),
            report(metrics.PUBLISHES, int(self._publisher.leads)),
        ]
        if waiting is not None:
            told.append(report(metrics.EVENTS_WAITING, waiting))
        return Condition(unready, told)
