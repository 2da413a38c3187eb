"""An instance of ours as partners see it: its routes on a free port, its client, its database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, LiteralString, cast

import uvicorn
from litestar import Litestar
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from deploy.interface.serving import open_http, serve_app
from ledger.database import connect, connect_options
from ledger.declared.changes import Change
from ledger.declared.declarations import Declarations, Kind
from ledger.declared.store import declare, load_declarations
from ledger.log.event_log import LineWriter
from ledger.master_data.legal_entities import LegalEntity
from ledger.master_data.partners import Partner, PartnerRole
from roaming_ocpi.client.answers import PartnerRefusedError
from roaming_ocpi.client.audit import CallRecord
from roaming_ocpi.client.http import HttpPartnerClient
from roaming_ocpi.offered import offered_modules
from roaming_ocpi.registration.handshake import Handshaker
from roaming_ocpi.registration.link import Link
from roaming_ocpi.registration.links import Pool, caller_of, link_of, prove_use
from roaming_ocpi.registration.receiving import credentials_module
from roaming_ocpi.registration.sending import Registered, register
from roaming_ocpi.registration.store import INVITATION_HOURS, invite, new_token
from roaming_ocpi.server.app import ocpi_routes
from roaming_ocpi.server.calls import Module, PartnerCall, Reply, Route
from roaming_ocpi.server.resources import Resources
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId, OurSide
from tests.fakes import NOON

OURS, THEIRS = "DE-HBC", "NL-TNM"
RECEIVER, SENDER = InterfaceRole.RECEIVER, InterfaceRole.SENDER


@dataclass
class LinkingInstance:
    """One side of a handshake. `party` is what it is; `fault` is raised in its client if set."""

    party: str
    database: str
    pool: Pool
    client: HttpPartnerClient
    address: str
    heard: list[CallRecord]
    tokens: list[str] = field(default_factory=list)

    @property
    def ours(self) -> Handshaker:
        """What it does handshakes with."""
        return Handshaker(self.pool, lambda: NOON, self.declared, self.client, self.address)

    @property
    def versions_url(self) -> str:
        """Where its partners begin."""
        return f"{self.address}/versions"

    async def declared(self) -> Declarations:
        """Return what is declared here."""
        with connect(self.database) as connection:
            return load_declarations(connection)

    async def invited(self, party: str, *, hours: int = INVITATION_HOURS) -> str:
        """Return the token of an invitation."""
        token = new_token()
        async with self.pool.connection() as connection:
            await invite(connection, party, token, hours=hours, at=NOON, by="anna")
        self.tokens.append(token)
        return token

    async def link(self, party: str) -> Link:
        """Return the link with a partner with whom there is one."""
        found = await link_of(self.pool, party)
        assert found is not None
        return found

    async def holds(self, other: LinkingInstance) -> bool:
        """Say whether the other instance lets this one in, by the module of notes."""
        link = await self.link(other.party)
        url = next(url for (module, _), url in link.endpoints.items() if module == ModuleId.TOKENS)
        try:
            await self.client.ask(link, "GET", url)
        except Exception:  # noqa: BLE001 - whatever it is, it is not let in
            return False
        return True

    def rows(self, query: LiteralString) -> list[tuple[Any, ...]]:
        """Return what its database says."""
        with connect(self.database) as connection:
            return connection.execute(query).fetchall()


def notes_module(side: OurSide) -> Module:
    """Return a module that says who asks: what is let in is let in there."""

    async def who(call: PartnerCall) -> Reply:
        return Reply(sorted(call.caller.parties))

    role = RECEIVER if side is OurSide.CPO else SENDER
    return Module(ModuleId.TOKENS, role, side, [Route("GET", "", who, "Say who asks.")])


@asynccontextmanager
async def linking_instance(
    database: str,
    party: str,
    *partners: tuple[str, Partner],
    name: str = "Harbour",
    is_whole: bool = False,
) -> AsyncIterator[LinkingInstance]:
    """Serve an instance that is *party*, with *partners* declared.

    With every module of ours and the time of day where it *is_whole*, else with one module that
    says who asks, at noon.
    """

    def now() -> datetime:
        return datetime.now(UTC) if is_whole else NOON

    us = LegalEntity(
        name=name, country="DE", time_zone="Europe/Berlin", invoice_prefix="H-", party=party
    )
    declare_partners(database, ("us", us), *partners)
    heard: list[CallRecord] = []
    client = HttpPartnerClient(allow_private=True, now=lambda: NOON, heard=heard.append)
    listener = open_http("127.0.0.1", 0)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/ocpi"
    async with AsyncConnectionPool[AsyncConnection[Any]](
        database,
        kwargs={"options": connect_options(database), "autocommit": True},
        open=False,
    ) as pool:
        made = LinkingInstance(party, database, pool, client, address, heard)
        resources = Resources(
            database=pool,
            now=now,
            declared=made.declared,
            log=cast("LineWriter", None),  # the handshake writes no line
            client=client,
            address=address,
        )
        notes = [credentials_module(resources), *map(notes_module, OurSide)]
        modules = offered_modules(resources) if is_whole else notes
        find, prove = partial(caller_of, pool), partial(prove_use, pool)
        routes = ocpi_routes(modules, resources, find=find, prove=prove, heard=heard.append)
        app = Litestar([routes.router], openapi_config=None, logging_config=None)
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="on", ws="none")
        stopping, ready = asyncio.Event(), asyncio.Event()
        serving = asyncio.create_task(
            serve_app(config, listener, stopping=stopping, ready=ready.set)
        )
        await ready.wait()
        try:
            yield made
        finally:
            await client.close()
            stopping.set()
            await serving


def declare_partners(database: str, *entities: tuple[str, Partner | LegalEntity | None]) -> None:
    """Declare partners and our legal entity as they are from now on."""
    changes = [
        Change(
            kind=Kind.LEGAL_ENTITY if isinstance(entity, LegalEntity) else Kind.PARTNER,
            key=key,
            entity=entity,
        )
        for key, entity in entities
    ]
    with connect(database) as connection:
        declare(connection, changes, by="tests", at=NOON)


def emsp(*versions: str, plain_token: bool = False) -> Partner:
    return _partner("TNM", PartnerRole.EMSP, versions, plain_token=plain_token)


def cpo(*versions: str, plain_token: bool = False) -> Partner:
    return _partner("Harbour", PartnerRole.CPO, versions, plain_token=plain_token)


def _partner(
    name: str, role: PartnerRole, versions: tuple[str, ...], *, plain_token: bool
) -> Partner:
    return Partner(
        name=name, legal_entity="us", roles=(role,), versions=versions, plain_token=plain_token
    )


@asynccontextmanager
async def two_instances(
    databases: Sequence[str], *versions: str, plain_token: bool = False
) -> AsyncIterator[tuple[LinkingInstance, LinkingInstance]]:
    """Serve a CPO and an eMSP that have declared each other."""
    ours, theirs = databases
    left, right = (each(*versions, plain_token=plain_token) for each in (emsp, cpo))
    async with (
        linking_instance(ours, OURS, (THEIRS, left)) as one,
        linking_instance(theirs, THEIRS, (OURS, right), name="TNM") as other,
    ):
        yield one, other


def told(_step: str) -> None:
    pass


async def registered(left: LinkingInstance, right: LinkingInstance) -> Registered:
    """Let *right* register with *left*, by an invitation."""
    token = await left.invited(right.party)
    return await register(right.ours, left.party, token, left.versions_url, by="bob", told=told)


async def status_of(
    client: HttpPartnerClient, link: Link, method: str, url: str, body: bytes | None = None
) -> int:
    try:
        return (await client.ask(link, method, url, body=body)).http
    except PartnerRefusedError as error:
        return error.answer.http
