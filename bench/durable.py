"""`durable_frames`: frames made durable and answered by one ingest process on one core.

400 stations, each sending its next MeterValues when the last is answered, over loopback. The peer
is `websockets` with `ocpp`, which keeps nothing. Each server has one core to itself; PostgreSQL and
the stations run on the others.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import psycopg
import uvloop

from bench.peers.frames import meter_values
from bench.peers.load import LoadStation, connect, wire_frame
from bench.peers.machine import core_for_the_server
from bench.peers.servers import Task, run_ours, run_peer, server_process
from bench.run import Row
from deploy.postgres import migrate
from deploy.postgres.embedded import EmbeddedPostgres

_STATIONS: Final = 400
_VARIETY: Final = 50
_CONNECT_SECONDS: Final = 60
# Connections and caches are warm before anything counts.
_WARM_UP_SECONDS: Final = 0.5


def rows(seconds: float) -> list[Row]:
    """Measure both sides for *seconds* each."""
    with (
        core_for_the_server() as core,
        tempfile.TemporaryDirectory(prefix="wattledger-bench-") as folder,
        EmbeddedPostgres(Path(folder)) as postgres,
    ):
        with psycopg.connect(postgres.dsn) as connection:
            migrate.apply(connection, "inputs")
        ours = measure(run_ours, Task(core=core, dsn=postgres.dsn), seconds)
        theirs = measure(run_peer, Task(core=core), seconds)
    return [
        {
            "name": "durable_frames",
            "value": ours,
            "unit": "frames/s",
            "peer": "websockets + ocpp, not durable",
            "peer_value": theirs,
            "ratio": ours / theirs,
        }
    ]


def measure(main: Callable[[Task, Connection], None], task: Task, seconds: float) -> float:
    """Return how many frames a second the server of *main* answers."""
    with (
        server_process(main, task) as server,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        return runner.run(_load(server.port, seconds))


async def _load(port: int, seconds: float) -> float:
    async with asyncio.timeout(_CONNECT_SECONDS):
        stations = [await connect(port, f"B{n}", calls_of(n)) for n in range(_STATIONS)]
    for station in stations:
        station.start()
    await asyncio.sleep(_WARM_UP_SECONDS)
    before, started = _answered(stations), time.perf_counter()
    await asyncio.sleep(seconds)
    rate = (_answered(stations) - before) / (time.perf_counter() - started)
    for station in stations:
        station.stop()
        station.close()
    return rate


def _answered(stations: Sequence[LoadStation]) -> int:
    return sum(station.answered for station in stations)


def calls_of(number: int) -> list[bytes]:
    """Return what a station sends, over and over."""
    return [wire_frame(meter_values(f"{number}-{each}")) for each in range(_VARIETY)]
