"""The worker's and the invoicer's turn, taken by a command where no system is up."""

from __future__ import annotations

from ingest.facts.translate import translate
from ledger.invoices.invoicer import Invoicer
from ledger.worker.worker import Worker


def work_off(dsn: str, partitions: int) -> None:
    """Take turns until nothing is left to do."""
    with Worker(dsn, partitions=range(partitions), translate=translate) as worker:
        while worker.run_once():
            pass
    invoicer = Invoicer(dsn)
    try:
        invoicer.run_once()
    finally:
        invoicer.close()
