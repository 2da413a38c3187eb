"""`kafka_worker_frames*`, `kafka_worker_clock*`: the frames of `worker_frames` by way of Faust.

From a log in Kafka of one, two and four partitions, in lines per second of processor time (of the
worker and all of PostgreSQL) and by the clock, each beside the embedded log with as many
partitions. What counts is from the first group that was taken: joining the group is no work.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

import psycopg

from bench.kafka.cluster import IN_POSTGRES, copy, made
from bench.peers.worked_log import cpu_seconds, empty_log, fill, worked_off
from bench.run import Row, beside
from bench.worker import charging, starts
from deploy.kafka.brokers import KafkaBrokers
from deploy.postgres.embedded import EmbeddedPostgres
from ingest.facts.translate import translate
from ledger.log.kafka.cluster import KafkaCluster
from ledger.log.kafka.event_log import KafkaEventLog
from ledger.worker.kafka.faust_app import WorkerGroup

_LINES_A_RECORD: Final = 100
_PARTITIONS: Final = (1, 2, 4)
_LOOK_SECONDS: Final = 0.05
_TAKEN: Final = "SELECT coalesce(sum(next_position), 0)::bigint FROM worker_position"


class Rate(NamedTuple):
    """Lines a second, of processor time and by the clock."""

    cpu: float
    clock: float


def rows(_seconds: float) -> list[Row]:
    """Measure both logs; each is worked off once for each number of partitions."""
    found = []
    with (
        tempfile.TemporaryDirectory(prefix="wattledger-bench-kafka-") as home,
        KafkaBrokers(Path(home) / "kafka") as brokers,
    ):
        for partitions in _PARTITIONS:
            ours, theirs = _measure(brokers, partitions)
            suffix, many = ("", "") if partitions == 1 else (f"_{partitions}", "s")
            where = f"handed over by Faust, {partitions} partition{many}"
            cpu = f"lines per CPU second, worker and PostgreSQL; {where}"
            clock = f"lines/s by the clock, one worker process; {where}"
            found += [
                beside(f"kafka_worker_frames{suffix}", ours.cpu, cpu, IN_POSTGRES, theirs.cpu),
                beside(f"kafka_worker_clock{suffix}", ours.clock, clock, IN_POSTGRES, theirs.clock),
            ]
    return found


def _measure(brokers: KafkaBrokers, partitions: int) -> tuple[Rate, Rate]:
    """Return what the worker does handed over by Faust, and with the embedded log."""
    kafka = made(brokers, f"bench.worker.{partitions}", partitions)
    with empty_log(partitions) as postgres:
        fill(postgres, (*starts(), *charging()), lines_a_record=_LINES_A_RECORD)
        copy(postgres, kafka)
        began = time.perf_counter()
        lines, spent = worked_off(postgres, "by_itself")
        theirs = Rate(lines / spent, lines / (time.perf_counter() - began))
        return asyncio.run(_work_in_group(postgres, kafka, lines)), theirs


class _Mark(NamedTuple):
    records: int
    clock: float
    cpu: float


async def _work_in_group(postgres: EmbeddedPostgres, kafka: KafkaCluster, lines: int) -> Rate:
    with (
        tempfile.TemporaryDirectory() as folder,
        KafkaEventLog(kafka) as log,
        psycopg.connect(postgres.dsn, autocommit=True) as connection,
    ):
        connection.execute("SET search_path = books, inputs")
        records = sum(log.ends())
        group = WorkerGroup(postgres.dsn, cluster=kafka, translate=translate, folder=Path(folder))
        stop = asyncio.Event()
        running = asyncio.create_task(group.run(stop, lambda: None))
        first = last = _Mark(0, 0.0, 0.0)
        while not running.done() and last.records < records:
            await asyncio.sleep(_LOOK_SECONDS)
            [(taken,)] = connection.execute(_TAKEN).fetchall()
            if taken and (not first.records or taken == records):
                last = _Mark(taken, time.perf_counter(), cpu_seconds(postgres))
                first = first if first.records else last
        stop.set()
        await running
    done = lines * (last.records - first.records) / records
    return Rate(done / (last.cpu - first.cpu), done / (last.clock - first.clock))
