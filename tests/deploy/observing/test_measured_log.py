"""The measured log: it is the log, and says how long lines took and which do not come down."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from deploy.observing.measured_log import MeasuredLineWriter
from ledger.log.event_log import LogUnavailableError, Position, UnfitLineError
from tests.fakes import MemoryLog


@dataclass
class Seconds:
    """A clock in seconds, moved by hand."""

    at: float = 100.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog(partitions=2)


@pytest.fixture
def now() -> Seconds:
    return Seconds()


@pytest.fixture
def measured(log: MemoryLog, now: Seconds) -> MeasuredLineWriter:
    return MeasuredLineWriter(log, now=now)


async def test_a_line_goes_to_the_log_and_is_timed(
    log: MemoryLog, measured: MeasuredLineWriter, now: Seconds
) -> None:
    log.gate = asyncio.Event()
    appending = asyncio.create_task(measured.append(1, b"a"))
    await asyncio.sleep(0)
    waiting = measured.waiting
    now.at += 3
    log.gate.set()

    assert await appending == Position(1, 0, 0)
    assert log.records == {1: [b"a"]}
    assert (waiting, measured.waiting) == (1, 0)
    assert (sum(measured.seconds.counts), measured.seconds.total_seconds) == (1, 3.0)
    assert measured.partitions == 2


async def test_a_failure_is_told_until_a_line_of_its_partition_is_stored(
    log: MemoryLog, measured: MeasuredLineWriter, now: Seconds
) -> None:
    log.failure = LogUnavailableError("no broker")
    with pytest.raises(LogUnavailableError):
        await measured.append(1, b"a")
    log.failure = None
    now.at += 2

    await measured.append(0, b"b")
    assert measured.trouble() == "partition 1: a line failed 2 s ago: no broker"
    await measured.append(1, b"c")
    assert measured.trouble() == ""
    assert measured.failures == 1
    assert sum(measured.seconds.counts) == 2


async def test_a_failure_counts_for_a_minute(
    log: MemoryLog, measured: MeasuredLineWriter, now: Seconds
) -> None:
    log.failure = LogUnavailableError("no broker")
    with pytest.raises(LogUnavailableError):
        await measured.append(0, b"a")

    now.at += 59.5
    assert measured.trouble()
    now.at += 0.5
    assert measured.trouble() == ""


async def test_a_line_that_no_log_takes_is_no_trouble_of_the_log(
    log: MemoryLog, measured: MeasuredLineWriter
) -> None:
    log.failure = UnfitLineError("too long")
    with pytest.raises(UnfitLineError):
        await measured.append(0, b"a")

    assert measured.trouble() == ""
    assert measured.failures == 0


async def test_lines_that_wait_are_trouble_once_none_was_stored_for_a_while(
    log: MemoryLog, measured: MeasuredLineWriter, now: Seconds
) -> None:
    log.gate = asyncio.Event()
    now.at += 1_000  # nothing came for long: that is no trouble
    waiting = [asyncio.create_task(measured.append(n % 2, b"a")) for n in range(4)]
    await asyncio.sleep(0)

    now.at += 5
    assert measured.trouble() == ""
    now.at += 1
    assert measured.trouble() == (
        "partition 0: 2 lines wait, none was stored for 6 s (and 1 other partitions)"
    )
    for each in waiting:
        each.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert (measured.waiting, measured.trouble()) == (0, "")
