"""A process beside the station server that prices sessions which go on.

Folding and pricing a session is work of milliseconds, of a hostile one of seconds: the loop that
answers stations has no time for it, and the worker none either. The process is started with the
first price that is asked: who tells no prices has none.

A session whose price took long is asked for the less often: it takes its share and no other's.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import signal
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import datetime
from typing import Final

import psycopg

from deploy.running.parts import end_with_parent
from ingest.prices.price import RunningTransaction, ShownPrice
from projections.running_prices import RunningPrices, SessionSoFar

WAITING_MAX: Final = 1_000
"""Prices that wait for their turn; beyond that none is known."""
SHARE_OF_TIME: Final = 50
"""A price that took a second is not asked for again within so many."""
QUICK_SECONDS: Final = 0.1
_LOGGER = logging.getLogger(__name__)


class PricingProcess:
    """Prices open sessions, one after the other, in a process of its own."""

    def __init__(self, dsn: str, now: Callable[[], datetime]) -> None:
        self._dsn, self._now = dsn, now
        self._pool: ProcessPoolExecutor | None = None
        self._waiting = 0
        self._slow: dict[str, float] = {}

    async def so_far(self, station_id: str, transaction_ref: str) -> RunningTransaction | None:
        """Return how far the open session of a station's transaction is, and what it costs."""
        loop = asyncio.get_running_loop()
        if self._waiting >= WAITING_MAX or loop.time() < self._slow.get(station_id, 0):
            return None
        self._waiting += 1
        try:
            found, seconds, trouble = await loop.run_in_executor(
                self._running_pool(), _price, station_id, transaction_ref, self._now()
            )
        except BrokenProcessPool:
            _LOGGER.warning("the process that prices ended; the next price starts it again")
            self._pool = None
            return None
        finally:
            self._waiting -= 1
        if trouble:
            _LOGGER.warning("%s has no price so far: %s", station_id, trouble)
        if seconds > QUICK_SECONDS:
            self._slow[station_id] = loop.time() + SHARE_OF_TIME * seconds
        else:
            self._slow.pop(station_id, None)
        if found is None:
            return None
        price = None if found.price is None else ShownPrice(*found.price)
        return RunningTransaction(**found._asdict() | {"price": price})

    async def close(self) -> None:
        """End the process, once it is done with what it prices."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _running_pool(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                max_workers=1,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_begin,
                initargs=(self._dsn,),
            )
        return self._pool


class _Here:
    """What the process keeps between prices."""

    dsn = ""
    prices: RunningPrices | None = None


def _begin(dsn: str) -> None:
    # Ctrl-C reaches the whole group: who started us decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()
    _Here.dsn = dsn


def _price(
    station_id: str, transaction_ref: str, now: datetime
) -> tuple[SessionSoFar | None, float, str]:
    """Return how far an open session is, how long it took to say so, and what went wrong."""
    began, found, trouble = time.process_time(), None, ""
    try:
        if _Here.prices is None:
            _Here.prices = RunningPrices(_Here.dsn)
        found = _Here.prices.of(station_id, transaction_ref, now)
    except psycopg.OperationalError as error:
        _Here.prices, trouble = None, str(error)
    except Exception as error:  # noqa: BLE001 - one session must not keep others from their prices
        trouble = "".join(traceback.format_exception(error))
    return found, time.process_time() - began, trouble
