"""The event log in Kafka for those who read it, and who add whole records.

What must stay true: tests/ledger/log/log_contract.py, on a real broker.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import count, groupby
from typing import Any, Final, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from ledger.log.event_log import (
    LogUnavailableError,
    NewRecord,
    Position,
    Record,
    check_line,
)
from ledger.log.kafka.access import reached
from ledger.log.kafka.cluster import (
    FAILED_FOR_GOOD,
    MESSAGE_BYTES_MAX,
    REQUEST_SECONDS,
    KafkaCluster,
    is_passing,
    unavailable,
)
from ledger.log.kafka.messages import message_of, record_of
from ledger.log.kafka.topics import count_partitions
from ledger.log.reading import count_lines

APPEND_SECONDS: Final = 30.0
READ_SECONDS: Final = 30.0
"""How long what is there may take to come: a broker that was killed is replaced after 12 s."""
LOOK_SECONDS: Final = 0.05
"""How often who waits asks where the log ends."""
FETCH_RECORDS: Final = 64
FETCHED_KIB_MAX: Final = 16 << 10
"""What the client may hold that nobody has asked for yet."""
_NOWHERE: Final = (-1, -1)
_LATE: Final = "no answer in time"


class KafkaEventLog:
    """An `EventLog` in Kafka. It connects when it is first asked."""

    def __init__(self, cluster: KafkaCluster) -> None:
        self._cluster = cluster
        self._reader: Consumer | None = None
        self._producer: Producer | None = None
        self._partitions = 0
        # What was fetched and not asked for yet, and what the next fetch brings.
        self._ahead: deque[Record] = deque()
        self._next = _NOWHERE
        self._heard: Sequence[int] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def partitions(self) -> int:
        """The number of partitions, fixed when the log was made."""
        if not self._partitions:
            try:
                self._partitions = count_partitions(reached(self._cluster), self._cluster)
            except KafkaException as error:
                raise unavailable(error) from error
        return self._partitions

    def ends(self) -> list[int]:
        """Return, by partition, the position that its next record will get."""
        partitions = self.partitions
        with self._connected() as reader:
            return [self._end(reader, partition) for partition in range(partitions)]

    def read(
        self, partition: int, start: int, *, records: int, lines: int | None = None
    ) -> list[Record]:
        """Return the records of *partition* from position *start* on (see `EventLog.read`)."""
        with self._connected() as reader:
            end = self._end(reader, partition)
            wanted = min(records, end - start)
            found: list[Record] = []
            for record in self._fetched(reader, partition, start, wanted):
                found.append(record)
                if lines is not None:
                    lines -= count_lines(record.payload)
                    if lines <= 0:
                        break
            if records < FETCH_RECORDS or self._next[1] >= end:
                self._rest(reader)
            return found

    def read_at(self, partition: int, positions: Collection[int]) -> Mapping[int, Record]:
        """Return the records at *positions* that there are, by position."""
        with self._connected() as reader:
            end = self._end(reader, partition)
            there = sorted(position for position in set(positions) if 0 <= position < end)
            found = {}
            # Positions that follow each other come together.
            for _, run in groupby(
                zip(there, count(), strict=False), lambda each: each[0] - each[1]
            ):
                first, *others = (position for position, _ in run)
                for record in self._fetched(reader, partition, first, 1 + len(others)):
                    found[record.position] = record
            self._rest(reader)
            return found

    def append(self, records: Sequence[NewRecord]) -> list[Position]:
        """Store *records*, each as one message (see `EventLog.append`)."""
        for partition, lines, _ in records:
            for line in lines or (b"",):
                check_line(line, partition, partitions=self.partitions)
        messages = [(record.partition, message_of(*record[1:])) for record in records]
        offsets: dict[int, int] = {}
        errors: list[KafkaError] = []

        def told(index: int, error: KafkaError | None, message: Message) -> None:
            if error is not None:
                errors.append(error)
            else:
                offsets[index] = message.offset() or 0

        with self._connected():
            producer = self._producer = self._producer or new_producer(self._cluster)
            for index, (partition, (value, headers)) in enumerate(messages):
                producer.produce(
                    self._cluster.topic,
                    value,
                    partition=partition,
                    headers=headers,
                    on_delivery=partial(told, index),
                )
                producer.poll(0)
            producer.flush(APPEND_SECONDS + 1)
            if errors or len(offsets) < len(messages):
                why = KafkaException(errors[0]) if errors else _LATE
                raise unavailable(why)
        return [Position(messages[index][0], offsets[index], 0) for index in range(len(messages))]

    def wait(self, seconds: float) -> None:
        """Return when there may be more to read (see `EventLog.wait`)."""
        until = time.monotonic() + seconds
        heard, self._heard = self._heard, self.ends()
        while heard is not None and self._heard == heard and time.monotonic() < until:
            time.sleep(min(LOOK_SECONDS, max(0.0, until - time.monotonic())))
            self._heard = self.ends()

    def close(self) -> None:
        """Let the connections go; the next call would make others."""
        reader, self._reader, self._producer = self._reader, None, None
        self._ahead.clear()
        self._next = _NOWHERE
        if reader is not None:
            reader.close()

    def _fetched(
        self, reader: Consumer, partition: int, start: int, wanted: int
    ) -> Iterator[Record]:
        """Yield *wanted* records from *start* on, which are there."""
        while self._ahead and self._ahead[0][:2] != (partition, start):
            self._ahead.popleft()
        until = time.monotonic() + READ_SECONDS
        for position in range(start, start + wanted):
            if not self._ahead:
                if self._next != (partition, position):
                    reader.assign([TopicPartition(self._cluster.topic, partition, position)])
                self._next = (partition, position)
                left = min(FETCH_RECORDS, start + wanted - position)
                while not self._ahead:
                    self._fetch(reader, partition, left)
                    if time.monotonic() > until:
                        raise unavailable(_LATE)
            yield self._ahead.popleft()

    def _rest(self, reader: Consumer) -> None:
        """Fetch no further: a client that is at the end asks for more all the time."""
        if self._next != _NOWHERE:
            reader.unassign()
        self._next = _NOWHERE

    def _fetch(self, reader: Consumer, partition: int, wanted: int) -> None:
        """Fetch some of *wanted* records, if they come within a second."""
        for message in reader.consume(wanted, 1.0):
            if (error := message.error()) is not None:
                if is_passing(error):
                    continue
                raise unavailable(KafkaException(error))
            record = record_of(message)
            if (record.partition, record.position) != self._next:
                where = f"{partition}/{self._next[1]}"
                gap = f"the topic has a gap: {record.position} came at {where}"
                raise unavailable(gap)
            self._next = (partition, record.position + 1)
            self._ahead.append(record)

    def _end(self, reader: Consumer, partition: int) -> int:
        where = TopicPartition(self._cluster.topic, partition)
        until = time.monotonic() + READ_SECONDS
        while True:
            try:
                return int(reader.get_watermark_offsets(where, timeout=REQUEST_SECONDS)[1])
            except KafkaException as error:
                # A partition has no leader while the brokers choose another one.
                if not is_passing(error.args[0]) or time.monotonic() > until:
                    raise
            time.sleep(LOOK_SECONDS)

    @contextmanager
    def _connected(self) -> Iterator[Consumer]:
        """Yield the consumer; after an error the next call begins with a new one."""
        try:
            if self._reader is None:
                # Whom they do not let in is told so here; the reader would only say: all away.
                _ = self.partitions
                self._reader = Consumer(_reading(self._cluster))
            yield self._reader
        except (BufferError, *FAILED_FOR_GOOD) as error:
            self.close()
            raise unavailable(error) from error
        except LogUnavailableError:
            self.close()
            raise


def new_producer(cluster: KafkaCluster, more: Mapping[str, object] | None = None) -> Producer:
    """Return a producer whose word is good: idempotent, every replica in sync has the message.

    *more* are settings in place of the log's own.
    """
    settings = {
        "linger.ms": 0,
        "message.timeout.ms": int(APPEND_SECONDS * 1000),
        "message.max.bytes": MESSAGE_BYTES_MAX,
        "queue.buffering.max.kbytes": 512 << 10,
        "compression.type": "none",  # the payload is compressed
    }
    safe = {"enable.idempotence": True, "acks": "all"}
    return Producer(cluster.client(settings | dict(more or {}) | safe))


def _reading(cluster: KafkaCluster) -> dict[str, Any]:
    return cluster.client(
        {
            # It is never joined, for partitions are assigned by ourselves; but it is looked up.
            "group.id": f"{cluster.topic}.readers",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "isolation.level": "read_uncommitted",
            "queued.max.messages.kbytes": FETCHED_KIB_MAX,
            "fetch.message.max.bytes": MESSAGE_BYTES_MAX,
            "fetch.wait.max.ms": 10,
        }
    )
