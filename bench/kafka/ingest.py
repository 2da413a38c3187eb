"""`kafka_durable_frames`, `kafka_answer_*`: stations into the log in Kafka, one broker beside us.

400 stations, each sending its next MeterValues when the last is answered, to one stations process
on a core of its own; broker and stations share the others. `kafka_answer_*` is how long an answer
takes at half that load. The peer is the embedded log.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import psycopg
import uvloop

from bench.durable import calls_of, measure
from bench.kafka.cluster import IN_POSTGRES, made
from bench.peers.load import LoadStation
from bench.peers.servers import PARTITIONS, Task, run_ours, server_process
from bench.run import Row, beside
from deploy.kafka.brokers import KafkaBrokers
from deploy.postgres import migrate
from deploy.postgres.embedded import EmbeddedPostgres

_STATIONS: Final = 200


def rows(seconds: float) -> list[Row]:
    """Measure both logs for *seconds* each."""
    with tempfile.TemporaryDirectory(prefix="wattledger-bench-kafka-") as folder:
        home = Path(folder)
        with KafkaBrokers(home / "kafka") as brokers:
            return _ingest(brokers, home, seconds)


def _ingest(brokers: KafkaBrokers, home: Path, seconds: float) -> list[Row]:
    cores = sorted(os.sched_getaffinity(0))
    core = cores[0] if len(cores) > 1 else None
    if core is not None:
        os.sched_setaffinity(0, set(cores[1:]))
    kafka = made(brokers, "bench.durable", PARTITIONS)
    try:
        with EmbeddedPostgres(home / "data") as postgres:
            with psycopg.connect(postgres.dsn) as connection:
                migrate.apply(connection, "inputs")
            in_kafka = Task(core=core, kafka=kafka)
            in_postgres = Task(core=core, dsn=postgres.dsn)
            ours, theirs = (measure(run_ours, each, seconds) for each in (in_kafka, in_postgres))
            half = ours / 2
            fast, slow = (_answers(each, half, seconds) for each in (in_kafka, in_postgres))
    finally:
        os.sched_setaffinity(0, set(cores))
    unit = f"ms at {half:,.0f} frames/s"
    return [
        beside("kafka_durable_frames", ours, "frames/s a stations process", IN_POSTGRES, theirs),
        *(
            beside(f"kafka_answer_p{share}_ms", mine, unit, IN_POSTGRES, other, is_cost=True)
            for share, mine, other in zip((50, 99), fast, slow, strict=True)
        ),
    ]


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


def _answers(task: Task, rate: float, seconds: float) -> tuple[float, float]:
    """Return the median and the 99th percentile of an answer's time in ms, at *rate* frames/s."""
    with (
        server_process(run_ours, task) as server,
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
