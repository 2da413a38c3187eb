"""The worker's and the invoicer's turn, taken by a command where no system is up."""

from __future__ import annotations

from contextlib import closing
from typing import Final

from deploy.running.owner import is_up
from deploy.settings import Settings
from ingest.facts.translate import translate
from ledger.desk.recording import WorkOff
from ledger.invoices.invoicer import Invoicer
from ledger.log.event_log import EventLog
from ledger.worker.worker import FencedError, Worker
from projections.documents.keeping.electronic_check import ElectronicCheck

TRIES_MAX: Final = 20
"""So often another one may go on in the midst of a turn; then what is left is that one's."""


def work_off(dsn: str, log: EventLog) -> None:
    """Take turns until nothing is left to do.

    Any number may at once, beside a running system too: the worker's position and the invoicer's
    lock exclude each other, and what another one took is done.
    """
    for _ in range(TRIES_MAX):
        try:
            _take_turns(dsn, log)
        except FencedError:
            continue
        break
    with closing(ElectronicCheck(dsn)) as check, closing(Invoicer(dsn, log, check)) as invoicer:
        invoicer.run_once()


def _take_turns(dsn: str, log: EventLog) -> None:
    partitions = range(log.partitions)
    with Worker(dsn, log=log, partitions=partitions, translate=translate) as worker:
        while worker.run_once():
            pass


def turn_beside(settings: Settings) -> WorkOff | None:
    """Return how the console takes the turn after an act; None where a system is up, whose own is.

    A database that the settings name is that of a system, whose parts may run on other machines.
    """
    return None if settings.database_url or is_up(settings) else work_off
