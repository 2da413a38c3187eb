"""What a newcomer costs hangs on its own station alone, however many others come back with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ingest.commands.command import CallEnd, OutgoingCall
from ingest.commands.dispatching import Dispatcher, Readiness
from tests.fakes import NoCommands


class Newcomer:
    """A connection that counts how often it is looked at."""

    def __init__(self, name: str) -> None:
        self.epoch, self.is_fenced, self.turn = 1, False, asyncio.Lock()
        self.protocol, self.looks, self._name = "ocpp1.6", 0, name
        self.readiness, self.last_sent = Readiness(), ""
        self.readiness.begin()

    @property
    def station_id(self) -> str:
        self.looks += 1
        return self._name

    @property
    def has_hung_up(self) -> bool:
        self.looks += 1
        return False

    async def exchange(self, call: OutgoingCall, *, seconds: float) -> CallEnd:
        raise NotImplementedError


class SlowCommands(NoCommands):
    """A table that answers nobody until it may."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()

    async def take_over(self, station_id: str, epoch: int) -> None:
        await self.gate.wait()
        await super().take_over(station_id, epoch)


@asynccontextmanager
async def begun(*connections: Newcomer) -> AsyncIterator[Dispatcher]:
    """Let connections begin at once, with a database that answers none of them yet."""
    commands = SlowCommands()
    dispatcher = Dispatcher(commands, {})
    for each in connections:
        dispatcher.begin(each)
    await asyncio.sleep(0)
    try:
        yield dispatcher
    finally:
        commands.gate.set()
        await dispatcher.close()


async def looks_of_each(count: int) -> set[int]:
    fleet = [Newcomer(f"CP{number}") for number in range(count)]
    async with begun(*fleet):
        return {each.looks for each in fleet}


async def test_no_newcomer_looks_at_the_connections_of_other_stations() -> None:
    assert await looks_of_each(200) == await looks_of_each(1)
