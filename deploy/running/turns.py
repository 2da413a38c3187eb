"""The worker's and the invoicer's turn, taken by a command where no system is up."""

from __future__ import annotations

from contextlib import closing

from deploy.running.owner import is_up
from deploy.settings import Settings
from ingest.facts.translate import translate
from ledger.desk.recording import WorkOff
from ledger.invoices.invoicer import Invoicer
from ledger.log.event_log import EventLog
from ledger.worker.worker import Worker
from projections.documents.keeping.electronic_check import ElectronicCheck


def work_off(dsn: str, log: EventLog) -> None:
    """Take turns until nothing is left to do.

    Safe beside a running system: the worker's position and the invoicer's lock exclude each other.
    """
    partitions = range(log.partitions)
    with Worker(dsn, log=log, partitions=partitions, translate=translate) as worker:
        while worker.run_once():
            pass
    with closing(ElectronicCheck(dsn)) as check, closing(Invoicer(dsn, log, check)) as invoicer:
        invoicer.run_once()


def turn_beside(settings: Settings) -> WorkOff | None:
    """Return how the console takes the turn after an act; None where a system is up, whose own is.

    A database that the settings name is that of a system, whose parts may run on other machines.
    """
    return None if settings.database_url or is_up(settings) else work_off
