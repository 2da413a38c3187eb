"""`replay_frames*`, `replay_full_mix`: a log worked through again and every consequence compared.

The load of `worker_frames` and that of `worker_full_mix`, replayed by one process out of either
log: lines per second of processor time, of this process and all of PostgreSQL, comparing included.
The peer is the worker that made the books, over the same lines.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from bench.kafka.cluster import copy, made
from bench.peers.worked_log import cpu_seconds, declare, empty_log, fill, worked_off
from bench.run import Row, beside
from bench.worker import charging, starts
from bench.worker_mix import STATIONS, mixed, station_name
from deploy.kafka.brokers import KafkaBrokers
from deploy.postgres.embedded import EmbeddedPostgres
from deploy.running.replay import replay_and_compare
from ledger.log.event_log import EventLog
from ledger.log.kafka.event_log import KafkaEventLog
from ledger.log.postgres import PostgresEventLog

_LINES_A_RECORD: Final = 100
_MIXED: Final = 100_000
_UNIT: Final = "lines per CPU second, replay and PostgreSQL, compared; "
_PEER: Final = "the worker, first time"


def rows(_seconds: float) -> list[Row]:
    """Measure both loads; each log is replayed once."""
    with (
        tempfile.TemporaryDirectory(prefix="wattledger-bench-kafka-") as home,
        KafkaBrokers(Path(home) / "kafka") as brokers,
    ):
        found = _frames(brokers)
    with empty_log() as postgres:
        declare(postgres, map(station_name, range(STATIONS)))
        fill(postgres, mixed(_MIXED), lines_a_record=_LINES_A_RECORD)
        lines, spent = worked_off(postgres, "books")
        with PostgresEventLog(postgres.dsn) as log:
            again = _replayed(postgres, log)
    unit = f"{_UNIT}every session ends and is rated"
    return [*found, beside("replay_full_mix", again, unit, _PEER, lines / spent)]


def _frames(brokers: KafkaBrokers) -> list[Row]:
    kafka = made(brokers, "bench.replay", 1)
    with empty_log() as postgres:
        fill(postgres, (*starts(), *charging()), lines_a_record=_LINES_A_RECORD)
        copy(postgres, kafka)
        lines, spent = worked_off(postgres, "books")
        found = []
        for name, where, log in (
            ("replay_frames", "from the log in PostgreSQL", PostgresEventLog(postgres.dsn)),
            ("kafka_replay_frames", "from the log in Kafka", KafkaEventLog(kafka)),
        ):
            with log:
                again = _replayed(postgres, log)
            found.append(beside(name, again, _UNIT + where, _PEER, lines / spent))
    return found


def _replayed(postgres: EmbeddedPostgres, log: EventLog) -> float:
    """Return lines a second of processor time.

    Raises:
        AssertionError: If the replay came to anything else.
    """
    before = cpu_seconds(postgres)
    report = replay_and_compare(postgres.dsn, log)
    spent = cpu_seconds(postgres) - before
    assert report.is_identical, report.shown
    return report.lines / spent
