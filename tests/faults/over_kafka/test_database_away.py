"""PostgreSQL is away and Kafka is not: what is known is logged and answered, the rest waits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import WebSocketException

from ledger.log.envelope import Frame, decode_lines
from tests.faults.load_station import Identity, identities
from tests.faults.over_kafka.many_processes import ManyProcesses
from tests.faults.running_system import kill_nine, wait_until

STATION16, STATION201 = identities(2)
WAITS_SECONDS = 3.0


@pytest.fixture
def system(brokers_home: Path) -> Iterator[ManyProcesses]:
    with ManyProcesses(brokers_home, stations=2, brokers=1, parts=("stations-1",)) as system:
        yield system


async def connected(system: ManyProcesses, who: Identity) -> ClientConnection:
    return await who.connected(system.urls[0])


async def call(socket: ClientConnection, number: int, action: str, payload: object) -> Any:  # noqa: ANN401 - any JSON
    await socket.send(json.dumps([2, str(number), action, payload]))
    while (answer := json.loads(await socket.recv()))[1] != str(number):
        if answer[0] == 2:
            await socket.send(json.dumps([4, answer[1], "NotImplemented", "", {}]))
    return answer[2]


def event(number: int, kind: str, token: str | None = None) -> dict[str, Any]:
    told: dict[str, Any] = {
        "eventType": kind,
        "timestamp": f"2026-11-26T08:{number:02d}:00Z",
        "triggerReason": "Authorized" if token else "MeterValuePeriodic",
        "seqNo": number,
        "transactionInfo": {"transactionId": "away-1"},
        "evse": {"id": 1, "connectorId": 1},
    }
    return told | ({"idToken": {"idToken": token, "type": "ISO14443"}} if token else {})


def start16(token: str) -> dict[str, Any]:
    at = "2026-11-26T08:00:00Z"
    return {"connectorId": 1, "idTag": token, "meterStart": 5, "timestamp": at}


async def is_unanswered(system: ManyProcesses, who: Identity, action: str, payload: object) -> bool:
    """Say whether a new connection of *who* gets no answer in time, however it ends."""
    try:
        async with asyncio.timeout(WAITS_SECONDS):
            socket = await connected(system, who)
            await call(socket, 99, action, payload)
    except (TimeoutError, WebSocketException, OSError):
        return True
    return False


def logged(system: ManyProcesses) -> list[str]:
    with system.log() as log:
        return [
            line.frame
            for partition in range(log.partitions)
            for record in log.read(partition, 0, records=1000)
            for line in decode_lines(record.payload)
            if isinstance(line, Frame)
        ]


@pytest.mark.timeout(240)
async def test_known_stations_are_logged_and_answered_while_postgresql_is_away(
    system: ManyProcesses,
) -> None:
    old, new = await connected(system, STATION16), await connected(system, STATION201)
    values = {"connectorId": 1, "meterValue": [{"timestamp": "2026-11-26T08:00:00Z",
              "sampledValue": [{"value": "5"}]}]}  # fmt: skip
    await call(old, 1, "MeterValues", values)
    await call(new, 1, "TransactionEvent", event(1, "Started", STATION201.token_uid))
    system.keeps_database = False
    kill_nine(system.database.processes() - {0})

    async with asyncio.timeout(10):
        assert await call(old, 2, "MeterValues", values) == {}
        status = {"connectorId": 1, "errorCode": "NoError", "status": "Charging"}
        assert await call(old, 3, "StatusNotification", status) == {}
        assert await call(new, 2, "TransactionEvent", event(2, "Updated")) == {}
        answer = await call(new, 3, "TransactionEvent", event(3, "Updated", STATION201.token_uid))
        assert answer.get("idTokenInfo", {}).get("status") in (None, "Accepted")
    frames = await asyncio.to_thread(logged, system)
    told = [json.loads(frame)[1] for frame in frames if "away-1" in frame]
    assert told == ["1", "2", "3"]

    # What nobody can know without the database waits: the station keeps it and says it again.
    assert await is_unanswered(system, STATION201, "Heartbeat", {})
    with pytest.raises((TimeoutError, WebSocketException)):
        async with asyncio.timeout(WAITS_SECONDS):
            await call(old, 4, "StartTransaction", start16(STATION16.token_uid))
    with pytest.raises((TimeoutError, WebSocketException)):
        async with asyncio.timeout(WAITS_SECONDS):
            await call(new, 4, "TransactionEvent", event(4, "Updated", "UNKNOWN-1"))

    system.keeps_database = True
    await asyncio.to_thread(wait_until, lambda: system.database.pid is not None, "it is back")
    tries = 0
    while await is_unanswered(system, STATION16, "StartTransaction", start16("CAFE0000")):
        tries += 1
        assert tries < 10
