"""Kill -9 of any process under load: nothing acknowledged is lost, nothing is counted twice."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ledger.log.postgres import PostgresEventLog
from ledger.worker.position import has_caught_up
from tests.faults.books_check import (
    assert_money_is_counted_once,
    is_invoiced,
    lost,
    sessions_in_the_books,
)
from tests.faults.load_station import Charged, Exchange, LoadStation, progress, stations, under_load
from tests.faults.running_system import RunningSystem, wait_until

COUNT = 12
VICTIMS = ("stations", "worker", "postgres", "postmaster", "stations", "worker", "everything")


@pytest.fixture
def data() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="wattledger-faults-"))
    yield folder
    shutil.rmtree(folder)


async def kill_under_load(system: RunningSystem, kills: int, *, seed: int) -> list[LoadStation]:
    """Kill *kills* times at random moments; return the stations, all at rest."""
    chance = random.Random(seed)
    fleet = stations(COUNT, lambda: system.url)
    async with under_load(fleet):
        await progress(fleet)
        for number in range(kills):
            await asyncio.sleep(chance.uniform(0, 0.5))
            await asyncio.to_thread(system.kill, VICTIMS[number % len(VICTIMS)])
            await progress(fleet)
    return fleet


def assert_nothing_lost_and_nothing_twice(
    system: RunningSystem, fleet: Sequence[LoadStation], *, seconds_max: float = 60.0
) -> None:
    acknowledged: list[Exchange] = [each for station in fleet for each in station.acknowledged]
    charged: list[Charged] = [each for station in fleet for each in station.charged]
    with system.connection() as connection, PostgresEventLog(system.database.dsn) as log:
        wait_until(
            lambda: has_caught_up(connection, log.ends()),
            "the worker has done the log",
            seconds_max,
        )
        wait_until(lambda: is_invoiced(connection), "everything is invoiced", seconds_max)

        assert lost(acknowledged, connection, log) == []
        assert sessions_in_the_books(connection) == Counter(charged)
        assert_money_is_counted_once(connection)
    system.command("replay", "--check")


@pytest.mark.timeout(300)
async def test_twenty_kills_under_load_lose_nothing_and_count_nothing_twice(data: Path) -> None:
    with RunningSystem(data, count=COUNT) as system:
        fleet = await kill_under_load(system, 20, seed=1)

        assert_nothing_lost_and_nothing_twice(system, fleet)
        assert "stopped" in system.stop()


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("seed", range(5))
async def test_a_hundred_kills_under_load(data: Path, seed: int) -> None:
    with RunningSystem(data, count=COUNT) as system:
        fleet = await kill_under_load(system, 100, seed=seed)

        assert_nothing_lost_and_nothing_twice(system, fleet, seconds_max=600.0)
