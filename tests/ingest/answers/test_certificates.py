"""A certificate is signed for whom somebody asked to ask for it."""

from __future__ import annotations

import asyncio
import json

import pytest

from ingest.commands.command import OutgoingCall, call_text
from tests.edge import Edge, Station, open_edge

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


@pytest.mark.parametrize("protocol", ASKED)
async def test_only_who_was_asked_for_it_may_have_a_certificate_signed(protocol: str) -> None:
    action, message = ASKED[protocol]
    request = {"csr": "-----BEGIN CERTIFICATE REQUEST-----"}
    async with open_edge() as edge:
        async with edge.station(protocol=protocol) as station:
            of_itself = await station.call("SignCertificate", request)
            await trigger(edge, station, action, "StatusNotification")
            unasked = await station.call("SignCertificate", request)
            await trigger(edge, station, action, message)
            asked = await station.call("SignCertificate", request)
        async with edge.station(protocol=protocol) as station:
            later = await station.call("SignCertificate", request)

    answers = [each["status"] for each in (of_itself, unasked, asked, later)]
    assert answers == ["Rejected", "Rejected", "Accepted", "Rejected"]
    assert sum("BEGIN CERTIFICATE REQUEST" in each.frame for each in edge.frames()) == 4
