"""What is exchanged with partners while nobody asks: one list, to which each room adds its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from deploy.roaming.opening import OpenedRoaming
from deploy.roaming.pulling import pull_partners
from deploy.roaming.tokens_and_commands import tokens_and_commands
from deploy.running.parts import PartContext
from ledger.books.following import Follower
from ledger.declared.declarations import Kind
from roaming_ocpi.cdrs.maker import CdrMaker
from roaming_ocpi.cdrs.telling.messages import CdrMessages
from roaming_ocpi.places.hub_clients import unreachable_clients
from roaming_ocpi.places.ours.telling import PartnerTeller
from roaming_ocpi.places.pulling import PartnerListReader
from roaming_ocpi.registration.link import Link
from roaming_ocpi.registration.links import links
from roaming_ocpi.relay.outgoing import MessageKind
from roaming_ocpi.relay.relay import Relay
from roaming_ocpi.relay.routes import routes_of
from roaming_ocpi.sessions.closing import CdrsOnTheirWay
from roaming_ocpi.sessions.live import LiveSessions
from roaming_ocpi.sessions.messages import SessionMessages
from roaming_ocpi.settlement.invoices.record_maker import InvoiceRecordMaker

Loop = Callable[[asyncio.Event], Awaitable[None]]
"""Works until the event is set; what it raises ends the process, which is started again."""


class BackgroundWork(NamedTuple):
    """`loops` run in the process's loop, `followers` of the decisions in a thread beside it."""

    loops: Sequence[Loop] = ()
    followers: Sequence[Follower] = ()


def background_work(context: PartContext, opened: OpenedRoaming) -> BackgroundWork:
    """Return what runs; any number of processes may, so each sees to it that one alone acts."""
    now = context.clock.now
    live = LiveSessions(context.dsn, holder=context.holder, now=now)
    return BackgroundWork(
        loops=[
            relay_of(context, opened).run,
            live.run,
            PartnerTeller(opened.resources).run,
            *tokens_and_commands(context, opened),
            partial(pull_partners, opened.resources),
            PartnerListReader(opened.resources).run,
        ],
        followers=[CdrMaker(now, CdrsOnTheirWay(now))],
    )


def relay_of(context: PartContext, opened: OpenedRoaming) -> Relay:
    """Return what sends to partners all that waits for them."""
    resources = opened.resources

    async def routes() -> Mapping[str, Link]:
        known, declared = await links(resources.database), await resources.declared()
        async with resources.database.connection() as connection:
            away = await unreachable_clients(connection, declared.keys(Kind.PARTNER))
        return routes_of(known, declared, resources.now(), away)

    cdrs = CdrMessages()
    return Relay(
        context.dsn,
        holder=context.holder,
        client=resources.client,
        log=resources.log,
        routes=routes,
        makers={
            MessageKind.SESSION: SessionMessages(),
            MessageKind.CDR: cdrs,
            MessageKind.CREDIT: cdrs,
            MessageKind.INVOICE: InvoiceRecordMaker(),
        },
        now=resources.now,
    )
