"""A station that connects to another process is heard there alone, and its old connection ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from websockets.exceptions import ConnectionClosed

from ingest.edge.connection_epochs import Overtake, PostgresEpochs
from ingest.edge.server import Manners
from ledger.database import connect_async
from tests.edge import Edge, open_edge, until


class Deaf(PostgresEpochs):
    """What is heard where notices get lost."""

    async def follow(self, overtake: Overtake) -> None:
        """Hear nothing."""


async def closing_code(edges: list[Edge]) -> int:
    """Connect to the first process, then to the second; return how the first one says goodbye."""
    async with edges[0].station() as old:
        await old.call("StatusNotification", {})
        async with edges[1].station() as new:
            await new.call("StatusNotification", {})
            with pytest.raises(ConnectionClosed) as closed:
                await old.socket.recv()
            await new.call("StatusNotification", {})
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


@pytest.fixture
async def exits() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def two_processes(
    exits: AsyncExitStack, database: str, kind: type[PostgresEpochs], *, ping_seconds: float
) -> list[Edge]:
    edges = []
    for _ in range(2):
        epochs = kind(lambda: connect_async(database))
        exits.push_async_callback(epochs.close)
        manners = Manners(ping_seconds=ping_seconds)
        edges.append(await exits.enter_async_context(open_edge(epochs=epochs, manners=manners)))
    return edges


async def test_an_older_connection_in_another_process_is_closed_at_once(
    database: str, exits: AsyncExitStack
) -> None:
    edges = await two_processes(exits, database, PostgresEpochs, ping_seconds=3600)

    assert await closing_code(edges) == 1008
    await until(lambda: not edges[0].server.connections)
    assert [each.why for each in edges[0].connections() if not each.is_open] == ["replaced"]


async def test_an_older_connection_is_found_even_where_the_notice_was_lost(
    database: str, exits: AsyncExitStack
) -> None:
    edges = await two_processes(exits, database, Deaf, ping_seconds=0.2)

    assert await closing_code(edges) == 1008
