"""Stations of OCPP 1.6 are told prices by messages of a vendor, where they know them."""

from __future__ import annotations

import asyncio
import json

import pytest

from ingest.directory import AuthorizationStatus, TokenAccess
from ingest.prices import telling
from ledger.declared.declarations import TariffInForce
from ledger.master_data.assignments import Assignment
from ledger.master_data.tariff_versions import published
from ledger.persons.holders import token_holder
from tariffs.files.tariff_file import read_tariff_file
from tests.at_the_edge import named_subject
from tests.edge import PASSWORD, open_edge, until
from tests.fakes import FixedDirectory
from tests.ingest.prices.set_prices import (
    AT_END,
    QUICK,
    RUNNING,
    SetPrices,
    answered,
    euros,
    ours,
    told,
)


async def test_a_station_of_16_without_price_messages_is_told_nothing() -> None:
    prices = SetPrices(last=euros("4.70"))
    prices.taken.set()
    async with told(prices, RUNNING, protocol="ocpp1.6") as (edge, station):
        await station.call("MeterValues", {"transactionId": 7})
        await station.call("StopTransaction", {"transactionId": 7})
        await asyncio.sleep(0.1)

    assert ours(edge) == []


async def test_a_station_of_16_is_told_by_messages_of_a_vendor() -> None:
    prices = SetPrices(now=euros("1.20"), last=euros("1.40"))
    prices.taken.set()
    terms = RUNNING._replace(in_messages=True)
    async with told(prices, terms, protocol="ocpp1.6") as (edge, station):
        await station.call("MeterValues", {"transactionId": 7})
        running = await answered(station, {"status": "Accepted"})
        assert await station.call("StopTransaction", {"transactionId": 7}) == {}
        final = await answered(station, {"status": "Accepted"})
        await until(lambda: edge.server.counts.told == {"running": 1, "after_end": 1})

    assert running[2] == final[2] == "DataTransfer"
    assert json.loads(running[3]["data"]) == {
        "transactionId": 7, "timestamp": "2026-03-02T12:00:00.000Z", "meterValue": 1500,
        "cost": 1.2, "state": "Charging", "chargingPrice": {"kWhPrice": 0},
    }  # fmt: skip
    assert final[3]["messageId"] == "FinalCost"
    assert json.loads(final[3]["data"]) == {
        "transactionId": 7, "cost": 1.4, "priceText": "1.40 EUR"
    }  # fmt: skip


async def test_who_answers_no_price_is_not_told_those_that_wait_behind_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(telling, "CALL_SECONDS", 0.2)
    prices = SetPrices(last=euros("1.40"))
    prices.taken.set()
    terms = AT_END._replace(in_messages=True)
    async with told(prices, terms, protocol="ocpp1.6") as (edge, station):
        for number in range(1, 6):
            await station.call("StopTransaction", {"transactionId": number})
        await asyncio.sleep(1.5)

    assert len(ours(edge)) == 1


async def test_a_station_of_16_is_told_at_its_start_what_it_will_cost() -> None:
    text = "tariff: day\ncurrency: EUR\nelements:\n  - energy: 0.40 per kWh\n"
    tariff, problems = read_tariff_file(text, "day.yaml")
    assert tariff is not None, problems
    holder = token_holder("04AB")
    assert holder is not None
    subject = named_subject(holder).id
    assignment = Assignment(tariff="day", site="s")
    directory = FixedDirectory(
        {"CP1": PASSWORD},
        terms=AT_END._replace(in_messages=True),
        tokens={subject: TokenAccess(status=AuthorizationStatus.ACCEPTED)},
        tariffs={subject: TariffInForce(published(tariff), assignment)},
    )
    start = {"connectorId": 1, "meterStart": 0, "timestamp": "2026-03-02T12:00:00Z"}
    opened = open_edge(directory=directory, prices=SetPrices(), manners=QUICK)
    async with opened as edge, edge.station(protocol="ocpp1.6") as station:
        await station.call("StartTransaction", {**start, "idTag": "04AB"})
        call = await answered(station, {"status": "Accepted"})
        await station.call("StartTransaction", {**start, "idTag": "stranger"})
        await until(lambda: edge.server.counts.told == {"tariff": 1})

    assert call[3]["messageId"] == "SetUserPrice"
    data = json.loads(call[3]["data"])
    assert data["idToken"] == "04AB"
    assert "0.40 EUR/kWh" in data["priceText"]
    assert station.asked == []
