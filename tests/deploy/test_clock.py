"""The demo's clock: it stands until it is moved, for every process and whoever sleeps on it."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.clock import SteppedClock
from tests.tree import ROOT

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SLEEPER = """
import asyncio, pickle, sys
clock = pickle.loads(bytes.fromhex(sys.argv[1]))
asyncio.run(clock.sleep(60))
print(clock.now().isoformat(), flush=True)
"""


@pytest.fixture
def clock(tmp_path: Path) -> SteppedClock:
    return SteppedClock.starting_at(NOW, path=tmp_path / "clock")


def sleeper(clock: SteppedClock) -> subprocess.Popen[str]:
    copy = pickle.dumps(clock).hex()
    return subprocess.Popen(
        [sys.executable, "-c", SLEEPER, copy], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


async def until_somebody_sleeps(clock: SteppedClock) -> datetime:
    while (wakes_at := clock.next_wake()) is None:  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.01)
    return wakes_at


def test_time_stands_until_it_is_moved_and_does_not_run_backwards(clock: SteppedClock) -> None:
    before = clock.now()
    clock.move_to(NOW + timedelta(hours=1))

    assert before == NOW
    assert clock.now() == NOW + timedelta(hours=1)
    with pytest.raises(AssertionError):
        clock.move_to(NOW)


async def test_who_moves_the_clock_knows_when_another_process_wakes_there(
    clock: SteppedClock,
) -> None:
    with sleeper(clock) as process:
        wakes_at = await until_somebody_sleeps(clock)
        clock.move_to(NOW + timedelta(seconds=59))
        slept_on = process.poll() is None
        clock.move_to(wakes_at)
        woke, _ = process.communicate()

    assert wakes_at == NOW + timedelta(seconds=60)
    assert slept_on
    assert woke.strip() == wakes_at.isoformat()


async def test_a_sleeper_is_awake_until_it_sleeps_again(clock: SteppedClock) -> None:
    async def tick() -> None:
        await clock.sleep(60)
        await go_on.wait()
        await clock.sleep(60)

    go_on = asyncio.Event()
    ticking = asyncio.create_task(tick())
    clock.move_to(await until_somebody_sleeps(clock))
    await asyncio.sleep(0.05)
    was_awake = clock.is_anyone_awake()
    go_on.set()
    wakes_again_at = await until_somebody_sleeps(clock)
    ticking.cancel()

    assert was_awake
    assert not clock.is_anyone_awake()
    assert wakes_again_at == NOW + timedelta(seconds=120)


async def test_a_killed_sleeper_holds_nobody_up(clock: SteppedClock) -> None:
    with sleeper(clock) as process:
        await until_somebody_sleeps(clock)
        process.kill()

    assert clock.next_wake() is None
