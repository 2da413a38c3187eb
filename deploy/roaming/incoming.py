"""What comes in from partners, while a process of roaming runs: read in a thread, and asked for."""

from __future__ import annotations

import asyncio
import threading
from contextlib import closing
from functools import partial

from deploy.running.log_store import open_event_log
from deploy.running.parts import PartContext
from roaming_ocpi.incoming.reading import PartnerReader
from roaming_ocpi.incoming.taking.intake import PartnerIntake
from roaming_ocpi.incoming.taking.pulling import IncomingPuller
from roaming_ocpi.registration.links import links
from roaming_ocpi.server.resources import Resources


async def read_partners(context: PartContext, stop: asyncio.Event) -> None:
    """Read what partners told from the log into the books, in a thread, until *stop* is set."""
    ending = threading.Event()
    reading = asyncio.create_task(asyncio.to_thread(_read, context, ending))
    waiting = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({reading, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ending.set()
        waiting.cancel()
        await reading


async def pull_partners(resources: Resources, stop: asyncio.Event) -> None:
    """Ask partners for what they did not push, until *stop* is set."""
    puller = IncomingPuller(
        PartnerIntake(resources.database, resources.log),
        database=resources.database,
        client=resources.client,
        links=partial(links, resources.database),
        declared=resources.declared,
        now=resources.now,
    )
    await puller.run(stop)


def _read(context: PartContext, ending: threading.Event) -> None:
    with (
        closing(open_event_log(context.dsn, context.settings)) as log,
        PartnerReader(context.dsn, log=log, partitions=range(log.partitions)) as reader,
    ):
        reader.run(ending)
