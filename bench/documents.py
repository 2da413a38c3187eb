"""`documents_per_cpu_s`: from rated sessions to invoices that are validated, rendered and kept.

Sessions of 400 stations, each with thirty readings, are invoiced one by one behind the official
rules, rendered as PDF/A-3 with their electronic invoice, sealed and kept: documents a CPU second of
all that and PostgreSQL together.
"""

from __future__ import annotations

from contextlib import closing
from typing import Final

from bench.peers.worked_log import cpu_seconds, declare, empty_log, fill
from bench.run import Row, beside
from bench.worker_mix import STATIONS, mixed, station_name
from deploy.postgres.embedded import EmbeddedPostgres
from ingest.facts.translate import translate
from ledger.database import connect
from ledger.invoices.invoicer import Invoicer
from ledger.log.postgres import PostgresEventLog
from ledger.worker.worker import Worker
from projections.documents.keeping.electronic_check import ElectronicCheck
from projections.documents.keeping.keeper import DocumentKeeper
from projections.documents.keeping.rendering import DocumentRenderer

_READINGS: Final = 30
_STEP_S: Final = 120
_LINES_A_RECORD: Final = 100
_AT_LEAST: Final = 20.0


def rows(_seconds: float) -> list[Row]:
    """Measure all rows, each once."""
    return [_documents()]


def _documents() -> Row:
    with empty_log() as postgres:
        declare(postgres, map(station_name, range(STATIONS)), invoicing="per_session")
        lines = mixed(STATIONS * (_READINGS + 2), readings=_READINGS, step_s=_STEP_S)
        fill(postgres, lines, lines_a_record=_LINES_A_RECORD)
        rendered, spent = _rendered(postgres)
    return beside(
        "documents_per_cpu_s",
        rendered / spent,
        "documents issued behind the official rules, rendered and kept per CPU second",
        "at least",
        _AT_LEAST,
    )


def _rendered(postgres: EmbeddedPostgres) -> tuple[int, float]:
    """Return how many documents were made of all that is in the log, and the processor time."""
    dsn = postgres.dsn
    with PostgresEventLog(dsn) as log:
        with Worker(dsn, log=log, partitions=range(1), translate=translate) as worker:
            while worker.run_once():
                pass
        with (
            closing(ElectronicCheck(dsn)) as check,
            closing(Invoicer(dsn, log, check)) as invoicer,
            closing(DocumentKeeper(dsn, DocumentRenderer())) as keeper,
        ):
            before = cpu_seconds(postgres)
            invoicer.run_once()
            keeper.run_once()
            spent = cpu_seconds(postgres) - before
    with connect(dsn) as connection:
        [(kept,)] = connection.execute("SELECT count(*) FROM rendered_document").fetchall()
    assert kept == keeper.rendered == STATIONS, (kept, keeper.failed)
    return kept, spent
