"""A log that fails just before or after it stores, and processes that are killed there."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Sequence
from typing import Any

from ledger.log.event_log import EventLog, LogUnavailableError, NewRecord, Position

SPAWN = multiprocessing.get_context("spawn")
PATIENCE_SECONDS = 60


class FaultyLog:
    """A log in front of *log* whose process dies, or whose answer is lost, at an append."""

    def __init__(self, log: EventLog, fault: str) -> None:
        self.partitions, self._log, self._fault = log.partitions, log, fault

    def append(self, records: Sequence[NewRecord]) -> Sequence[Position]:
        if self._fault == "killed before the append":
            os.kill(os.getpid(), signal.SIGKILL)
        positions = self._log.append(records)
        if self._fault == "killed after the append":
            os.kill(os.getpid(), signal.SIGKILL)
        if self._fault == "the answer is lost":
            raise LogUnavailableError(self._fault)
        return positions


def die(target: Any, dsn: str, fault: str) -> None:  # noqa: ANN401 - a function for a process
    """Run *target* with *dsn* and *fault* in a process of its own, which is killed on the way."""
    process = SPAWN.Process(target=target, args=(dsn, fault))
    process.start()
    process.join(PATIENCE_SECONDS)
    assert process.exitcode == -signal.SIGKILL
