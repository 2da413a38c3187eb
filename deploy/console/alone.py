"""The console without the interface: pages for people, and no operation for programs."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from litestar import Litestar
from psycopg_pool import ConnectionPool

from deploy.api.conventions.reading_pool import pool_of
from deploy.console.jobs import running_jobs
from deploy.console.wiring import OpenedDesk, console_routes, console_side
from deploy.interface.access import Bearer
from deploy.interface.app import build_app
from deploy.interface.serving import serve_app, served
from deploy.running.log_store import open_event_log
from deploy.running.parts import PartContext
from ledger.declared.store import NewestDeclarations


async def serve_console_alone(
    context: PartContext,
    listener: socket.socket,
    *,
    stopping: asyncio.Event,
    ready: Callable[[], None],
) -> None:
    """Answer browsers on *listener* until *stopping* is set."""
    config = served(console_app(context), context.settings)
    await serve_app(config, listener, stopping=stopping, ready=ready)


def console_app(context: PartContext) -> Litestar:
    """Return every page as an application of its own."""
    dsn, clock = context.dsn, context.clock
    pool = pool_of(dsn)
    desk = OpenedDesk(dsn, partial(open_event_log, dsn, context.settings), context.settings)
    side = console_side(dsn, pool, NewestDeclarations(), clock.now, desk, context.settings)
    return build_app(
        (),
        find=_nobody,
        parts={},
        lifespan=[
            partial(_living, pool, desk),
            partial(running_jobs, dsn, clock.now, context.settings),
        ],
        pages=console_routes(),
        state={"console": side},
    )


async def _nobody(_digest: bytes) -> Bearer | None:
    """Find no token: nothing here is for programs."""
    return None


@asynccontextmanager
async def _living(
    pool: ConnectionPool[Any], desk: OpenedDesk, _app: Litestar
) -> AsyncIterator[None]:
    pool.open()
    try:
        yield
    finally:
        desk.close()
        pool.close()
