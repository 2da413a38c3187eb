"""Many processes over Kafka: any of them may die at any time, and nothing is lost or done twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.books_check import lost
from tests.faults.over_kafka.kafka_kills import FLEET, KINDS, kill_over_kafka, order_of, settle
from tests.faults.over_kafka.many_processes import ManyProcesses

# A station's connection that a kill cut off while it was made is closed by nobody.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.mark.timeout(400)
async def test_kills_of_our_processes_and_the_database_lose_nothing(brokers_home: Path) -> None:
    order = order_of(("stations", "worker", "postgres", "invoicing"), 4, seed=1)
    with ManyProcesses(brokers_home, stations=FLEET, brokers=1) as system:
        fleet, outcome = await kill_over_kafka(system, order, seed=1)

        outcome = settle(system, fleet, outcome)

        assert outcome.acknowledged > 100
        assert (outcome.rated_twice, outcome.billed_twice) == (0, 0)
        assert outcome.energy_difference_wh == 0
        assert "0 differ" in system.command("replay", "--check")


@pytest.mark.slow
@pytest.mark.timeout(3000)
async def test_kills_of_anything_under_load_lose_nothing(brokers_home: Path) -> None:
    order = order_of(KINDS, 2 * len(KINDS), seed=2)
    with ManyProcesses(brokers_home, stations=FLEET) as system:
        fleet, outcome = await kill_over_kafka(system, order, seed=2)

        outcome = settle(system, fleet, outcome)

        assert outcome.energy_difference_wh == 0
        assert "0 differ" in system.command("replay", "--check")


@pytest.mark.slow
@pytest.mark.timeout(1000)
async def test_what_is_answered_before_it_is_durable_is_lost(brokers_home: Path) -> None:
    with ManyProcesses(brokers_home, stations=FLEET, brokers=1, answers_early=True) as system:
        fleet, _ = await kill_over_kafka(system, ["stations"] * 4, seed=3)

        acknowledged = [each for station in fleet for each in station.acknowledged]
        with system.connection() as connection, system.log() as log:
            assert lost(acknowledged, connection, log) != []
