"""Lines into the event log in Kafka: one durable message at a time in each partition.

What waits while a message is on its way goes with the next one (`ledger.log.gathering`), so an
answer waits for two of them at most, and each partition waits for its own leader only.

While the brokers are away they are tried for 30 s; then who waits is told that nobody knows, and
memory is bounded by what may wait. Such a message may have been stored all the same, and a client
that lost its brokers' answer may store it twice. So each carries the writer's incarnation and its
number in the partition, and readers drop what has come before (`ledger.log.repeats`).

What must stay true: tests/ledger/log/log_contract.py; tests/faults: what was answered is there
after a kill of any broker.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from secrets import token_hex
from typing import Final, Self

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from ledger.log.event_log import (
    NewRecord,
    Position,
    Stamp,
    UnfitLineError,
    check_line,
)
from ledger.log.gathering import (
    LINGER_SECONDS,
    RECORD_BYTES_MAX,
    WAITING_BYTES_MAX,
    LineGathering,
)
from ledger.log.kafka.cluster import FAILED_FOR_GOOD, KafkaCluster, unavailable
from ledger.log.kafka.event_log import new_producer
from ledger.log.kafka.messages import message_of
from ledger.log.kafka.topics import TopicProfile, check_topic

LINE_BYTES_MAX: Final = 2 << 20
"""A record that was not full yet and a line of that size are still one message."""
POLL_SECONDS: Final = 0.1
RENEW_SECONDS: Final = 1.0
"""How often at most: brokers that refuse us for good fail each new producer as well."""
_LOGGER: Final = logging.getLogger(__name__)


class KafkaLineWriter:
    """A `LineWriter` into Kafka. Made by `open`; belongs to one event loop."""

    def __init__(self, cluster: KafkaCluster, *, partitions: int, linger_seconds: float) -> None:
        self._cluster, self._partitions = cluster, partitions
        self._name = f"stations-{token_hex(8)}"
        self._sequences = [0] * partitions
        room = max(RECORD_BYTES_MAX, WAITING_BYTES_MAX // partitions)
        self._lines = [
            LineGathering(self._store, linger_seconds=linger_seconds, bytes_max=room)
            for _ in range(partitions)
        ]
        self._loop = asyncio.get_running_loop()
        self._producers = [new_producer(cluster)]
        self._renewed_at = -RENEW_SECONDS
        self._ending = threading.Event()
        self._poller = threading.Thread(target=self._poll, name="kafka", daemon=True)
        self._poller.start()

    @classmethod
    async def open(
        cls,
        cluster: KafkaCluster,
        *,
        partitions: int,
        profile: TopicProfile,
        linger_seconds: float = LINGER_SECONDS,
    ) -> Self:
        """Open the log of *cluster*.

        Raises:
            WeakTopicError: If it has another number of partitions, or is weaker than *profile*.
            NoTopicError: If there is none.
            LogUnavailableError: If the brokers do not answer.
        """
        check = partial(check_topic, cluster, partitions=partitions, profile=profile)
        await asyncio.to_thread(check)
        return cls(cluster, partitions=partitions, linger_seconds=linger_seconds)

    @property
    def partitions(self) -> int:
        """The number of partitions, fixed when the log was made."""
        return self._partitions

    async def append(self, partition: int, line: bytes) -> Position:
        """Store *line*; return its position once it is durable (see `LineWriter.append`)."""
        check_line(line, partition, partitions=self._partitions)
        if len(line) > LINE_BYTES_MAX:
            message = f"a line of {len(line)} bytes is too long: {LINE_BYTES_MAX} are the limit"
            raise UnfitLineError(message)
        return await self._lines[partition].append(partition, line)

    async def close(self) -> None:
        """Store what waits, then let the connections go."""
        await asyncio.gather(*(lines.close() for lines in self._lines))
        self._ending.set()
        await asyncio.to_thread(self._poller.join)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _store(self, records: Sequence[NewRecord]) -> list[Position]:
        """Send *records*, all of one partition, each as one message; return where they are."""
        waiting = [self._send(record) for record in records]
        # Each is heard of before the next are sent, or they could overtake it.
        offsets = await asyncio.gather(*waiting, return_exceptions=True)
        positions = []
        for record, offset in zip(records, offsets, strict=True):
            if isinstance(offset, BaseException):
                raise offset
            positions.append(Position(record.partition, offset, 0))
        return positions

    def _send(self, record: NewRecord) -> asyncio.Future[int]:
        partition, waiter = record.partition, self._loop.create_future()
        self._sequences[partition] += 1
        value, headers = message_of(record.lines, Stamp(self._name, self._sequences[partition]))

        producer = self._producers[-1]

        def told(error: KafkaError | None, message: Message) -> None:
            # In the polling thread; the loop may be gone.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._hear, producer, waiter, error, message)

        try:
            producer.produce(
                self._cluster.topic,
                value,
                partition=partition,
                headers=headers,
                on_delivery=told,
            )
        except BufferError as error:
            waiter.set_exception(unavailable(str(error)))
        except FAILED_FOR_GOOD as error:
            self._renew(producer, str(error))
            waiter.set_exception(unavailable(str(error)))
        return waiter

    def _hear(
        self,
        producer: Producer,
        waiter: asyncio.Future[int],
        error: KafkaError | None,
        message: Message,
    ) -> None:
        """Take what became of a message; a producer that cannot go on gets a successor."""
        if error is not None and error.code() == KafkaError._FATAL:  # noqa: SLF001 - its name
            self._renew(producer, error.str())
        if waiter.done():
            return
        if error is not None:
            waiter.set_exception(unavailable(KafkaException(error)))
        else:
            waiter.set_result(message.offset() or 0)

    def _renew(self, failed: Producer, why: str) -> None:
        """Go on with a new producer: a failed one takes nothing any more, whatever it is told."""
        now = self._loop.time()
        if failed is not self._producers[-1] or now < self._renewed_at + RENEW_SECONDS:
            return
        _LOGGER.error("Kafka: %s; a new producer goes on", why)
        # Those of whose messages nothing is known yet are heard until it is.
        unsettled = [each for each in self._producers if len(each)]
        self._producers, self._renewed_at = [*unsettled, new_producer(self._cluster)], now

    def _poll(self) -> None:
        """Hear what became of messages, until the end."""
        while not self._ending.is_set():
            producers = self._producers
            for producer in producers:
                try:
                    producer.poll(POLL_SECONDS / len(producers))
                except FAILED_FOR_GOOD:
                    self._ending.wait(POLL_SECONDS)
