"""`wattledger kafka`: the topic of the event log, made and checked."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.errors import DeployError
from deploy.output import print_json, say

if TYPE_CHECKING:
    from deploy.settings import Settings


def init(*, folder: ReadingFolder = READ_FOLDER) -> int:
    """Make the topic of the event log as the settings ask, if there is none, and check it.

    Partitions are the setting `partitions`, which can never be changed afterwards. The setting
    `kafka_profile` says how safe it is: `production` is on three brokers, two of which must have a
    record before a station is answered; `development` is for one broker. Nothing is ever deleted.
    Exits 1 if a topic that is there is weaker than that.

    Args:
        folder: Where, and whether to print JSON.
    """
    from deploy.running.log_store import kafka_cluster
    from ledger.log.kafka.topics import PROFILES, make_topic

    settings = _in_kafka(folder)
    profile = PROFILES[settings.kafka_profile]
    made = make_topic(kafka_cluster(settings), partitions=settings.partitions, profile=profile)
    return _report(settings, is_made=made, is_json=folder.json)


def check(*, folder: ReadingFolder = READ_FOLDER) -> int:
    """Check that the topic of the event log loses nothing, as the settings ask.

    Replication, `min.insync.replicas`, retention without end, no compaction, no unclean election,
    message sizes, and the number of partitions. Exits 1 if something is weaker, and says what
    changes it.

    Args:
        folder: Where, and whether to print JSON.
    """
    return _report(_in_kafka(folder), is_made=False, is_json=folder.json)


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


def _report(settings: Settings, *, is_made: bool, is_json: bool) -> int:
    from deploy.running.log_store import kafka_cluster
    from ledger.log.kafka.topics import PROFILES, topic_faults

    profile = PROFILES[settings.kafka_profile]
    faults = topic_faults(kafka_cluster(settings), partitions=settings.partitions, profile=profile)
    if is_json:
        found = {
            "topic": settings.kafka_topic,
            "profile": profile.name,
            "partitions": settings.partitions,
            "made": is_made,
            "faults": [fault._asdict() for fault in faults],
        }
        print_json(found)
    elif faults:
        say(
            f"The topic {settings.kafka_topic} is weaker than the profile {profile.name} asks:",
            *(f"  {fault}" for fault in faults),
        )
    else:
        say(
            f"The topic {settings.kafka_topic} {'was made' if is_made else 'is there'}: "
            f"{settings.partitions} partitions, as the profile {profile.name} asks"
        )
    return 1 if faults else 0


def _in_kafka(folder: ReadingFolder) -> Settings:
    settings = folder.settings()
    if settings.log != "kafka":
        message = (
            'the settings keep the log in PostgreSQL: set log = "kafka" and kafka_bootstrap '
            "(WATTLEDGER_LOG=kafka WATTLEDGER_KAFKA_BOOTSTRAP=host:9092)"
        )
        raise DeployError(message)
    return settings
