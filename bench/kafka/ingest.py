"""`kafka_durable_frames`, `kafka_answer_*`: stations into the log in Kafka, one broker beside us.

400 stations, each sending its next MeterValues when the last is answered, to one stations process
on a core of its own; broker and stations share the others. `kafka_answer_*` is how long an answer
takes at half that load. The peer is the embedded log.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import psycopg

from bench.durable import measure
from bench.kafka.cluster import IN_POSTGRES, made
from bench.peers.machine import core_for_the_server
from bench.peers.paced import answer_times
from bench.peers.servers import PARTITIONS, Task, run_ours
from bench.run import Row, beside
from deploy.kafka.brokers import KafkaBrokers
from deploy.postgres import migrate
from deploy.postgres.embedded import EmbeddedPostgres


def rows(seconds: float) -> list[Row]:
    """Measure both logs for *seconds* each."""
    with tempfile.TemporaryDirectory(prefix="wattledger-bench-kafka-") as folder:
        home = Path(folder)
        with KafkaBrokers(home / "kafka") as brokers:
            return _ingest(brokers, home, seconds)


def _ingest(brokers: KafkaBrokers, home: Path, seconds: float) -> list[Row]:
    kafka = made(brokers, "bench.durable", PARTITIONS)
    with core_for_the_server() as core, EmbeddedPostgres(home / "data") as postgres:
        with psycopg.connect(postgres.dsn) as connection:
            migrate.apply(connection, "inputs")
        in_kafka = Task(core=core, kafka=kafka)
        in_postgres = Task(core=core, dsn=postgres.dsn)
        ours, theirs = (measure(run_ours, each, seconds) for each in (in_kafka, in_postgres))
        half = ours / 2
        fast, slow = (
            answer_times(run_ours, each, half, seconds) for each in (in_kafka, in_postgres)
        )
    unit = f"ms at {half:,.0f} frames/s"
    return [
        beside("kafka_durable_frames", ours, "frames/s a stations process", IN_POSTGRES, theirs),
        *(
            beside(f"kafka_answer_p{share}_ms", mine, unit, IN_POSTGRES, other, is_cost=True)
            for share, mine, other in zip((50, 99), fast, slow, strict=True)
        ),
    ]
