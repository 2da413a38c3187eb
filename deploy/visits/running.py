"""The loop that runs visits, with the way to the stations and to what sessions cost so far."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Final

from deploy.running.parts import PartContext
from ingest.commands.asking import StationCommands
from ingest.declared_directory import DeclaredDirectory
from ingest.partner_calls import PartnerCalls
from ingest.persons.subjects import PostgresSubjects
from ledger.database import connect_async
from ledger.payments.visits.running import VisitRunner
from projections.running_prices import RunningPrices

AGAIN_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.2
_LOGGER: Final = logging.getLogger(__name__)


def run_visits(context: PartContext, stop: threading.Event) -> None:
    """Run visits until *stop* is set; any number of processes may, one at a time does."""
    while not stop.is_set():
        try:
            asyncio.run(_run(context, stop))
        except Exception as error:  # noqa: BLE001 - the next time may do: a driver waits for it
            _LOGGER.warning("visits are taken up again: %s", type(error).__name__)
            stop.wait(AGAIN_SECONDS)


async def _run(context: PartContext, stop: threading.Event) -> None:
    dsn, clock = context.dsn, context.clock
    async with AsyncExitStack() as exits:
        connected = partial(connect_async, dsn)
        directory, subjects = DeclaredDirectory(dsn, clock), PostgresSubjects(connected)
        commands = StationCommands(connected, directory=directory, subjects=subjects, clock=clock)
        for each in (directory, subjects, commands):
            exits.push_async_callback(each.close)
        exits.callback(asyncio.create_task(commands.follow()).cancel)
        prices = exits.enter_context(RunningPrices(dsn))
        stopping = asyncio.Event()
        waiting = asyncio.create_task(_wait(stop, stopping))
        exits.callback(waiting.cancel)
        runner = VisitRunner(
            dsn,
            PartnerCalls(commands),
            partial(_price_now, prices, clock.now),
            clock.now,
            context.holder,
        )
        await runner.run(stopping)


async def _wait(stop: threading.Event, stopping: asyncio.Event) -> None:
    while not stop.is_set():  # noqa: ASYNC110 - it is another thread's
        await asyncio.sleep(_LOOK_SECONDS)
    stopping.set()


def _price_now(
    prices: RunningPrices, now: Callable[[], datetime], station_id: str, transaction_ref: str
) -> Decimal | None:
    found = prices.of(station_id, transaction_ref, now())
    return None if found is None or found.price is None else found.price.gross
