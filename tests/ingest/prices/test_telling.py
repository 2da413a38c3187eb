"""Telling stations what they cost: who waits how long, what is told when, and what the log has."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace as dataclass_replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from ingest.directory import PriceTerms
from tests.edge import PASSWORD, open_edge, until
from tests.fakes import FixedDirectory
from tests.ingest.prices.set_prices import (
    AT_END,
    QUICK,
    RUNNING,
    SetPrices,
    answered,
    euros,
    event,
    ours,
    told,
)


async def test_the_answer_to_the_end_has_the_price_and_the_log_has_it_before() -> None:
    prices = SetPrices(last=euros("4.70"))
    prices.taken.set()
    async with told(prices) as (edge, station):
        await station.socket.send(json.dumps([2, "m", "TransactionEvent", event("Ended")]))
        text = await station.socket.recv()

    assert text == '[3,"m",{"totalCost":4.70}]'
    assert edge.server.counts.told == {"in_answer": 1}
    plain, priced = edge.frames()
    assert (plain.reply, plain.is_priced) == ('[3,"m",{}]', False)
    assert (priced.reply, priced.is_priced) == (text, True)
    assert priced.frame == plain.frame
    asked = prices.asked[0]
    assert (asked.station_id, asked.transaction_ref) == ("CP1", "tx-1")
    assert asked.received_at == plain.received_at
    assert edge.log.records[asked.at.partition][asked.at.position].count(b"Ended") == 1


async def test_a_free_transaction_is_told_that_it_is_free() -> None:
    prices = SetPrices(last=euros("0.00"))
    prices.taken.set()
    async with told(prices) as (_, station):
        assert await station.call("TransactionEvent", event("Ended")) == {"totalCost": 0.0}


async def test_the_answer_goes_without_what_is_late_and_the_price_follows() -> None:
    prices = SetPrices(last=euros("4.70"))
    async with told(prices) as (edge, station):
        began = asyncio.get_running_loop().time()
        assert await station.call("TransactionEvent", event("Ended")) == {}
        waited = asyncio.get_running_loop().time() - began
        prices.taken.set()
        _, _, action, payload = await answered(station)
        await until(lambda: len(ours(edge)) == 2)

    assert edge.server.counts.told == {"late": 1, "after_end": 1}
    assert waited > 0.25
    assert (action, payload) == ("CostUpdated", {"totalCost": 4.7, "transactionId": "tx-1"})
    left, came = ours(edge)
    assert '"totalCost":4.70' in left.frame
    assert left.reply is None
    assert came.reply is not None


async def test_what_has_no_price_is_answered_at_once_and_told_once_it_is_rated() -> None:
    prices = SetPrices()
    prices.taken.set()
    slow = dataclass_replace(QUICK, price_seconds=600.0)
    async with told(prices, manners=slow) as (_, station):
        async with asyncio.timeout(60):
            assert await station.call("TransactionEvent", event("Ended")) == {}
        prices.last = euros("4.70")
        call = await answered(station)

    assert call[3]["totalCost"] == 4.7


async def test_what_ended_without_a_start_is_told_what_was_heard_and_then_the_rated_price() -> None:
    prices = SetPrices(now=euros("4.10"))
    prices.taken.set()
    async with told(prices) as (edge, station):
        answer = await station.call("TransactionEvent", event("Ended"))
        assert answer == {"totalCost": 4.1}
        prices.last = euros("4.70")
        call = await answered(station)
        assert await station.call("TransactionEvent", event("Ended", seqNo=1)) == {"totalCost": 4.7}
        await until(lambda: edge.server.counts.told == {"in_answer": 2, "after_end": 1})

    assert (call[2], call[3]["totalCost"]) == ("CostUpdated", 4.7)


@pytest.mark.parametrize("failure", [psycopg.OperationalError("away"), psycopg.DataError("odd")])
async def test_a_database_that_fails_costs_the_price_alone(failure: Exception) -> None:
    prices = SetPrices(failure=failure)
    async with told(prices) as (_, station):
        assert await station.call("TransactionEvent", event("Ended")) == {}
        assert "currentTime" in await station.call("Heartbeat", {})


async def test_without_a_wait_the_price_only_follows() -> None:
    prices = SetPrices(last=euros("4.70"))
    prices.taken.set()
    manners = dataclass_replace(QUICK, price_seconds=0.0)
    async with told(prices, manners=manners) as (_, station):
        assert await station.call("TransactionEvent", event("Ended")) == {}
        call = await answered(station)

    assert call[2] == "CostUpdated"


@pytest.mark.parametrize(
    ("terms", "protocol", "payload"),
    [
        pytest.param(PriceTerms(), "ocpp2.0.1", event("Ended"), id="by policy never"),
        pytest.param(AT_END, "ocpp2.0.1", event("Ended", offline=True), id="offline"),
    ],
)
async def test_who_is_told_nothing_is_asked_nothing(
    terms: PriceTerms, protocol: str, payload: dict[str, Any]
) -> None:
    prices = SetPrices(last=euros("4.70"))
    prices.taken.set()
    async with told(prices, terms, protocol=protocol) as (edge, station):
        assert await station.call("TransactionEvent", payload) == {}
        assert await station.call("TransactionEvent", payload) == {}
        await asyncio.sleep(0.1)

    assert prices.asked == []
    assert ours(edge) == []


async def test_the_price_so_far_is_told_as_it_changes_and_not_after_the_end() -> None:
    prices = SetPrices(now=euros("0.00"), last=euros("1.40"))
    prices.taken.set()
    async with told(prices, RUNNING) as (_, station):
        seen: list[Any] = []
        for amount in ("0.00", "0.00", "1.20", "1.20", "1.30"):
            before, prices.now = prices.priced, euros(amount)
            await station.call("TransactionEvent", event("Updated"))
            await until(lambda before=before: prices.priced > before)  # type: ignore[misc]
            if not seen or amount != seen[-1]:
                seen.append((await answered(station))[3]["totalCost"])
                seen[-1] = amount if float(amount) == seen[-1] else "other"
            await asyncio.sleep(0.06)
        assert await station.call("TransactionEvent", event("Ended")) == {"totalCost": 1.4}
        await asyncio.sleep(0.1)

    assert seen == ["0.00", "1.20", "1.30"], "nothing is the first thing that it costs"
    assert station.asked == []


async def test_the_price_so_far_is_not_told_more_often_than_the_policy_says() -> None:
    prices = SetPrices(now=euros("1.20"))
    prices.taken.set()
    async with told(prices, RUNNING._replace(every_seconds=60)) as (_, station):
        for _ in range(5):
            await station.call("TransactionEvent", event("Updated"))
        await answered(station)
        prices.now = euros("1.30")
        for _ in range(5):
            await station.call("TransactionEvent", event("Updated"))

    assert prices.priced == 1


async def test_only_21_is_told_the_running_cost_in_answers() -> None:
    for protocol, expected in (("ocpp2.1", {"totalCost": 1.2}), ("ocpp2.0.1", {})):
        prices = SetPrices(now=euros("1.20"))
        prices.taken.set()
        async with told(prices, RUNNING, protocol=protocol) as (edge, station):
            assert await station.call("TransactionEvent", event("Updated")) == {}
            await answered(station)
            assert await station.call("TransactionEvent", event("Updated")) == expected
        # One line: an answer that goes on waits for nothing.
        assert [each.is_priced for each in edge.frames() if each.direction == "in"] == [False] * 2


@pytest.mark.parametrize(
    ("protocol", "refusal"),
    [
        ("ocpp2.0.1", [4, None, "NotImplemented", "", {}]),
        ("ocpp1.6", [3, None, {"status": "UnknownVendorId"}]),
        ("ocpp1.6", [4, None, "NotSupported", "", {}]),
    ],
)
async def test_a_station_that_does_not_know_the_call_gets_no_other_one(
    protocol: str, refusal: list[Any]
) -> None:
    prices = SetPrices(now=euros("1.20"))
    prices.taken.set()
    terms = RUNNING._replace(in_messages=True)
    action, payload = "TransactionEvent", event("Updated")
    if protocol == "ocpp1.6":
        action, payload = "MeterValues", {"transactionId": 7}
    async with told(prices, terms, protocol=protocol) as (edge, station):
        await station.call(action, payload)
        async with asyncio.timeout(60):
            call = station.asked.pop(0) if station.asked else await station.receive()
        await station.socket.send(json.dumps([refusal[0], call[1], *refusal[2:]]))
        await until(lambda: len(ours(edge)) == 2)
        await asyncio.sleep(0.06)
        prices.now = euros("1.30")
        await station.call(action, payload)
        await until(lambda: prices.priced == 2)
        await asyncio.sleep(0.05)

    assert len(ours(edge)) == 2
    assert edge.server.counts.told == {}


async def test_a_display_is_given_the_price_as_a_message_where_the_policy_says_so() -> None:
    prices = SetPrices(now=euros("1.20"))
    prices.taken.set()
    async with told(prices, RUNNING._replace(on_display=True)) as (_, station):
        await station.call("TransactionEvent", event("Updated"))
        first, second = await answered(station), await answered(station, {"status": "Accepted"})

    assert [first[2], second[2]] == ["CostUpdated", "SetDisplayMessage"]
    message = second[3]["message"]
    assert message["message"] == {"format": "UTF8", "content": "1.20 EUR"}
    assert message["transactionId"] == "tx-1"


async def test_an_end_that_waits_holds_up_no_other_station() -> None:
    prices = SetPrices()
    directory = FixedDirectory({"CP1": PASSWORD, "CP2": PASSWORD}, terms=AT_END)
    manners = dataclass_replace(QUICK, price_seconds=600.0)
    opened = open_edge(directory=directory, prices=prices, manners=manners)
    async with (
        opened as edge,
        edge.station(protocol="ocpp2.0.1") as one,
        edge.station("CP2", protocol="ocpp2.0.1") as other,
    ):
        ending = asyncio.create_task(one.call("TransactionEvent", event("Ended")))
        await until(lambda: bool(prices.asked))
        async with asyncio.timeout(60):
            assert "currentTime" in await other.call("Heartbeat", {})
        assert not ending.done()
        prices.taken.set()
        assert await ending == {}


async def test_the_same_end_again_gets_the_same_price_again() -> None:
    prices = SetPrices(last=euros("4.70"))
    prices.taken.set()
    ended = event("Ended", idToken={"idToken": "04AB", "type": "ISO14443"})
    async with told(prices) as (edge, station):
        first = await station.call("TransactionEvent", ended, message_id="m")
        edge.clock.moment += timedelta(seconds=5)
        second = await station.call("TransactionEvent", ended, message_id="m")

    assert first["totalCost"] == 4.7
    assert second == first


async def test_a_price_so_far_that_comes_after_the_end_is_not_told_any_more() -> None:
    prices = SetPrices(now=euros("1.20"), last=euros("1.40"), gate=asyncio.Event())
    prices.taken.set()
    async with told(prices, RUNNING) as (edge, station):
        await station.call("TransactionEvent", event("Updated"))
        await until(lambda: prices.priced == 1)
        assert await station.call("TransactionEvent", event("Ended")) == {"totalCost": 1.4}
        assert prices.gate is not None
        prices.gate.set()
        await asyncio.sleep(0.1)

    assert ours(edge) == []


async def test_the_end_of_a_connection_ends_what_it_would_have_been_told() -> None:
    prices = SetPrices()
    async with told(prices, manners=dataclass_replace(QUICK, price_seconds=0.0)) as (edge, station):
        await station.call("TransactionEvent", event("Ended"))
        await until(lambda: bool(prices.asked))
        await station.socket.close()
        await until(lambda: not edge.server.connections)
        asked = len(prices.asked)
        await asyncio.sleep(0.2)

    assert len(prices.asked) == asked
    assert [each.is_open for each in edge.connections()] == [True, False]


async def test_what_is_said_too_soon_is_priced_once_the_pause_is_over() -> None:
    prices = SetPrices(now=euros("1.20"))
    prices.taken.set()
    async with told(prices, RUNNING._replace(every_seconds=0.3)) as (_, station):
        began = asyncio.get_running_loop().time()
        await station.call("TransactionEvent", event("Updated"))
        await answered(station)
        prices.now = euros("1.30")
        await station.call("TransactionEvent", event("Updated"))
        call = await answered(station)
        waited = asyncio.get_running_loop().time() - began

    assert call[3]["totalCost"] == 1.3
    assert waited >= 0.3
    assert prices.priced == 2
