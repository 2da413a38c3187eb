"""What roaming works with, opened for a process: database, log, the way to partners, the audit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from deploy.running.log_store import open_line_writer
from deploy.running.parts import PartContext
from ingest.commands.asking import StationCommands
from ingest.declared_directory import DeclaredDirectory
from ingest.partner_calls import PartnerCalls
from ingest.persons.subjects import PostgresSubjects
from ledger.database import connect_async, connect_options
from ledger.partners.bounds import read_bounds
from ledger.partners.told_counts import ToldCounts
from roaming_ocpi.client.http import HttpPartnerClient
from roaming_ocpi.registration.links import caller_of, prove_use
from roaming_ocpi.server.audit import CallAudit
from roaming_ocpi.server.front.callers import FindCaller, ProveUse
from roaming_ocpi.server.resources import Resources

CONNECTIONS_MAX: Final = 16
"""Of the pool: more than one partner's lane is wide (`roaming_ocpi.server.front.walls`)."""
DATABASE_SECONDS: Final = 5.0


class OpenedRoaming(NamedTuple):
    """What modules and background work are made of.

    `find` says whose a token is, `prove` is told of a new one's first use.
    """

    resources: Resources
    audit: CallAudit
    find: FindCaller
    prove: ProveUse


@asynccontextmanager
async def opened_roaming(context: PartContext, address: str) -> AsyncIterator[OpenedRoaming]:
    """Open it for who is reached at *address* by partners; close it at the end."""
    dsn, settings, now = context.dsn, context.settings, context.clock.now
    async with AsyncExitStack() as exits:
        pool: AsyncConnectionPool[AsyncConnection[Any]] = AsyncConnectionPool(
            dsn,
            kwargs={"options": connect_options(dsn), "autocommit": True},
            min_size=1,
            max_size=CONNECTIONS_MAX,
            timeout=DATABASE_SECONDS,
            open=False,
        )
        await exits.enter_async_context(pool)
        directory = DeclaredDirectory(dsn, context.clock)
        exits.push_async_callback(directory.close)
        log = await open_line_writer(dsn, settings)
        exits.push_async_callback(log.close)
        audit = CallAudit(dsn, now=now, kept_days=settings.calls_kept_days)
        exits.callback(audit.close)
        client = HttpPartnerClient(
            allow_private=settings.roaming_private_networks, now=now, heard=audit.hear
        )
        exits.push_async_callback(client.close)
        calls = await _station_calls(dsn, directory, context, exits)
        resources = Resources(
            database=pool,
            now=now,
            declared=directory.declarations,
            log=log,
            client=client,
            address=address,
            station_calls=calls,
            told=ToldCounts(read_bounds(settings.roaming_bounds)),
        )
        yield OpenedRoaming(resources, audit, partial(caller_of, pool), partial(prove_use, pool))


async def _station_calls(
    dsn: str, directory: DeclaredDirectory, context: PartContext, exits: AsyncExitStack
) -> PartnerCalls:
    """Return the way to our stations for what partners command; *exits* close it."""
    connected = partial(connect_async, dsn)
    subjects = PostgresSubjects(connected)
    commands = StationCommands(
        connected, directory=directory, subjects=subjects, clock=context.clock
    )
    for each in (subjects, commands):
        exits.push_async_callback(each.close)
    following = asyncio.create_task(commands.follow())
    exits.push_async_callback(_ended, following)
    return PartnerCalls(commands)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
