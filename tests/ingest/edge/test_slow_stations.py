"""A station that never reads holds up nobody: no ping, no closing, no fencing, not the end."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

from ingest.answers.questions import QUESTIONS_MAX
from ingest.edge.connection import StationConnection
from ingest.edge.server import Manners
from tests.edge import PASSWORD, Edge, open_edge, until
from tests.fakes import MemoryEpochs

MANNERS = Manners(ping_seconds=0.05, silence_seconds=0.6, close_seconds=0.3)
ID_CHARACTERS = 60_000
"""An answer repeats its message id, so a few of them fill every buffer on the way."""


@asynccontextmanager
async def clogged(edge: Edge, name: str) -> AsyncIterator[socket.socket]:
    """Connect as station *name*, ask a lot and read nothing, until the server can write no more."""
    loop = asyncio.get_running_loop()
    with socket.socket() as wire:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.setblocking(False)
        await loop.sock_connect(wire, ("127.0.0.1", edge.server.ports[0]))
        key = base64.b64encode(f"{name}:{PASSWORD}".encode()).decode()
        head = (
            f"GET /{name} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}\r\n"
            f"Sec-WebSocket-Protocol: ocpp1.6\r\nAuthorization: Basic {key}\r\n\r\n"
        )
        await loop.sock_sendall(wire, head.encode())
        await until(lambda: name in edge.server.connections)
        asking = asyncio.create_task(_ask_without_end(wire))
        # What it sends is taken no more: its answers do not go out.
        await until(lambda: name not in (held := edge.server.connections) or is_clogged(held[name]))
        yield wire
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)


def is_clogged(connection: StationConnection) -> bool:
    return connection.silent_for() > 0.2


async def _ask_without_end(wire: socket.socket) -> None:
    call = json.dumps([2, "x" * ID_CHARACTERS, "Heartbeat", {}]).encode()
    head = bytes((0x81, 0x80 | 126)) + len(call).to_bytes(2) + bytes(4)
    while True:
        await asyncio.get_running_loop().sock_sendall(wire, head + call)


class Unanswered(MemoryEpochs):
    """A database that takes questions and says nothing."""

    asked = waiting = waiting_most = 0

    async def newest(self, stations: Iterable[str]) -> Mapping[str, int]:
        self.asked, self.waiting = self.asked + 1, self.waiting + 1
        self.waiting_most = max(self.waiting_most, self.waiting)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.waiting -= 1
        return dict.fromkeys(stations, 0)


async def test_a_database_that_never_answers_holds_up_no_ping_and_is_asked_again() -> None:
    epochs = Unanswered()
    async with open_edge(manners=MANNERS, epochs=epochs) as edge, clogged(edge, "CP1"):
        await until(lambda: "CP1" not in edge.server.connections)

    assert edge.connections()[-1].why == "silent"
    assert epochs.asked > 2
    assert epochs.waiting_most <= 2, "each question has an end"


async def test_a_station_that_never_reads_is_closed_itself_as_silent() -> None:
    async with open_edge(manners=MANNERS) as edge, clogged(edge, "CP1"):
        await until(lambda: "CP1" not in edge.server.connections)

    assert edge.connections()[-1].why == "silent"


async def test_a_station_that_never_reads_holds_up_no_ping_and_no_closing_of_others() -> None:
    patient = Manners(ping_seconds=0.05, silence_seconds=4, close_seconds=0.3)
    async with (
        open_edge(manners=patient) as edge,
        clogged(edge, "CP1"),
        edge.station("CP2", close_timeout=0.1) as silent,
        edge.station("CP3") as living,
    ):
        silent.socket.transport.pause_reading()
        await until(lambda: "CP2" not in edge.server.connections)
        # It lives by its pongs alone.
        lives = edge.server.connections["CP3"]
        before = lives.heard_at
        await until(lambda: lives.heard_at > before)
        await living.call("Heartbeat", {})


async def test_a_station_that_never_reads_holds_up_no_fencing_of_others() -> None:
    epochs = MemoryEpochs()
    patient = Manners(ping_seconds=0.05, silence_seconds=60, close_seconds=0.3)
    async with (
        open_edge(manners=patient, epochs=epochs) as edge,
        clogged(edge, "CP1"),
        edge.station("CP2") as overtaken,
    ):
        await overtaken.call("Heartbeat", {})
        epochs.given["CP2"] += 1  # elsewhere
        await until(lambda: "CP2" not in edge.server.connections)

        assert "CP1" in edge.server.connections


async def test_a_station_that_never_reads_gives_way_to_its_own_next_connection() -> None:
    patient = Manners(ping_seconds=0.05, silence_seconds=600, close_seconds=0.3)
    async with (
        open_edge(manners=patient) as edge,
        clogged(edge, "CP1"),
        asyncio.timeout(60),
        edge.station("CP1") as new,
    ):
        await new.call("Heartbeat", {})
        await until(lambda: not all(each.is_open for each in edge.connections()))
        ends = [each for each in edge.connections() if not each.is_open]

    assert (ends[0].epoch, ends[0].why) == (1, "replaced")


async def test_a_station_that_never_reads_does_not_keep_the_server_from_ending() -> None:
    patient = Manners(ping_seconds=0.05, silence_seconds=60, close_seconds=0.3)
    async with open_edge(manners=patient) as edge, clogged(edge, "CP1"):
        started = time.monotonic()
        await edge.server.close()

        assert time.monotonic() - started < 10
    assert edge.connections()[-1].why == "server stopped"


async def test_who_connects_and_says_nothing_does_not_keep_the_server_from_ending() -> None:
    async with open_edge(manners=MANNERS) as edge:
        _, mute = await asyncio.open_connection("127.0.0.1", edge.server.ports[0])
        started = time.monotonic()
        await edge.server.close()
        spent = time.monotonic() - started
        mute.close()

    assert spent < 10


async def test_a_station_that_answers_nothing_cannot_make_us_ask_without_end() -> None:
    async with open_edge() as edge:
        async with edge.station(protocol="ocpp2.0.1") as station:
            for number in range(QUESTIONS_MAX + 5):
                info = {"transactionId": f"T{number}"}
                event = {"eventType": "Ended", "offline": True, "transactionInfo": info}
                await station.call("TransactionEvent", event)
        await until(lambda: not all(each.is_open for each in edge.connections()))

    # What never left is no line of the log.
    asked = [each.frame for each in edge.frames() if each.direction == "out"]
    assert len(asked) == 1
    assert '"T0"' in asked[0]
