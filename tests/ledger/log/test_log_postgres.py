"""The event log in PostgreSQL: the contract, and what only this store can show."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest

from ledger.log import postgres, postgres_lines
from ledger.log.event_log import EventLog, LineWriter, LogUnavailableError, NewRecord
from ledger.log.postgres import LogNotDurableError, PostgresEventLog, make_log
from ledger.log.postgres_lines import PostgresLineWriter
from tests.ledger.log.log_contract import PARTITIONS, LogContract, OpenLog, OpenWriter, lines_of


async def kill_whoever_waits_for_a_lock(connection: psycopg.AsyncConnection) -> None:
    """Wait until somebody waits, and end whoever does."""
    async with asyncio.timeout(60):
        while True:
            await asyncio.sleep(0.05)
            # A transaction sees who was there at its first look.
            await connection.execute("SELECT pg_stat_clear_snapshot()")
            cursor = await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if await cursor.fetchall():
                return


class TestPostgresEventLog(LogContract):
    @pytest.fixture
    def made(self, database: str) -> str:
        """A database with a log in it."""
        with psycopg.connect(database, autocommit=True) as connection:
            assert make_log(connection, PARTITIONS) == PARTITIONS
        return database

    @pytest.fixture
    def open_log(self, made: str) -> Iterator[OpenLog]:
        logs: list[PostgresEventLog] = []

        def another() -> EventLog:
            logs.append(PostgresEventLog(made))
            return logs[-1]

        yield another
        for log in logs:
            log.close()

    @pytest.fixture
    async def open_writer(self, made: str) -> AsyncIterator[OpenWriter]:
        writers: list[PostgresLineWriter] = []

        async def another(*, partitions: int = PARTITIONS) -> LineWriter:
            writers.append(await PostgresLineWriter.open(made, partitions=partitions))
            return writers[-1]

        yield another
        for writer in writers:
            await writer.close()

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param("UPDATE inputs.log_batch SET payload = ''", id="update"),
            pytest.param("DELETE FROM inputs.log_batch", id="delete"),
            pytest.param("TRUNCATE inputs.log_batch", id="truncate"),
        ],
    )
    def test_what_was_recorded_cannot_be_changed(
        self, log: EventLog, made: str, change: str
    ) -> None:
        log.append([NewRecord(0, [b"{}"])])

        with (
            psycopg.connect(made, autocommit=True) as connection,
            pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="stays"),
        ):
            connection.execute(change.encode())

        assert lines_of(log, 0) == [b"{}"]

    async def test_lines_that_are_not_stored_are_answered_with_an_error(
        self, writer: LineWriter, log: EventLog, made: str
    ) -> None:
        async with await psycopg.AsyncConnection.connect(made) as connection:
            await connection.execute("LOCK TABLE inputs.log_head")
            appending = [asyncio.create_task(writer.append(n % 2, b"%d" % n)) for n in range(10)]
            await kill_whoever_waits_for_a_lock(connection)
            results = await asyncio.gather(*appending, return_exceptions=True)

        assert all(isinstance(result, LogUnavailableError) for result in results)
        assert str(results[0]).startswith("10 lines may not be in the event log")
        position = await writer.append(0, b"later")
        assert (position.position, lines_of(log, 0)) == (0, [b"later"])
        assert lines_of(log, 1) == []

    async def test_a_record_that_is_not_stored_is_answered_with_an_error(
        self, log: EventLog, made: str
    ) -> None:
        log.ends()
        async with await psycopg.AsyncConnection.connect(made) as connection:
            await connection.execute("LOCK TABLE inputs.log_head")
            appending = asyncio.create_task(
                asyncio.to_thread(log.append, [NewRecord(0, [b"first"])])
            )
            await kill_whoever_waits_for_a_lock(connection)
            with pytest.raises(LogUnavailableError, match="may not have stored"):
                await appending

        assert log.append([NewRecord(0, [b"later"])])[0].position == 0

    def test_a_reader_whose_connection_was_lost_is_told_and_reads_on(
        self, log: EventLog, made: str
    ) -> None:
        log.append([NewRecord(0, [b"{}"])])
        log.wait(0)
        with psycopg.connect(made, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

        with pytest.raises(LogUnavailableError):
            log.read(0, 0, records=1)

        assert lines_of(log, 0) == [b"{}"]
        log.wait(0)
        log.append([NewRecord(1, [b"{}"])])
        log.wait(10)

    async def test_the_writer_waits_for_a_server_that_comes_back(
        self, writer: LineWriter, open_log: OpenLog, made: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        name = psycopg.conninfo.conninfo_to_dict(made)["dbname"]
        admin = psycopg.conninfo.make_conninfo(made, dbname="postgres")
        monkeypatch.setattr(postgres_lines, "PATIENCE_SECONDS", 0.3)
        async with await psycopg.AsyncConnection.connect(admin, autocommit=True) as connection:
            await connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS off")
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
            )
            with pytest.raises(LogUnavailableError):
                await writer.append(0, b"noticed")
            with pytest.raises(LogUnavailableError, match="not currently accepting"):
                await writer.append(0, b"out of patience")
            monkeypatch.setattr(postgres_lines, "PATIENCE_SECONDS", 60)
            appending = asyncio.create_task(writer.append(0, b"patient"))
            await asyncio.sleep(0.15)
            await connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS on")

        assert (await appending).position == 0
        assert lines_of(open_log(), 0) == [b"patient"]

    async def test_closing_does_not_wait_for_the_linger(self, made: str, log: EventLog) -> None:
        writer = await PostgresLineWriter.open(made, partitions=PARTITIONS, linger_seconds=60)
        appending = asyncio.create_task(writer.append(0, b"last"))
        await asyncio.sleep(0)

        async with asyncio.timeout(50):
            await writer.close()

        assert appending.done()
        assert lines_of(log, 0) == [b"last"]

    async def test_a_log_that_lost_its_partitions_fails_in_words(
        self, writer: LineWriter, made: str
    ) -> None:
        with psycopg.connect(made) as connection:
            connection.execute("DELETE FROM inputs.log_head")

        with pytest.raises(LogUnavailableError, match="no partition 0"):
            await writer.append(0, b"{}")

    async def test_a_writer_makes_the_log_if_there_is_none(self, database: str) -> None:
        async with await PostgresLineWriter.open(database, partitions=3) as writer:
            await writer.append(2, b"{}")
        with psycopg.connect(database, autocommit=True) as connection:
            assert make_log(connection, 5) == 3

    async def test_a_session_that_need_not_be_durable_is_made_durable(self, database: str) -> None:
        name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")

        async with await PostgresLineWriter.open(database, partitions=PARTITIONS) as writer:
            position = await writer.append(0, b"{}")

        assert position.position == 0

    async def test_a_server_that_loses_what_it_confirms_is_refused(
        self, database: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(postgres, "NEEDED_SETTINGS", ("fsync", "ssl"))

        with pytest.raises(LogNotDurableError, match="ssl=off"):
            await PostgresLineWriter.open(database, partitions=PARTITIONS)
