"""Who may send a call, and until when: the borders of the rows of calls, one on each side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from ingest.commands.asking import Patience, StationCommands
from ingest.commands.store import PostgresCommands
from ingest.edge.connection_epochs import PostgresEpochs
from ledger.database import connect, connect_async
from tests.at_the_edge import NamedSubjects
from tests.fakes import FixedClock, FixedDirectory


@pytest.fixture
async def commands(database: str) -> AsyncIterator[PostgresCommands]:
    """The calls of a station that has had two connections, and one call that waits a minute."""
    async with AsyncExitStack() as exits:
        epochs = PostgresEpochs(lambda: connect_async(database))
        store = PostgresCommands(lambda: connect_async(database))
        asking = StationCommands(
            lambda: connect_async(database),
            directory=FixedDirectory({"CP1": "correct-horse-battery"}),
            subjects=NamedSubjects(),
            clock=FixedClock(),
        )
        for each in (epochs, store, asking):
            exits.push_async_callback(each.close)
        for _ in range(2):
            await epochs.advance("CP1", "ocpp1.6")
        patience = Patience(wait=0, answer=60, may_queue=True)
        await asking.ask("CP1", "Reset", '{"type":"Soft"}', by="ann", patience=patience)
        yield store


def state(database: str) -> str:
    with connect(database) as connection:
        [(found,)] = connection.execute("SELECT state FROM station_command").fetchall()
    return str(found)


async def test_only_the_newest_connection_claims_and_asking_again_claims_the_same(
    commands: PostgresCommands, database: str
) -> None:
    assert await commands.claim("CP1", 1) is None
    assert state(database) == "queued"

    claims = [await commands.claim("CP1", 2) for _ in range(2)]

    assert state(database) == "sent"
    assert len({each.id for each in claims if each is not None}) == 1
    assert None not in claims


async def test_what_an_older_connection_sent_is_claimed_by_no_newer_one(
    commands: PostgresCommands, database: str
) -> None:
    await commands.claim("CP1", 2)
    epochs = PostgresEpochs(lambda: connect_async(database))
    await epochs.advance("CP1", "ocpp1.6")
    await epochs.close()

    assert await commands.claim("CP1", 3) is None


async def test_what_is_too_late_is_claimed_by_nobody(
    commands: PostgresCommands, database: str
) -> None:
    with connect(database) as connection:
        connection.execute("UPDATE station_command SET deadline = now() - interval '1 ms'")

    assert await commands.claim("CP1", 2) is None


async def test_a_connection_gives_up_what_older_ones_sent_and_not_its_own(
    commands: PostgresCommands, database: str
) -> None:
    await commands.claim("CP1", 2)

    await asyncio.gather(commands.take_over("CP1", 2), commands.take_over("CP1", 1))
    assert state(database) == "sent"

    await commands.take_over("CP1", 3)
    assert state(database) == "unknown"
