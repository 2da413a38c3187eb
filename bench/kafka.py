"""`kafka_*`: the log in Kafka against the embedded one, in the same run; one broker beside us.

`kafka_durable_frames`: 400 stations, each sending its next MeterValues when the last is answered,
to one stations process on a core of its own; broker and stations share the others. `kafka_answer_*`
is how long an answer takes at half that load. `kafka_worker_frames`: the frames of `worker_frames`
handed over by Faust, in processor time of the worker and of all of PostgreSQL.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg
import uvloop

from bench.durable import calls_of, measure
from bench.peers.load import LoadStation
from bench.peers.servers import PARTITIONS, Task, run_ours, server_process
from bench.peers.worked_log import cpu_seconds, empty_log, fill, worked_off
from bench.run import Row
from bench.worker import charging, starts
from deploy.kafka.brokers import KafkaBrokers
from deploy.postgres import migrate
from deploy.postgres.embedded import EmbeddedPostgres
from ingest.facts.translate import translate
from ledger.log.event_log import NewRecord
from ledger.log.kafka.cluster import KafkaCluster
from ledger.log.kafka.event_log import KafkaEventLog
from ledger.log.kafka.topics import PROFILES, make_topic
from ledger.log.postgres import PostgresEventLog
from ledger.worker.kafka.faust_app import WorkerGroup
from ledger.worker.position import has_caught_up

_STATIONS: Final = 200
_LINES_A_RECORD: Final = 100
_COPIED_AT_ONCE: Final = 50


def rows(seconds: float) -> list[Row]:
    """Measure both logs for *seconds* each."""
    home = Path(tempfile.mkdtemp(prefix="wattledger-bench-kafka-"))
    try:
        with KafkaBrokers(home / "kafka") as brokers:
            return [*_ingest(brokers, home, seconds), _worker(brokers)]
    finally:
        shutil.rmtree(home)


def _ingest(brokers: KafkaBrokers, home: Path, seconds: float) -> list[Row]:
    cores = sorted(os.sched_getaffinity(0))
    core = cores[0] if len(cores) > 1 else None
    if core is not None:
        os.sched_setaffinity(0, set(cores[1:]))
    kafka = _made(brokers, "bench.durable", PARTITIONS)
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
    peer = "the log in PostgreSQL"
    return [
        _row("kafka_durable_frames", ours, "frames/s a stations process", peer, theirs),
        *(
            _row(f"kafka_answer_p{share}_ms", mine, f"ms at {half:,.0f} frames/s", peer, other)
            for share, mine, other in zip((50, 99), fast, slow, strict=True)
        ),
    ]


def _row(name: str, value: float, unit: str, peer: str, peer_value: float) -> Row:
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "peer": peer,
        "peer_value": peer_value,
        "ratio": value / peer_value,
    }


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


def _worker(brokers: KafkaBrokers) -> Row:
    kafka = _made(brokers, "bench.worker", 1)
    with empty_log() as postgres:
        fill(postgres, (*starts(), *charging()), lines_a_record=_LINES_A_RECORD)
        _copy(postgres, kafka)
        lines, spent = worked_off(postgres, "by_itself")
        began = cpu_seconds(postgres)
        asyncio.run(_work_in_group(postgres, kafka))
        in_group = cpu_seconds(postgres) - began
    return _row(
        "kafka_worker_frames",
        lines / in_group,
        "frames per CPU second, worker and PostgreSQL; handed over by Faust",
        "the log in PostgreSQL",
        lines / spent,
    )


def _copy(postgres: EmbeddedPostgres, kafka: KafkaCluster) -> None:
    with PostgresEventLog(postgres.dsn) as old, KafkaEventLog(kafka) as new:
        for some in _pages(old):
            new.append(some)


def _pages(log: PostgresEventLog) -> Iterator[list[NewRecord]]:
    at = 0
    while some := log.read(0, at, records=_COPIED_AT_ONCE):
        yield [NewRecord(0, record.payload.split(b"\n"), record.stamp) for record in some]
        at = some[-1].position + 1


async def _work_in_group(postgres: EmbeddedPostgres, kafka: KafkaCluster) -> None:
    with _folder() as folder, KafkaEventLog(kafka) as log:
        ends = log.ends()
        group = WorkerGroup(postgres.dsn, cluster=kafka, translate=translate, folder=folder)
        stop = asyncio.Event()
        running = asyncio.create_task(group.run(stop, lambda: None))
        with psycopg.connect(postgres.dsn, autocommit=True) as connection:
            connection.execute("SET search_path = books, inputs")
            while not running.done() and not has_caught_up(connection, ends):  # noqa: ASYNC110 - the books tell nobody
                await asyncio.sleep(0.1)
        stop.set()
        await running


def _made(brokers: KafkaBrokers, topic: str, partitions: int) -> KafkaCluster:
    kafka = KafkaCluster(bootstrap=brokers.bootstrap, topic=topic)
    make_topic(kafka, partitions=partitions, profile=PROFILES["development"])
    return kafka


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
