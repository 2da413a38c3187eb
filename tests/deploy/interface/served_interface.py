"""The interface on a free port, and a station that it may call."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import httpx

from deploy.clock import SystemClock
from deploy.interface.access import Scope
from deploy.interface.serving import open_http, serve_interface
from deploy.payments.side import PaymentSide
from deploy.settings import Settings
from ingest.commands.store import PostgresCommands
from ingest.edge.connection_epochs import PostgresEpochs
from ingest.station_records import PostgresStationRecords
from ledger.database import connect, connect_async
from ledger.log.postgres import PostgresEventLog
from ledger.users.access_tokens import make_token
from tests.deploy.interface.site_of_stations import HERE
from tests.edge import CALL, PASSWORD, Station, open_edge
from tests.fakes import FixedDirectory


@asynccontextmanager
async def served(
    database: str, *scopes: Scope, settings: Settings | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """Serve the interface on a free port, and ask it with a token of *scopes*."""
    with connect(database) as connection:
        token = make_token(connection, "tests", scopes, by="ann")
    listener, stopping, ready = open_http("127.0.0.1", 0), asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(
        serve_interface(
            database,
            SystemClock(),
            listener,
            open_log=partial(PostgresEventLog, database),
            stopping=stopping,
            ready=ready.set,
            payments=PaymentSide(settings or Settings(), SystemClock()),
        )
    )
    await asyncio.wait(
        {serving, asyncio.create_task(ready.wait())}, return_when=asyncio.FIRST_COMPLETED
    )
    assert not serving.done(), serving.result()
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{listener.getsockname()[1]}",
        headers={"Authorization": f"Bearer {token}"},
        trust_env=False,
        timeout=30,
    ) as client:
        yield client
    stopping.set()
    await serving


async def connected(exits: AsyncExitStack, database: str, *, thinks: float = 0) -> Station:
    """Serve stations over *database*, and return the one `HERE`, which accepts everything.

    `thinks`: after how many seconds it does.
    """
    epochs = PostgresEpochs(lambda: connect_async(database))
    commands = PostgresCommands(lambda: connect_async(database))
    records = PostgresStationRecords(lambda: connect_async(database))
    for each in (epochs, commands, records):
        exits.push_async_callback(each.close)
    directory = FixedDirectory({HERE: PASSWORD})
    edge = await exits.enter_async_context(
        open_edge(epochs=epochs, commands=commands, records=records, directory=directory)
    )
    station = await exits.enter_async_context(edge.station(HERE))
    await station.call("Heartbeat", {})
    answering = asyncio.create_task(accept(station, thinks))
    exits.callback(answering.cancel)
    return station


async def accept(station: Station, thinks: float) -> None:
    while True:
        kind, message_id, *rest = await station.receive()
        assert kind == CALL
        station.asked.append(rest)
        await asyncio.sleep(thinks)
        await station.socket.send(json.dumps([3, message_id, {"status": "Accepted"}]), text=True)
