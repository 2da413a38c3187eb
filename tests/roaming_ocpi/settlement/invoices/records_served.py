"""Invoice reconciliation records over a socket and a real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx
import uvicorn
from litestar import Litestar
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from deploy.interface.serving import open_http, serve_app
from ledger.database import connect_options
from ledger.declared.declarations import Declarations
from ledger.log.event_log import LineWriter
from roaming_ocpi.client.asking import PartnerClient
from roaming_ocpi.server.app import ocpi_routes
from roaming_ocpi.server.calls import Caller
from roaming_ocpi.server.resources import Resources
from roaming_ocpi.settlement.invoices.record_modules import InvoiceRecords
from tests.roaming_ocpi.places.places_served import CALLERS, NOW, QUICK, Places


@asynccontextmanager
async def records_served(database: str) -> AsyncIterator[Places]:
    """Serve the module on a free port; yield a partner's way to it."""

    async def find(token: str) -> Caller | None:
        return CALLERS.get(token)

    async def prove(_token: str) -> None:
        """Nothing: these tokens need no proof."""

    async def declared() -> Declarations:
        return Declarations()

    listener = open_http("127.0.0.1", 0)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    options = {"options": connect_options(database), "autocommit": True}
    async with AsyncConnectionPool[AsyncConnection[Any]](
        database, kwargs=options, max_size=8, open=False
    ) as pool:
        resources = Resources(
            database=pool,
            now=lambda: NOW,
            declared=declared,
            # The module asks no partner and writes no line.
            log=cast("LineWriter", None),
            client=cast("PartnerClient", None),
            address=f"{address}/ocpi",
        )
        modules = InvoiceRecords(pool).modules()
        routes = ocpi_routes(
            modules, resources, find=find, prove=prove, heard=lambda _: None, walls=QUICK
        )
        app = Litestar([routes.router], openapi_config=None, logging_config=None)
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="on", ws="none")
        stopping, ready = asyncio.Event(), asyncio.Event()
        serving = asyncio.create_task(
            serve_app(config, listener, stopping=stopping, ready=ready.set)
        )
        await ready.wait()
        async with httpx.AsyncClient(base_url=address, trust_env=False, timeout=30) as client:
            partner = Places(Declarations())
            partner.serve(client)
            yield partner
        stopping.set()
        await serving
