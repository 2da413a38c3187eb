"""The demo's two sides: the instance with the stations, and the partner's with the drivers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from deploy.demo.partner.instance import OURS, THEIRS, partner_settings
from deploy.demo.partner.settling import settle_month
from deploy.demo.partner.side import RoamingSide, served_side
from deploy.running.parts import PartContext


class RoamingPair(NamedTuple):
    """Both, linked with each other; `dsns` are their databases, in the same order."""

    cpo: RoamingSide
    emsp: RoamingSide
    dsns: tuple[str, str]

    async def exchange(self) -> None:
        """Let the side with the stations tell what there is, and the other one judge it."""
        await self.cpo.tell()
        await self.emsp.read()

    async def settle(self, month: str, *, at: datetime) -> None:
        """Settle *month* on both sides; the partner is told which CDRs the number is about."""
        await self.exchange()
        await asyncio.to_thread(settle_month, *self.dsns, month, at=at)
        await self.exchange()


@asynccontextmanager
async def linked_pair(context: PartContext, dsn: str) -> AsyncIterator[RoamingPair]:
    """Serve both sides, and link them: the handshake, the partner's tokens, our places.

    Args:
        context: As the parts of the demo's own system have it.
        dsn: The partner's database.
    """
    settings = partner_settings(context.settings, dsn)
    theirs = replace(context, settings=settings, dsn=dsn, holder="partner")
    async with served_side(context) as cpo, served_side(theirs) as emsp:
        token = await cpo.invite(THEIRS)
        await emsp.register(OURS, token, cpo.address)
        await cpo.learn_tokens(THEIRS)
        await cpo.tell_places()
        yield RoamingPair(cpo, emsp, (context.dsn, dsn))
