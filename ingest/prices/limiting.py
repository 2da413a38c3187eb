"""Stopping transactions that have reached what their assignment lets them cost, charge or last.

A station of OCPP 2.1 is told the limits and stops itself. Of one of 1.6 and 2.0.1 the price so far,
the energy and the time are looked at here, and it is told to stop:

    5.01 EUR so far, max_cost 5.00        -> RemoteStopTransaction (1.6), RequestStopTransaction
    it says Accepted                      -> nothing more, whatever it does
    Rejected, an error, no answer         -> again after 10, 30, 60 and 300 s, while it goes on
    the station connects again meanwhile  -> the plan goes on where it was, in whichever process
    held if it ended now: no price        -> energy and time count all the same

What was charged is billed: a limit is no price. Where no assignment names a limit, nobody is asked.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg

from ingest.answers.answering import AnsweringParts
from ingest.directory import PriceTerms
from ingest.errors import IngestError
from ingest.prices.price import (
    PriceQuestion,
    Prices,
    RunningTransaction,
    Stops,
    WantedStop,
    taken,
)
from ingest.prices.words import Stage, TransactionNews
from ledger.master_data.assignments import NO_LIMITS

LOOK_EVERY_SECONDS: Final = 5.0
"""How often a transaction that has limits is looked at, at most."""
BEHIND_SECONDS: Final = 30.0
"""After how long it is looked at again where the worker was behind."""
TAKEN_SECONDS: Final = 5.0
DAY_SECONDS: Final = 86_400.0
"""A time limit that lies farther away is looked at each day."""
PAUSES: tuple[float, ...] = (10.0, 30.0, 60.0, 300.0)
"""After how long a station that did not say that it stops is told to again."""
WATCHED_MAX: Final = 64
_LOGGER: Final = logging.getLogger(__name__)


class _Watched:
    """A transaction that goes on: its last line, and from when on it is looked at again.

    `is_settled`: it has no limits, or was told to stop.
    """

    __slots__ = ("due_at", "is_settled", "line", "looked_at")

    def __init__(self, line: PriceQuestion) -> None:
        self.line, self.is_settled = line, False
        self.looked_at, self.due_at = -math.inf, math.inf


class LimitWatch:
    """Watches the transactions of one connection; *terms* are as they are now."""

    def __init__(
        self,
        parts: AnsweringParts,
        protocol: str,
        prices: Prices,
        stops: Stops,
        terms: Callable[[], Awaitable[PriceTerms]],
    ) -> None:
        self._clock, self._protocol, self._terms = parts.clock, protocol, terms
        self._prices, self._stops = prices, stops
        self._loop = asyncio.get_running_loop()
        self._watched: OrderedDict[str, _Watched] = OrderedDict()
        self._news = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._watching: asyncio.Task[None] | None = None

    def follow(self, news: TransactionNews, line: PriceQuestion) -> None:
        """Look how far a transaction is of which *line* says something."""
        if news.stage is Stage.ENDED:
            self._watched.pop(news.reference, None)
            self._news.set()
            return
        watched = self._watched.get(news.reference)
        if watched is None:
            watched = self._watched[news.reference] = _Watched(line)
            if len(self._watched) > WATCHED_MAX:
                self._watched.popitem(last=False)
        if watched.is_settled:
            return
        watched.line = line
        watched.due_at = min(watched.due_at, watched.looked_at + LOOK_EVERY_SECONDS)
        self._news.set()
        if self._watching is None or self._watching.done():
            self._watching = self._begin(self._watch())

    async def close(self) -> None:
        """End what is under way; a plan goes on once the station is back."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._watching = None  # it holds this in turn

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(_guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _watch(self) -> None:
        while self._watched:
            self._news.clear()
            watched = min(self._watched.values(), key=lambda each: each.due_at)
            pause = watched.due_at - self._loop.time()
            if pause <= 0:
                await self._look(watched)
                continue
            try:
                async with asyncio.timeout(None if math.isinf(pause) else pause):
                    await self._news.wait()
            except TimeoutError:
                pass

    async def _look(self, watched: _Watched) -> None:
        """Look how far a transaction is, and when to look again without news of it."""
        watched.looked_at, watched.due_at = self._loop.time(), math.inf
        line = watched.line
        if not (await self._terms()).is_limited:
            return
        try:
            async with asyncio.timeout(TAKEN_SECONDS):
                await taken(self._prices, line)
        except (TimeoutError, psycopg.Error):
            watched.due_at = min(watched.due_at, self._loop.time() + BEHIND_SECONDS)
            return
        found = await self._prices.so_far(line)
        if found is None:
            return
        now = self._clock.now()
        if found.limits == NO_LIMITS:
            watched.is_settled = True
        elif (why := reached(found, now)) is not None:
            watched.is_settled = True
            self._begin(self._stop(watched, found.session, why))
        elif found.limits.max_time_s is not None:
            left = (ends_at(found) - now).total_seconds()
            watched.due_at = min(watched.due_at, self._loop.time() + min(left, DAY_SECONDS))

    async def _stop(self, watched: _Watched, session: str, why: str) -> None:
        line = watched.line
        for attempt, pause in enumerate((*PAUSES, 0.0)):
            if self._watched.get(line.transaction_ref) is not watched:
                return
            wanted = WantedStop(
                line.station_id, self._protocol, line.transaction_ref, session, why, attempt
            )
            try:
                if await self._stops.stop(wanted):
                    return
            except (psycopg.Error, IngestError) as error:
                _LOGGER.warning("%s is not told to stop: %s", line.station_id, error)
            await asyncio.sleep(pause)
        _LOGGER.warning("%s does not stop %s", line.station_id, session)


def reached(found: RunningTransaction, now: datetime) -> str | None:
    """Return which limit a transaction has reached, if it has."""
    limits, price = found.limits, found.price
    if limits.max_cost is not None and price is not None and price.gross >= limits.max_cost:
        return "cost"
    energy = found.energy_wh
    if limits.max_energy_wh is not None and energy is not None and energy >= limits.max_energy_wh:
        return "energy"
    return "time" if limits.max_time_s is not None and now >= ends_at(found) else None


def ends_at(found: RunningTransaction) -> datetime:
    """Return when the time of a transaction is over; far away where that is no limit."""
    try:
        return found.started_at + timedelta(seconds=found.limits.max_time_s or math.inf)
    except OverflowError:
        return datetime.max.replace(tzinfo=found.started_at.tzinfo)


async def _guarded(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except (psycopg.Error, IngestError) as error:
        _LOGGER.warning("a transaction is not looked at for its limits: %s", error)
