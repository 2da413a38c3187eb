"""Work in the background that blocks: each in a thread of its own, all until the process ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial

from deploy.clock import SystemClock
from deploy.running.log_store import open_event_log
from deploy.running.parts import PartContext
from ledger.books.following import Follower, Runner
from roaming_ocpi.incoming.charging import ChargeLines
from roaming_ocpi.incoming.reading import PartnerReader

Blocking = Callable[[threading.Event], None]
"""Works until the event is set; what it raises ends the process, which is started again."""


def blocking_work(
    context: PartContext, followers: Sequence[Follower], told: Callable[[PartnerReader], None]
) -> Sequence[Blocking]:
    """Return what follows the decisions, and what reads what partners say in the log.

    Any number of processes may: a position is moved under its row's lock. *told* is given the
    reader.
    """
    follow = [partial(_follow, context, followers)] if followers else []
    return [*follow, partial(_read, context, told)]


async def run_blocking(work: Blocking, stopping: asyncio.Event) -> None:
    """Let *work* run in a thread until *stopping* is set."""
    ending = threading.Event()
    working = asyncio.create_task(asyncio.to_thread(work, ending))
    waiting = asyncio.create_task(stopping.wait())
    await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
    ending.set()
    waiting.cancel()
    await working


def _follow(context: PartContext, followers: Sequence[Follower], stop: threading.Event) -> None:
    with Runner(context.dsn, followers) as runner:
        runner.run(stop)


def _read(
    context: PartContext, told: Callable[[PartnerReader], None], stop: threading.Event
) -> None:
    with (
        closing(open_event_log(context.dsn, context.settings)) as log,
        PartnerReader(
            context.dsn,
            log=log,
            partitions=range(log.partitions),
            says=ChargeLines(log, SystemClock().now),
        ) as reader,
    ):
        told(reader)
        reader.run(stop)
