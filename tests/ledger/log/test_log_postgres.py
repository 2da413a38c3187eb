"""The event log in PostgreSQL: the contract, and what only this store can show."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import psycopg
import pytest

from ledger.log import postgres
from ledger.log.event_log import EventLog
from ledger.log.postgres import (
    LogNotDurableError,
    LogUnavailableError,
    PostgresEventLog,
    append_lines,
)
from tests.ledger.log.log_contract import PARTITIONS, LogContract, OpenLog, lines_of


async def kill_whoever_waits_for_a_lock(connection: psycopg.AsyncConnection) -> None:
    cursor = await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    assert await cursor.fetchall()


class TestPostgresEventLog(LogContract):
    @pytest.fixture
    async def opened(self) -> AsyncIterator[list[PostgresEventLog]]:
        logs: list[PostgresEventLog] = []
        yield logs
        for log in logs:
            await log.close()

    @pytest.fixture
    def open_log(self, database: str, opened: list[PostgresEventLog]) -> OpenLog:
        async def another() -> EventLog:
            opened.append(await PostgresEventLog.open(database, partitions=PARTITIONS))
            return opened[-1]

        return another

    @pytest.fixture
    def open_log_with(self, database: str) -> Callable[[int], Awaitable[EventLog]]:
        return lambda partitions: PostgresEventLog.open(database, partitions=partitions)

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param("UPDATE inputs.log_batch SET payload = ''", id="update"),
            pytest.param("DELETE FROM inputs.log_batch", id="delete"),
            pytest.param("TRUNCATE inputs.log_batch", id="truncate"),
        ],
    )
    async def test_what_was_recorded_cannot_be_changed(
        self, log: EventLog, database: str, change: str
    ) -> None:
        await log.append(0, b"{}")

        async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
            with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="stays"):
                await connection.execute(change.encode())

        assert await lines_of(log, 0) == [b"{}"]

    async def test_a_listener_wakes_once_the_record_can_be_read(
        self, log: EventLog, database: str
    ) -> None:
        async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
            await connection.execute(f"LISTEN {postgres.CHANNEL}")
            appending = asyncio.create_task(log.append(1, b"{}"))
            async for _ in connection.notifies(timeout=10, stop_after=1):
                assert await lines_of(log, 1) == [b"{}"]
            await appending

    async def test_lines_that_are_not_stored_are_answered_with_an_error(
        self, log: EventLog, database: str
    ) -> None:
        async with await psycopg.AsyncConnection.connect(database) as connection:
            await connection.execute("LOCK TABLE inputs.log_head")
            appending = [asyncio.create_task(log.append(n % 2, b"%d" % n)) for n in range(10)]
            await asyncio.sleep(0.1)
            await kill_whoever_waits_for_a_lock(connection)
            results = await asyncio.gather(*appending, return_exceptions=True)

        assert all(isinstance(result, LogUnavailableError) for result in results)
        position = await log.append(0, b"later")
        assert (position.position, await lines_of(log, 0)) == (0, [b"later"])
        assert await lines_of(log, 1) == []

    async def test_the_log_waits_for_a_server_that_comes_back(
        self, log: EventLog, database: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
        admin = psycopg.conninfo.make_conninfo(database, dbname="postgres")
        monkeypatch.setattr(postgres, "PATIENCE_SECONDS", 0.3)
        async with await psycopg.AsyncConnection.connect(admin, autocommit=True) as connection:
            await connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS off")
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
            )
            with pytest.raises(LogUnavailableError):
                await log.append(0, b"noticed")
            with pytest.raises(LogUnavailableError, match="not currently accepting"):
                await log.append(0, b"out of patience")
            appending = asyncio.create_task(log.append(0, b"patient"))
            await asyncio.sleep(0.15)
            await connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS on")

        assert (await appending).position == 0
        assert await lines_of(log, 0) == [b"patient"]

    async def test_closing_stores_what_waits(self, open_log: OpenLog, database: str) -> None:
        log = await PostgresEventLog.open(database, partitions=PARTITIONS, linger_seconds=60)
        appending = asyncio.create_task(log.append(0, b"last"))
        await asyncio.sleep(0)

        await log.close()

        assert appending.done()
        assert await lines_of(await open_log(), 0) == [b"last"]

    async def test_markers_appear_together_with_what_they_announce(
        self, log: EventLog, database: str
    ) -> None:
        await log.append(1, b"before")
        with psycopg.connect(database) as connection:
            connection.execute("SET search_path = inputs")
            positions = append_lines(connection, {0: [b"a", b"b"], 1: [b"c"], 2: []})
            after = asyncio.create_task(log.append(0, b"after"))
            await asyncio.sleep(0.05)
            assert (after.done(), await log.read(0, 0, limit=10)) == (False, [])

        assert positions == {0: 0, 1: 1}
        assert (await after).position == 1
        assert await lines_of(log, 0) == [b"a", b"b", b"after"]
        assert await lines_of(log, 1) == [b"before", b"c"]

    async def test_a_marker_for_a_partition_that_does_not_exist_is_refused(
        self, log: EventLog, database: str
    ) -> None:
        with psycopg.connect(database) as connection:
            connection.execute("SET search_path = inputs")
            with pytest.raises(postgres.UnfitLineError):
                append_lines(connection, {0: [b"a"], PARTITIONS: [b"b"]})
            connection.rollback()

        assert await log.end(0) == 0

    async def test_a_log_that_lost_its_partitions_fails_in_words(
        self, log: EventLog, database: str
    ) -> None:
        with psycopg.connect(database) as connection:
            connection.execute("DELETE FROM inputs.log_head")

        with pytest.raises(LogUnavailableError, match="no partition 0"):
            await log.append(0, b"{}")

    async def test_a_session_that_need_not_be_durable_is_made_durable(self, database: str) -> None:
        name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")

        async with await PostgresEventLog.open(database, partitions=PARTITIONS) as log:
            position = await log.append(0, b"{}")

        assert position.position == 0

    async def test_a_server_that_loses_what_it_confirms_is_refused(
        self, database: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(postgres, "NEEDED_SETTINGS", ("fsync", "ssl"))

        with pytest.raises(LogNotDurableError, match="ssl=off"):
            await PostgresEventLog.open(database, partitions=PARTITIONS)
