"""A log that notes what it is asked, and a clock that is told the time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ingest.facts.translate import translate
from ledger.log.event_log import FollowedLog, Record
from ledger.log.postgres import PostgresEventLog
from ledger.worker.worker import Worker
from tests.faults.broken_books import PARTITION


class Clock:
    """A monotonic clock; each look moves it by `step`."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now, self.step = now, 0.0

    def __call__(self) -> float:
        now = self.now
        self.now += self.step
        return now


class NotedLog:
    """The log of a test: what was read (from where, how many records, lines), how long waited."""

    def __init__(self, log: FollowedLog) -> None:
        self._log = log
        self.asked: list[tuple[int, int, int | None]] = []
        self.waited: list[float] = []
        self.waiting: Callable[[], None] = lambda: None

    def read(
        self, partition: int, start: int, *, records: int, lines: int | None = None
    ) -> Sequence[Record]:
        self.asked.append((start, records, lines))
        return self._log.read(partition, start, records=records, lines=lines)

    def wait(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.waiting()


@contextmanager
def noted_worker(dsn: str, **options: Any) -> Iterator[tuple[NotedLog, Worker]]:  # noqa: ANN401 - handed on
    """Yield a worker on the one partition of the stations that `broken_books` tells of."""
    chosen: dict[str, Any] = {"partitions": [PARTITION], "translate": translate, **options}
    with PostgresEventLog(dsn) as log:
        noted = NotedLog(log)
        with Worker(dsn, log=noted, **chosen) as worker:
            yield noted, worker
