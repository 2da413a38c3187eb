"""How a replay fills its scratch schema: workers work the log off up to where the books are.

Partitions do not ask after each other. What sessions of several share is taken from the recorded
decisions, in whatever order partitions are worked off, so they may be dealt out among workers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Protocol

from ledger.log.event_log import FollowedLog, Record

Progress = Callable[[int, int, int], None]
"""Called with the records replayed, the records in all, and the lines replayed."""


class Refill(Protocol):
    """Works the log off into a scratch schema."""

    def __call__(self, *, until: Mapping[int, int], schema: str, progress: Progress | None) -> int:
        """Take each partition's records before its position in *until*; return how many lines."""


class ReplayWorker(Protocol):
    """What a replay needs of the worker: `ledger.worker.worker.Worker`."""

    @property
    def records_done(self) -> int:
        """How many records were done."""

    def run_once(self) -> int:
        """Take one group of records; return how many lines were done."""

    def close(self) -> None:
        """Let its connections go."""


class NewWorker(Protocol):
    """Makes the worker that writes into a scratch schema."""

    def __call__(
        self, dsn: str, *, log: FollowedLog, partitions: Collection[int], schema: str
    ) -> ReplayWorker:
        """Return a worker on *partitions* of *log*."""


class LogUpTo:
    """A log as it was when it ended at some positions: a replay goes no further than the books."""

    def __init__(self, log: FollowedLog, until: Mapping[int, int]) -> None:
        """Let each partition of *log* end before its position in *until*."""
        self._log, self._until = log, until

    def read(
        self, partition: int, start: int, *, records: int, lines: int | None = None
    ) -> Sequence[Record]:
        """Return records as `FollowedLog.read`."""
        records = min(records, self._until[partition] - start)
        return self._log.read(partition, start, records=records, lines=lines) if records > 0 else ()

    def wait(self, seconds: float) -> None:
        """Return at once: no more comes."""


def refill_here(
    dsn: str,
    log: FollowedLog,
    new_worker: NewWorker,
    *,
    until: Mapping[int, int],
    schema: str,
    progress: Progress | None,
) -> int:
    """Let one worker take all partitions (see `Refill`)."""
    records, lines = sum(until.values()), 0
    for done, lines in steps(dsn, log, new_worker, until=until, schema=schema):
        if progress is not None:
            progress(done, records, lines)
    return lines


def steps(
    dsn: str, log: FollowedLog, new_worker: NewWorker, *, until: Mapping[int, int], schema: str
) -> Iterator[tuple[int, int]]:
    """Work the partitions of *until* off; yield the records and lines done by each group."""
    worker = new_worker(dsn, log=LogUpTo(log, until), partitions=until, schema=schema)
    try:
        lines = 0
        while taken := worker.run_once():
            lines += taken
            yield worker.records_done, lines
    finally:
        worker.close()
