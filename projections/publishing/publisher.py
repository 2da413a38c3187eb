"""Whoever publishes: one process at a time, each event at least once, in order for each key.

    pages of events -> the topic has all of a page -> its position goes on, in the transaction that
                                                      holds the lease

A kill before the position went on makes a repeat with the same ids, never a gap. A holder that
stood still and was taken over repeats what it had begun, and moves no position. While Kafka is away
one page waits in memory, and the lease is held on: no other process could do better.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, Final, Protocol

from psycopg import Connection

from ledger.database import connect
from ledger.leases import Lease, LeaseLostError, hold_lease, leave, take_lease
from ledger.log.event_log import LogError
from ledger.log.kafka.publisher import KeyedMessage
from projections.publishing.event_kinds import kind_of_event
from projections.publishing.event_types import DecisionEvent
from projections.publishing.making import encode_event
from projections.publishing.sources import EventPage, EventSource, advance

LEASE: Final = "events"
LEASE_SECONDS: Final = 6.0
"""After how long another process publishes in place of one that is gone without a word."""
HOLD_SECONDS: Final = 2.0
LOOK_SECONDS: Final = 1.0
SETTLE_SECONDS: Final = 0.2
"""How long the brokers are waited for before it is looked whether to stop."""
RETRY_SECONDS: Final = 5.0
_LOGGER = logging.getLogger(__name__)


class EventTopic(Protocol):
    """Where the events go: `ledger.log.kafka.publisher.KafkaPublisher`."""

    def send(self, messages: Sequence[KeyedMessage]) -> None:
        """Begin to store *messages*, in this order."""

    def settle(self, seconds: float) -> bool:
        """Wait, and say whether all that was sent is stored."""

    def forget(self) -> None:
        """Send no more of what is not settled."""


class EventPublisher:
    """Publishes for one process, while it holds the lease. After a database error, make a new one.

    Sources and topic stay the caller's to close.
    """

    def __init__(
        self, dsn: str, topic: EventTopic, sources: Sequence[EventSource], *, holder: str
    ) -> None:
        """Begin without the lease.

        Args:
            dsn: The database.
            topic: Where the events go.
            sources: Where they come from.
            holder: What this process is called; no two that run at once have the same name.
        """
        self._connection: Connection[Any] = connect(dsn)
        self._topic, self._sources, self._holder = topic, tuple(sources), holder
        self._lease: Lease | None = None
        self._held_at = 0.0
        self._beat: Callable[[], None] = lambda: None
        self.published = 0
        """How many events the brokers have of this process."""
        self.stuck_since: float | None = None
        """Since when (by the monotonic clock) the brokers do not take a page; None if they do."""

    @property
    def leads(self) -> bool:
        """Whether this process is the one that publishes, as far as it knows."""
        return self._lease is not None

    def run(self, stop: threading.Event, *, beat: Callable[[], None] = lambda: None) -> None:
        """Publish until *stop* is set; *beat* is called at least every few seconds.

        Raises:
            psycopg.Error: If the database is away.
        """
        self._beat = beat
        while not stop.is_set():
            beat()
            try:
                if not self.publish_once(stop):
                    stop.wait(LOOK_SECONDS)
            except LeaseLostError as error:
                _LOGGER.warning("another process publishes: %s", error)
                self._lease, self.stuck_since = None, None
                self._topic.forget()
            except LogError as error:
                self.stuck_since = self.stuck_since or monotonic()
                _LOGGER.warning("%s; trying again in %.0f s", error, RETRY_SECONDS)
                stop.wait(RETRY_SECONDS)

    def publish_once(self, stop: threading.Event) -> int:
        """Publish a page of each source's partitions; return how many numbers were passed.

        That is 0 for a process that has not got the lease.

        Raises:
            LeaseLostError: If another process took the lease meanwhile.
            LogError: If Kafka refuses an event.
        """
        if not self._leads():
            return 0
        passed = 0
        for source in self._sources:
            for page in source.pages(self._connection):
                if not self._publish(page, stop):
                    return passed
                passed += page.end - page.start
        return passed

    def close(self) -> None:
        """Let another process publish at once."""
        self._topic.forget()
        leave(self._connection, self._lease)

    def _publish(self, page: EventPage, stop: threading.Event) -> bool:
        """Publish *page*; say whether it is done: not if *stop* was set while Kafka was away."""
        self._topic.send([_message(event) for event in page.events])
        while not self._topic.settle(SETTLE_SECONDS):
            self.stuck_since = self.stuck_since or monotonic()
            self._beat()
            if stop.is_set():
                return False
            self._leads()
        self.stuck_since = None
        self.published += len(page.events)
        with self._connection.transaction():
            self._hold()
            if not advance(self._connection, page):
                # Somebody set it by hand, so as to publish again or to leave something out.
                _LOGGER.warning("the position of %s was moved", page.follower)
        return True

    def _leads(self) -> bool:
        """Hold the lease on, or try to take it; say whether this process is the one."""
        if self._lease is None:
            self._lease = take_lease(
                self._connection, LEASE, holder=self._holder, seconds=LEASE_SECONDS
            )
            self._held_at = monotonic()
        elif monotonic() - self._held_at > HOLD_SECONDS:
            with self._connection.transaction():
                self._hold()
        return self._lease is not None

    def _hold(self) -> None:
        assert self._lease is not None
        hold_lease(self._connection, self._lease, seconds=LEASE_SECONDS)
        self._held_at = monotonic()


def _message(event: DecisionEvent) -> KeyedMessage:
    headers: list[tuple[str, str | bytes | None]] = [
        ("id", event.id.encode()),
        ("kind", kind_of_event(event).encode()),
    ]
    return KeyedMessage(event.key.encode(), encode_event(event), headers)
