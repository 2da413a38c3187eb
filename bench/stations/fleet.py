"""`stations_10k_*`: ten thousand stations on one process, over TLS, with passwords.

The product's own part, with its declarations and its log, on a core of its own. Memory is what
belongs to the process alone while all are connected; `heartbeats` is the share of a core that it
takes when each station sends one every five minutes (the interval that we tell stations). `cut` is
the time until all are back and answered after all connections were lost at the same moment,
`restart` after the process was ended and started again, as it stands with keys seen before.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import tempfile
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import uvloop

from bench.peers.certificate import certificate_in
from bench.peers.load import LoadStation
from bench.peers.machine import core_for_the_server, many_sockets
from bench.run import Row, beside
from bench.stations.storm import Served, Storm, come_back, declare_stations, keys_of, serving
from deploy.clock import SystemClock
from deploy.postgres.embedded import EmbeddedPostgres
from deploy.running.parts import PartContext
from deploy.settings import Settings

T = TypeVar("T")
_STATIONS: Final = 10_000
_HEARTBEAT_EVERY_SECONDS: Final = 300.0
_SETTLE_SECONDS: Final = 3.0
_MEMORY_GB_MAX, _BACK_SECONDS_MAX, _CORE_SHARE_MAX = 0.8, 30.0, 0.1


class Fleet(NamedTuple):
    """What ten thousand stations were measured at: GB, shares of a core, and the way back."""

    memory_gb: float
    core_share: float
    cut: Storm


def rows(seconds: float) -> list[Row]:
    """Measure; heartbeats for twice *seconds*."""
    keys = keys_of(_STATIONS)
    with (
        many_sockets(),
        core_for_the_server() as core,
        tempfile.TemporaryDirectory(prefix="wattledger-bench-") as folder,
        EmbeddedPostgres(Path(folder)) as postgres,
    ):
        certificate, key = certificate_in(Path(folder))
        settings = Settings(
            data=Path(folder),
            listen_port=-1,
            tls_port=0,
            tls_certificate=certificate,
            tls_key=key,
            metrics_port=0,
            log_level="error",
        )
        declare_stations(postgres.dsn, settings, keys)
        context = PartContext(settings=settings, clock=SystemClock(), dsn=postgres.dsn)
        tls = ssl.create_default_context(cafile=certificate)
        # The certificate is for localhost, the stations connect to 127.0.0.1.
        tls.check_hostname = False
        with serving(context, core) as served:
            fleet = _run(_connected(served, keys, tls, 2 * seconds))
        with serving(context, core) as served:
            restart = _run(_back(served, keys, tls))
    return [*_said(fleet), _time("restart", restart)]


def _said(fleet: Fleet) -> list[Row]:
    stations = f"{_STATIONS:,} TLS stations on one process"
    return [
        beside(
            "stations_10k_memory",
            fleet.memory_gb,
            f"GB of its own, {stations}",
            "at most",
            _MEMORY_GB_MAX,
            is_cost=True,
        ),
        beside(
            "stations_10k_heartbeats",
            fleet.core_share,
            f"of a core, {stations}, a Heartbeat each in five minutes",
            "at most",
            _CORE_SHARE_MAX,
            is_cost=True,
        ),
        _time("cut", fleet.cut),
    ]


def _time(what: str, storm: Storm) -> Row:
    unit = f"s until {_STATIONS:,} TLS stations are back ({storm})"
    name = f"stations_10k_{what}"
    return beside(name, storm.seconds, unit, "at most", _BACK_SECONDS_MAX, is_cost=True)


async def _connected(
    served: Served, keys: Mapping[str, str], tls: ssl.SSLContext, seconds: float
) -> Fleet:
    stations, _ = await come_back(served.port, keys, tls=tls)
    await asyncio.sleep(_SETTLE_SECONDS)
    before = cpu_seconds(served.pid)
    await _send_heartbeats(stations, seconds)
    share = (cpu_seconds(served.pid) - before) / seconds
    memory = memory_gb(served.pid)
    for station in stations:
        station.abort()
    await asyncio.sleep(0)
    again, cut = await come_back(served.port, keys, tls=tls)
    for station in again:
        station.close()
    return Fleet(memory, share, cut)


async def _back(served: Served, keys: Mapping[str, str], tls: ssl.SSLContext) -> Storm:
    stations, storm = await come_back(served.port, keys, tls=tls)
    for station in stations:
        station.close()
    await asyncio.sleep(0)
    return storm


async def _send_heartbeats(stations: Sequence[LoadStation], seconds: float) -> None:
    """Let as many stations send one as are due in *seconds*, evenly."""
    due = int(len(stations) * seconds / _HEARTBEAT_EVERY_SECONDS)
    for station in stations[:due]:
        station.start()
        station.stop()
        await asyncio.sleep(seconds / due)


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(coroutine)


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_gb(pid: int) -> float:
    """Return the memory that belongs to a process alone, in GB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1e6
