"""Replay with this program's own worker and migrations."""

from __future__ import annotations

from functools import partial

from deploy.postgres import migrate
from ingest.facts.translate import translate
from ledger.log.event_log import EventLog
from ledger.worker.worker import Worker
from projections.replay.replay import BOOKS, Progress, ReplayReport, check_replay


def replay_and_compare(
    dsn: str, log: EventLog, *, progress: Progress | None = None
) -> ReplayReport:
    """Read *log* again from its start and compare every consequence, byte for byte."""
    return check_replay(
        dsn,
        log,
        new_schema=lambda connection, schema: migrate.apply(connection, "books", schema=schema),
        new_worker=partial(Worker, translate=translate, recorded_in=BOOKS),
        progress=progress,
    )
