"""While one station's large frame is read and searched for persons, the others are answered."""

from __future__ import annotations

import asyncio
import json
import threading
import time

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
        answered: list[float] = []

        async def live() -> None:
            while True:
                await good.call("Heartbeat", {})
                answered.append(time.monotonic())

        living = asyncio.create_task(live())
        began = time.monotonic()
        await large.socket.send(_stop(13_000))
        await large.socket.recv()
        took = time.monotonic() - began
        living.cancel()

    assert len(answered) > 3, f"answered only {len(answered)} times in {took} s"


async def test_only_what_is_large_goes_to_the_thread() -> None:
    small = await beside_others(LARGE - 1, threading.current_thread)
    large = await beside_others(LARGE, threading.current_thread)

    assert small is threading.current_thread()
    assert large.name.startswith("large-frame")
