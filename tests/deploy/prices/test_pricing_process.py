"""The process that prices open sessions: beside the station server, and replaceable."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from deploy.running import pricing
from deploy.running.pricing import PricingProcess
from tests.charging_day import MORNING, declare_fleet, everywhere, meter16, start16
from tests.projections.books_of_a_day import go_on

ONE = "CS-OLD-1"


@pytest.fixture
def charging(database: str) -> str:
    version = declare_fleet(database)
    begun = [start16(ONE, 0, 7, "FLEET1", 1_000), meter16(ONE, 30, 7, 4_000)]
    go_on(database, [*everywhere(version, -1), *begun])
    return database


@pytest.fixture
async def process(charging: str) -> AsyncIterator[PricingProcess]:
    found = PricingProcess(charging, lambda: MORNING)
    yield found
    await found.close()


def children() -> set[int]:
    return {each.pid or 0 for each in multiprocessing.active_children()}


@pytest.mark.timeout(120)
async def test_it_starts_with_the_first_price_and_again_after_it_was_killed(
    process: PricingProcess,
) -> None:
    before = children()
    first = await process.so_far(ONE, "7")
    (child,) = children() - before
    os.kill(child, signal.SIGKILL)
    # It may be asked before its end is noticed; then that price is not known.
    second = None
    for _ in range(1_000):
        second = second or await process.so_far(ONE, "7")
        await asyncio.sleep(0 if second else 0.05)

    assert first is not None
    assert first.price is not None
    assert (first.price.gross, first.price.currency, first.price.register_wh) == (
        Decimal("1.43"),
        "EUR",
        Decimal(4_000),
    )
    assert second == first
    assert child not in children()
    assert await process.so_far(ONE, "8") is None


@pytest.mark.timeout(120)
async def test_a_session_that_takes_long_is_asked_for_the_less_often(
    process: PricingProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pricing, "QUICK_SECONDS", 0.0)
    monkeypatch.setattr(pricing, "SHARE_OF_TIME", 10_000)

    assert await process.so_far(ONE, "7") is not None
    assert await process.so_far(ONE, "7") is None


async def test_prices_beyond_those_that_may_wait_are_not_known(
    process: PricingProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pricing, "WAITING_MAX", 0)
    before = children()

    assert await process.so_far(ONE, "7") is None
    assert children() == before
