"""The commit that an answer waits for is what keeps it: with it nothing is lost, without it much.

The second half is the control: it shows that the first, and the tests that kill, can fail.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from deploy.postgres import migrate
from deploy.postgres.embedded import EmbeddedPostgres
from ledger.database import connect
from ledger.log import postgres, postgres_lines
from ledger.log.postgres import PostgresEventLog, make_log
from ledger.log.postgres_lines import PostgresLineWriter
from tests.edge import open_edge
from tests.fakes import FixedDirectory
from tests.faults.books_check import lost
from tests.faults.load_station import Exchange, identities, progress, stations, under_load
from tests.faults.running_system import kill_nine

COUNT = 6
KILLS = 3
LAZY = {"wal_writer_delay": "10s", "wal_writer_flush_after": "1GB"}


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    """A server that writes its WAL only when somebody waits for it."""
    data = Path(tempfile.mkdtemp(prefix="wattledger-faults-"))
    with EmbeddedPostgres(data, settings=LAZY) as server:
        with psycopg.connect(server.dsn) as connection:
            migrate.apply(connection, "inputs")
            migrate.apply(connection, "persons")
            migrate.apply(connection, "books")
            make_log(connection, 2)
        yield server
    shutil.rmtree(data)


async def lost_over_kills(server: EmbeddedPostgres) -> tuple[int, int]:
    """Kill all of PostgreSQL some times under load; return how much was answered and is lost."""
    directory = FixedDirectory({each.name: each.password for each in identities(COUNT)})
    async with (
        await PostgresLineWriter.open(server.dsn, partitions=2) as log,
        open_edge(log=log, directory=directory) as edge,
    ):
        fleet = stations(COUNT, lambda: f"ws://127.0.0.1:{edge.server.ports[0]}")
        async with under_load(fleet):
            for _ in range(KILLS):
                await progress(fleet, frames=100)
                kill_nine(server.processes())
                await asyncio.to_thread(server.ensure_running)
            await progress(fleet)
    acknowledged: list[Exchange] = [each for station in fleet for each in station.acknowledged]
    with connect(server.dsn) as connection, PostgresEventLog(server.dsn) as event_log:
        return len(acknowledged), len(lost(acknowledged, connection, event_log))


async def test_what_was_answered_is_there_after_postgres_was_killed(
    server: EmbeddedPostgres,
) -> None:
    answered, missing = await lost_over_kills(server)

    assert answered > KILLS * 100
    assert missing == 0


async def test_control_without_waiting_for_the_commit_answered_frames_are_lost(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    durable = postgres.SESSION
    monkeypatch.setattr(
        postgres_lines,
        "SESSION",
        durable.replace("synchronous_commit = on", "synchronous_commit = off"),
    )
    monkeypatch.setattr(postgres, "NEEDED_SETTINGS", ())

    _, missing = await lost_over_kills(server)

    assert missing > 0
