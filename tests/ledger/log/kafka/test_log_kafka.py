"""The event log in Kafka: the contract on a real broker, and what only this store can show."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from ledger.log.event_log import EventLog, LineWriter
from ledger.log.kafka.cluster import KafkaCluster
from ledger.log.kafka.event_log import KafkaEventLog
from ledger.log.kafka.line_writer import KafkaLineWriter
from ledger.log.kafka.topics import PROFILES, make_topic
from tests.ledger.log.log_contract import PARTITIONS, LogContract, OpenLog, OpenWriter

PROFILE = PROFILES["development"]


class TestKafkaEventLog(LogContract):
    @pytest.fixture
    def made(self, kafka: KafkaCluster) -> KafkaCluster:
        """A cluster with a log in it."""
        assert make_topic(kafka, partitions=PARTITIONS, profile=PROFILE)
        return kafka

    @pytest.fixture
    def open_log(self, made: KafkaCluster) -> Iterator[OpenLog]:
        logs: list[KafkaEventLog] = []

        def another() -> EventLog:
            logs.append(KafkaEventLog(made))
            return logs[-1]

        yield another
        for log in logs:
            log.close()

    @pytest.fixture
    async def open_writer(self, made: KafkaCluster) -> AsyncIterator[OpenWriter]:
        writers: list[KafkaLineWriter] = []

        async def another(*, partitions: int = PARTITIONS) -> LineWriter:
            writers.append(await KafkaLineWriter.open(made, partitions=partitions, profile=PROFILE))
            return writers[-1]

        yield another
        for writer in writers:
            await writer.close()
