from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from ingest.edge.ticks import keep_ticking
from ledger.log.envelope import Tick, decode_lines
from ledger.log.event_log import LogError
from tests.fakes import NOON, FixedClock, MemoryLog


@dataclass
class _Waits:
    """Says what waits, a set a time, then never ends."""

    answers: list[set[int]]
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def waits(self) -> set[int]:
        if not self.answers:
            self.asked.set()
            await asyncio.Event().wait()
        return self.answers.pop(0)


async def test_a_log_that_is_away_costs_a_tick_and_no_more(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log, clock, waits = MemoryLog(failure=LogError("away")), FixedClock(), _Waits([{1}, set()])
    ticking = asyncio.create_task(keep_ticking(log, clock, waits))
    await waits.asked.wait()
    ticking.cancel()
    with suppress(asyncio.CancelledError):
        await ticking

    assert caplog.messages == ["no tick: away"]


async def test_each_minute_a_tick_goes_to_every_partition_that_waits() -> None:
    log, clock, waits = MemoryLog(), FixedClock(), _Waits([{1, 2}, set(), {2}])
    ticking = asyncio.create_task(keep_ticking(log, clock, waits))
    await waits.asked.wait()
    ticking.cancel()
    with suppress(asyncio.CancelledError):
        await ticking

    ticks = {
        partition: [line for payload in payloads for line in decode_lines(payload)]
        for partition, payloads in log.records.items()
    }
    minute = timedelta(minutes=1)
    assert ticks == {
        1: [Tick(received_at=NOON + minute)],
        2: [Tick(received_at=NOON + minute), Tick(received_at=NOON + 3 * minute)],
    }
