"""What asks partners for their tokens, and what does what they command."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from deploy.roaming.opening import OpenedRoaming
from deploy.running.parts import PartContext
from roaming_ocpi.commands.running import CommandParts, CommandRunner
from roaming_ocpi.registration.links import link_of, links
from roaming_ocpi.tokens.pulling import PullParts, TokenPuller


def tokens_and_commands(
    context: PartContext, opened: OpenedRoaming
) -> Sequence[Callable[[asyncio.Event], Awaitable[None]]]:
    """Return the loops that do so."""
    resources = opened.resources
    assert resources.station_calls is not None
    runner = CommandRunner(
        CommandParts(
            resources.database,
            resources.client,
            partial(link_of, resources.database),
            resources.station_calls,
        )
    )
    return token_puller(context, opened).run, runner.run


def token_puller(context: PartContext, opened: OpenedRoaming) -> TokenPuller:
    """Return what asks partners for their tokens."""
    resources = opened.resources
    return TokenPuller(
        PullParts(
            dsn=context.dsn,
            client=resources.client,
            links=partial(links, resources.database),
            declared=resources.declared,
            now=resources.now,
            holder=context.holder,
            told=resources.told,
        )
    )
