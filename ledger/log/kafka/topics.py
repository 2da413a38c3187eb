"""Our topics: made as the event log needs it, and refused if they would lose something.

The log is kept for ever, in order and without gaps, on as many brokers as its profile says. Kafka's
defaults delete after a week, and a cluster may well let a broker lead that lacks what was
acknowledged. So the settings are checked whenever the log is opened for writing. The topic in which
decisions are published is made alike; how long it is kept, and in how many partitions, is its
operator's choice.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined] # its stubs name them not
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from ledger.log.event_log import LogError, PartitionsMismatchError
from ledger.log.kafka.access import reached
from ledger.log.kafka.cluster import MESSAGE_BYTES_MAX, REQUEST_SECONDS, KafkaCluster, unavailable


class TopicProfile(NamedTuple):
    """How safe a topic must be: on how many brokers, and how many must have a message at least."""

    name: str
    replication: int
    in_sync: int


PROFILES: Final = {
    "production": TopicProfile("production", 3, 2),
    "development": TopicProfile("development", 1, 1),
}
"""`production` loses nothing with any one broker, `development` is for one broker."""
PUBLISHED_BYTES_MAX: Final = 1 << 19
"""An event is smaller (projections/publishing/event_types.py says why); Kafka's default is 1 MB."""

LOOK_SECONDS: Final = 0.05
_SAFE: Final = {
    "unclean.leader.election.enable": "false",
    # By the sender's clock, brokers refuse what is an hour ahead of theirs: all that it sends.
    "message.timestamp.type": "LogAppendTime",
}
_KEPT: Final = {
    "cleanup.policy": "delete",  # compaction takes records out of the middle
    "retention.ms": "-1",
    "retention.bytes": "-1",
    **_SAFE,
}


class NoTopicError(LogError):
    """The cluster has no such topic."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        super().__init__(f"Kafka has no topic {topic}: `wattledger kafka init` makes it")


class TopicFault(NamedTuple):
    """Something of the topic that is not as the log needs it, and what changes that."""

    what: str
    found: str
    wanted: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what} is {self.found}, not {self.wanted}: {self.remedy}"


class WeakTopicError(LogError):
    """A topic could lose what it confirmed, or is not the log that is asked for."""

    def __init__(self, topic: str, profile: TopicProfile, faults: Sequence[TopicFault]) -> None:
        self.topic, self.faults = topic, tuple(faults)
        listed = "".join(f"\n  {fault}" for fault in faults)
        super().__init__(
            f"the topic {topic} is weaker than the profile {profile.name} asks:{listed}"
        )


def count_partitions(client: AdminClient, cluster: KafkaCluster) -> int:
    """Return how many partitions the topic has.

    Raises:
        NoTopicError: If there is no topic.
        KafkaException: If the brokers do not answer.
    """
    found = client.list_topics(cluster.topic, timeout=REQUEST_SECONDS).topics[cluster.topic]
    if found.error is not None:
        if found.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise NoTopicError(cluster.topic)
        raise KafkaException(found.error)
    return len(found.partitions)


def make_topic(cluster: KafkaCluster, *, partitions: int, profile: TopicProfile) -> bool:
    """Make the topic as the log needs it if there is none; say whether it was made.

    Once this returns, every broker that answers knows of it.

    Raises:
        LogUnavailableError: If the brokers do not make it.
    """
    settings = _KEPT | {
        "min.insync.replicas": str(profile.in_sync),
        "max.message.bytes": str(MESSAGE_BYTES_MAX),
    }
    topic = NewTopic(
        cluster.topic,
        num_partitions=partitions,
        replication_factor=profile.replication,
        config=settings,
    )
    # A client that is not kept in a name is gone before its answer comes.
    client = reached(cluster)
    try:
        made = client.create_topics([topic], operation_timeout=REQUEST_SECONDS)
        made[cluster.topic].result(2 * REQUEST_SECONDS)
        _await_known(cluster, client)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        raise unavailable(error) from error
    except TimeoutError as error:
        late = "no answer in time"
        raise unavailable(late) from error
    return True


def _await_known(cluster: KafkaCluster, client: AdminClient) -> None:
    """Return once each broker tells of the topic: one hears of it a moment after another."""
    until = time.monotonic() + REQUEST_SECONDS
    for broker in client.list_topics(timeout=REQUEST_SECONDS).brokers.values():
        # A client asks the one broker that it knows, and hears of the others from it.
        alone = replace(cluster, bootstrap=f"{broker.host}:{broker.port}")
        while time.monotonic() < until:
            with suppress(NoTopicError, KafkaException):
                count_partitions(AdminClient(alone.client()), alone)
                break
            time.sleep(LOOK_SECONDS)


def topic_faults(
    cluster: KafkaCluster, *, partitions: int, profile: TopicProfile
) -> list[TopicFault]:
    """Return what of the log's topic is weaker than *profile*, or not what the log was told.

    Raises:
        NoTopicError: If there is no topic.
        LogUnavailableError: If the brokers do not answer.
    """
    found = _found(cluster)
    faults = []
    if found.partitions != partitions:
        # The order of each station's frames hangs on it: it can never be changed.
        remedy = f"set `partitions` to {found.partitions}, or name another topic"
        faults.append(TopicFault("partitions", str(found.partitions), str(partitions), remedy))
    least = {
        "min.insync.replicas": profile.in_sync,
        "max.message.bytes": MESSAGE_BYTES_MAX,
    }
    return [*faults, *_weaknesses(cluster, found, profile, exactly=_KEPT, at_least=least)]


def published_topic_faults(cluster: KafkaCluster, *, profile: TopicProfile) -> list[TopicFault]:
    """Return what of the topic in which we publish is weaker than *profile*.

    Raises:
        NoTopicError: If there is no topic.
        LogUnavailableError: If the brokers do not answer.
    """
    least = {"min.insync.replicas": profile.in_sync, "max.message.bytes": PUBLISHED_BYTES_MAX}
    return _weaknesses(cluster, _found(cluster), profile, exactly=_SAFE, at_least=least)


def check_published_topic(cluster: KafkaCluster, *, profile: TopicProfile) -> None:
    """Refuse a topic that could lose what is published in it (see `published_topic_faults`).

    Raises:
        WeakTopicError: If it is weaker than *profile*.
    """
    if faults := published_topic_faults(cluster, profile=profile):
        raise WeakTopicError(cluster.topic, profile, faults)


def check_topic(cluster: KafkaCluster, *, partitions: int, profile: TopicProfile) -> None:
    """Refuse a topic that could lose what it confirmed (see `topic_faults`).

    Raises:
        PartitionsMismatchError: If it has another number of partitions.
        WeakTopicError: If it is weaker than *profile*.
    """
    faults = topic_faults(cluster, partitions=partitions, profile=profile)
    for fault in faults:
        if fault.what == "partitions":
            raise PartitionsMismatchError(int(fault.found), partitions)
    if faults:
        raise WeakTopicError(cluster.topic, profile, faults)


class _Found(NamedTuple):
    """A topic as it is; `replicas` are those of the partition that has the fewest."""

    partitions: int
    replicas: int
    settings: Mapping[str, str]


def _found(cluster: KafkaCluster) -> _Found:
    client = reached(cluster)
    resource = ConfigResource(ResourceType.TOPIC, cluster.topic)
    try:
        partitions = count_partitions(client, cluster)
        topic = client.list_topics(cluster.topic, timeout=REQUEST_SECONDS).topics[cluster.topic]
        asked = client.describe_configs([resource], request_timeout=REQUEST_SECONDS)[resource]
        settings = {name: str(entry.value) for name, entry in asked.result().items()}
    except KafkaException as error:
        raise unavailable(error) from error
    fewest = min(len(each.replicas) for each in topic.partitions.values())
    return _Found(partitions, fewest, settings)


def _weaknesses(
    cluster: KafkaCluster,
    found: _Found,
    profile: TopicProfile,
    *,
    exactly: Mapping[str, str],
    at_least: Mapping[str, int],
) -> list[TopicFault]:
    faults = []
    if found.replicas < profile.replication:
        remedy = "reassign its partitions to more brokers (kafka-reassign-partitions.sh)"
        wanted = f"{profile.replication}+"
        faults.append(TopicFault("replication", str(found.replicas), wanted, remedy))
    settings = found.settings
    faults += [
        _fault(cluster, name, settings.get(name, "unknown"), wanted)
        for name, wanted in exactly.items()
        if settings.get(name) != wanted
    ]
    faults += [
        _fault(cluster, name, settings.get(name, "unknown"), str(least))
        for name, least in at_least.items()
        if int(settings.get(name, "0")) < least
    ]
    return faults


def _fault(cluster: KafkaCluster, name: str, found: str, wanted: str) -> TopicFault:
    remedy = (
        f"kafka-configs.sh --bootstrap-server {cluster.bootstrap} --alter --entity-type topics "
        f"--entity-name {cluster.topic} --add-config {name}={wanted}"
    )
    return TopicFault(name, found, wanted, remedy)
