"""What is exchanged with partners while nobody asks: one list, to which each room adds its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from deploy.roaming.opening import OpenedRoaming
from deploy.running.parts import PartContext
from ledger.books.following import Follower
from roaming_ocpi.cdrs.maker import CdrMaker
from roaming_ocpi.cdrs.messages import queue_cdrs
from roaming_ocpi.places.ours.telling import PartnerTeller

Loop = Callable[[asyncio.Event], Awaitable[None]]
"""Works until the event is set; what it raises ends the process, which is started again."""


class BackgroundWork(NamedTuple):
    """`loops` run in the process's loop, `followers` of the decisions in a thread beside it."""

    loops: Sequence[Loop] = ()
    followers: Sequence[Follower] = ()


def background_work(context: PartContext, opened: OpenedRoaming) -> BackgroundWork:
    """Return what runs; any number of processes may, so each sees to it that one alone acts."""
    return BackgroundWork(
        loops=(PartnerTeller(opened.resources).run,),
        followers=(CdrMaker(context.clock.now, queue_cdrs),),
    )
