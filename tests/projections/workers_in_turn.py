"""Workers that finish one partition before the next begins: a replay's other order."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from ingest.facts.translate import translate
from ledger.log.event_log import FollowedLog
from ledger.worker.worker import Worker
from projections.replay.replay import BOOKS


class _InTurn:
    """A worker that finishes one partition before it begins the next."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._workers = workers

    @property
    def records_done(self) -> int:
        return sum(worker.records_done for worker in self._workers)

    def run_once(self) -> int:
        for worker in self._workers:
            if done := worker.run_once():
                return done
        return 0

    def close(self) -> None:
        for worker in self._workers:
            worker.close()


def in_turn(*, is_reversed: bool) -> Any:  # noqa: ANN401 - a factory with keywords
    def new_worker(
        dsn: str, *, log: FollowedLog, partitions: Collection[int], schema: str
    ) -> _InTurn:
        order = sorted(partitions, reverse=is_reversed)
        options: dict[str, Any] = {"log": log, "schema": schema, "recorded_in": BOOKS}
        return _InTurn(
            [Worker(dsn, partitions=[number], translate=translate, **options) for number in order]
        )

    return new_worker
