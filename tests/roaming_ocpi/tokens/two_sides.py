"""Modules of ours served on a free port over a database, and the real client that asks them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, cast

import httpx
import msgspec
import uvicorn
from litestar import Litestar
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from deploy.interface.serving import open_http, serve_app
from ledger.database import connect, connect_options
from ledger.declared.changes import Change
from ledger.declared.declarations import BEGINNING, Declarations, Kind
from ledger.declared.store import load_declarations
from ledger.desk.apply import declare_all
from ledger.log.event_log import LineWriter
from ledger.log.postgres import PostgresEventLog
from ledger.master_data.partners import Partner, PartnerRole, RealTime
from ledger.master_data.tokens import Token
from ledger.persons.holders import token_holder
from ledger.persons.store import find_or_make
from roaming_ocpi.client.audit import CallRecord
from roaming_ocpi.client.http import HttpPartnerClient
from roaming_ocpi.registration.link import Link, LinkState
from roaming_ocpi.server.app import ocpi_routes
from roaming_ocpi.server.calls import Caller, Module
from roaming_ocpi.server.resources import Resources
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId
from tariffs.ocpi.versions import OcpiVersion
from tests import depot

TNM, OTHER = "token-of-tnm-7f3a", "token-of-other-99"
OURS, THEIRS = "DE-HBC", "NL-TNM"
CALLERS = {
    TNM: Caller(THEIRS, frozenset({THEIRS}), OURS),
    OTHER: Caller("BE-ABC", frozenset({"BE-ABC"}), OURS),
}
AT_THEIRS = {TNM: Caller(OURS, frozenset({OURS}), THEIRS)}
"""Who asks where the partner's side is served: we do."""
DECLARED_AT = datetime(2026, 3, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Side(NamedTuple):
    """A side that is served: where, over what, and who asks it as a partner would."""

    address: str
    resources: Resources
    http: httpx.AsyncClient
    heard: list[CallRecord]

    async def call(
        self, method: str, path: str, body: object = None, *, token: str = TNM, **query: str
    ) -> tuple[int, int, Any]:
        """Ask as the partner with *token*; return HTTP's status, OCPI's, and the data."""
        answer = await self.http.request(
            method,
            f"{self.address}{path}",
            json=body,
            params=query,
            headers={"Authorization": f"Token {token}"},
        )
        envelope = answer.json()
        return answer.status_code, envelope["status_code"], envelope.get("data")


@dataclass
class Clock:
    """The product's clock, moved by hand."""

    moment: datetime = NOW

    def now(self) -> datetime:
        return self.moment

    def pass_(self, **much: float) -> None:
        self.moment += timedelta(**much)


@dataclass
class Declaring:
    """What is declared, read anew whenever it changed."""

    database: str
    known: Declarations = field(default_factory=Declarations)

    async def __call__(self) -> Declarations:
        with connect(self.database) as connection:
            self.known = load_declarations(connection)
        return self.known


@asynccontextmanager
async def served(
    database: str,
    modules: Callable[[Resources], Sequence[Module]],
    *,
    callers: Mapping[str, Caller] | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[Side]:
    """Serve *modules* over *database* while the context lasts."""
    known = callers or CALLERS
    clock = clock or Clock()

    async def find(token: str) -> Caller | None:
        digest = hashlib.sha256(token.encode()).digest()
        by_digest = {hashlib.sha256(each.encode()).digest(): known[each] for each in known}
        return by_digest.get(digest)

    async def prove(_token: str) -> None:
        """Hear of a first use: nothing of these tests waits for it."""

    listener = open_http("127.0.0.1", 0)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    heard: list[CallRecord] = []
    client = HttpPartnerClient(allow_private=True, now=clock.now, heard=heard.append)
    async with AsyncConnectionPool[AsyncConnection[Any]](
        database,
        kwargs={"options": connect_options(database), "autocommit": True},
        max_size=8,
        open=False,
    ) as pool:
        resources = Resources(
            database=pool,
            now=clock.now,
            declared=Declaring(database),
            log=cast("LineWriter", None),  # no module of these writes a line
            client=client,
            address=f"{address}/ocpi",
        )
        routes = ocpi_routes(
            modules(resources), resources, find=find, prove=prove, heard=heard.append
        )
        app = Litestar([routes.router], openapi_config=None, logging_config=None)
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="on", ws="none")
        stopping, ready = asyncio.Event(), asyncio.Event()
        serving = asyncio.create_task(
            serve_app(config, listener, stopping=stopping, ready=ready.set)
        )
        await ready.wait()
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
                yield Side(address, resources, http, heard)
        finally:
            stopping.set()
            await serving
            await client.close()


def link_to(
    address: str,
    endpoints: Mapping[tuple[ModuleId, InterfaceRole], str],
    *,
    version: OcpiVersion = OcpiVersion.V2_2_1,
    partner: str = THEIRS,
    token: str = TNM,
) -> Link:
    """Return a link to a side at *address*; *endpoints* are paths there."""
    return Link(
        partner=partner,
        our_party=OURS,
        state=LinkState.REGISTERED,
        version=version,
        token=token,
        endpoints={key: f"{address}{path}" for key, path in endpoints.items()},
        is_plain=True,
    )


def declare(
    database: str,
    tokens: Mapping[str, Token] | None = None,
    *,
    at: datetime = DECLARED_AT,
    real_time: RealTime | None = None,
    partners: Mapping[str, Partner] | None = None,
) -> dict[str, str]:
    """Declare the depot, NL-TNM and BE-ABC, and *tokens* by uid; return their subjects."""
    with connect(database) as connection, PostgresEventLog(database) as log:
        holders = {uid: token_holder(uid) for uid in tokens or {}}
        found = find_or_make(connection, [each for each in holders.values() if each])
        subjects = {
            uid: found[str(each.kind), each.name].id for uid, each in holders.items() if each
        }
        changes = _depot() if not load_declarations(connection).version else []
        for key in ("NL-TNM", "BE-ABC"):
            partner = Partner(
                name=key,
                legal_entity="depot",
                roles=(PartnerRole.CPO, PartnerRole.EMSP),
                real_time=real_time or RealTime(),
            )
            changes.append(Change(kind=Kind.PARTNER, key=key, entity=partner, valid_from=BEGINNING))
        for key, partner in (partners or {}).items():
            changes.append(Change(kind=Kind.PARTNER, key=key, entity=partner, valid_from=BEGINNING))
        for uid, token in (tokens or {}).items():
            changes.append(
                Change(kind=Kind.TOKEN, key=subjects[uid], entity=token, valid_from=BEGINNING)
            )
        declare_all(connection, changes, log=log, by="a test", at=at)
    return subjects


def _depot() -> list[Change]:
    """Return the depot, as partners know it."""
    entity = depot.THINGS[Kind.LEGAL_ENTITY, "depot"]
    named = msgspec.structs.replace(entity, party=OURS)
    return [
        msgspec.structs.replace(each, entity=named) if each.key == "depot" else each
        for each in depot.changes()
    ]
