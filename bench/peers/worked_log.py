"""A log of its own for a measure, and the worker timed over it in processor time."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final

import psycopg

from deploy.postgres import migrate
from deploy.postgres.embedded import EmbeddedPostgres
from ingest.facts.translate import translate
from ledger.database import connect
from ledger.desk.apply import apply_files
from ledger.desk.publish import publish_files
from ledger.log.envelope import LogLine, encode_line
from ledger.log.event_log import NewRecord, partition_of
from ledger.log.postgres import PostgresEventLog, make_log
from ledger.worker.worker import Worker
from tests.at_the_edge import keep_named_subjects

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_RECORDS_AT_ONCE: Final = 100
_DECLARED_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
_TARIFF: Final = """
tariff: energy-only
currency: EUR
vat: 19 %
tax_included: NO
elements:
  - name: any time
    energy: 0.49 per kWh
"""
_MASTER_DATA: Final = """
legal_entities:
  bench: {name: Bench, country: DE, time_zone: Europe/Berlin, invoice_prefix: BE,
    vat_id: DE136695976}
sites:
  yard: {time_zone: Europe/Berlin, country: DE, legal_entity: bench, currency: EUR}
customers:
  fleet: {name: Fleet, invoicing: per_month}
tokens:
  a: {customer: fleet}
tariff_assignments:
  - {site: yard, tariff: energy-only}
"""


@contextmanager
def empty_log(partitions: int = 1) -> Iterator[EmbeddedPostgres]:
    """Yield a server of its own with a log that has nothing in it."""
    data = Path(tempfile.mkdtemp(prefix="wattledger-bench-"))
    try:
        with EmbeddedPostgres(data) as postgres:
            with psycopg.connect(postgres.dsn) as connection:
                migrate.apply(connection, "inputs")
                migrate.apply(connection, "persons")
                migrate.apply(connection, "books")
                make_log(connection, partitions)
            yield postgres
    finally:
        shutil.rmtree(data)


def declare(
    postgres: EmbeddedPostgres, stations: Iterable[str], *, invoicing: str = "per_month"
) -> None:
    """Declare *stations*, one token and the tariff that prices them: sessions are then rated."""
    listed = "\n".join(f"  {each}: {{site: yard, connectors: 1}}" for each in stations)
    tariffs = [(_TARIFF, "tariff.yaml")]
    master_data = _MASTER_DATA.replace("per_month", invoicing)
    files = [(f"{master_data}stations:\n{listed}\n", "stations.yaml")]
    with connect(postgres.dsn) as connection, PostgresEventLog(postgres.dsn) as log:
        publish_files(connection, tariffs, log=log, by="bench", at=_DECLARED_AT)
        keep_named_subjects(connection, "a")
        apply_files(connection, files, log=log, by="bench", at=_DECLARED_AT)


def fill(postgres: EmbeddedPostgres, lines: Iterable[LogLine], *, lines_a_record: int) -> None:
    """Append *lines* to the log, each to the partition of its station."""
    coming = iter(lines)
    with PostgresEventLog(postgres.dsn) as log:
        partitions = log.partitions
        while some := list(islice(coming, _RECORDS_AT_ONCE * lines_a_record)):
            shares: list[list[bytes]] = [[] for _ in range(partitions)]
            for line in some:
                name = getattr(line, "station", "")
                shares[partition_of(name, partitions=partitions)].append(encode_line(line))
            log.append(
                [
                    NewRecord(partition, share[i : i + lines_a_record])
                    for partition, share in enumerate(shares)
                    for i in range(0, len(share), lines_a_record)
                ]
            )


def worked_off(postgres: EmbeddedPostgres, schema: str) -> tuple[int, float]:
    """Work the whole log off into new tables; return its lines and the processor time it took."""
    new_books(postgres, schema)
    lines = 0
    with PostgresEventLog(postgres.dsn) as log:
        everything = range(log.partitions)
        with Worker(
            postgres.dsn, log=log, partitions=everything, translate=translate, schema=schema
        ) as worker:
            before = cpu_seconds(postgres)
            while done := worker.run_once():
                lines += done
            return lines, cpu_seconds(postgres) - before


def new_books(postgres: EmbeddedPostgres, schema: str) -> None:
    """Make the tables of the books in *schema*, unless they are there."""
    with psycopg.connect(postgres.dsn) as connection:
        migrate.apply(connection, "books", schema=schema)


def size_of(postgres: EmbeddedPostgres, *schemas: str) -> int:
    """Return the bytes that all tables of *schemas* take, with their indexes."""
    with psycopg.connect(postgres.dsn) as connection:
        found = connection.execute(
            "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class AS c"
            " JOIN pg_namespace AS n ON n.oid = c.relnamespace"
            " WHERE c.relkind = 'r' AND n.nspname = ANY (%s)",
            (list(schemas),),
        )
        return int(found.fetchall()[0][0])


def cpu_seconds(postgres: EmbeddedPostgres) -> float:
    """Return the processor time of this process and of the server's, those that ended included."""
    spent = time.process_time()
    for process in postgres.processes():
        # It ended meanwhile: its parent counts it.
        with suppress(FileNotFoundError, ProcessLookupError):
            fields = Path(f"/proc/{process}/stat").read_text("ascii").rsplit(")", 1)[1].split()
            own = int(fields[11]) + int(fields[12])
            ended = int(fields[13]) + int(fields[14]) if process == postgres.pid else 0
            spent += (own + ended) / _TICKS
    return spent
