"""`wattledger kafka`: the topics of the event log and of decisions, made and checked."""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.errors import DeployError
from deploy.output import print_json, say

if TYPE_CHECKING:
    from deploy.settings import Settings
    from ledger.log.kafka.topics import TopicFault


def init(*, folder: ReadingFolder = READ_FOLDER) -> int:
    """Make the topics of the event log and of decisions as the settings ask, and check them.

    The log's partitions are the setting `partitions`, which can never be changed afterwards; the
    other topic gets as many. The setting `kafka_profile` says how safe they are: `production` is on
    three brokers, two of which must have a record before a station is answered; `development` is
    for one broker. What is there stays as it is, and nothing is ever deleted. Exits 1 if a topic
    that is there is weaker than that.

    Args:
        folder: Where, and whether to print JSON.
    """
    from deploy.running.log_store import decisions_cluster, kafka_cluster
    from ledger.log.kafka.topics import PROFILES, make_topic

    settings = _in_kafka(folder)
    profile = PROFILES[settings.kafka_profile]
    made = [
        cluster.topic
        for cluster in (kafka_cluster(settings), decisions_cluster(settings))
        if make_topic(cluster, partitions=settings.partitions, profile=profile)
    ]
    return _report(settings, made=made, is_json=folder.json)


def check(*, folder: ReadingFolder = READ_FOLDER) -> int:
    """Check that the topics lose nothing, as the settings ask.

    Replication, `min.insync.replicas`, no unclean election and message sizes; of the event log also
    retention without end, no compaction and the number of partitions: how long published decisions
    are kept is yours to say. Exits 1 if something is weaker, and says what changes it.

    Args:
        folder: Where, and whether to print JSON.
    """
    return _report(_in_kafka(folder), made=(), is_json=folder.json)


def local(
    *,
    data: Path,
    brokers: Annotated[int, Parameter(validator=Number(gte=1, lte=5))] = 3,
) -> int:
    """Run Kafka brokers on this machine until stopped, to try things out; never for production.

    Wants Java 17 and Maven, which fetches Kafka the first time. Prints where the brokers are.

    Args:
        data: Folder for their files; what is in it from an earlier run is served again.
        brokers: How many.
    """
    from deploy.kafka.brokers import KafkaBrokers

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    say("starting (the first time, Maven fetches Kafka)")
    with KafkaBrokers(data.absolute(), count=brokers, session_seconds=3) as running:
        say(
            f"{brokers} brokers run, processes {', '.join(map(str, running.processes()))}",
            f"  export WATTLEDGER_LOG=kafka WATTLEDGER_KAFKA_BOOTSTRAP={running.bootstrap}",
            *([] if brokers > 2 else ["  export WATTLEDGER_KAFKA_PROFILE=development"]),  # noqa: PLR2004 - production wants three
            "Ctrl-C stops.",
        )
        while not stop.wait(1.0):
            running.keep_running()
    say("stopped")
    return 0


def _report(settings: Settings, *, made: Sequence[str], is_json: bool) -> int:
    from deploy.running.log_store import decisions_cluster, kafka_cluster
    from ledger.log.kafka.topics import PROFILES, published_topic_faults, topic_faults

    profile, partitions = PROFILES[settings.kafka_profile], settings.partitions
    faults = topic_faults(kafka_cluster(settings), partitions=partitions, profile=profile)
    published = published_topic_faults(decisions_cluster(settings), profile=profile)
    log, decisions = settings.kafka_topic, settings.kafka_decisions_topic
    if is_json:
        found = {
            "topic": log,
            "profile": profile.name,
            "partitions": partitions,
            "made": log in made,
            "faults": [fault._asdict() for fault in faults],
            "decisions": {
                "topic": decisions,
                "made": decisions in made,
                "faults": [fault._asdict() for fault in published],
            },
        }
        print_json(found)
    else:
        _say(log, f"{partitions} partitions", profile.name, faults, is_made=log in made)
        _say(decisions, "decisions", profile.name, published, is_made=decisions in made)
    return 1 if faults or published else 0


def _say(
    topic: str, what: str, profile: str, faults: Sequence[TopicFault], *, is_made: bool
) -> None:
    if faults:
        head = f"The topic {topic} is weaker than the profile {profile} asks:"
        say(head, *(f"  {fault}" for fault in faults))
    else:
        now = "was made" if is_made else "is there"
        say(f"The topic {topic} {now}: {what}, as the profile {profile} asks")


def _in_kafka(folder: ReadingFolder) -> Settings:
    settings = folder.settings()
    if settings.log != "kafka":
        message = (
            'the settings keep the log in PostgreSQL: set log = "kafka" and kafka_bootstrap '
            "(WATTLEDGER_LOG=kafka WATTLEDGER_KAFKA_BOOTSTRAP=host:9092)"
        )
        raise DeployError(message)
    return settings
