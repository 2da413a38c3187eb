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
from deploy.running.log_store import decisions_cluster, kafka_cluster
from deploy.settings import PREFIX, Settings
from ledger.log.kafka.topics import PROFILES, make_topic

BOOTSTRAP = f"{PREFIX}KAFKA_BOOTSTRAP"


@contextmanager
def log_in_kafka(settings: Settings) -> Iterator[Settings]:
    """Yield *settings* with new topics for log and decisions, there until the end.

    Raises:
        DeployError: If no cluster is named and this machine cannot run a broker.
    """
    with ExitStack() as exits:
        if not (bootstrap := os.environ.get(BOOTSTRAP, "")):
            say("Starting Kafka (the first time, Maven fetches it)")
            brokers = exits.enter_context(KafkaBrokers(settings.data / "kafka"))
            bootstrap = brokers.bootstrap
        name = token_hex(4)
        settings = replace(
            settings,
            log="kafka",
            kafka_bootstrap=bootstrap,
            kafka_topic=f"wattledger.demo.{name}",
            kafka_decisions_topic=f"wattledger.demo.{name}.decisions",
            kafka_profile="development",
        )
        profile = PROFILES[settings.kafka_profile]
        for cluster in (kafka_cluster(settings), decisions_cluster(settings)):
            if not make_topic(cluster, partitions=settings.partitions, profile=profile):
                message = f"the topic {cluster.topic} is there already"
                raise DeployError(message)
        yield settings
