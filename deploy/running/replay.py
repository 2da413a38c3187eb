"""Replay with this program's own worker and migrations."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from psycopg import Connection

from deploy.postgres import migrate
from deploy.running.replay_processes import OpenLog, refill_in_processes
from ingest.facts.translate import translate
from ledger.log.event_log import EventLog
from ledger.worker.worker import GROUP_RECORDS, Worker
from projections.replay.refilling import Progress, refill_here
from projections.replay.replay import BOOKS, ReplayReport, check_replay

GROUP_SECONDS: Final = 10.0
"""After how long a transaction ends: nobody waits for it, and a kill costs the whole replay."""


def replay_and_compare(
    dsn: str,
    log: EventLog,
    *,
    group_records: int = GROUP_RECORDS,
    progress: Progress | None = None,
) -> ReplayReport:
    """Read *log* again from its start, in this process, and compare every consequence."""
    new_worker = _new_worker(group_records)
    refill = partial(refill_here, dsn, log, new_worker)
    return check_replay(dsn, refill, new_schema=_new_schema, progress=progress)


def replay_in_processes(
    dsn: str,
    open_log: OpenLog,
    *,
    workers: int,
    group_records: int = GROUP_RECORDS,
    progress: Progress | None = None,
) -> ReplayReport:
    """Do the same with the partitions dealt out among so many processes.

    Args:
        dsn: The database with the books.
        open_log: Opens the log in each of them; it is pickled.
        workers: How many processes at most; there is none without a partition to do.
        group_records: How many records a transaction takes at most.
        progress: Told after every transaction how far the replay is.

    Raises:
        ReplayProcessError: If one of the processes fails or ends.
    """
    refill = partial(
        refill_in_processes, dsn, open_log, _new_worker(group_records), workers=workers
    )
    return check_replay(dsn, refill, new_schema=_new_schema, progress=progress)


def _new_worker(group_records: int) -> partial[Worker]:
    return partial(
        Worker,
        translate=translate,
        recorded_in=BOOKS,
        group_records=group_records,
        group_seconds=GROUP_SECONDS,
    )


def _new_schema(connection: Connection[Any], schema: str) -> None:
    migrate.apply(connection, "books", schema=schema)
