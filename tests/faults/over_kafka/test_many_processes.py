"""Many processes over Kafka: any of them may die at any time, and nothing is lost or done twice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.faults.over_kafka.harm import OF_ROOM, kinds_with
from tests.faults.over_kafka.kafka_kills import (
    DECLARED,
    Outcome,
    harm_over_kafka,
    order_of,
    settle,
)
from tests.faults.over_kafka.many_processes import PARTITIONS, ManyProcesses
from tests.faults.over_kafka.small_disk import can_mount

# A station's connection that a kill cut off while it was made is closed by nobody.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


async def assert_nothing_is_lost_or_twice(system: ManyProcesses, order: Sequence[str]) -> None:
    outcome = Outcome()
    witnesses = await harm_over_kafka(system, order, outcome, seed=len(order))

    settle(system, witnesses, outcome)

    assert outcome.acknowledged > 100
    assert outcome.set_aside == PARTITIONS * order.count("set_aside")
    assert "0 differ" in system.command("replay", "--check")


@pytest.mark.timeout(600)
async def test_kills_of_our_processes_and_the_database_lose_nothing(brokers_home: Path) -> None:
    order = order_of(("stations", "worker", "postgres", "invoicing"), 4, seed=1)
    with ManyProcesses(brokers_home, stations=DECLARED, brokers=1) as system:
        await assert_nothing_is_lost_or_twice(system, [*order, "clocks", "set_aside"])


@pytest.mark.slow
@pytest.mark.timeout(3000)
async def test_harm_of_any_kind_under_load_loses_nothing(brokers_home: Path) -> None:
    kinds = kinds_with(disks=can_mount())
    order = order_of(kinds, 2 * len(kinds), seed=2)
    with ManyProcesses(brokers_home, stations=DECLARED, has_disks=can_mount()) as system:
        await assert_nothing_is_lost_or_twice(system, order)


@pytest.mark.slow
@pytest.mark.timeout(1000)
@pytest.mark.parametrize("has_disks", [True, False] if can_mount() else [False])
async def test_brokers_and_a_database_without_room_lose_nothing(
    brokers_home: Path, *, has_disks: bool
) -> None:
    with ManyProcesses(brokers_home, stations=DECLARED, has_disks=has_disks) as system:
        kinds = [kind for kind in OF_ROOM if kind in kinds_with(disks=has_disks)]
        await assert_nothing_is_lost_or_twice(system, kinds * 2)
