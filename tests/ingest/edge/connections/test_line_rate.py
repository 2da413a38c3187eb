"""A station that sends tiny frames as fast as its wire takes them leaves the others their turns."""

from __future__ import annotations

import asyncio
import gc
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection

from ingest.edge import station_socket
from ingest.edge.server import Manners
from ingest.edge.station_socket import FRAME_SECONDS, PIECE, StationSocket
from tests.edge import Edge, Station, open_edge, until

_PING = bytes((0x89, 0x80, 0, 0, 0, 0))
_LONG_PING = bytes((0x89, 0x80 | 125, 0, 0, 0, 0)) + bytes(125)
_FIRST, _FURTHER = bytes((0x01, 0x80, 0, 0, 0, 0)), bytes((0x00, 0x81, 0, 0, 0, 0)) + b"x"


@asynccontextmanager
async def _sending(edge: Edge, name: str, frames: bytes) -> AsyncIterator[Station]:
    """Let station *name* put *frames* on its wire again and again, whatever comes back."""
    async with edge.station(name, close_timeout=0.1) as station:
        transport = station.socket.transport

        async def send() -> None:
            while not transport.is_closing():
                if transport.get_write_buffer_size() <= len(frames):
                    transport.write(frames)
                await asyncio.sleep(0.001)

        sending = asyncio.create_task(send())
        yield station
        sending.cancel()
        transport.abort()


@pytest.mark.parametrize(
    "frames", [_PING * 5000, _FIRST + _FURTHER * 5000], ids=["pings", "fragments"]
)
async def test_a_station_at_line_rate_holds_up_no_other(
    frames: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn, read = 0, list[tuple[int, int]]()
    received = ServerConnection.data_received

    def noted(connection: ServerConnection, data: bytes) -> None:
        read.append((turn, len(data)))
        received(connection, data)

    async def count() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    async with (
        open_edge(manners=Manners(close_seconds=0.3)) as edge,
        edge.station("CP2") as good,
        asyncio.timeout(60),
    ):
        monkeypatch.setattr(ServerConnection, "data_received", noted)
        counting = asyncio.create_task(count())
        async with _sending(edge, "CP1", frames):
            await until(lambda: len(read) > 5)
            for _ in range(10):
                await good.call("Heartbeat", {})
        counting.cancel()

    # Of the smallest frames some hundreds; the library itself reads 256 KiB in one turn.
    assert max(size for _, size in read) <= 8192
    assert max(Counter(each for each, _ in read).values()) <= 3


async def test_frames_are_read_at_a_pace() -> None:
    async with open_edge() as edge, edge.station("CP1") as station:
        count = 1000
        began = time.monotonic()
        pongs = [await station.socket.ping() for _ in range(count)]
        await asyncio.gather(*pongs)
        took = time.monotonic() - began

    assert took > count * FRAME_SECONDS / 2


async def test_frames_of_a_burst_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(station_socket, "FRAME_SECONDS", 600.0)
    monkeypatch.setattr(station_socket, "BURST_SECONDS", 40 * 600.0)
    async with open_edge() as edge, edge.station("CP1") as station, asyncio.timeout(60):
        for _ in range(30):
            await (await station.socket.ping())


async def test_a_frame_of_many_pieces_is_read_whole_and_what_is_behind_it_follows() -> None:
    async with open_edge() as edge, edge.station("CP1") as station:
        await station.call(
            "BootNotification", {"chargePointVendor": "Volt", "chargePointModel": "One"}
        )
        long = "x" * (PIECE * 50)
        await station.call("DataTransfer", {"vendorId": "Volt", "data": long})
        await station.call("Heartbeat", {})

        [frame] = [each for each in edge.frames() if "DataTransfer" in each.frame]
    assert long in frame.frame


async def test_pings_whose_answers_nobody_reads_are_read_no_further(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bound = 20_000
    monkeypatch.setattr(station_socket, "UNSENT_MAX", bound)
    monkeypatch.setattr(station_socket, "FRAME_SECONDS", 0.0)
    async with open_edge() as edge, _sending(edge, "CP3", _LONG_PING * 500) as station:
        station.socket.transport.pause_reading()
        transport = _transport_of("CP3")
        async with asyncio.timeout(30):
            # What the system keeps on the way has to be full first.
            while transport.get_write_buffer_size() <= bound:  # noqa: ASYNC110 - of no event
                await asyncio.sleep(0.01)
        await asyncio.sleep(1)
        unsent = transport.get_write_buffer_size()

    assert unsent < 2 * bound, "in that second millions would have been added"


def _transport_of(station_id: str) -> asyncio.WriteTransport:
    [found] = [
        each.transport
        for each in gc.get_objects()
        if type(each) is StationSocket
        and each.station is not None
        and each.station.station_id == station_id
    ]
    return found
