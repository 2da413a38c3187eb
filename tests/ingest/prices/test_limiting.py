"""Stations of 1.6 and 2.0.1 are told to stop at a session's limit: when, and how often."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.directory import PriceTerms
from ingest.errors import IngestError
from ingest.prices import limiting
from ingest.prices.limiting import reached
from ingest.prices.price import RunningTransaction, WantedStop
from ledger.master_data.assignments import SessionLimits
from tests.edge import until
from tests.fakes import NOON
from tests.ingest.prices.set_prices import RUNNING, SetPrices, euros, event, ours, told

LIMITED = PriceTerms(is_limited=True)
FIVE = SessionLimits(max_cost=Decimal(5))


@dataclass
class SetStops:
    """Stops of which the test says what each attempt makes; what is left over is accepted."""

    answers: list[bool | IngestError] = field(default_factory=list)
    wanted: list[WantedStop] = field(default_factory=list)

    async def stop(self, wanted: WantedStop) -> bool:
        self.wanted.append(wanted)
        answer = self.answers.pop(0) if self.answers else True
        if isinstance(answer, IngestError):
            raise answer
        return answer


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiting, "LOOK_EVERY_SECONDS", 0.02)
    monkeypatch.setattr(limiting, "PAUSES", (0.02, 0.02))


def limited(limits: SessionLimits = FIVE, **more: Any) -> SetPrices:  # noqa: ANN401 - of any field
    prices = SetPrices(limits=limits, **more)
    prices.taken.set()
    return prices


def running(
    limits: SessionLimits, gross: str | None = "1.00", energy: int | None = 0
) -> RunningTransaction:
    price = None if gross is None else euros(gross)
    return RunningTransaction("s", price, limits, None if energy is None else Decimal(energy), NOON)


@pytest.mark.parametrize(
    ("found", "seconds", "expected"),
    [
        (running(FIVE, "4.99"), 0, None),
        (running(FIVE, "5.00"), 0, "cost"),
        (running(FIVE, None), 0, None),
        (running(SessionLimits(max_energy_wh=Decimal(10)), energy=9), 0, None),
        (running(SessionLimits(max_energy_wh=Decimal(10)), energy=10), 0, "energy"),
        (running(SessionLimits(max_energy_wh=Decimal(10)), None, energy=10), 0, "energy"),
        (running(SessionLimits(max_energy_wh=Decimal(10)), energy=None), 0, None),
        (running(SessionLimits(max_time_s=60)), 59, None),
        (running(SessionLimits(max_time_s=60)), 60, "time"),
        (running(SessionLimits(max_time_s=10**12)), 10**9, None),
        (running(SessionLimits()), 10**9, None),
    ],
)
def test_a_limit_is_reached_at_its_very_figure(
    found: RunningTransaction, seconds: int, expected: str | None
) -> None:
    assert reached(found, NOON + timedelta(seconds=seconds)) == expected


@given(st.integers(1, 2**62))
def test_no_time_is_too_long_to_be_a_limit(seconds: int) -> None:
    assert reached(running(SessionLimits(max_time_s=seconds)), NOON) is None


@pytest.mark.parametrize(
    ("protocol", "actions", "payloads", "reference"),
    [
        ("ocpp1.6", ("MeterValues", "StopTransaction"), ({"transactionId": 7},) * 2, "7"),
        ("ocpp2.0.1", ("TransactionEvent",) * 2, (event("Updated"), event("Ended")), "tx-1"),
    ],
)
async def test_a_session_that_reached_its_limit_is_stopped_once(
    protocol: str,
    actions: tuple[str, str],
    payloads: tuple[dict[str, Any], dict[str, Any]],
    reference: str,
) -> None:
    (action, last), (first, end) = actions, payloads
    prices, stops = limited(now=euros("4.99")), SetStops()
    async with told(prices, LIMITED, protocol=protocol, stops=stops) as (_, station):
        await station.call(action, first)
        await until(lambda: prices.priced == 1)
        assert stops.wanted == []
        prices.now = euros("5.00")
        await station.call(action, first)
        await until(lambda: len(stops.wanted) == 1)
        for _ in range(3):
            await asyncio.sleep(0.03)
            await station.call(action, first)
        await station.call(last, end)

    session = f"CP1/{reference}"
    assert stops.wanted == [WantedStop("CP1", protocol, reference, session, "cost", 0)]


async def test_a_stop_that_failed_is_repeated_by_a_plan_that_ends() -> None:
    failures: Sequence[list[bool | IngestError]] = (
        [False, IngestError("away")],
        [False, False, False, False, False],
    )
    for failed in failures:
        prices, stops = limited(now=euros("5.00")), SetStops(answers=list(failed))
        async with told(prices, LIMITED, stops=stops) as (_, station):
            await station.call("TransactionEvent", event("Updated"))
            await until(lambda: len(stops.wanted) == 3)  # noqa: B023 - it is awaited at once
            await asyncio.sleep(0.1)
            await station.call("TransactionEvent", event("Updated"))
            await asyncio.sleep(0.1)
        assert [each.attempt for each in stops.wanted] == [0, 1, 2]


async def test_what_ends_meanwhile_is_not_told_to_stop_again() -> None:
    prices, stops = limited(now=euros("5.00")), SetStops(answers=[False] * 5)
    async with told(prices, LIMITED, stops=stops) as (_, station):
        await station.call("TransactionEvent", event("Updated"))
        await until(lambda: len(stops.wanted) == 1)
        await station.call("TransactionEvent", event("Ended"))
        await asyncio.sleep(0.1)

    assert len(stops.wanted) == 1


async def test_time_is_over_without_a_word_of_the_station() -> None:
    prices, stops = limited(SessionLimits(max_time_s=1)), SetStops()
    async with told(prices, LIMITED, stops=stops) as (edge, station):
        edge.clock.moment = NOON + timedelta(seconds=0.8)
        await station.call("TransactionEvent", event("Started"))
        await until(lambda: prices.priced == 1)
        assert stops.wanted == []
        edge.clock.moment = NOON + timedelta(seconds=1)
        await until(lambda: len(stops.wanted) == 1)

    assert stops.wanted[0].why == "time"


async def test_a_worker_that_is_behind_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiting, "TAKEN_SECONDS", 0.05)
    monkeypatch.setattr(limiting, "BEHIND_SECONDS", 0.05)
    prices, stops = SetPrices(limits=FIVE, now=euros("5.00")), SetStops()
    async with told(prices, LIMITED, stops=stops) as (_, station):
        await station.call("TransactionEvent", event("Started"))
        await asyncio.sleep(0.2)
        assert prices.priced == 0
        prices.taken.set()
        await until(lambda: len(stops.wanted) == 1)


@pytest.mark.parametrize(
    ("terms", "protocol", "limits", "asked"),
    [
        pytest.param(PriceTerms(), "ocpp2.0.1", FIVE, 0, id="no limit is declared here"),
        pytest.param(LIMITED, "ocpp2.1", FIVE, 0, id="the station knows limits"),
        pytest.param(LIMITED, "ocpp2.0.1", SessionLimits(), 1, id="this session has none"),
    ],
)
async def test_what_has_no_limit_is_not_looked_at_again(
    terms: PriceTerms, protocol: str, limits: SessionLimits, asked: int
) -> None:
    prices, stops = limited(limits, now=euros("9.00")), SetStops()
    async with told(prices, terms, protocol=protocol, stops=stops) as (edge, station):
        for _ in range(3):
            await station.call("TransactionEvent", event("Updated"))
            await asyncio.sleep(0.05)

    assert (prices.priced, stops.wanted, ours(edge)) == (asked, [], [])


@pytest.mark.parametrize(("protocol", "reference"), [("ocpp1.6", "7"), ("ocpp2.0.1", "tx-1")])
async def test_who_comes_back_and_says_nothing_of_a_session_is_stopped_at_its_limit(
    protocol: str, reference: str
) -> None:
    prices, stops = limited(SessionLimits(max_time_s=1), open=[reference]), SetStops()
    async with told(prices, LIMITED, protocol=protocol, stops=stops) as (edge, station):
        edge.clock.moment = NOON + timedelta(seconds=0.5)
        await station.call("Heartbeat", {})
        await until(lambda: prices.priced == 1)
        assert stops.wanted == []
        edge.clock.moment = NOON + timedelta(seconds=1)
        await until(lambda: len(stops.wanted) == 1)

    session = f"CP1/{reference}"
    assert stops.wanted == [WantedStop("CP1", protocol, reference, session, "time", 0)]
    # By the line that says that it came back.
    assert {each.at.position for each in prices.asked} == {0}


@pytest.mark.parametrize(
    ("terms", "protocol", "looked_up"),
    [
        pytest.param(PriceTerms(), "ocpp2.0.1", 0, id="nothing is limited here"),
        pytest.param(RUNNING, "ocpp2.0.1", 0, id="nor where prices are told"),
        pytest.param(LIMITED, "ocpp2.1", 0, id="the station knows limits"),
        pytest.param(LIMITED, "ocpp2.0.1", 1, id="some of its sessions are limited"),
    ],
)
async def test_what_goes_on_is_looked_up_where_something_may_limit_it(
    terms: PriceTerms, protocol: str, looked_up: int
) -> None:
    prices = limited(open=["tx-1"])
    async with told(prices, terms, protocol=protocol, stops=SetStops()) as (_, station):
        await station.call("Heartbeat", {})
        await asyncio.sleep(0.1)

    assert prices.looked_up == looked_up


async def test_a_session_that_nobody_had_time_to_price_is_looked_at_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limiting, "BEHIND_SECONDS", 0.05)
    prices, stops = limited(SessionLimits()), SetStops()
    async with told(prices, LIMITED, stops=stops) as (_, station):
        await station.call("TransactionEvent", event("Updated"))
        await until(lambda: prices.priced >= 2)
        prices.limits, prices.now = FIVE, euros("5.00")
        await until(lambda: len(stops.wanted) == 1)


async def test_prices_are_told_beside_it() -> None:
    prices, stops = limited(now=euros("5.00")), SetStops()
    terms = RUNNING._replace(is_limited=True, every_seconds=60)
    async with told(prices, terms, stops=stops) as (edge, station):
        await station.call("TransactionEvent", event("Updated"))
        await until(lambda: len(stops.wanted) == 1 and len(ours(edge)) == 1)

    assert "CostUpdated" in ours(edge)[0].frame
