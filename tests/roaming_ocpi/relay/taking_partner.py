"""A partner that takes CDRs and sessions, as a test tells it to, and the relay that sends them."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import Connection

from ledger.database import connect
from ledger.log.postgres_lines import PostgresLineWriter
from roaming_ocpi.registration.link import Link
from roaming_ocpi.relay.messages import MessageMaker, Prepared
from roaming_ocpi.relay.outcomes import AttemptOutcome
from roaming_ocpi.relay.outgoing import MessageKind, Outgoing, enqueue
from roaming_ocpi.relay.relay import Relay
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId
from tests.roaming_ocpi.client.odd_partner import (
    Request,
    answer,
    client_of,
    enveloped,
    link_to,
    odd_partner,
)

CREATED = "201 Created"
PARTITIONS = 2


@dataclass
class TakingPartner:
    """What was taken: `effects` counts each id's, `bodies` are all that came by id, in `order`.

    `say` answers instead where it returns bytes; `lost`: so many answers are lost on their way
    after what came was taken.
    """

    say: Callable[[Request, dict[str, Any]], Awaitable[bytes | None]] | None = None
    location: str | None = None
    lost: int = 0
    url: str = ""
    effects: Counter[str] = field(default_factory=Counter)
    bodies: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    order: list[str] = field(default_factory=list)
    asked: list[Request] = field(default_factory=list)

    async def serve(self, request: Request, writer: asyncio.StreamWriter) -> None:
        self.asked.append(request)
        writer.write(await self._answer(request, writer))
        await writer.drain()

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> bytes:
        if request.method == "GET":
            found = self.bodies[request.target.rsplit("/", 1)[-1]]
            data = json.loads(found[-1]) if found else None
            return answer(enveloped(data)) if found else answer(status="404 Not Found")
        value = json.loads(request.body)
        if self.say is not None and (said := await self.say(request, value)) is not None:
            return said
        identity = value["id"]
        self.bodies[identity].append(request.body)
        if not self.effects[identity] or request.method == "PUT":
            self.effects[identity] += 1
            self.order.append(identity)
        if self.lost:
            self.lost -= 1
            writer.close()
        place = self.location.format(id=identity, url=self.url) if self.location else None
        headers = [f"Location: {place}"] if place else []
        return answer(enveloped(), status=CREATED, headers=headers)


class PlainMaker(MessageMaker):
    """Makes messages that say their subject, and whose token it is."""

    def make(
        self, connection: Connection[Any], messages: Sequence[Outgoing], link: Link
    ) -> Mapping[int, Prepared | AttemptOutcome]:
        del connection, link
        return {each.id: plain_message(each) for each in messages}


def plain_message(message: Outgoing) -> Prepared:
    token = {"uid": "04AABBCC", "contract_id": "C-77"}
    cost = {"excl_vat": 1.5}
    value = {"id": message.subject, "kind": message.kind, "cdr_token": token, "total_cost": cost}
    is_session = message.kind is MessageKind.SESSION
    return Prepared(
        method="PUT" if is_session else "POST",
        path=f"/DE/HBC/{message.subject}" if is_session else "",
        body=json.dumps(value).encode(),
        seeks=() if is_session else ("id",),
    )


def link_of(party: str, url: str) -> Link:
    there = link_to(url)
    sessions = {(ModuleId.SESSIONS, InterfaceRole.RECEIVER): f"{url}/emsp/sessions"}
    return there._replace(partner=party, endpoints={**there.endpoints, **sessions})


@asynccontextmanager
async def taking(partner: TakingPartner) -> AsyncIterator[TakingPartner]:
    """Let *partner* take what comes."""
    async with odd_partner(partner.serve) as server:
        partner.url = server.url
        yield partner


@asynccontextmanager
async def opened_relay(
    dsn: str,
    links: Mapping[str, Link],
    *,
    holder: str = "relay-1",
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    maker: MessageMaker | None = None,
) -> AsyncIterator[Relay]:
    """Yield a relay over the database; *links* may change meanwhile."""

    async def routes() -> Mapping[str, Link]:
        return dict(links)

    log = await PostgresLineWriter.open(dsn, partitions=PARTITIONS)
    async with log, client_of() as client:
        yield Relay(
            dsn,
            holder=holder,
            client=client,
            log=log,
            routes=routes,
            makers=dict.fromkeys(MessageKind, maker or PlainMaker()),
            now=now,
            chance=lambda: Decimal(0),
        )


@asynccontextmanager
async def relaying(
    dsn: str,
    links: Mapping[str, Link],
    *,
    holder: str = "relay-1",
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> AsyncIterator[None]:
    """Run the relay over the database; *links* may change meanwhile."""
    stop = asyncio.Event()
    async with opened_relay(dsn, links, holder=holder, now=now) as relay:
        task = asyncio.create_task(relay.run(stop))
        try:
            yield
        finally:
            stop.set()
            await task


def put(dsn: str, party: str, *subjects: str, lane: str | None = None) -> None:
    """Put messages; "s:" begins a session's, "x:" a credit's."""
    kinds = {"s": MessageKind.SESSION, "x": MessageKind.CREDIT}
    with connect(dsn) as connection, connection.transaction():
        for subject in subjects:
            kind = kinds.get(subject.partition(":")[0], MessageKind.CDR)
            name = subject.rpartition(":")[2]
            enqueue(connection, party, kind, name, lane=lane or name)


def asked(dsn: str, query: str, *values: object) -> list[tuple[Any, ...]]:
    with connect(dsn) as connection:
        return connection.execute(query.encode(), values).fetchall()


async def until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait until *condition* holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - it is the database that changes
            await asyncio.sleep(0.05)


async def until_empty(dsn: str) -> None:
    """Wait until nothing is on its way."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        async with asyncio.timeout(60):
            while True:
                found = await connection.execute(
                    "SELECT count(*) FROM inputs.outgoing WHERE state <> 'dead'"
                )
                if await found.fetchone() == (0,):
                    return
                await asyncio.sleep(0.05)
