"""Books from a backup go on beside the log that ran on without them (docs/operations.md)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from deploy.postgres.embedded import binary
from ledger.log.kafka.cluster import KafkaCluster
from ledger.log.kafka.event_log import KafkaEventLog
from tests.ledger.worker.kafka.test_worker_group import day, log, records_of, run_group
from tests.ledger.worker.test_worker import consequences

__all__ = ["day", "log"]


def backed_up(dsn: str, dump: Path) -> None:
    words = ["--format=custom", "--file", str(dump), f"--dbname={dsn}"]
    subprocess.run([binary("pg_dump"), *words], check=True)


def restored(dsn: str, dump: Path) -> str:
    name = f"{conninfo_to_dict(dsn)['dbname']}_restored"
    with psycopg.connect(make_conninfo(dsn, dbname="postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
    found = make_conninfo(dsn, dbname=name)
    subprocess.run([binary("pg_restore"), f"--dbname={found}", str(dump)], check=True)
    return found


async def test_a_worker_on_restored_books_catches_up_to_the_same_decisions(
    day: str, log: KafkaEventLog, kafka: KafkaCluster, tmp_path: Path
) -> None:
    records = records_of(day)
    half = len(records) // 2
    log.append(records[:half])
    await run_group(day, kafka, tmp_path)
    backed_up(day, tmp_path / "books.dump")
    log.append(records[half:])
    await run_group(day, kafka, tmp_path)

    found = restored(day, tmp_path / "books.dump")
    assert consequences(found) != consequences(day)
    await run_group(found, kafka, tmp_path)

    assert consequences(found) == consequences(day) == consequences(day, "expected")
    with psycopg.connect(make_conninfo(day, dbname="postgres"), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {conninfo_to_dict(found)['dbname']} WITH (FORCE)".encode())
