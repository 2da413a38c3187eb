"""While one station's large frame is read and searched for persons, the others are answered."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ingest.rpc.beside import LARGE, beside_others
from tests.edge import Edge, Station, open_edge

_SAMPLE = {"timestamp": "2026-03-02T12:00:00Z", "sampledValue": [{"value": "1000"}]}
_STOP = {"transactionId": 1, "timestamp": "2026-03-02T12:00:00Z", "meterStop": 9}


def _stop(samples: int) -> str:
    return json.dumps([2, "1", "StopTransaction", _STOP | {"transactionData": [_SAMPLE] * samples}])


async def _booted(edge: Edge, station: Station) -> None:
    await station.call("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
    assert edge.server.connections


async def test_a_large_frame_leaves_the_event_loop_to_the_others() -> None:
    async with open_edge() as edge, edge.station("CP1") as large, edge.station("CP2") as good:
        await _booted(edge, large)
        async with _another_large_frame_in_turn() as read:
            await large.socket.send(_stop(13_000))
            for _ in range(20):
                await good.call("Heartbeat", {})
            waiting = asyncio.ensure_future(large.socket.recv())
            await good.call("Heartbeat", {})

            assert not waiting.done()
            read.set()
            assert json.loads(await waiting)[:2] == [3, "1"]


@asynccontextmanager
async def _another_large_frame_in_turn() -> AsyncIterator[threading.Event]:
    """The thread reads another station's large frame until the event is set."""
    read = threading.Event()
    turn = asyncio.ensure_future(beside_others(LARGE, read.wait, 60))
    await asyncio.sleep(0)
    try:
        yield read
    finally:
        read.set()
        assert await turn


async def test_only_what_is_large_goes_to_the_thread() -> None:
    small = await beside_others(LARGE - 1, threading.current_thread)
    large = await beside_others(LARGE, threading.current_thread)

    assert small is threading.current_thread()
    assert large.name.startswith("large-frame")
