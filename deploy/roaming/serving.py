"""The routes for partners over HTTP: within the interface, or on a port of their own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from functools import partial
from typing import Final

import uvicorn
from litestar import Litestar

from deploy.interface.app import FOR_ANYBODY
from deploy.interface.serving import (
    BACKLOG,
    END_SECONDS,
    BoundedProtocol,
    serve_app,
    serve_interface,
)
from deploy.listening import place_of
from deploy.payments.side import PaymentSide
from deploy.roaming.addresses import note_address
from deploy.roaming.opening import OpenedRoaming, opened_roaming
from deploy.running.log_store import open_event_log
from deploy.running.parts import PartContext
from deploy.settings import Settings
from roaming_ocpi.offered import offered_modules
from roaming_ocpi.server.app import OcpiRoutes, ocpi_routes
from roaming_ocpi.server.partner_side import PREFIX, WALLS

_HEAD_BYTES_MAX: Final = 64 << 10


def partner_routes(opened: OpenedRoaming) -> OcpiRoutes:
    """Return every route that partners have; their own tokens let them in, none of ours."""
    return ocpi_routes(
        offered_modules(opened.resources),
        opened.resources,
        find=opened.find,
        prove=opened.prove,
        heard=opened.audit.hear,
        walls=WALLS,
        opt=FOR_ANYBODY,
    )


async def _note(opened: OpenedRoaming) -> None:
    """Let commands in other processes know where partners are served."""
    async with opened.resources.database.connection() as connection:
        await note_address(connection, opened.resources.address)


def address_served(context: PartContext, listener: socket.socket) -> str:
    """Return where partners reach what is served on *listener*."""
    if context.settings.roaming_url:
        return context.settings.roaming_base
    return f"http://{place_of(listener)}{PREFIX}"


async def serve_interface_to_all(
    context: PartContext,
    listener: socket.socket,
    *,
    stopping: asyncio.Event,
    ready: Callable[[], None],
) -> None:
    """Serve the interface, with the routes for partners where they have no port of their own."""
    serve = partial(
        serve_interface,
        context.dsn,
        context.clock,
        listener,
        open_log=partial(open_event_log, context.dsn, context.settings),
        stopping=stopping,
        ready=ready,
        payments=PaymentSide(context.settings, context.clock),
    )
    if context.settings.roaming_port >= 0:
        await serve()
        return
    async with opened_roaming(context, address_served(context, listener)) as opened:
        await _note(opened)
        await serve(partners=partner_routes(opened))


async def serve_partners(
    opened: OpenedRoaming,
    listener: socket.socket,
    settings: Settings,
    *,
    stopping: asyncio.Event,
    ready: Callable[[], None],
) -> None:
    """Serve the routes for partners, and nothing else, on *listener*."""
    await _note(opened)
    app = Litestar(
        [partner_routes(opened).router],
        openapi_config=None,
        debug=False,
        logging_config=None,
    )
    config = uvicorn.Config(
        app,
        http=BoundedProtocol,
        log_config=None,
        log_level="error",  # else a line for each stranger's request
        access_log=False,
        server_header=False,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=END_SECONDS,
        lifespan="on",
        ws="none",
        backlog=BACKLOG,
        h11_max_incomplete_event_size=_HEAD_BYTES_MAX,
    )
    await serve_app(config, listener, stopping=stopping, ready=ready)
