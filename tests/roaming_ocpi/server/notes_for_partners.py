"""A module over a real table, and the routes for partners on a free port, with three partners."""

from __future__ import annotations

import asyncio
import hashlib
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
from ledger.database import connect, connect_options
from ledger.declared.declarations import Declarations
from ledger.log.event_log import LineWriter
from roaming_ocpi.client.asking import PartnerClient
from roaming_ocpi.server.app import ocpi_routes
from roaming_ocpi.server.audit import CallAudit
from roaming_ocpi.server.calls import (
    Caller,
    Module,
    ObjectPage,
    OcpiRefusedError,
    PartnerCall,
    Reply,
    Route,
)
from roaming_ocpi.server.front.walls import Walls
from roaming_ocpi.server.partner_side import PartnerSide
from roaming_ocpi.server.resources import Resources
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId, OurSide
from roaming_ocpi.wire.status import Status

OURS = "DE-HBC"
TNM, HUB, INVITED = "token-of-tnm-7f3a", "token-of-hub-99", "token-a-of-abc"
RENEWED = "second-token-of-tnm"
CALLERS = {
    TNM: Caller("NL-TNM", frozenset({"NL-TNM"}), OURS),
    HUB: Caller("FR-HUB", frozenset({"FR-HUB", "FR-ONE", "FR-TWO"}), OURS),
    RENEWED: Caller("NL-TNM", frozenset({"NL-TNM"}), OURS, is_fresh=True),
    INVITED: Caller("BE-ABC", frozenset({"BE-ABC"}), OURS, is_invited=True),
}
TABLE = """
CREATE TABLE note (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    party text NOT NULL, id text NOT NULL, body text NOT NULL, UNIQUE (party, id)
)
"""
PUT = """
INSERT INTO note (party, id, body) VALUES (%s, %s, %s)
ON CONFLICT (party, id) DO UPDATE SET body = excluded.body
"""


class NotesOfPartners:
    """Objects that partners push and read, as any module has them."""

    def __init__(self, resources: Resources) -> None:
        self._database = resources.database
        self.slow = asyncio.Event()

    def modules(self) -> list[Module]:
        """Return the modules: one that partners write, one that they read, the handshake's."""
        one = "/{country_code}/{party_id}/{id}"
        written = [
            Route("PUT", one, self.put, "Keep a note.", has_body=True),
            Route("PATCH", one, self.put, "Change a note.", has_body=True),
            Route("GET", one, self.get, "Return a note."),
            Route("DELETE", one, self.delete, "Forget a note."),
        ]
        listed = [Route("GET", "", self.listed, "List notes.", is_list=True)]
        credentials = [Route("GET", "", self.credentials, "Say whose token it is.")]
        odd = [
            Route("POST", "/START_SESSION", self.break_down, "Break down.", has_body=True),
            Route("POST", "/STOP_SESSION", self.wait, "Wait."),
        ]
        receiver, sender, cpo = InterfaceRole.RECEIVER, InterfaceRole.SENDER, OurSide.CPO
        return [
            Module(ModuleId.CREDENTIALS, sender, cpo, credentials),
            Module(ModuleId.TOKENS, receiver, cpo, written),
            Module(ModuleId.CDRS, sender, cpo, listed),
            Module(ModuleId.COMMANDS, receiver, cpo, odd),
            Module(ModuleId.TARIFFS, receiver, OurSide.EMSP, written),
        ]

    async def put(self, call: PartnerCall) -> Reply:
        """Keep a note under the party of its path."""
        party = f"{call.path['country_code']}-{call.path['party_id']}".upper()
        async with self._database.connection() as connection:
            await connection.execute(PUT, (party, call.path["id"], call.text))
        return Reply({"echo": call.body, "from": call.from_party}, http=201)

    async def get(self, call: PartnerCall) -> Reply:
        """Return a note."""
        async with self._database.connection() as connection:
            rows = await connection.execute(
                "SELECT body FROM note WHERE id = %s", (call.path["id"],)
            )
            row = await rows.fetchone()
        if row is None:
            message = f"no note {call.path['id']}"
            raise OcpiRefusedError.not_found(message, Status.UNKNOWN_TOKEN)
        return Reply(row[0])

    async def delete(self, call: PartnerCall) -> Reply:
        """Forget a note."""
        async with self._database.connection() as connection:
            await connection.execute("DELETE FROM note WHERE id = %s", (call.path["id"],))
        return Reply()

    async def listed(self, call: PartnerCall) -> Reply:
        """List notes by their numbers, each page from the number that the one before ended at."""
        asked = call.asked
        after = int(call.query.get("after", 0))
        async with self._database.connection() as connection:
            rows = await connection.execute(
                "SELECT number, id FROM note WHERE number > %s ORDER BY number OFFSET %s LIMIT %s",
                (after, asked.offset, asked.limit + 1),
            )
            found = await rows.fetchall()
            count = await connection.execute("SELECT count(*) FROM note")
            [(total,)] = await count.fetchall()
        shown = found[: asked.limit]
        more = {"after": str(shown[-1][0])} if len(found) > asked.limit else None
        page = ObjectPage([{"id": id_} for _, id_ in shown], total, asked.limit, more)
        return Reply(page=page)

    async def credentials(self, call: PartnerCall) -> Reply:
        """Say who asks."""
        return Reply({"partner": call.caller.partner, "invited": call.caller.is_invited})

    async def break_down(self, call: PartnerCall) -> Reply:
        """Fail with words that nobody may read."""
        raise ValueError(call.text + call.token)

    async def wait(self, _call: PartnerCall) -> Reply:
        """Answer once somebody lets it."""
        await self.slow.wait()
        return Reply()


class ServedPartners(NamedTuple):
    """The routes over a socket, and what is behind them."""

    client: httpx.AsyncClient
    notes: NotesOfPartners
    asked: list[str]
    """The tokens that were looked up."""
    side: PartnerSide


def headers_of(token: str, **others: str) -> Mapping[str, str]:
    return {"Authorization": f"Token {token}", **others}


@asynccontextmanager
async def partners_served(
    database: str, *, walls: Walls | None = None, declared: Declarations | None = None
) -> AsyncIterator[ServedPartners]:
    """Serve the routes on a free port, over *database*."""
    with connect(database) as connection:
        connection.execute(TABLE)
    asked: list[str] = []

    async def find(token: str) -> Caller | None:
        asked.append(token)
        digest = hashlib.sha256(token.encode()).digest()
        known = {hashlib.sha256(each.encode()).digest(): each for each in CALLERS}
        return CALLERS[known[digest]] if digest in known else None

    async def prove(token: str) -> None:
        asked.append(f"used: {token}")

    async def declarations() -> Declarations:
        return declared or Declarations()

    listener = open_http("127.0.0.1", 0)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    audit = CallAudit(database, now=lambda: datetime.now(UTC), kept_days=30)
    async with AsyncConnectionPool[AsyncConnection[Any]](
        database,
        kwargs={"options": connect_options(database), "autocommit": True},
        max_size=16,
        open=False,
    ) as pool:
        resources = Resources(
            database=pool,
            now=lambda: datetime.now(UTC),
            declared=declarations,
            # No module of these asks a partner or writes a line.
            log=cast("LineWriter", None),
            client=cast("PartnerClient", None),
            address=f"{address}/ocpi",
        )
        notes = NotesOfPartners(resources)
        routes = ocpi_routes(
            notes.modules(),
            resources,
            find=find,
            prove=prove,
            heard=audit.hear,
            walls=walls or Walls(),
        )
        app = Litestar([routes.router], openapi_config=None, logging_config=None)
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="on", ws="none")
        stopping, ready = asyncio.Event(), asyncio.Event()
        serving = asyncio.create_task(
            serve_app(config, listener, stopping=stopping, ready=ready.set)
        )
        await ready.wait()
        async with httpx.AsyncClient(base_url=address, trust_env=False, timeout=30) as client:
            yield ServedPartners(client, notes, asked, routes.side)
        notes.slow.set()
        stopping.set()
        await serving
        audit.close()
