"""What partners' CPOs call, over a socket, with the real log behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final, NamedTuple, cast

import httpx
import uvicorn
from litestar import Litestar
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from deploy.interface.serving import open_http, serve_app
from ledger.database import connect_options
from ledger.declared.declarations import Declarations
from ledger.log.postgres_lines import PostgresLineWriter
from ledger.partners.tokens import BY_DEFAULT
from ledger.partners.told_counts import ToldCounts
from roaming_ocpi.client.asking import PartnerClient
from roaming_ocpi.incoming.taking.intake import PartnerIntake
from roaming_ocpi.incoming.taking.receiver import IncomingReceiver
from roaming_ocpi.server.app import ocpi_routes
from roaming_ocpi.server.audit import CallAudit
from roaming_ocpi.server.calls import Caller
from roaming_ocpi.server.front.walls import Walls
from roaming_ocpi.server.resources import Resources
from tests.roaming_ocpi.incoming.partner_stories import CAME, PARTITIONS

TNM: Final = "token-of-tnm-7f3a"
HUB: Final = "token-of-hub-99"
CALLERS: Final = {
    TNM: Caller("NL-TNM", frozenset({"NL-TNM"}), "DE-HBC"),
    HUB: Caller("FR-HUB", frozenset({"FR-HUB", "FR-ABC"}), "DE-HBC"),
}
NEW, OLD = "2.2.1", "2.1.1"


class Answered(NamedTuple):
    """An answer; `data` and `code` are of its envelope."""

    http: int
    code: int
    data: Any
    location: str | None
    message: str | None


class ServedIntake(NamedTuple):
    """The routes over a socket."""

    client: httpx.AsyncClient
    intake: PartnerIntake

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str = TNM,
        version: str = NEW,
    ) -> Answered:
        """Call as a partner does; *body* is JSON to be, or its text."""
        text = body if isinstance(body, str) else json.dumps(body)
        url = path if path.startswith("http") else f"/ocpi/emsp/{version}{path}"
        headers: Mapping[str, str] = {
            "Authorization": f"Token {token}",
            "Content-Type": "application/json",
        }
        content = None if body is None else text.encode("utf-8", "surrogatepass")
        found = await self.client.request(method, url, content=content, headers=headers)
        envelope = found.json()
        return Answered(
            found.status_code,
            envelope["status_code"],
            envelope.get("data"),
            found.headers.get("Location"),
            envelope.get("status_message"),
        )


@asynccontextmanager
async def served_intake(
    database: str, told: ToldCounts = BY_DEFAULT
) -> AsyncIterator[ServedIntake]:
    """Serve the routes on a free port, over *database*."""

    async def find(token: str) -> Caller | None:
        return CALLERS.get(token)

    async def prove(token: str) -> None:
        assert token in CALLERS

    async def declared() -> Declarations:
        return Declarations()

    def now() -> datetime:
        return CAME

    listener = open_http("127.0.0.1", 0)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    log = await PostgresLineWriter.open(database, partitions=PARTITIONS)
    audit = CallAudit(database, now=now, kept_days=30)
    try:
        async with AsyncConnectionPool[AsyncConnection[Any]](
            database,
            kwargs={"options": connect_options(database), "autocommit": True},
            max_size=16,
            open=False,
        ) as pool:
            resources = Resources(
                database=pool,
                now=now,
                declared=declared,
                log=log,
                client=cast("PartnerClient", None),  # nobody is asked here
                address=f"{address}/ocpi",
            )
            intake = PartnerIntake(pool, log, told)
            modules = IncomingReceiver(intake, resources.address).modules()
            routes = ocpi_routes(
                modules, resources, find=find, prove=prove, heard=audit.hear, walls=Walls()
            )
            app = Litestar([routes.router], openapi_config=None, logging_config=None)
            config = uvicorn.Config(
                app, log_config=None, access_log=False, lifespan="on", ws="none"
            )
            stopping, ready = asyncio.Event(), asyncio.Event()
            serving = asyncio.create_task(
                serve_app(config, listener, stopping=stopping, ready=ready.set)
            )
            await ready.wait()
            async with httpx.AsyncClient(base_url=address, trust_env=False, timeout=30) as client:
                yield ServedIntake(client, intake)
            stopping.set()
            await serving
    finally:
        await log.close()
        audit.close()
