"""Stations that send at a steady rate, and how long each answer takes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Final

import uvloop

from bench.durable import calls_of
from bench.peers.load import LoadStation
from bench.peers.servers import Task, server_process

_STATIONS: Final = 200


class PacedStation(LoadStation):
    """Sends a call every so often, and notes how long each answer took."""

    interval = 1.0

    def __init__(self, name: str, calls: Sequence[bytes]) -> None:
        super().__init__(name, calls)
        self._due = 0.0
        self._sent_at = 0.0
        self.took: list[float] = []

    def data_received(self, data: bytes) -> None:
        """Note how long an answer took."""
        before = self.answered
        super().data_received(data)
        if self.answered > before:
            self.took.append(time.perf_counter() - self._sent_at)

    def _send(self) -> None:
        now = time.perf_counter()
        self._due = max(self._due + self.interval, now)
        asyncio.get_running_loop().call_later(self._due - now, self._send_now)

    def _send_now(self) -> None:
        self._sent_at = time.perf_counter()
        super()._send()


def answer_times(
    main: Callable[[Task, Connection], None], task: Task, rate: float, seconds: float
) -> tuple[float, float]:
    """Return the median and the 99th percentile of an answer's time in ms, at *rate* frames/s."""
    with (
        server_process(main, task) as server,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        took = sorted(runner.run(_paced(server.port, rate, seconds)))
    return 1000 * took[len(took) // 2], 1000 * took[len(took) * 99 // 100]


async def _paced(port: int, rate: float, seconds: float) -> list[float]:
    loop = asyncio.get_running_loop()
    stations = []
    for number in range(_STATIONS):
        _, station = await loop.create_connection(
            lambda number=number: PacedStation(f"B{number}", calls_of(number)),  # type: ignore[misc]
            "127.0.0.1",
            port,
        )
        await station.is_open
        station.interval = _STATIONS / rate
        stations.append(station)
    for station in stations:
        await asyncio.sleep(1 / rate)
        station.start()
    await asyncio.sleep(1)
    for station in stations:
        station.took.clear()
    await asyncio.sleep(seconds)
    for station in stations:
        station.stop()
        station.close()
    return [each for station in stations for each in station.took]
