"""Two connections of one station at once: one is the newest, whoever comes to its turn first."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from websockets.exceptions import ConnectionClosed

from ingest.edge import server
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


async def test_who_comes_and_goes_without_a_word_takes_nobodys_place() -> None:
    async with open_edge() as edge, edge.station() as living:
        await living.call("StatusNotification", {})
        for _ in range(3):
            async with edge.station():
                pass
        assert await living.call("StatusNotification", {}) == {}

    assert [(each.epoch, each.is_open) for each in edge.connections()] == [(1, True), (1, False)]


async def test_who_says_something_takes_the_place_at_once_and_its_word_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "SILENT_SECONDS", 600.0)
    async with open_edge() as edge, edge.station() as old, edge.station() as new:
        await old.call("StatusNotification", {})
        async with asyncio.timeout(60):
            assert await new.call("StatusNotification", {"connectorId": 2}) == {}
            with pytest.raises(ConnectionClosed):
                await old.socket.recv()

    assert [each.epoch for each in edge.frames()] == [1, 2]


async def test_after_a_goodbye_the_next_connection_waits_for_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "SILENT_SECONDS", 600.0)
    async with open_edge() as edge:
        async with edge.station() as first:
            await first.call("StatusNotification", {})
        async with edge.station():
            await until(lambda: [each.epoch for each in edge.connections()] == [1, 1, 2])
