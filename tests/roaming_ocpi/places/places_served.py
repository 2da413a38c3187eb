"""The modules of places over a socket and a real database, with partners who may call them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

import httpx
import uvicorn
from litestar import Litestar
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from deploy.interface.serving import open_http, serve_app
from ledger.database import connect_options
from ledger.declared.declarations import Declarations
from ledger.log.event_log import LineWriter
from ledger.partners.tokens import BY_DEFAULT
from ledger.partners.told_counts import ToldCounts
from roaming_ocpi.client.asking import PartnerClient
from roaming_ocpi.places.modules import places_modules
from roaming_ocpi.server.app import ocpi_routes
from roaming_ocpi.server.calls import Caller
from roaming_ocpi.server.front.walls import Walls
from roaming_ocpi.server.resources import Resources
from tariffs.ocpi.documents import decode_json

OURS = "DE-HBC"
TNM, OTHER, HUB = "token-of-tnm-7f3a", "token-of-abc-11", "token-of-hub-99"
US = "token-of-ours-5b"
CALLERS = {
    TNM: Caller("NL-TNM", frozenset({"NL-TNM"}), OURS),
    OTHER: Caller("BE-ABC", frozenset({"BE-ABC"}), OURS),
    HUB: Caller("FR-HUB", frozenset({"FR-HUB", "FR-ONE"}), OURS),
    # As a partner of this kind sees us.
    US: Caller(OURS, frozenset({OURS}), "NL-TNM"),
}
NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
QUICK = Walls(partner_rate=100_000, partner_burst=100_000)


class Answered(NamedTuple):
    """An answer; numbers in `data` are exact."""

    http: int
    status: int
    data: Any
    message: str | None
    headers: Mapping[str, str]


class Places:
    """A partner's way to our places; what is declared, and the time, may change meanwhile."""

    def __init__(self, declared: Declarations) -> None:
        self.declared, self.now = declared, NOW
        self.resources: Resources | None = None
        self._client: httpx.AsyncClient | None = None

    def serve(self, client: httpx.AsyncClient) -> None:
        """Ask through *client* from now on."""
        self._client = client

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str = TNM,
        content: bytes | None = None,
    ) -> Answered:
        """Send one request; *path* goes on behind /ocpi, or is a whole address."""
        assert self._client is not None
        url = path if path.startswith("http") else f"/ocpi{path}"
        data = content if content is not None else None
        if body is not None:
            data = json.dumps(body, default=str).encode()
        headers = {"Authorization": f"Token {token}"}
        answer = await self._client.request(method, url, content=data, headers=headers)
        said = decode_json(answer.content)
        return Answered(
            answer.status_code,
            said["status_code"],
            said.get("data"),
            said.get("status_message"),
            answer.headers,
        )

    async def pages(self, path: str) -> list[list[Any]]:
        """Return every page of a list, as the links lead on."""
        pages, url = [], path
        while True:
            answer = await self.ask("GET", url)
            assert answer.http == 200, answer
            pages.append(answer.data)
            link = answer.headers.get("link")
            if link is None:
                return pages
            url = link.partition(">")[0].lstrip("<")


@asynccontextmanager
async def places_served(
    database: str, declared: Declarations | None = None, *, told: ToldCounts = BY_DEFAULT
) -> AsyncIterator[Places]:
    """Serve all that is offered on a free port, over *database*."""
    places = Places(declared or Declarations())

    async def find(token: str) -> Caller | None:
        return CALLERS.get(token)

    async def used(token: str) -> None:
        """Nothing: these tokens need no proof."""

    async def declarations() -> Declarations:
        return places.declared

    listener = open_http("127.0.0.1", 0)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    options = {"options": connect_options(database), "autocommit": True}
    async with AsyncConnectionPool[AsyncConnection[Any]](
        database, kwargs=options, max_size=8, open=False
    ) as pool:
        resources = Resources(
            database=pool,
            now=lambda: places.now,
            declared=declarations,
            # No module of places asks a partner or writes a line.
            log=cast("LineWriter", None),
            client=cast("PartnerClient", None),
            address=f"{address}/ocpi",
            told=told,
        )
        places.resources = resources
        modules = places_modules(resources)
        routes = ocpi_routes(
            modules, resources, find=find, prove=used, heard=lambda _: None, walls=QUICK
        )
        app = Litestar([routes.router], openapi_config=None, logging_config=None)
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="on", ws="none")
        stopping, ready = asyncio.Event(), asyncio.Event()
        serving = asyncio.create_task(
            serve_app(config, listener, stopping=stopping, ready=ready.set)
        )
        await ready.wait()
        async with httpx.AsyncClient(base_url=address, trust_env=False, timeout=30) as client:
            places.serve(client)
            yield places
        stopping.set()
        await serving
