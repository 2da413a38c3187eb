"""A topic of its own for a measure, and what stands beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from deploy.kafka.brokers import KafkaBrokers
from deploy.postgres.embedded import EmbeddedPostgres
from ledger.log.event_log import NewRecord
from ledger.log.kafka.cluster import KafkaCluster
from ledger.log.kafka.event_log import KafkaEventLog
from ledger.log.kafka.topics import PROFILES, make_topic
from ledger.log.postgres import PostgresEventLog

_COPIED_AT_ONCE: Final = 50
IN_POSTGRES: Final = "the log in PostgreSQL"


def made(brokers: KafkaBrokers, topic: str, partitions: int) -> KafkaCluster:
    """Make *topic*."""
    kafka = KafkaCluster(bootstrap=brokers.bootstrap, topic=topic)
    make_topic(kafka, partitions=partitions, profile=PROFILES["development"])
    return kafka


def copy(postgres: EmbeddedPostgres, kafka: KafkaCluster) -> None:
    """Copy the embedded log record by record; they have as many partitions."""
    with PostgresEventLog(postgres.dsn) as old, KafkaEventLog(kafka) as new:
        for partition in range(old.partitions):
            for some in _pages(old, partition):
                new.append(some)


def _pages(log: PostgresEventLog, partition: int) -> Iterator[list[NewRecord]]:
    at = 0
    while some := log.read(partition, at, records=_COPIED_AT_ONCE):
        yield [NewRecord(partition, each.payload.split(b"\n"), each.stamp) for each in some]
        at = some[-1].position + 1
