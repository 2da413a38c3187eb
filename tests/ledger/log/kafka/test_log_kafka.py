"""The event log in Kafka: the contract on a real broker, and what only this store can show."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator

import pytest

from ledger.log.event_log import EventLog, LineWriter, LogUnavailableError, Stamp
from ledger.log.kafka import line_writer
from ledger.log.kafka.cluster import KafkaCluster
from ledger.log.kafka.event_log import KafkaEventLog, new_producer
from ledger.log.kafka.line_writer import KafkaLineWriter
from ledger.log.kafka.topics import PROFILES, make_topic
from tests.ledger.log.kafka.test_topics import altered
from tests.ledger.log.log_contract import PARTITIONS, LogContract, OpenLog, OpenWriter, lines_of

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

    async def test_each_record_of_a_writer_says_whose_it_is_and_its_number_in_the_partition(
        self, open_writer: OpenWriter, log: EventLog
    ) -> None:
        first, second = await open_writer(), await open_writer()
        for partition, writer in ((0, first), (0, first), (1, first), (0, second), (0, first)):
            await writer.append(partition, b"{}")

        stamps = [record.stamp for record in log.read(0, 0, records=9)]
        one, other = dict.fromkeys(stamp.producer for stamp in stamps if stamp)
        assert stamps == [Stamp(one, 1), Stamp(one, 2), Stamp(other, 1), Stamp(one, 3)]
        assert [record.stamp for record in log.read(1, 0, records=9)] == [Stamp(one, 1)]

    @pytest.mark.parametrize("refused", [1, 3])
    async def test_a_producer_that_failed_for_good_gets_a_successor(
        self,
        open_writer: OpenWriter,
        made: KafkaCluster,
        log: EventLog,
        monkeypatch: pytest.MonkeyPatch,
        refused: int,
    ) -> None:
        # A client for which a message that is refused is the end: as good as any other such end.
        gapless = {"enable.gapless.guarantee": True}
        monkeypatch.setattr(
            line_writer, "new_producer", lambda cluster: new_producer(cluster, gapless)
        )
        monkeypatch.setattr(line_writer, "RENEW_SECONDS", 0.2)
        writer = await open_writer()
        await writer.append(0, b"before")
        altered(made, "max.message.bytes", "2000")

        for _ in range(refused):
            with pytest.raises(LogUnavailableError):
                await writer.append(0, random.Random(1).randbytes(5000).hex().encode())
        await asyncio.sleep(0.3)
        # The next one at the latest finds out that its producer takes nothing any more.
        told = await asyncio.gather(writer.append(0, b"finds out"), return_exceptions=True)
        await writer.append(0, b"after")

        stored = [b"before", b"after"] if isinstance(told[0], Exception) else [
            b"before", b"finds out", b"after",
        ]  # fmt: skip
        assert lines_of(log, 0) == stored
