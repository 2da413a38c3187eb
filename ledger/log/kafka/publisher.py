"""Messages for others into a topic of theirs: in order for each key, and nothing left out.

What is sent is tried until the brokers have it: a message that was given up and followed by the
next one of its key would leave them in the wrong order. Who cannot wait any more `forget`s all of
it, and sends it again from its beginning. So of what was sent in an order the topic has, whatever
was killed or stood still meanwhile, the first of each in that order, and then repeats.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, NamedTuple

from confluent_kafka import KafkaError, Message, Producer

from ledger.log.event_log import LogError
from ledger.log.kafka.cluster import FAILED_FOR_GOOD, KafkaCluster
from ledger.log.kafka.event_log import new_producer

_PATIENT: Final = {
    "message.timeout.ms": 0,  # none: see above
    "enable.gapless.guarantee": True,  # what is refused for good is not overtaken
    "linger.ms": 5,
    "compression.type": "gzip",  # what every client can read
    "partitioner": "murmur2_random",  # that of clients in Java: who joins topics counts on it
}


_RAISED: Final = (BufferError, *FAILED_FOR_GOOD)


class KeyedMessage(NamedTuple):
    """A message; those of one key stay in their order."""

    key: bytes
    value: bytes
    headers: list[tuple[str, str | bytes | None]]


class NotPublishedError(LogError):
    """Kafka refused a message, which may have been stored all the same."""

    def __init__(self, topic: str, words: str) -> None:
        self.topic = topic
        super().__init__(f"events may not have been stored in the topic {topic}: Kafka: {words}")


class KafkaPublisher:
    """Stores messages in the topic of *cluster*; who sends some waits until all are settled."""

    def __init__(self, cluster: KafkaCluster) -> None:
        self._cluster = cluster
        self._producer: Producer | None = None
        self._refusals: list[str] = []
        self.waiting = 0
        """How many messages the brokers have not confirmed."""

    def send(self, messages: Sequence[KeyedMessage]) -> None:
        """Begin to store *messages*, in this order; `settle` says when they are.

        Raises:
            NotPublishedError: If one cannot be sent; then all are forgotten.
        """
        with self._failing() as producer:
            for key, value, headers in messages:
                producer.produce(
                    self._cluster.topic, value, key=key, headers=headers, on_delivery=self._told
                )
                self.waiting += 1

    def settle(self, seconds: float) -> bool:
        """Wait, and say whether every replica in sync has all that was sent.

        Raises:
            NotPublishedError: If one was refused for good; then all are forgotten.
        """
        with self._failing() as producer:
            producer.flush(seconds)
        return self.waiting == 0

    def forget(self) -> None:
        """Send no more of what is not settled."""
        if self._producer is not None:
            with suppress(*_RAISED):  # it may have failed for good already
                self._producer.purge()
                self._producer.flush(0)
        self._producer = None
        self._refusals = []
        self.waiting = 0

    @contextmanager
    def _failing(self) -> Iterator[Producer]:
        """Yield the producer; what went wrong with it is the end of all that it has."""
        producer = self._producer = self._producer or new_producer(self._cluster, _PATIENT)
        failed: BaseException | None = None
        try:
            yield producer
        except _RAISED as error:
            failed = error.__cause__ or error
        if failed is not None or self._refusals:
            words = self._refusals[0] if self._refusals else str(failed)
            self.forget()
            raise NotPublishedError(self._cluster.topic, words) from failed

    def _told(self, error: KafkaError | None, _message: Message) -> None:
        self.waiting -= 1
        if error is not None:
            self._refusals.append(error.str())
