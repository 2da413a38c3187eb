"""Which store holds the event log: the one place that knows it.

A store's libraries are loaded when it is chosen.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from deploy.settings import Settings
from ledger.log.event_log import EventLog, LineWriter

if TYPE_CHECKING:
    from ledger.log.kafka.cluster import KafkaCluster
    from ledger.log.moving import LogStore


def make_event_log(connection: Connection[Any], settings: Settings) -> None:
    """Make the event log if there is none; one in Kafka is made by `wattledger kafka init`.

    Args:
        connection: To the migrated database.
        settings: Where, and how many partitions a new log gets.
    """
    if settings.log == "postgres":
        from ledger.log.postgres import make_log  # noqa: PLC0415

        make_log(connection, settings.partitions)


def chosen_store(settings: Settings) -> LogStore:
    """Return which store the settings name."""
    from ledger.log.moving import POSTGRES, LogStore  # noqa: PLC0415

    return LogStore("kafka", settings.kafka_topic) if settings.log == "kafka" else POSTGRES


def open_event_log(dsn: str, settings: Settings, *, is_copied_to: bool = False) -> EventLog:
    """Return the log, for those who read it and who add whole records; it has to be closed.

    Who copies another one to it says *is_copied_to*.
    """
    if settings.log == "kafka":
        from ledger.log.kafka.event_log import KafkaEventLog  # noqa: PLC0415

        return KafkaEventLog(kafka_cluster(settings))
    from ledger.log.postgres import PostgresEventLog  # noqa: PLC0415

    return PostgresEventLog(dsn, is_copied_to=is_copied_to)


async def open_line_writer(dsn: str, settings: Settings) -> LineWriter:
    """Return the log's other end, for the lines of stations; it has to be closed.

    Raises:
        LogError: If the log has another number of partitions, or could lose what it confirms.
    """
    linger = settings.linger_ms / 1000
    if settings.log == "kafka":
        from ledger.log.kafka.line_writer import KafkaLineWriter  # noqa: PLC0415
        from ledger.log.kafka.topics import PROFILES  # noqa: PLC0415

        return await KafkaLineWriter.open(
            kafka_cluster(settings),
            partitions=settings.partitions,
            profile=PROFILES[settings.kafka_profile],
            linger_seconds=linger,
        )
    from ledger.log.postgres_lines import PostgresLineWriter  # noqa: PLC0415

    return await PostgresLineWriter.open(dsn, partitions=settings.partitions, linger_seconds=linger)


def decisions_cluster(settings: Settings) -> KafkaCluster:
    """Return the cluster that the settings name, with the topic of published decisions."""
    return replace(kafka_cluster(settings), topic=settings.kafka_decisions_topic)


def kafka_cluster(settings: Settings) -> KafkaCluster:
    """Return the cluster that the settings name, with the event log's topic."""
    from ledger.log.kafka.cluster import KafkaCluster  # noqa: PLC0415

    return KafkaCluster(
        bootstrap=settings.kafka_bootstrap,
        topic=settings.kafka_topic,
        ca_file=settings.kafka_ca_file,
        certificate_file=settings.kafka_certificate_file,
        key_file=settings.kafka_key_file,
        sasl_mechanism=settings.kafka_sasl_mechanism,
        sasl_user=settings.kafka_sasl_user,
        sasl_password=settings.kafka_sasl_password,
    )
