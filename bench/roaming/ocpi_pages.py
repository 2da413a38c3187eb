"""`ocpi_pages`: pages of 100 CDRs served to a partner over HTTP by one process, and all of a table.

Rates are per second of the server's processor time; it has one core to itself, PostgreSQL and who
asks run on the others. Ours serves through every wall, with the audit, CDRs as they are kept: as
OCPI 2.2.1, each with its driver's token and contract opened, of a thousand drivers in turn. The
peer is a bare route of the same framework that decodes the kept bodies and encodes them again: no
token, wall, envelope or person. Then one partner reads all rows page by page: the memory of the
server at the end is held against that after the first pages.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, LiteralString, cast

import httpx
import psycopg
import uvicorn
import uvloop
from litestar import Litestar, get
from litestar.types import ControllerRouterHandler
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from bench.peers.machine import core_for_the_server
from bench.peers.servers import Task, answer_until_stopped, pin, server_process
from bench.run import Row, beside
from deploy.interface.serving import open_http, serve_app
from deploy.postgres import migrate
from deploy.postgres.embedded import EmbeddedPostgres
from ledger.database import connect, connect_options
from ledger.declared.declarations import Declarations
from ledger.log.event_log import LineWriter
from ledger.partners.tokens import PartnerToken, Whitelist, add_partner_tokens
from ledger.persons.holders import token_holder
from ledger.persons.sealing import seal
from ledger.persons.store import find_or_make
from roaming_ocpi.cdrs.made import CdrBody
from roaming_ocpi.cdrs.telling.sender import cdrs_module
from roaming_ocpi.client.asking import PartnerClient
from roaming_ocpi.server.app import ocpi_routes
from roaming_ocpi.server.audit import CallAudit
from roaming_ocpi.server.calls import Caller
from roaming_ocpi.server.partner_side import WALLS
from roaming_ocpi.server.resources import Resources
from tests.roaming_ocpi.cdrs.roaming_books import declare_depot
from tests.roaming_ocpi.cdrs.test_cdrs_told import told_session

ROWS: Final = 1_000_000
"""As many as are paged through; the rates are measured over the same table."""
_ON_A_PAGE: Final = 100
_EACH: Final = b'"charging_periods"'
_ASKING: Final = 4
_WARM_PAGES: Final = 200
_WARM_UP_SECONDS: Final = 0.5
_DRIVERS: Final = 1_000
# The one CDR that a session made, as often as is wanted: each with ids of its own, and another
# driver than those around it.
_FILL: LiteralString = """
INSERT INTO roaming_cdr
SELECT party, number + n, 'CDR-' || n, 'S-' || n, revision, kind, credits, legal_entity, currency,
    net_minor, tax_minor, energy_wh, started_at, ended_at, billing_month,
    made_at + n * interval '1 s', notes,
    convert_to(replace(replace(replace(convert_from(body, 'UTF8'),
        session_id, 'S-' || n), %s, driver.subject), %s, driver.contract), 'UTF8'), sha256
FROM roaming_cdr CROSS JOIN generate_series(1, %s) n
JOIN unnest(%s::text[], %s::text[]) WITH ORDINALITY AS driver (subject, contract, place)
    ON place = n %% %s + 1
"""
_PAGE: LiteralString = """
SELECT body FROM roaming_cdr WHERE party = 'NL-TNM' AND number > %s ORDER BY number LIMIT %s
"""


def rows(seconds: float) -> list[Row]:
    """Measure both sides for *seconds* each, then page through all rows."""
    with (
        core_for_the_server() as core,
        tempfile.TemporaryDirectory(prefix="wattledger-bench-") as folder,
        EmbeddedPostgres(Path(folder)) as postgres,
    ):
        with psycopg.connect(postgres.dsn) as connection:
            migrate.apply(connection, "inputs")
            migrate.apply(connection, "persons")
            migrate.apply(connection, "books")
        declare_depot(postgres.dsn)
        made = told_session(postgres.dsn)
        with connect(postgres.dsn) as connection:
            _fill(connection, made.said)
        task = Task(core=core, dsn=postgres.dsn)
        ours = asyncio.run(_rated(serve_ours, task, seconds))
        theirs = asyncio.run(_rated(serve_peer, task, seconds))
        first, last, rate = asyncio.run(_paged_through(task))
    return [
        beside(
            "ocpi_pages",
            ours,
            "pages of 100 per CPU s",
            "a bare Litestar route, decoded and encoded",
            theirs,
        ),
        beside("ocpi_all_pages", rate, f"the same, {ROWS:,} rows in turn", "asked for: 150", 150.0),
        beside(
            "ocpi_all_pages_mib",
            last / 1024,
            "MiB of the server after all rows",
            f"after {_WARM_PAGES} pages",
            first / 1024,
            is_cost=True,
        ),
    ]


def _fill(connection: psycopg.Connection[Any], body: CdrBody) -> None:
    """Fill the table, with the CDRs of drivers that their partner told us of."""
    tokens = [
        PartnerToken(f"04B{n:07}", f"NL-TNM-C{n:08}", True, Whitelist.ALWAYS)
        for n in range(_DRIVERS)
    ]
    add_partner_tokens(connection, "NL-TNM", tokens, at=datetime.now(UTC))
    holders = [each for token in tokens if (each := token_holder(token.uid))]
    known = find_or_make(connection, holders)
    subjects = [known[each.kind, each.name] for each in holders]
    sealed = [
        seal(subject, token.contract_id) for subject, token in zip(subjects, tokens, strict=True)
    ]
    ids = [each.id for each in subjects]
    connection.execute(_FILL, (body.token, body.contract, ROWS - 1, ids, sealed, _DRIVERS))
    connection.execute("ANALYZE roaming_cdr")


async def _rated(main: Callable[[Task, Connection], None], task: Task, seconds: float) -> float:
    """Return how many pages a server gives a second of its own, from all over the table."""
    with server_process(main, task) as server:
        async with _client(server.port) as client:
            served = 0

            async def ask(start: int, ending: float) -> None:
                nonlocal served
                place = start
                while time.perf_counter() < ending:
                    place = (place + 7 * _ON_A_PAGE) % (ROWS - _ON_A_PAGE)
                    answer = await client.get("/ocpi/cpo/2.2.1/cdrs", params=_at(place))
                    assert answer.status_code == 200, answer.text[:500]  # noqa: PLR2004 - OK
                    assert answer.content.count(b"{") > _ON_A_PAGE
                    served += 1

            async def load(seconds: float) -> None:
                ending = time.perf_counter() + seconds
                starts = range(0, ROWS, ROWS // _ASKING)
                await asyncio.gather(*(ask(start, ending) for start in starts))

            await load(_WARM_UP_SECONDS)
            before, used = served, server.cpu_seconds()
            await load(seconds)
            return (served - before) / (server.cpu_seconds() - used)


async def _paged_through(task: Task) -> tuple[float, float, float]:
    """Return the server's memory after the first pages and after all, and pages a CPU second."""
    with server_process(serve_ours, task) as server:
        async with _client(server.port) as client:
            url, pages, first, read = f"/ocpi/cpo/2.2.1/cdrs?limit={_ON_A_PAGE}", 0, 0.0, 0
            used = server.cpu_seconds()
            while url:
                answer = await client.get(url)
                read += answer.content.count(_EACH)
                pages += 1
                url = answer.links["next"]["url"] if "next" in answer.links else ""
                if pages == _WARM_PAGES:
                    first = server.memory_kib()
        assert read == ROWS, read
        return first, server.memory_kib(), pages / (server.cpu_seconds() - used)


def _client(port: int) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}",
        headers={"Authorization": "Token of-a-partner"},
        trust_env=False,
        timeout=60,
    )


def _at(place: int) -> dict[str, str]:
    return {"offset": str(place), "limit": str(_ON_A_PAGE)}


def serve_ours(task: Task, pipe: Connection) -> None:
    """Serve the table through everything that partners pass."""
    pin(task)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(task, pipe, is_ours=True))


def serve_peer(task: Task, pipe: Connection) -> None:
    """Serve the table as it is mostly done."""
    pin(task)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(task, pipe, is_ours=False))


async def _serve(task: Task, pipe: Connection, *, is_ours: bool) -> None:
    listener = open_http("127.0.0.1", 0)
    port = listener.getsockname()[1]
    async with AsyncConnectionPool[AsyncConnection[Any]](
        task.dsn,
        kwargs={"options": connect_options(task.dsn), "autocommit": True},
        max_size=8,
        open=False,
    ) as pool:
        audit = CallAudit(task.dsn, now=lambda: datetime.now(UTC), kept_days=30)
        handler = _ours(pool, audit, port) if is_ours else _peer(pool)
        app = Litestar([handler], openapi_config=None, logging_config=None)
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="on", ws="none")
        stopping, ready = asyncio.Event(), asyncio.Event()
        serving = asyncio.create_task(
            serve_app(config, listener, stopping=stopping, ready=ready.set)
        )
        await ready.wait()
        await answer_until_stopped(pipe, port)
        stopping.set()
        await serving
        audit.close()


def _ours(
    pool: AsyncConnectionPool[AsyncConnection[Any]], audit: CallAudit, port: int
) -> ControllerRouterHandler:
    caller = Caller("NL-TNM", frozenset({"NL-TNM"}), "DE-HBC")

    async def find(_token: str) -> Caller:
        return caller

    async def prove(_token: str) -> None:
        pass

    async def declared() -> Declarations:
        return Declarations()

    resources = Resources(
        database=pool,
        now=lambda: datetime.now(UTC),
        declared=declared,
        # Nothing is written or asked for a page.
        log=cast("LineWriter", None),
        client=cast("PartnerClient", None),
        address=f"http://127.0.0.1:{port}/ocpi",
    )
    return ocpi_routes(
        [cdrs_module(resources)],
        resources,
        find=find,
        prove=prove,
        heard=audit.hear,
        # The rate that a partner may have is not what is measured.
        walls=WALLS._replace(partner_rate=1e6, partner_burst=1e6),
    ).router


def _peer(pool: AsyncConnectionPool[AsyncConnection[Any]]) -> ControllerRouterHandler:
    @get("/ocpi/cpo/2.2.1/cdrs")
    async def listed(offset: int, limit: int) -> list[Any]:
        async with pool.connection() as connection:
            found = await connection.execute(_PAGE, (offset, limit))
            return [json.loads(body) for (body,) in await found.fetchall()]

    return listed
