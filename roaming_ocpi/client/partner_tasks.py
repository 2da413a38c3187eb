"""Work with many partners beside each other: no partner's work ever waits for another's."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import psycopg

from ledger.errors import LedgerError
from roaming_ocpi.errors import RoamingError

_LOGGER: Final = logging.getLogger("wattledger.roaming")


class PartnerTasks:
    """A task for each partner for whom there is work, one at a time; `what` names it in the log."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._running: dict[str, asyncio.Task[None]] = {}

    def __contains__(self, partner: str) -> bool:
        return partner in self._running

    def begin(self, partner: str, work: Callable[[], Awaitable[object]]) -> None:
        """Begin with *work*, unless something is under way for *partner*."""
        if partner not in self._running:
            task = asyncio.create_task(self._guarded(partner, work))
            self._running[partner] = task
            task.add_done_callback(lambda _: self._running.pop(partner, None))

    async def run(
        self, stop: asyncio.Event, look: Callable[[], Awaitable[None]], *, every_s: float
    ) -> None:
        """Let *look* begin what is due, every so many seconds, until *stop* is set."""
        try:
            while not stop.is_set():
                try:
                    await look()
                except (psycopg.Error, RoamingError, LedgerError) as error:
                    _LOGGER.warning("%s: later, for %s", self._what, type(error).__name__)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), every_s)
        finally:
            await self._end()

    async def _end(self) -> None:
        """Cut off what is under way."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _guarded(self, partner: str, work: Callable[[], Awaitable[object]]) -> None:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - of one partner; no other has to do with it
            # Not its words: they may quote what a partner said of a person.
            _LOGGER.warning("%s of %s: %s", self._what, partner, type(error).__name__)
