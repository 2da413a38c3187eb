"""What partners did not push: asked for, while a process of roaming runs."""

from __future__ import annotations

import asyncio
from functools import partial

from roaming_ocpi.incoming.taking.intake import PartnerIntake
from roaming_ocpi.incoming.taking.pulling import IncomingPuller
from roaming_ocpi.registration.links import links
from roaming_ocpi.server.resources import Resources


async def pull_partners(resources: Resources, stop: asyncio.Event) -> None:
    """Ask partners for what they did not push, until *stop* is set."""
    puller = IncomingPuller(
        PartnerIntake(resources.database, resources.log, resources.told),
        database=resources.database,
        client=resources.client,
        links=partial(links, resources.database),
        declared=resources.declared,
        now=resources.now,
    )
    await puller.run(stop)
