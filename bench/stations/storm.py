"""`reconnect_storm`: how long until 5,000 stations are back after the server was started again.

All of them connect at the same moment, over loopback, as stations do: an attempt that is refused or
not answered for ten seconds is made again a second later. One in five has a password that somebody
chose, the others random keys; all were connected before the restart. Ours is the product's own
part, with its declarations, its log and its passwords. The peer is `websockets` with `ocpp`, as
documented: it asks nobody for a password and keeps nothing.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import secrets
import ssl
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final, NamedTuple

import uvloop

from bench.peers.load import PASSWORD, LoadStation, connect, wire_frame
from bench.peers.machine import core_for_the_server, many_sockets
from bench.peers.servers import Task, run_peer, server_process
from bench.run import Row
from deploy.clock import SystemClock
from deploy.postgres.embedded import EmbeddedPostgres
from deploy.running.opening import prepare
from deploy.running.parts import PartContext
from deploy.settings import Settings
from ledger.database import connect as connect_database
from ledger.declared.passwords import hash_password
from ledger.desk.apply import apply_files
from ledger.log.postgres import PostgresEventLog

STATIONS: Final = 5_000
_CHOSEN_EACH: Final = 5
ATTEMPT_SECONDS: Final = 30.0
"""So long a station waits for its connection and first answer: all of them run on one core here."""
PAUSE_SECONDS: Final = 1.0
_ALL_SECONDS_MAX: Final = 180.0
_MASTER_DATA: Final = """
legal_entities:
  storm: {name: Storm, country: NO, time_zone: Europe/Oslo, invoice_prefix: ST,
    vat_id: NO123456785MVA}
sites:
  coast: {time_zone: Europe/Oslo, country: NO, legal_entity: storm, currency: NOK}
stations:
"""


class Storm(NamedTuple):
    """How long it took until all were back, and what went wrong meanwhile."""

    seconds: float
    failed: Mapping[str, int]

    def __str__(self) -> str:
        """Say what went wrong."""
        return f"{self.failed.get('refused', 0)} refused, {self.failed.get('timed out', 0)} late"


def rows(_seconds: float) -> list[Row]:
    """Measure both sides; how long does not matter."""
    with (
        many_sockets(),
        core_for_the_server() as core,
        tempfile.TemporaryDirectory(prefix="wattledger-bench-") as folder,
    ):
        ours = _ours(Path(folder), core)
        with server_process(run_peer, Task(core=core)) as peer:
            theirs = _run(peer.port, {f"S-{n}": PASSWORD for n in range(STATIONS)})
    return [
        {
            "name": "reconnect_storm",
            "value": ours.seconds,
            "unit": f"s until {STATIONS:,} stations are back ({ours})",
            "peer": f"websockets + ocpp, no passwords ({theirs})",
            "peer_value": theirs.seconds,
            "ratio": theirs.seconds / ours.seconds,
        }
    ]


def _ours(data: Path, core: int | None) -> Storm:
    keys = keys_of(STATIONS)
    settings = Settings(data=data, listen_port=0, metrics_port=0, log_level="error")
    with EmbeddedPostgres(data) as postgres:
        declare_stations(postgres.dsn, settings, keys)
        context = PartContext(settings=settings, clock=SystemClock(), dsn=postgres.dsn)
        with serving(context, core) as served:
            _run(served.port, keys)
        with serving(context, core) as served:
            return _run(served.port, keys)


def keys_of(stations: int) -> dict[str, str]:
    """Return stations with their passwords: one in five was chosen, the others are random keys."""
    return {
        f"S-{n}": f"chosen-{n}" if n % _CHOSEN_EACH == 0 else secrets.token_hex(16)
        for n in range(stations)
    }


def declare_stations(dsn: str, settings: Settings, keys: Mapping[str, str]) -> None:
    """Prepare a database with stations that have these passwords."""
    prepare(dsn, settings)
    stations = "".join(
        f"  {name}: {{site: coast, password_hash: {hash_password(key)}}}\n"
        for name, key in keys.items()
    )
    with connect_database(dsn) as database, PostgresEventLog(dsn) as log:
        files = [(_MASTER_DATA + stations, "storm.yaml")]
        apply_files(database, files, log=log, by="bench", at=datetime(2026, 1, 1, tzinfo=UTC))


class Served(NamedTuple):
    """A running part for stations: where it listens, and its process."""

    port: int
    pid: int


@contextmanager
def serving(context: PartContext, core: int | None) -> Iterator[Served]:
    """Run the product's part for stations in a process of its own."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(context, core, theirs)
    )
    process.start()
    try:
        ports = ours.recv()
        yield Served(ports.tls_port or ports.listen_port, process.pid or 0)
    finally:
        process.terminate()
        process.join(60)
        if process.is_alive():
            process.kill()


def _serve(context: PartContext, core: int | None, pipe: Connection) -> None:
    from deploy.observing.watch import Watch  # noqa: PLC0415 - only this process needs it
    from deploy.running.processes import serve_stations  # noqa: PLC0415

    if core is not None:
        os.sched_setaffinity(0, {core})
    serve_stations(context, threading.Event(), pipe.send, Watch("stations"))


def _run(port: int, keys: Mapping[str, str]) -> Storm:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_storm(port, keys))


async def _storm(port: int, keys: Mapping[str, str]) -> Storm:
    stations, storm = await come_back(port, keys)
    for station in stations:
        station.close()
    await asyncio.sleep(0)
    return storm


async def come_back(
    port: int, keys: Mapping[str, str], *, tls: ssl.SSLContext | None = None
) -> tuple[list[LoadStation], Storm]:
    """Let all stations connect at the same moment; return them once all are back."""
    failed: Counter[str] = Counter()
    started = time.perf_counter()
    async with asyncio.timeout(_ALL_SECONDS_MAX):
        back = await asyncio.gather(
            *(_one_back(port, name, key, failed, tls) for name, key in keys.items())
        )
    return back, Storm(time.perf_counter() - started, failed)


async def _one_back(
    port: int, name: str, key: str, failed: Counter[str], tls: ssl.SSLContext | None
) -> LoadStation:
    """Return a station that is connected and was answered a Heartbeat, after however many tries."""
    heartbeat = [wire_frame('[2,"1","Heartbeat",{}]')]
    while True:
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                station = await connect(port, name, heartbeat, tls=tls, password=key)
                station.start()
                station.stop()
                while not station.answered:  # noqa: ASYNC110 - 5,000 events would cost more
                    await asyncio.sleep(0.05)
                return station
        except TimeoutError:
            failed["timed out"] += 1
        except OSError:
            failed["refused"] += 1
        await asyncio.sleep(PAUSE_SECONDS)
