"""`api_requests`: small reads of the API by one process, per second of its processor time.

A tariff by its id (from memory), the newest session and the newest invoice (from the database), in
turn: token, scope, reach, JSON and tag with each. The aim is 2,000 a second a core. The peer is a
bare route of the same framework that asks the same database one question: no token, scope, reach
or tag.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import httpx
import psycopg
import uvicorn
import uvloop
from litestar import Litestar, get
from psycopg_pool import ConnectionPool

from bench.peers.machine import core_for_the_server
from bench.peers.servers import Task, answer_until_stopped, pin, server_process
from bench.run import Row, beside
from deploy.clock import SystemClock
from deploy.interface.access import Scope
from deploy.interface.serving import open_http, serve_app, serve_interface
from deploy.postgres import migrate
from deploy.postgres.embedded import EmbeddedPostgres
from ledger.database import connect, connect_options
from ledger.log.postgres import PostgresEventLog, make_log
from ledger.users.access_tokens import make_token
from tests.charging_day import PARTITIONS
from tests.projections.books_of_a_day import books_of_a_day

PATHS: Final = (
    ("api_tariff", ("/tariffs/DAY",)),
    ("api_session", ("/sessions?limit=1",)),
    ("api_invoice", ("/invoices?limit=1",)),
)
_ASKING: Final = 16
_WARM_UP_SECONDS: Final = 1.0
_WANTED: Final = 2_000.0


def rows(seconds: float) -> list[Row]:
    """Measure each alone and all in turn, for *seconds* each."""
    with (
        core_for_the_server() as core,
        tempfile.TemporaryDirectory(prefix="wattledger-bench-") as folder,
        EmbeddedPostgres(Path(folder)) as postgres,
    ):
        with psycopg.connect(postgres.dsn) as connection:
            migrate.apply(connection, "inputs")
            migrate.apply(connection, "persons")
            migrate.apply(connection, "books")
            make_log(connection, partitions=PARTITIONS)
        books_of_a_day(postgres.dsn)
        with connect(postgres.dsn) as connection:
            token = make_token(connection, "bench", list(Scope), by="bench")
        task = Task(core=core, dsn=postgres.dsn)
        every = tuple(path for _, paths in PATHS for path in paths)
        *each, (_, together) = asyncio.run(
            _measured(serve, task, token, [*PATHS, ("", every)], seconds)
        )
        [(_, bare)] = asyncio.run(_measured(serve_bare, task, token, [("", ("/bare",))], seconds))
    unit, peer = "small reads per CPU s", "a bare Litestar route with one question"
    return [
        *(beside(name, rate, unit, peer, bare) for name, rate in each),
        beside("api_requests", together, "the same, in turn", "asked for", _WANTED),
    ]


async def _measured(
    main: Callable[[Task, Connection], None],
    task: Task,
    token: str,
    wanted: Sequence[tuple[str, Sequence[str]]],
    seconds: float,
) -> list[tuple[str, float]]:
    found = []
    with server_process(main, task) as server:
        limits = httpx.Limits(max_connections=_ASKING, max_keepalive_connections=_ASKING)
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{server.port}",
            headers={"Authorization": f"Bearer {token}"},
            limits=limits,
            trust_env=False,
        ) as client:
            for name, paths in wanted:
                await _load(client, paths, _WARM_UP_SECONDS)
                used = server.cpu_seconds()
                served = await _load(client, paths, seconds)
                found.append((name, served / (server.cpu_seconds() - used)))
    return found


async def _load(client: httpx.AsyncClient, paths: Sequence[str], seconds: float) -> int:
    ending, served = time.perf_counter() + seconds, 0

    async def ask(turn: int) -> None:
        nonlocal served
        while time.perf_counter() < ending:
            answer = await client.get(paths[turn % len(paths)])
            assert answer.status_code == 200, answer.text[:500]  # noqa: PLR2004 - OK
            turn += 1
            served += 1

    await asyncio.gather(*map(ask, range(_ASKING)))
    return served


def serve(task: Task, pipe: Connection) -> None:
    """Serve the interface as it is served."""
    pin(task)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(task, pipe))


async def _serve(task: Task, pipe: Connection) -> None:
    listener, stopping, ready = open_http("127.0.0.1", 0), asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(
        serve_interface(
            task.dsn,
            SystemClock(),
            listener,
            open_log=partial(PostgresEventLog, task.dsn),
            stopping=stopping,
            ready=ready.set,
        )
    )
    await ready.wait()
    await answer_until_stopped(pipe, listener.getsockname()[1])
    stopping.set()
    await serving


def serve_bare(task: Task, pipe: Connection) -> None:
    """Serve the database as it is mostly done."""
    pin(task)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve_bare(task, pipe))


async def _serve_bare(task: Task, pipe: Connection) -> None:
    pool: ConnectionPool[Any]
    kwargs = {"options": connect_options(task.dsn), "autocommit": True}
    with ConnectionPool(task.dsn, kwargs=kwargs, max_size=8, open=True) as pool:

        @get("/bare", sync_to_thread=True)
        def bare() -> dict[str, str]:
            query = "SELECT number FROM issued_invoice ORDER BY issued_on DESC, number DESC LIMIT 1"
            with pool.connection() as connection:
                [(number,)] = connection.execute(query).fetchall()
            return {"number": number}

        app = Litestar([bare], openapi_config=None, logging_config=None)
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="on", ws="none")
        listener, stopping, ready = open_http("127.0.0.1", 0), asyncio.Event(), asyncio.Event()
        serving = asyncio.create_task(
            serve_app(config, listener, stopping=stopping, ready=ready.set)
        )
        await ready.wait()
        await answer_until_stopped(pipe, listener.getsockname()[1])
        stopping.set()
        await serving
