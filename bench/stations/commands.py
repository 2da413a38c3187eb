"""`commands`: calls to stations, there and back, from one process to the stations of another.

Whoever asks writes a row; the process with the station's connection is woken, claims it, logs the
call, sends it, logs the answer and ends the row; whoever asked is woken and reads it. 64 ask at the
same time, of 200 stations that answer at once. The aim is a thousand a second.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Final

import uvloop

from bench.peers.load import LoadStation, wire_frame
from bench.run import Row, beside
from bench.stations.storm import declare_stations, serving
from deploy.clock import SystemClock
from deploy.postgres.embedded import EmbeddedPostgres
from deploy.running.parts import PartContext
from deploy.settings import Settings
from ingest.commands.asking import Patience, StationCommands
from ingest.commands.command import CommandState
from ingest.declared_directory import DeclaredDirectory
from ingest.persons.subjects import PostgresSubjects
from ledger.database import connect_async

_STATIONS: Final = 200
_ASKING: Final = 64
_WARM_UP_SECONDS: Final = 1.0
_WANTED: Final = 1_000.0
_PATIENCE: Final = Patience(wait=20, answer=20)


class CalledStation(LoadStation):
    """Answers every call with Accepted."""

    def take(self, payload: bytes) -> None:
        """Answer a call; the answer to its own Heartbeat ends nothing."""
        if payload.startswith(b"[2,"):
            call_id = payload.split(b'"', 2)[1].decode()
            self.write(wire_frame(f'[3,"{call_id}",{{"status":"Accepted"}}]'))


def rows(seconds: float) -> list[Row]:
    """Measure for *seconds*."""
    with tempfile.TemporaryDirectory(prefix="wattledger-bench-") as folder:
        data = Path(folder)
        keys = {f"S-{n}": secrets.token_hex(16) for n in range(_STATIONS)}
        settings = Settings(data=data, listen_port=0, metrics_port=0, log_level="error")
        with EmbeddedPostgres(data) as postgres:
            declare_stations(postgres.dsn, settings, keys)
            context = PartContext(settings=settings, clock=SystemClock(), dsn=postgres.dsn)
            with (
                serving(context, None) as served,
                asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
            ):
                rate = runner.run(_measured(postgres.dsn, served.port, keys, seconds))
    unit = "calls/s to stations of another process, there and back"
    return [beside("commands", rate, unit, "at least", _WANTED)]


async def _measured(dsn: str, port: int, keys: dict[str, str], seconds: float) -> float:
    stations = [await _called(port, name, key) for name, key in keys.items()]
    connect, clock = partial(connect_async, dsn), SystemClock()
    directory, subjects = DeclaredDirectory(dsn, clock), PostgresSubjects(connect)
    commands = StationCommands(connect, directory=directory, subjects=subjects, clock=clock)
    following = asyncio.create_task(commands.follow())
    done = itertools.count()
    asking = [asyncio.create_task(_ask(commands, n, done)) for n in range(_ASKING)]
    await asyncio.sleep(_WARM_UP_SECONDS)
    began, before = time.perf_counter(), next(done)
    await asyncio.sleep(seconds)
    rate = (next(done) - before - 1) / (time.perf_counter() - began)
    for task in (*asking, following):
        if task.done():
            task.result()
        task.cancel()
    await asyncio.gather(*asking, following, return_exceptions=True)
    for each in (directory, subjects, commands):
        await each.close()
    for station in stations:
        station.close()
    return rate


async def _called(port: int, name: str, key: str) -> CalledStation:
    loop = asyncio.get_running_loop()
    _, station = await loop.create_connection(
        lambda: CalledStation(name, (), key), "127.0.0.1", port
    )
    await station.is_open
    return station


async def _ask(commands: StationCommands, number: int, done: itertools.count[int]) -> None:
    """Ask one station after the other, each asker others, until cancelled."""
    for turn in itertools.cycle(range(number, _STATIONS, _ASKING)):
        outcome = await commands.ask(
            f"S-{turn}", "Reset", '{"type":"Soft"}', by="bench", patience=_PATIENCE
        )
        assert outcome.state is CommandState.ANSWERED, outcome
        next(done)
