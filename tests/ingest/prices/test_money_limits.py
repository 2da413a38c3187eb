"""A session is stopped before its payer has nothing left, and told what is left by now."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from ingest.directory import AuthorizationStatus, PriceTerms, TokenAccess
from ingest.prices import limiting
from ingest.prices.limiting import MONEY_SECONDS, reached, seconds_left
from ingest.prices.price import RunningTransaction, WantedStop
from ledger.master_data.assignments import NO_LIMITS, SessionLimits
from ledger.payments.topping_up.credit import MoneySoFar
from tests.edge import Edge, Station, until
from tests.fakes import NOON
from tests.ingest.prices.set_prices import SetPrices, event, told
from tests.ingest.prices.test_limiting import SetStops

FUNDED = PriceTerms(has_funds=True)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiting, "LOOK_EVERY_SECONDS", 0.02)
    monkeypatch.setattr(limiting, "PAUSES", (0.02, 0.02))


def money(limit: str, cost: str, ahead: str, per_second: str = "0") -> MoneySoFar:
    return MoneySoFar(*map(Decimal, (limit, cost, ahead, per_second)))


def funded(found: MoneySoFar, limits: SessionLimits = NO_LIMITS) -> SetPrices:
    prices = SetPrices(money=found, limits=limits)
    prices.taken.set()
    return prices


@pytest.mark.parametrize(
    ("found", "by_itself", "expected"),
    [
        pytest.param(money("5", "4.90", "4.99"), False, None, id="a cent is left"),
        pytest.param(money("5", "4.90", "5.00"), False, "money", id="used up once it obeys"),
        pytest.param(money("5", "4.99", "5.20"), True, None, id="it knows the limit, and stops"),
        pytest.param(money("5", "5.00", "5.20"), True, "money", id="what is left became less"),
        pytest.param(money("0", "0", "0"), False, "money", id="nothing was left at all"),
        pytest.param(money("-1", "0", "0"), True, "money", id="more was charged than paid"),
    ],
)
def test_money_is_used_up(found: MoneySoFar, *, by_itself: bool, expected: str | None) -> None:
    running = RunningTransaction("s", None, NO_LIMITS, None, NOON, found)

    assert reached(running, NOON, knows_limits=by_itself) == expected


@pytest.mark.parametrize(
    ("found", "seconds"),
    [
        (money("5", "1", "2", "0.03"), 100),
        (money("5", "1", "4.9999", "1"), 0.02),
        (money("5", "1", "2", "0.001"), MONEY_SECONDS),
        (money("5", "1", "2"), MONEY_SECONDS),
    ],
)
def test_a_silent_one_is_looked_at_when_it_will_have_used_it_up(
    found: MoneySoFar, seconds: float
) -> None:
    assert seconds_left(found) == seconds


@pytest.mark.parametrize(
    ("protocol", "action", "payload", "reference"),
    [
        ("ocpp1.6", "MeterValues", {"transactionId": 7}, "7"),
        ("ocpp2.0.1", "TransactionEvent", event("Updated"), "tx-1"),
    ],
)
async def test_it_is_stopped_without_a_word_of_the_station_unless_its_payer_pays(
    protocol: str, action: str, payload: dict[str, Any], reference: str
) -> None:
    prices, stops = funded(money("5", "4.90", "4.95", "10")), SetStops()
    async with told(prices, FUNDED, protocol=protocol, stops=stops) as (edge, station):
        edge.directory.funded.add(reference)
        await station.call(action, payload)
        await until(lambda: prices.priced > 2)
        prices.money = money("15", "4.90", "5.05", "10")
        seen = prices.priced
        await until(lambda: prices.priced > seen + 1)
        assert stops.wanted == []
        prices.money = money("5", "4.95", "5.00", "10")
        await until(lambda: len(stops.wanted) == 1)
        await station.call(action, payload)
        await asyncio.sleep(0.1)

    session = f"CP1/{reference}"
    assert stops.wanted == [WantedStop("CP1", protocol, reference, session, "money", 0)]


@pytest.mark.parametrize(
    ("protocol", "action", "payload", "per_second", "stopped"),
    [
        pytest.param("ocpp1.6", "MeterValues", {"transactionId": 7}, "10", 1, id="used up"),
        pytest.param("ocpp1.6", "MeterValues", {"transactionId": 7}, "0.01", 0, id="for a while"),
        pytest.param("ocpp1.6", "MeterValues", {"transactionId": 7}, "0", 0, id="it costs no more"),
        pytest.param("ocpp2.1", "TransactionEvent", event("Updated"), "10", 0, id="by itself"),
    ],
)
async def test_where_the_books_are_behind_it_is_stopped_as_it_went_on(
    protocol: str,
    action: str,
    payload: dict[str, Any],
    per_second: str,
    stopped: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limiting, "BEHIND_SECONDS", 0.02)
    monkeypatch.setattr(limiting, "TAKEN_SECONDS", 0.02)
    prices, stops = funded(money("5", "4.90", "4.95", per_second)), SetStops()
    async with told(prices, FUNDED, protocol=protocol, stops=stops) as (edge, station):
        edge.directory.funded |= {"7", "tx-1"}
        await station.call(action, payload)
        await until(lambda: prices.priced == 1)
        prices.taken.clear()
        seen = len(prices.asked)
        await station.call(action, payload)
        await until(lambda: len(stops.wanted) == stopped)
        await until(lambda: len(prices.asked) > seen + 2 * (1 - stopped))

    assert [each.why for each in stops.wanted] == ["money"] * stopped


async def answers(edge: Edge, station: Station, prices: SetPrices) -> list[Any]:
    """Return what a 2.1 station hears to its updates as what is left changes."""
    edge.directory.funded.add("tx-1")
    heard = []
    chosen = {"transactionLimit": {"maxCost": 8}}
    for number, (found, info) in enumerate(
        [
            (money("5", "1", "1"), {}),
            (money("5", "2", "2"), {}),
            (money("9", "2", "2"), {}),
            (money("9", "2", "2"), chosen),
            (money("12", "2", "2"), {}),
        ]
    ):
        prices.money = found
        updated = event("Updated", seqNo=number)
        updated["transactionInfo"] = updated["transactionInfo"] | info
        seen = prices.priced
        await station.call("TransactionEvent", updated)
        await until(lambda: prices.priced > seen)  # noqa: B023 - it is awaited at once
        answer = await station.call("TransactionEvent", event("Updated", seqNo=100 + number))
        heard.append(answer.get("transactionLimit"))
    return heard


async def test_a_station_that_knows_limits_is_told_what_is_left_by_now() -> None:
    limits = SessionLimits(max_cost=Decimal(20), max_energy_wh=Decimal(40_000))
    prices, stops = funded(money("5", "1", "1"), limits), SetStops()
    async with told(prices, FUNDED, protocol="ocpp2.1", stops=stops) as (edge, station):
        heard = await answers(edge, station, prices)
        prices.money = money("2", "2", "2")
        await until(lambda: len(stops.wanted) == 1)

    energy = {"maxEnergy": 40_000}
    # Its driver's own limit stays where he said it, whatever is left.
    assert heard == [{"maxCost": 5} | energy, None, {"maxCost": 9} | energy, None, None]
    assert stops.wanted[0].why == "money"


@pytest.mark.parametrize(
    ("terms", "protocol", "asked"),
    [
        pytest.param(PriceTerms(), "ocpp2.0.1", 0, id="nobody pays in advance"),
        pytest.param(FUNDED, "ocpp2.0.1", 0, id="its payer does not"),
        pytest.param(FUNDED, "ocpp2.1", 0, id="nor here"),
    ],
)
async def test_nothing_is_asked_of_payers_that_money_does_not_limit(
    terms: PriceTerms, protocol: str, asked: int
) -> None:
    prices = funded(money("0", "9", "9"))
    async with told(prices, terms, protocol=protocol, stops=SetStops()) as (_, station):
        for number in range(3):
            await station.call("TransactionEvent", event("Updated", seqNo=number))
            await asyncio.sleep(0.05)

    assert prices.priced == asked


async def test_what_a_session_cost_in_the_end_is_noted_where_it_is_not_rated() -> None:
    prices = funded(money("5", "1", "1"))
    async with told(prices, FUNDED, stops=SetStops()) as (edge, station):
        edge.directory.funded.add("tx-1")
        await station.call("TransactionEvent", event("Updated"))
        await until(lambda: prices.priced == 1)
        await station.call("TransactionEvent", event("Ended", seqNo=1))
        await until(lambda: prices.priced == 2)


async def test_of_a_token_that_nobody_pays_for_in_advance_nothing_is_asked() -> None:
    prices = funded(money("0", "9", "9"))
    async with told(prices, FUNDED, stops=SetStops()) as (edge, station):
        edge.directory.tokens["OWES"] = TokenAccess(status=AuthorizationStatus.ACCEPTED)
        edge.directory.funded.add("PAYS")
        edge.directory.tokens["PAYS"] = edge.directory.tokens["OWES"]
        for number, token in enumerate(("OWES", "PAYS")):
            started = event("Started", seqNo=number) | {
                "transactionInfo": {"transactionId": token},
                "idToken": {"idToken": token, "type": "ISO14443"},
            }
            await station.call("TransactionEvent", started)
        await until(lambda: prices.priced == 1)

    assert {each.transaction_ref for each in prices.asked} == {"PAYS"}


async def test_who_shows_a_token_after_the_cable_began_is_limited_too() -> None:
    prices, stops = funded(money("5", "1", "5")), SetStops()
    async with told(prices, FUNDED, stops=stops) as (edge, station):
        edge.directory.tokens["PAYS"] = TokenAccess(status=AuthorizationStatus.ACCEPTED)
        await station.call("TransactionEvent", event("Started"))
        await until(lambda: len(prices.asked) == 1)
        await station.call("TransactionEvent", event("Updated", seqNo=1))
        await asyncio.sleep(0.1)
        assert prices.priced == 0
        edge.directory.funded.add("tx-1")
        token = {"idToken": "PAYS", "type": "ISO14443"}
        await station.call("TransactionEvent", event("Updated", seqNo=2, idToken=token))
        await until(lambda: len(stops.wanted) == 1)
