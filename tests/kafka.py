"""The real Kafka that tests use: one broker a run, one fresh topic a test.

`WATTLEDGER_TEST_KAFKA` names a cluster to use instead. Where neither it nor Java and Maven are
there, tests that need Kafka skip and say how to get them; CI refuses the skip.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.kafka.brokers import KafkaBrokers
from deploy.kafka.jars import how_to_get_them
from ledger.log.kafka.cluster import KafkaCluster

NUMBERS = itertools.count(1)
GIVEN = "TESTS_KAFKA"
"""Its copy for this run and its worker processes: commands refuse settings unknown to them."""

if given_here := os.environ.pop("WATTLEDGER_TEST_KAFKA", ""):
    os.environ[GIVEN] = given_here


@pytest.fixture(scope="session")
def own_brokers() -> None:
    """Skip where this machine can run no brokers, and say how to get them."""
    if lacking := how_to_get_them():
        pytest.skip(f"{lacking}; or name a cluster in WATTLEDGER_TEST_KAFKA, for most tests")


@pytest.fixture(scope="session")
def kafka_bootstrap(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where the brokers are."""
    if given := os.environ.get(GIVEN):
        yield given
        return
    request.getfixturevalue("own_brokers")
    home = Path(tempfile.mkdtemp(prefix="wattledger-kafka-"))
    try:
        with KafkaBrokers(home) as brokers:
            yield brokers.bootstrap
    finally:
        shutil.rmtree(home)


@pytest.fixture
def brokers_home(request: pytest.FixtureRequest) -> Iterator[Path]:
    """An empty folder for brokers and processes of a test's own."""
    request.getfixturevalue("own_brokers")
    folder = Path(tempfile.mkdtemp(prefix="wattledger-many-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def kafka(kafka_bootstrap: str) -> KafkaCluster:
    """A cluster with a name for a topic that does not exist yet."""
    return KafkaCluster(
        bootstrap=kafka_bootstrap, topic=f"wattledger.log.{os.getpid()}.{next(NUMBERS)}"
    )
