"""A fleet whose stations are called."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from ingest.commands import asking
from ingest.commands.asking import StationCommands
from ledger.database import connect_async
from tests.at_the_edge import NamedSubjects
from tests.fakes import FixedClock, FixedDirectory
from tests.ingest.commands.called_fleet import Fleet, an_edge


@pytest.fixture
async def exits() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def hears_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let who asks hear how it ended, and that it left, however slow the machine is."""
    monkeypatch.setattr(asking, "_ENDING_SECONDS", 60.0)
    monkeypatch.setattr(asking, "_LEAVING_SECONDS", (0.01, 0.1, 0.5, 2.0))


@pytest.fixture
async def fleet(database: str, exits: AsyncExitStack) -> Fleet:
    directory = FixedDirectory(dict.fromkeys(("CP1", "CP2", "CP3"), "correct-horse-battery"))
    edges = [await an_edge(exits, database, directory) for _ in range(2)]
    commands = StationCommands(
        lambda: connect_async(database),
        directory=directory,
        subjects=NamedSubjects(),
        clock=FixedClock(),
    )
    exits.push_async_callback(commands.close)
    following = asyncio.create_task(commands.follow())
    exits.callback(following.cancel)
    return Fleet(edges, commands)
