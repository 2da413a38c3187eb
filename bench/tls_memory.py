"""`tls_connection_memory`: what an idle TLS connection costs the server, in KiB of its own memory.

Each connection was opened with credentials and sent one Heartbeat. The peer is `websockets` with
`ocpp` on asyncio, whose TLS keeps a buffer of 256 KiB for each.
"""

from __future__ import annotations

import asyncio
import shutil
import ssl
import tempfile
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import uvloop

from bench.peers.certificate import certificate_in
from bench.peers.load import LoadStation, connect, wire_frame
from bench.peers.servers import Process, Task, run_ours, run_peer, server_process
from bench.run import Row

_CONNECTIONS: Final = 500
_FIRST: Final = 50
"""Connections that warm the process up and are not counted."""
_SETTLE_SECONDS: Final = 1.0
_CONNECT_SECONDS: Final = 90
_AT_ONCE: Final = 25


def rows(_seconds: float) -> list[Row]:
    """Measure both sides; how long does not matter."""
    folder = Path(tempfile.mkdtemp(prefix="wattledger-bench-"))
    try:
        certificate, key = certificate_in(folder)
        task = Task(certificate=certificate, key=key)
        ours = _measure(run_ours, task)
        theirs = _measure(run_peer, task)
    finally:
        shutil.rmtree(folder)
    return [
        {
            "name": "tls_connection_memory",
            "value": ours,
            "unit": "KiB per idle connection",
            "peer": "websockets + ocpp on asyncio",
            "peer_value": theirs,
            "ratio": theirs / ours,
        }
    ]


def _measure(main: Callable[[Task, Connection], None], task: Task) -> float:
    with (
        server_process(main, task) as server,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        return runner.run(_memory_of_connections(server, task.certificate))


async def _memory_of_connections(server: Process, certificate: str) -> float:
    tls = ssl.create_default_context(cafile=certificate)
    # The certificate is for localhost, the stations connect to 127.0.0.1.
    tls.check_hostname = False
    stations: list[LoadStation] = []
    async with asyncio.timeout(_CONNECT_SECONDS):
        await _open(stations, _FIRST, server.port, tls)
        before = server.memory_kib()
        await _open(stations, _FIRST + _CONNECTIONS, server.port, tls)
    grown = server.memory_kib() - before
    for station in stations:
        station.close()
    return grown / _CONNECTIONS


async def _open(stations: list[LoadStation], wanted: int, port: int, tls: ssl.SSLContext) -> None:
    """Open connections until there are *wanted*, each having had a Heartbeat answered."""
    heartbeat = [wire_frame('[2,"1","Heartbeat",{}]')]
    while len(stations) < wanted:
        numbers = range(len(stations), min(wanted, len(stations) + _AT_ONCE))
        new = await asyncio.gather(*(connect(port, f"B{n}", heartbeat, tls=tls) for n in numbers))
        for station in new:
            station.start()
            station.stop()
        stations += new
    await asyncio.sleep(_SETTLE_SECONDS)
    assert all(station.answered == 1 for station in stations)
