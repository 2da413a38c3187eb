"""A topic that could lose what it confirmed is refused, with what changes that."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined] # its stubs name them not
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from deploy.kafka.brokers import KafkaBrokers
from ledger.log.event_log import LogUnavailableError, PartitionsMismatchError
from ledger.log.kafka.cluster import MESSAGE_BYTES_MAX, KafkaCluster
from ledger.log.kafka.event_log import new_producer
from ledger.log.kafka.line_writer import KafkaLineWriter
from ledger.log.kafka.topics import (
    PROFILES,
    NoTopicError,
    TopicProfile,
    WeakTopicError,
    check_topic,
    count_partitions,
    make_topic,
    topic_faults,
)

DEVELOPMENT = PROFILES["development"]


def altered(kafka: KafkaCluster, name: str, value: str) -> None:
    client = AdminClient(kafka.client())
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, kafka.topic, incremental_configs=[entry])
    for done in client.incremental_alter_configs([resource]).values():
        done.result(60)
    # A broker that is asked at once may not have heard of it yet.
    limit = time.monotonic() + 60
    while client.describe_configs([resource])[resource].result(60)[name].value != value:
        assert time.monotonic() < limit
        time.sleep(0.05)


@pytest.fixture
def made(kafka: KafkaCluster) -> KafkaCluster:
    assert make_topic(kafka, partitions=3, profile=DEVELOPMENT)
    return kafka


def faults(kafka: KafkaCluster, profile: TopicProfile = DEVELOPMENT) -> list[tuple[str, str, str]]:
    found = topic_faults(kafka, partitions=3, profile=profile)
    return [(fault.what, fault.found, fault.wanted) for fault in found]


def test_a_topic_as_we_make_it_is_in_order_and_made_once(made: KafkaCluster) -> None:
    assert faults(made) == []
    assert not make_topic(made, partitions=5, profile=DEVELOPMENT)


def test_a_topic_that_was_made_is_known_to_whoever_asks_next(kafka: KafkaCluster) -> None:
    client = AdminClient(kafka.client())
    client.list_topics(timeout=60)

    # A broker hears of it a moment after the controller made it; the first one may be lucky.
    for number in range(5):
        cluster = replace(kafka, topic=f"{kafka.topic}.{number}")
        make_topic(cluster, partitions=60, profile=DEVELOPMENT)

        assert count_partitions(client, cluster) == 60


@pytest.mark.parametrize(
    ("name", "weak", "wanted"),
    [
        ("cleanup.policy", "compact", "delete"),
        ("cleanup.policy", "compact,delete", "delete"),
        ("retention.ms", "604800000", "-1"),
        ("retention.bytes", "1073741824", "-1"),
        ("unclean.leader.election.enable", "true", "false"),
        ("message.timestamp.type", "CreateTime", "LogAppendTime"),
        ("max.message.bytes", str(MESSAGE_BYTES_MAX - 1), str(MESSAGE_BYTES_MAX)),
    ],
)
def test_whatever_would_lose_something_is_named(
    made: KafkaCluster, name: str, weak: str, wanted: str
) -> None:
    altered(made, name, weak)

    assert faults(made) == [(name, weak, wanted)]
    with pytest.raises(WeakTopicError, match=f"kafka-configs.sh .*--add-config {name}={wanted}"):
        check_topic(made, partitions=3, profile=DEVELOPMENT)

    altered(made, name, wanted)
    assert faults(made) == []


@pytest.mark.parametrize("hours", [-48, 0, 48])
def test_a_writer_whose_clock_is_days_from_the_brokers_is_not_refused(
    made: KafkaCluster, hours: int
) -> None:
    by_its_clock = int((time.time() + hours * 3600) * 1000)
    told: list[object] = []
    producer = new_producer(made)
    producer.produce(
        made.topic,
        b"[]",
        partition=0,
        timestamp=by_its_clock,
        on_delivery=lambda error, _: told.append(error),
    )

    assert producer.flush(30) == 0
    assert told == [None]


def test_one_broker_is_too_few_for_production(made: KafkaCluster) -> None:
    found = faults(made, PROFILES["production"])

    assert found == [("replication", "1", "3+"), ("min.insync.replicas", "1", "2")]


async def test_a_writer_opens_no_weak_topic(made: KafkaCluster) -> None:
    with pytest.raises(WeakTopicError, match="replication is 1"):
        await KafkaLineWriter.open(made, partitions=3, profile=PROFILES["production"])


@pytest.mark.parametrize("partitions", [2, 4])
def test_another_number_of_partitions_is_refused(made: KafkaCluster, partitions: int) -> None:
    with pytest.raises(PartitionsMismatchError, match=f"has 3 partitions, not {partitions}"):
        check_topic(made, partitions=partitions, profile=DEVELOPMENT)


def test_no_topic_says_what_makes_it(kafka: KafkaCluster) -> None:
    with pytest.raises(NoTopicError, match="kafka init"):
        topic_faults(kafka, partitions=3, profile=DEVELOPMENT)


def test_brokers_that_do_not_answer_are_no_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.log.kafka.access.REQUEST_SECONDS", 0.5)
    nobody = KafkaCluster(bootstrap="127.0.0.1:1")

    with pytest.raises(LogUnavailableError, match=r"Kafka: .*Connection refused"):
        topic_faults(nobody, partitions=3, profile=DEVELOPMENT)


@pytest.mark.usefixtures("own_brokers")
def test_once_a_topic_is_made_a_broker_that_was_slow_knows_of_it_too(tmp_path: Path) -> None:
    with KafkaBrokers(tmp_path, count=3) as brokers:
        kafka = KafkaCluster(bootstrap=brokers.bootstrap, topic="known")
        slow = next(each for each in brokers.numbers if each != brokers.controller)
        addresses = dict(zip(brokers.numbers, brokers.bootstrap.split(","), strict=True))
        alone = replace(kafka, bootstrap=addresses[slow])
        client = AdminClient(alone.client())
        client.list_topics(timeout=60)
        brokers.pause(slow)
        resumed = threading.Timer(1.5, brokers.resume, [slow])
        resumed.start()

        make_topic(kafka, partitions=1, profile=PROFILES["development"])

        resumed.join(0)
        assert not resumed.is_alive()
        assert count_partitions(client, alone) == 1
