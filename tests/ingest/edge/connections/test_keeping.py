"""What a server does beside its frames: it minds who is silent, and keeps nothing that is over."""

from __future__ import annotations

import asyncio
import gc
import warnings

import pytest
from websockets.exceptions import InvalidStatus

from ingest.edge import server as server_module
from ingest.edge.connection import StationConnection
from ingest.edge.server import Manners
from tests.edge import open_edge, until


async def test_a_server_that_is_closed_leaves_nothing_running() -> None:
    before = asyncio.all_tasks()
    async with open_edge() as edge, edge.station() as station:
        await station.call("Heartbeat", {})
        assert len(asyncio.all_tasks() - before) > 1

    await until(lambda: asyncio.all_tasks() <= before)


async def test_who_was_refused_is_written_down_while_the_server_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server_module, "SAVE_SECONDS", 0.01)
    async with open_edge() as edge:
        with pytest.raises(InvalidStatus):
            await edge.station(password="wrong").__aenter__()
        await until(lambda: bool(edge.admissions.refused))


@pytest.mark.parametrize(("silent", "is_closed"), [(60.0, False), (60.1, True)])
async def test_who_is_silent_for_longer_than_the_patience_is_closed(
    monkeypatch: pytest.MonkeyPatch, silent: float, *, is_closed: bool
) -> None:
    # Real time never shows the very bound.
    monkeypatch.setattr(StationConnection, "silent_for", lambda _: silent)
    manners = Manners(ping_seconds=0.02, silence_seconds=60, close_seconds=0.1)
    async with open_edge(manners=manners) as edge, edge.station():
        await until(lambda: bool(edge.log.lines()))
        if is_closed:
            await until(lambda: "CP1" not in edge.server.connections)
        else:
            await asyncio.sleep(0.2)
            assert "CP1" in edge.server.connections


async def test_what_closed_an_older_connection_is_not_kept() -> None:
    with warnings.catch_warnings():
        # What other tests left open is not what this one is about.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    async with open_edge() as edge:
        for _ in range(3):
            async with edge.station() as old, edge.station() as new:
                await new.call("Heartbeat", {})
                await until(lambda socket=old.socket: socket.close_code is not None)  # type: ignore[misc]
        gc.collect()

        assert closings() == 0


def closings() -> int:
    """Return how many tasks there still are that closed a connection."""
    # By type: to ask an instance asks a weak proxy for what it is of, and that may be gone.
    tasks = [each for each in gc.get_objects() if issubclass(type(each), asyncio.Task)]
    return sum("StationConnection.close" in repr(each.get_coro()) for each in tasks)
