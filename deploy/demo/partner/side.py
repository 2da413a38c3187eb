"""The roaming part of one instance, served over HTTP, whose turns the demo takes.

A running system looks some times a second whether there is something to tell; the demo's clock
stands meanwhile, and has no such time. So here the same parts are asked for one turn each.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, closing
from typing import Final

from deploy.interface.serving import open_http
from deploy.roaming.background import relay_of
from deploy.roaming.opening import OpenedRoaming, opened_roaming
from deploy.roaming.serving import address_served, serve_partners
from deploy.roaming.tokens_and_commands import token_puller
from deploy.running.log_store import open_event_log
from deploy.running.parts import PartContext
from ledger.books.following import Runner
from roaming_ocpi.cdrs.maker import CdrMaker
from roaming_ocpi.incoming.reading import PartnerReader
from roaming_ocpi.places.ours.telling import PartnerTeller
from roaming_ocpi.registration.handshake import Handshaker
from roaming_ocpi.registration.links import link_of, links
from roaming_ocpi.registration.sending import register
from roaming_ocpi.registration.store import INVITATION_HOURS, invite, new_token
from roaming_ocpi.sessions.closing import CdrsOnTheirWay
from roaming_ocpi.sessions.live import LiveSessions

BY: Final = "demo"


class RoamingSide:
    """One side of the demo's roaming, reached at `address`."""

    def __init__(self, context: PartContext, opened: OpenedRoaming, exits: ExitStack) -> None:
        """Open what a turn takes; *exits* close it."""
        now = context.clock.now
        self._context, self._opened = context, opened
        self._live = LiveSessions(context.dsn, holder=context.holder, now=now)
        self._relay = relay_of(context, opened)
        followers = [CdrMaker(now, CdrsOnTheirWay(now))]
        self._followers = exits.enter_context(Runner(context.dsn, followers))
        log = exits.enter_context(closing(open_event_log(context.dsn, context.settings)))
        partitions = range(log.partitions)
        reader = PartnerReader(context.dsn, log=log, partitions=partitions)
        self._reader = exits.enter_context(reader)

    @property
    def address(self) -> str:
        """Where partners reach it, without a slash at its end."""
        return self._opened.resources.address

    async def invite(self, party: str) -> str:
        """Return a token with which *party* may begin the handshake."""
        token, resources = new_token(), self._opened.resources
        async with resources.database.connection() as connection:
            hours, at = INVITATION_HOURS, resources.now()
            await invite(connection, party, token, hours=hours, at=at, by=BY)
        return token

    async def register(self, party: str, token: str, address: str) -> None:
        """Do the handshake with *party*, which is reached at *address*."""
        what = self._opened.resources
        ours = Handshaker(what.database, what.now, what.declared, what.client, what.address)
        url = f"{address}/versions"
        await register(ours, party, token, url, by=BY, told=lambda _: None)

    async def learn_tokens(self, party: str) -> None:
        """Ask *party* for the list of its tokens."""
        link = await link_of(self._opened.resources.database, party)
        assert link is not None, "after the handshake"
        await token_puller(self._context, self._opened).pull(link)

    async def tell_places(self) -> None:
        """Tell our locations and tariffs."""
        teller = PartnerTeller(self._opened.resources)
        for link in await links(self._opened.resources.database):
            while await teller.tell(link):
                pass

    async def tell(self) -> None:
        """Tell of running sessions, make the CDRs of what was decided, and send all that waits."""
        await asyncio.to_thread(self._make)
        await self._relay.run_once()

    async def read(self) -> None:
        """Judge all that was told us."""
        await asyncio.to_thread(self._reader.run_to_end)

    def _make(self) -> None:
        self._live.look_once()
        while self._followers.run_once():
            pass


@asynccontextmanager
async def served_side(context: PartContext) -> AsyncIterator[RoamingSide]:
    """Open a side, and serve it on a free port while the context lasts."""
    listener = open_http("127.0.0.1", 0)
    stopping, ready = asyncio.Event(), asyncio.Event()
    async with opened_roaming(context, address_served(context, listener)) as opened:
        serving = asyncio.create_task(
            serve_partners(opened, listener, context.settings, stopping=stopping, ready=ready.set)
        )
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        try:
            if serving.done():
                await serving  # raises what went wrong
            with ExitStack() as exits:
                yield RoamingSide(context, opened, exits)
        finally:
            waiting.cancel()
            stopping.set()
            await serving
