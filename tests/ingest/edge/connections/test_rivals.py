"""Two connections of one station at once: one is the newest, whoever comes to its turn first."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from websockets.exceptions import ConnectionClosed

from tests.edge import open_edge, until
from tests.fakes import MemoryEpochs, MemoryLog


@dataclass
class SlowEpochs(MemoryEpochs):
    """Gives the first connection its number at once, and tells it only when it is let go."""

    is_let_go: asyncio.Event = field(default_factory=asyncio.Event)

    async def advance(self, station_id: str, protocol: str) -> int:
        epoch = await super().advance(station_id, protocol)
        if epoch == 1:
            await self.is_let_go.wait()
        return epoch


async def test_who_comes_late_with_an_older_number_is_let_go_and_the_newest_stays() -> None:
    epochs = SlowEpochs()
    async with open_edge(epochs=epochs) as edge, edge.station() as old:
        await until(lambda: bool(epochs.given))
        async with edge.station() as new:
            await new.call("StatusNotification", {})
            epochs.is_let_go.set()
            with pytest.raises(ConnectionClosed):
                await old.socket.recv()
            assert await new.call("StatusNotification", {}) == {}
            assert edge.server.connections["CP1"].epoch == 2

    assert {each.epoch for each in edge.connections()} == {2}, "the older one never began"


async def test_what_a_fenced_connection_had_sent_already_is_not_logged() -> None:
    log = MemoryLog()
    async with open_edge(log=log) as edge, edge.station() as old:
        await old.call("Heartbeat", {})
        log.gate = asyncio.Event()
        # Answers that nobody waits for: nothing goes out that would tell of the end.
        await old.socket.send('[3,"taken",{}]')
        await old.socket.send('[3,"waiting",{}]')
        await until(lambda: log.waiting == 1)
        async with edge.station() as new:
            await until(lambda: edge.server.connections["CP1"].epoch == 2)
            log.gate.set()
            await new.call("Heartbeat", {})
            with pytest.raises(ConnectionClosed):
                await old.socket.recv()

    assert [each.frame for each in edge.frames()] == ['[3,"taken",{}]']
