"""`api_requests`: small reads of the API by one process, per second of its processor time.

A tariff by its id (from memory), the newest session and the newest invoice (from the database), in
turn: token, scope, reach, JSON and tag with each. The aim is 2,000 a second a core. The peers are
bare routes of the same framework that ask the same database one question, in a thread or on the
event loop: no token, scope, reach or tag.
"""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import psycopg
import uvloop
from litestar import Litestar, get
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from bench.interface.asking import ask
from bench.peers.machine import core_for_the_server
from bench.peers.servers import Task, answer_until_stopped, pin, server_process
from bench.run import Row, beside
from deploy.clock import SystemClock
from deploy.interface.access import Scope
from deploy.interface.serving import open_http, serve_app, serve_interface, served
from deploy.postgres import migrate
from deploy.postgres.embedded import EmbeddedPostgres
from deploy.settings import Settings
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
_BARE: Final = (("", ("/bare",)), ("", ("/bare-on-the-loop",)))
_NEWEST: Final = "SELECT number FROM issued_invoice ORDER BY issued_on DESC, number DESC LIMIT 1"
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
        [(_, bare), (_, on_loop)] = asyncio.run(_measured(serve_bare, task, token, _BARE, seconds))
    unit, peer = "small reads per CPU s", "a bare Litestar route with one question"
    return [
        *(beside(name, rate, unit, peer, bare) for name, rate in each),
        beside("api_in_turn", together, unit, "the same route, asynchronous", on_loop),
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
        for name, paths in wanted:
            await ask(server.port, paths, token, _WARM_UP_SECONDS)
            used = server.cpu_seconds()
            served = await ask(server.port, paths, token, seconds)
            found.append((name, served / (server.cpu_seconds() - used)))
    return found


def serve(task: Task, pipe: Connection) -> None:
    """Serve the interface as it is served."""
    open_log = partial(PostgresEventLog, task.dsn)
    _run(task, pipe, partial(serve_interface, task.dsn, SystemClock(), open_log=open_log))


def serve_bare(task: Task, pipe: Connection) -> None:
    """Serve the database as it is mostly done."""
    _run(task, pipe, partial(_serve_bare, task.dsn))


def _run(task: Task, pipe: Connection, serve_on: Callable[..., Coroutine[Any, Any, None]]) -> None:
    async def answer() -> None:
        listener, stopping, ready = open_http("127.0.0.1", 0), asyncio.Event(), asyncio.Event()
        serving = asyncio.create_task(serve_on(listener, stopping=stopping, ready=ready.set))
        began = asyncio.create_task(ready.wait())
        await asyncio.wait({serving, began}, return_when=asyncio.FIRST_COMPLETED)
        if not serving.done():
            await answer_until_stopped(pipe, listener.getsockname()[1])
        stopping.set()
        await serving

    pin(task)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(answer())


async def _serve_bare(
    dsn: str, listener: socket.socket, *, stopping: asyncio.Event, ready: Callable[[], None]
) -> None:
    kwargs = {"options": connect_options(dsn), "autocommit": True}
    pool: ConnectionPool[Any] = ConnectionPool(dsn, kwargs=kwargs, max_size=8, open=False)
    on_loop: AsyncConnectionPool[Any] = AsyncConnectionPool(
        dsn, kwargs=kwargs, max_size=8, open=False
    )

    @get("/bare", sync_to_thread=True)
    def bare() -> dict[str, str]:
        with pool.connection() as connection:
            [(number,)] = connection.execute(_NEWEST).fetchall()
        return {"number": number}

    @get("/bare-on-the-loop")
    async def bare_on_the_loop() -> dict[str, str]:
        async with on_loop.connection() as connection:
            [(number,)] = await (await connection.execute(_NEWEST)).fetchall()
        return {"number": number}

    app = Litestar([bare, bare_on_the_loop], openapi_config=None, logging_config=None)
    with pool:
        async with on_loop:
            await serve_app(served(app, Settings()), listener, stopping=stopping, ready=ready)
