"""Kafka for the demo: the cluster that a setting names, or a broker of the demo's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from secrets import token_hex

from deploy.errors import DeployError
from deploy.kafka.brokers import KafkaBrokers
from deploy.output import say
from deploy.running.log_store import kafka_cluster
from deploy.settings import PREFIX, Settings
from ledger.log.kafka.topics import PROFILES, make_topic

BOOTSTRAP = f"{PREFIX}KAFKA_BOOTSTRAP"


@contextmanager
def log_in_kafka(settings: Settings) -> Iterator[Settings]:
    """Yield *settings* with a new topic as the log, there until the end.

    Raises:
        DeployError: If no cluster is named and this machine cannot run a broker.
    """
    with ExitStack() as exits:
        if not (bootstrap := os.environ.get(BOOTSTRAP, "")):
            say("Starting Kafka (the first time, Maven fetches it)")
            brokers = exits.enter_context(KafkaBrokers(settings.data / "kafka"))
            bootstrap = brokers.bootstrap
        settings = replace(
            settings,
            log="kafka",
            kafka_bootstrap=bootstrap,
            kafka_topic=f"wattledger.demo.{token_hex(4)}",
            kafka_profile="development",
        )
        profile = PROFILES[settings.kafka_profile]
        cluster = kafka_cluster(settings)
        if not make_topic(cluster, partitions=settings.partitions, profile=profile):
            message = f"the topic {settings.kafka_topic} is there already"
            raise DeployError(message)
        yield settings
