"""Declaring over HTTP: one at a time, with a log that stays open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, TypeVar

from psycopg import Connection

from ingest.clock import Clock
from ingest.declared_directory import FRESH_SECONDS
from ledger.database import connect
from ledger.log.event_log import EventLog

T = TypeVar("T")
OpenLog = Callable[[], EventLog]
Declare = Callable[[Connection[Any], EventLog, datetime], T]
"""Declares something, at a moment, with the log that takes its markers."""


class DeclaringDesk:
    """Declares what comes in; once it returns, every process acts on it."""

    def __init__(self, dsn: str, open_log: OpenLog, clock: Clock) -> None:
        self._dsn, self._open_log, self._clock = dsn, open_log, clock
        # Who waits for a turn waits in no thread that others need.
        self._turns = ThreadPoolExecutor(1, "declaring")
        self._log: EventLog | None = None

    async def declare(self, work: Declare[T]) -> T:
        """Do *work*, and return what it returns when all processes know what it declared."""
        loop = asyncio.get_running_loop()
        done = await loop.run_in_executor(self._turns, self._declare, work)
        # So old may be what a process that serves stations answers by.
        await asyncio.sleep(FRESH_SECONDS)
        return done

    def close(self) -> None:
        """Close the log."""
        self._turns.submit(self._forget_log).result()
        self._turns.shutdown()

    def _declare(self, work: Declare[T]) -> T:
        with connect(self._dsn) as connection:
            if self._log is None:
                self._log = self._open_log()
            try:
                return work(connection, self._log, self._clock.now())
            except Exception:
                self._forget_log()
                raise

    def _forget_log(self) -> None:
        if self._log is not None:
            self._log.close()
        self._log = None
