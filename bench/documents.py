"""`documents_per_cpu_s`, `statement_5000_s`, `statement_mb`, `statement_again_mb`: on paper.

Sessions of 400 stations, each with thirty readings, are invoiced one by one behind the official
rules, rendered as PDF/A-3 with their electronic invoice, sealed and kept: documents a CPU second of
all that and PostgreSQL together. A statement over 5,000 sessions is made by a process of its own,
which then makes it twice more: its seconds, and by how much it, and the two, let memory grow.
"""

from __future__ import annotations

import multiprocessing
import resource
import time
from contextlib import closing
from datetime import timedelta
from typing import Final

from bench.peers.worked_log import cpu_seconds, declare, empty_log, fill
from bench.run import Row, beside
from bench.worker_mix import STATIONS, mixed, station_name
from deploy.postgres.embedded import EmbeddedPostgres
from ingest.facts.translate import translate
from ledger.database import connect
from ledger.invoices.invoicer import Invoicer
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.issuing import issue_due
from ledger.log.postgres import PostgresEventLog
from ledger.master_data.customers import Delivery
from ledger.worker.worker import Worker
from projections.documents.keeping.electronic_check import ElectronicCheck
from projections.documents.keeping.keeper import DocumentKeeper
from projections.documents.keeping.rendering import DocumentRenderer
from projections.documents.statements.pdf import statement_pdf
from projections.documents.statements.statement import Wanted, statement_of, statement_sessions
from tests.depot import NOON, keep_decisions, rated, session
from tests.projections.documents.issued_documents import operator

_READINGS: Final = 30
_STEP_S: Final = 120
_LINES_A_RECORD: Final = 100
_AT_LEAST: Final = 20.0
_SESSIONS: Final = 5_000
_SECONDS_AT_MOST: Final = 20.0
_MB_AT_MOST: Final = 1_024.0
_AGAIN_MB_AT_MOST: Final = 50.0
_WHOSE: Final = "ada-1"


def rows(_seconds: float) -> list[Row]:
    """Measure all rows, each once."""
    return [_documents(), *_statement()]


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


def _statement() -> list[Row]:
    with empty_log() as postgres:
        declarations = operator(postgres.dsn, {"ada": Delivery.NONE}, language="de")
        decisions = [
            rated(session(number, token_uid=_WHOSE), declarations)
            for number in range(1, _SESSIONS + 1)
        ]
        with connect(postgres.dsn) as connection, InvoiceIssuer(postgres.dsn) as issuer:
            keep_decisions(connection, decisions)
            while issue_due(connection, issuer, declarations, up_to=NOON + timedelta(hours=8)):
                pass
        context = multiprocessing.get_context("spawn")
        with context.Pool(1) as pool:
            seconds, mb, again_mb = pool.apply(stated, (postgres.dsn,))
    return [
        beside(
            "statement_5000_s",
            seconds,
            f"seconds for a statement of {_SESSIONS:,} sessions",
            "at most",
            _SECONDS_AT_MOST,
            is_cost=True,
        ),
        beside(
            "statement_mb",
            mb,
            "MiB by which it lets the memory of its process grow, at most",
            "at most",
            _MB_AT_MOST,
            is_cost=True,
        ),
        beside(
            "statement_again_mb",
            max(again_mb, 1.0),
            "MiB by which two more of it do",
            "at most",
            _AGAIN_MB_AT_MOST,
            is_cost=True,
        ),
    ]


def stated(dsn: str) -> tuple[float, float, float]:
    """Return the seconds of a statement, and the MiB of peak memory that it and two more add."""
    wanted = Wanted("ada", "depot", "EUR", NOON.date().replace(day=1), NOON.date())
    with connect(dsn) as connection:
        shown = statement_of(connection, wanted)
        before_kb, began = _peak_kb(), time.perf_counter()
        statement_pdf(shown, statement_sessions(connection, shown))
        seconds, peak_kb = time.perf_counter() - began, _peak_kb()
        for _ in range(2):
            statement_pdf(shown, statement_sessions(connection, shown))
    return seconds, (peak_kb - before_kb) / 1024, (_peak_kb() - peak_kb) / 1024


def _peak_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


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
