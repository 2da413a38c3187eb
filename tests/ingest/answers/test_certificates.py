"""A certificate is signed for whom somebody asked to ask for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import pytest

from ingest.answers.certificates import REQUEST_MAX
from ingest.commands.command import OutgoingCall, call_text
from ingest.station_records import PostgresStationRecords
from ledger.database import connect, connect_async
from tests.edge import Edge, Station, open_edge
from tests.fakes import NOON

ASKED = {
    "ocpp1.6": ("ExtendedTriggerMessage", "SignChargePointCertificate"),
    "ocpp2.0.1": ("TriggerMessage", "SignChargingStationCertificate"),
    "ocpp2.1": ("TriggerMessage", "SignV2G20Certificate"),
}


async def trigger(edge: Edge, station: Station, action: str, message: str) -> None:
    """Have a station asked for a message; it agrees."""
    connection = edge.server.connections["CP1"]
    payload = json.dumps({"requestedMessage": message})
    call = OutgoingCall("q", call_text("q", action, payload))
    exchange = asyncio.create_task(connection.exchange(call, seconds=5))
    assert (await station.receive())[1] == "q"
    await station.socket.send('[3,"q",{"status":"Accepted"}]', text=True)
    await exchange


@asynccontextmanager
async def records_of(database: str) -> AsyncIterator[PostgresStationRecords]:
    records = PostgresStationRecords(lambda: connect_async(database))
    try:
        yield records
    finally:
        await records.close()


def kept(database: str) -> list[tuple[str, str, datetime]]:
    """Return what stations want signed, as the table has it."""
    columns = "station_id, certificate_request, certificate_requested_at"
    with connect(database) as connection:
        return connection.execute(f"SELECT {columns} FROM station_setting").fetchall()


@pytest.mark.parametrize(
    ("csr", "status"),
    [
        pytest.param("x" * REQUEST_MAX, "Accepted", id="as long as may be"),
        pytest.param("x" * (REQUEST_MAX + 1), "Rejected", id="too long"),
        pytest.param("", "Rejected", id="empty"),
        pytest.param("\0", "Rejected", id="no text"),
        pytest.param("\u00fc", "Rejected", id="no PEM"),
        pytest.param(7, "Accepted", id="a number, which is read as its text"),
        pytest.param([], "Rejected", id="a list"),
    ],
)
async def test_what_can_be_no_request_is_not_taken(csr: object, status: str) -> None:
    async with open_edge() as edge, edge.station() as station:
        await trigger(edge, station, *ASKED["ocpp1.6"])

        assert (await station.call("SignCertificate", {"csr": csr}))["status"] == status
        assert (await station.call("SignCertificate", {}))["status"] == "Rejected"


@pytest.mark.parametrize("protocol", ASKED)
async def test_only_who_was_asked_for_it_may_have_a_certificate_signed(
    database: str, protocol: str
) -> None:
    action, message = ASKED[protocol]
    request = {"csr": "-----BEGIN CERTIFICATE REQUEST-----"}
    async with records_of(database) as records, open_edge(records=records) as edge:
        async with edge.station(protocol=protocol) as station:
            of_itself = await station.call("SignCertificate", request)
            await trigger(edge, station, action, "StatusNotification")
            unasked = await station.call("SignCertificate", request)
            await trigger(edge, station, action, message)
            assert kept(database) == []
            asked = await station.call("SignCertificate", request)
            again = await station.call("SignCertificate", {"csr": "another one"})
        async with edge.station(protocol=protocol) as station:
            later = await station.call("SignCertificate", request)

    answers = [each["status"] for each in (of_itself, unasked, asked, again, later)]
    assert answers == ["Rejected", "Rejected", "Accepted", "Accepted", "Rejected"]
    assert kept(database) == [("CP1", "another one", NOON)]
    assert sum("BEGIN CERTIFICATE REQUEST" in each.frame for each in edge.frames()) == 4
