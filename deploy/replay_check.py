"""`replay --check` with its parts: the worker of ingest and the tables of the migrations."""

from __future__ import annotations

from deploy import migrate
from ingest.worker import Worker
from projections.replay import Progress, ReplayReport
from projections.replay import check_replay as check


def check_replay(dsn: str, *, progress: Progress | None = None) -> ReplayReport:
    """Replay the whole log into a scratch schema and compare every consequence.

    Args:
        dsn: The database; it may be in use.
        progress: Called with the lines replayed and the lines in all.
    """
    return check(
        dsn,
        new_schema=lambda connection, name: migrate.apply(connection, "books", schema=name),
        new_worker=Worker,
        progress=progress,
    )
