"""A station that connects to another process is heard there alone, and its old connection ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from websockets.exceptions import ConnectionClosed

from ingest.edge import connection_epochs
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


async def test_connections_that_come_at_once_are_numbered_in_the_order_in_which_they_asked(
    database: str, exits: AsyncExitStack
) -> None:
    epochs = PostgresEpochs(lambda: connect_async(database))
    exits.push_async_callback(epochs.close)
    stations = ["CP1", "CP2", "CP1", "CP1", "CP2", "CP3"]

    # The first one is under way while the others gather.
    numbers = await asyncio.gather(*(epochs.advance(each, "ocpp1.6") for each in stations))

    assert numbers == [1, 1, 2, 3, 2, 1]
    assert await epochs.newest(["CP1", "CP3", "CP9"]) == {"CP1": 3, "CP3": 1}
    assert await epochs.advance("CP1", "ocpp1.6") == 4


async def test_every_new_number_is_told_with_its_station_even_after_the_news_broke_off(
    database: str, exits: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_epochs, "_LISTEN_AGAIN_SECONDS", 0.01)
    epochs = PostgresEpochs(lambda: connect_async(database))
    exits.push_async_callback(epochs.close)
    told = list[tuple[str, int]]()
    following = asyncio.create_task(epochs.follow(lambda name, epoch: told.append((name, epoch))))
    for broken in (False, True):
        if broken:
            async with await connect_async(database) as other:
                await other.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
                )
        told.clear()
        # What is told before somebody listens is lost: `newest` is for that.
        async with asyncio.timeout(10):
            while not told:
                await epochs.advance("CP 1", "ocpp1.6")
                await asyncio.sleep(0.02)
        assert told[-1] == ("CP 1", (await epochs.newest(["CP 1"]))["CP 1"])
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
