"""What a boot is answered is what somebody said of the station, in every process at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import psycopg
import pytest

from ingest.commands.command import OutgoingCall
from ingest.directory import StationAccess
from ingest.edge.connection_epochs import PostgresEpochs
from ingest.facts.translate import translate
from ingest.station_records import (
    BootAnswer,
    KnownStation,
    NoRecords,
    PostgresStationRecords,
    Registration,
)
from ingest.station_settings import StationChange, StationDesk
from ledger.database import connect_async
from ledger.facts.station_facts import transaction_of
from ledger.log.envelope import Frame
from tests.edge import PASSWORD, Edge, Station, open_edge
from tests.fakes import FixedDirectory

OLD, NEW = "ocpp1.6", "ocpp2.0.1"
BOOTS = {
    OLD: {"chargePointVendor": "V", "chargePointModel": "M"},
    NEW: {"chargingStation": {"vendorName": "V", "model": "M"}, "reason": "PowerUp"},
}
EVENT = {
    "eventType": "Started",
    "timestamp": "2026-03-02T12:00:00Z",
    "triggerReason": "Authorized",
    "seqNo": 0,
    "transactionInfo": {"transactionId": "t1"},
}


class Processes:
    """Two processes that serve stations, and a person who says how they are to be registered."""

    def __init__(self, edges: list[Edge], desk: StationDesk) -> None:
        self.edges, self.desk = edges, desk

    async def say(self, **change: Any) -> None:  # noqa: ANN401 - any change
        await self.desk.change("CP1", StationChange(**change), by="ann")


@pytest.fixture
async def processes(database: str) -> AsyncIterator[Processes]:
    async with AsyncExitStack() as exits:
        desk = StationDesk(lambda: connect_async(database), FixedDirectory({"CP1": PASSWORD}))
        exits.push_async_callback(desk.close)
        edges = []
        for _ in range(2):
            epochs = PostgresEpochs(lambda: connect_async(database))
            records = PostgresStationRecords(lambda: connect_async(database))
            for each in (epochs, records):
                exits.push_async_callback(each.close)
            edge = open_edge(epochs=epochs, records=records)
            edges.append(await exits.enter_async_context(edge))
        yield Processes(edges, desk)


async def raw(station: Station, action: str, payload: Any) -> Any:  # noqa: ANN401 - any JSON
    return (await station.send(json.dumps([2, "x", action, payload])))[2:]


@pytest.mark.parametrize("protocol", [OLD, NEW])
async def test_a_boot_is_answered_as_was_said_and_the_next_one_as_was_said_since(
    processes: Processes, protocol: str
) -> None:
    await processes.say(boot=Registration.PENDING)
    async with processes.edges[0].station(protocol=protocol) as station:
        pending = await station.call("BootNotification", BOOTS[protocol])
        await processes.say(boot=Registration.REJECTED, boot_interval_s=7)
        rejected = await station.call("BootNotification", BOOTS[protocol])
        await processes.say(boot=Registration.ACCEPTED)
        accepted = await station.call("BootNotification", BOOTS[protocol])

    found = [(each["status"], each["interval"]) for each in (pending, rejected, accepted)]
    assert found == [("Pending", 30), ("Rejected", 7), ("Accepted", 300)]


@pytest.mark.parametrize("boot", [Registration.PENDING, Registration.REJECTED])
async def test_who_is_not_accepted_says_nothing_else_and_its_facts_are_kept(
    processes: Processes, boot: Registration
) -> None:
    await processes.say(boot=boot)
    async with processes.edges[0].station(protocol=NEW) as station:
        await station.call("BootNotification", BOOTS[NEW])
        refused = [
            await raw(station, action, payload)
            for action, payload in (("TransactionEvent", EVENT), ("Heartbeat", {}))
        ]
        report = await station.call("NotifyReport", {"requestId": 1})
        await processes.say(boot=Registration.ACCEPTED)
        still = await raw(station, "Heartbeat", {})
        await station.call("BootNotification", BOOTS[NEW])
        heard = await station.call("Heartbeat", {})

    assert [each[0] for each in (*refused, still)] == ["SecurityError"] * 3
    assert (report, "currentTime" in heard) == ({}, True)
    [event] = [e for e in processes.edges[0].frames() if '"TransactionEvent"' in e.frame]
    assert json.loads(event.reply or "")[2] == "SecurityError"
    told = translate(event, position=0, line=0)
    assert [transaction_of(each) for each in told] == ["t1"], "it is a fact, whatever we answer"


async def test_it_stays_so_on_another_connection_to_another_process(processes: Processes) -> None:
    await processes.say(boot=Registration.PENDING)
    async with processes.edges[0].station(protocol=NEW) as station:
        await station.call("BootNotification", BOOTS[NEW])
    async with processes.edges[1].station(protocol=NEW) as station:
        refused = await raw(station, "Heartbeat", {})
        await processes.say(boot=Registration.ACCEPTED)
        await station.call("BootNotification", BOOTS[NEW])
    async with processes.edges[0].station(protocol=NEW) as station:
        heard = await station.call("Heartbeat", {})

    assert (refused[0], "currentTime" in heard) == ("SecurityError", True)


async def test_a_station_that_was_told_nothing_is_registered(processes: Processes) -> None:
    await processes.say(boot=Registration.PENDING)
    async with processes.edges[0].station(protocol=NEW) as station:
        assert "currentTime" in await station.call("Heartbeat", {})


async def test_what_we_trigger_may_be_said(processes: Processes) -> None:
    await processes.say(boot=Registration.PENDING)
    async with processes.edges[0].station(protocol=NEW) as station:
        await station.call("BootNotification", BOOTS[NEW])
        connection = processes.edges[0].server.connections["CP1"]
        text = '[2,"q","TriggerMessage",{"requestedMessage":"StatusNotification"}]'
        from_us = asyncio.create_task(connection.exchange(OutgoingCall("q", text), seconds=5))
        assert (await station.receive())[1] == "q"
        await station.socket.send('[3,"q",{"status":"Accepted"}]', text=True)
        await from_us
        told = await station.call("StatusNotification", {})
        refused = await raw(station, "MeterValues", {})

    assert (told, refused[0]) == ({}, "SecurityError")


async def test_a_1_6_station_that_is_not_accepted_is_answered_as_ever(processes: Processes) -> None:
    await processes.say(boot=Registration.REJECTED)
    async with processes.edges[0].station() as station:
        await station.call("BootNotification", BOOTS[OLD])
        start = {"connectorId": 1, "idTag": "04", "meterStart": 1, "timestamp": "2026-03-02T12:00"}
        told = await station.call("StartTransaction", start)

    assert told["transactionId"] > 0
    assert isinstance(processes.edges[0].log.lines()[1], Frame)


@pytest.mark.parametrize("registration", Registration)
async def test_a_boot_is_answered_as_the_last_one_while_the_database_is_away(
    registration: Registration,
) -> None:
    class Away(NoRecords):
        async def known(self, declared: StationAccess) -> KnownStation:
            return KnownStation(declared, registration)

        async def boot(self, station_id: str) -> BootAnswer:
            message = f"no database for {station_id}"
            raise psycopg.OperationalError(message)

    async with open_edge(records=Away()) as edge, edge.station() as station:
        told = await station.call("BootNotification", BOOTS[OLD])

    assert told["status"] == registration
