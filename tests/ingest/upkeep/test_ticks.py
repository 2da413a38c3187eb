"""Ticks: where something waits, from one process of several, and never twice."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from deploy.clock import SystemClock
from ingest.upkeep.ticks import Ticker, keep_ticking
from ledger.database import connect
from ledger.log.envelope import Tick, decode_lines, encode_line
from ledger.log.event_log import LogUnavailableError
from ledger.log.outbox import NotCarriedError, put
from ledger.log.postgres import PostgresEventLog, make_log
from tests.fakes import NOON, FixedClock
from tests.faults.running_system import wait_until

PARTITIONS = 3
INTERVAL = 0.4
LATE_SECONDS_MAX = 5
SPAWN = multiprocessing.get_context("spawn")
NewTicker = Callable[..., Ticker]


def after(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def wait_in(connection: psycopg.Connection[Any], *partitions: int) -> None:
    """Let an unfinished session wait in each of *partitions*, and in no other."""
    connection.execute("DELETE FROM session")
    for partition in partitions:
        connection.execute(
            "INSERT INTO session (session_id, partition, station_id, transaction_ref, state, flags,"
            " blockers, reasons, first_fact_at, last_fact_at, heard_at)"
            " VALUES (%s, %s, 'S', '1', 'open', '{}', '{}', '{}', now(), now(), now())",
            (f"S/{partition}", partition),
        )


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database, autocommit=True) as connection:
        make_log(connection, PARTITIONS)
    with connect(database) as connection:
        wait_in(connection, 1)
        yield connection


@pytest.fixture
def log(database: str) -> Iterator[PostgresEventLog]:
    with PostgresEventLog(database) as log:
        yield log


@pytest.fixture
def new_ticker(database: str, connection: psycopg.Connection[Any]) -> Iterator[NewTicker]:
    assert not connection.closed
    with ExitStack() as exits:

        def ticker(holder: str = "a", seconds: float = 60, log: Any = None) -> Ticker:  # noqa: ANN401 - a log
            opened = log or exits.enter_context(PostgresEventLog(database))
            made = Ticker(database, opened, holder=holder, seconds=seconds)
            exits.callback(made.close)
            return made

        yield ticker


def ticks(log: PostgresEventLog) -> dict[int, list[datetime]]:
    found = {
        partition: [
            line.received_at
            for record in log.read(partition, 0, records=100)
            for line in decode_lines(record.payload)
            if isinstance(line, Tick)
        ]
        for partition in range(PARTITIONS)
    }
    return {partition: times for partition, times in found.items() if times}


def run_out(connection: psycopg.Connection[Any]) -> None:
    """Let the lease's time be over."""
    connection.execute("UPDATE lease SET until = now() - interval '1 ms'")


def test_a_tick_goes_to_every_partition_that_waits_then(
    new_ticker: NewTicker, log: PostgresEventLog, connection: psycopg.Connection[Any]
) -> None:
    ticker = new_ticker()
    for minute, waiting in enumerate([(1, 2), (), (2,)], 1):
        wait_in(connection, *waiting)
        assert ticker.tick(after(minute))

    assert ticks(log) == {1: [after(1)], 2: [after(1), after(3)]}


def test_of_two_servers_one_ticks(new_ticker: NewTicker, log: PostgresEventLog) -> None:
    one, other = new_ticker("one"), new_ticker("other")

    ticked = [one.tick(after(1)), other.tick(after(1.5)), one.tick(after(2)), other.tick(after(3))]

    assert ticked == [True, False, True, False]
    assert ticks(log) == {1: [after(1), after(2)]}


def test_a_server_that_is_gone_is_taken_over_when_its_lease_has_run_out(
    new_ticker: NewTicker, log: PostgresEventLog, connection: psycopg.Connection[Any]
) -> None:
    gone, other = new_ticker("gone"), new_ticker("other")
    gone.tick(after(1))
    before = other.tick(after(2))
    run_out(connection)

    assert (before, other.tick(after(3)), gone.tick(after(4))) == (False, True, False)
    assert ticks(log) == {1: [after(1), after(3)]}


def test_a_lease_lasts_longer_than_the_way_to_the_next_tick(
    new_ticker: NewTicker, connection: psycopg.Connection[Any]
) -> None:
    new_ticker(seconds=60).tick(after(1))

    [(rest,)] = connection.execute("SELECT until - now() FROM lease").fetchall()
    assert timedelta(seconds=80) < rest <= timedelta(seconds=90)


def test_a_server_that_was_killed_takes_its_own_lease_again(
    new_ticker: NewTicker, log: PostgresEventLog
) -> None:
    killed, restarted = new_ticker("one"), new_ticker("one")
    killed.tick(after(1))

    assert (restarted.tick(after(2)), killed.tick(after(3))) == (True, False)
    assert ticks(log) == {1: [after(1), after(2)]}


def test_a_server_that_ends_hands_over_at_once(new_ticker: NewTicker) -> None:
    ends, other = new_ticker("ends"), new_ticker("other")
    ends.tick(after(1))
    ends.close()

    assert other.tick(after(2))


def test_a_tick_carries_what_a_killed_command_left(
    new_ticker: NewTicker, log: PostgresEventLog, connection: psycopg.Connection[Any]
) -> None:
    line = encode_line(Tick(received_at=after(0)))
    with connection.transaction():
        put(connection, {0: line}, partitions=PARTITIONS)

    new_ticker().tick(after(1))

    assert ticks(log) == {0: [after(0)], 1: [after(1)]}


class _AwayLog:
    """A log that takes nothing."""

    partitions = PARTITIONS

    def append(self, _: object) -> None:
        message = "away"
        raise LogUnavailableError(message)


def test_ticks_do_not_pile_up_while_the_log_is_away(
    new_ticker: NewTicker, log: PostgresEventLog, connection: psycopg.Connection[Any]
) -> None:
    ticker = new_ticker(log=_AwayLog())
    for minute in (1, 2, 3):
        with pytest.raises(NotCarriedError):
            ticker.tick(after(minute))

    [(waiting,)] = connection.execute("SELECT count(*) FROM outbox").fetchall()
    assert (waiting, ticks(log)) == (1, {})


def tick_for_ever(dsn: str, holder: str) -> None:
    """Be a server that does nothing but tick."""
    with PostgresEventLog(dsn) as log:
        ticker = Ticker(dsn, log, holder=holder, seconds=INTERVAL)
        asyncio.run(keep_ticking(ticker, SystemClock(), seconds=INTERVAL))


def test_when_the_server_that_ticks_is_killed_another_one_goes_on(
    log: PostgresEventLog, connection: psycopg.Connection[Any], database: str
) -> None:
    servers = {
        name: SPAWN.Process(target=tick_for_ever, args=(database, name)) for name in ("a", "b")
    }
    for server in servers.values():
        server.start()
    try:
        wait_until(lambda: len(ticks(log).get(1, ())) > 2, "ticks")
        [(holder,)] = connection.execute("SELECT holder FROM lease").fetchall()
        servers[holder].kill()
        servers[holder].join()
        before = ticks(log)[1]
        wait_until(lambda: len(ticks(log)[1]) > len(before), "another one ticks")
        after_it = ticks(log)[1][len(before)]
    finally:
        for server in servers.values():
            server.kill()
            server.join()

    [(successor,)] = connection.execute("SELECT holder FROM lease").fetchall()
    assert successor != holder
    # Its lease lasts one interval and a half, and the other one looks once an interval.
    assert after_it - before[-1] < timedelta(seconds=2.5 * INTERVAL + LATE_SECONDS_MAX)


def test_after_an_error_of_the_database_the_next_tick_is_as_ever(
    new_ticker: NewTicker, log: PostgresEventLog, connection: psycopg.Connection[Any]
) -> None:
    ticker = new_ticker()
    connection.execute("ALTER TABLE uninvoiced_session RENAME TO away")
    with pytest.raises(psycopg.errors.UndefinedTable):
        ticker.tick(after(1))
    connection.execute("ALTER TABLE away RENAME TO uninvoiced_session")

    assert ticker.tick(after(2))
    assert ticks(log) == {1: [after(2)]}


def test_a_server_that_lost_its_database_ends_without_an_error(
    new_ticker: NewTicker,
    connection: psycopg.Connection[Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    ticker = new_ticker()
    ticker.tick(after(1))
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    ticker.close()
    ticker.close()

    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("the lease ticks runs on: ")


async def test_a_tick_that_fails_is_missed_and_the_next_one_comes(
    new_ticker: NewTicker,
    log: PostgresEventLog,
    connection: psycopg.Connection[Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    ticker, clock = new_ticker(), FixedClock()
    ticker.tick(after(0.5))
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    ticking = asyncio.create_task(keep_ticking(ticker, clock))
    async with asyncio.timeout(10):
        while len(ticks(log).get(1, ())) < 3:  # noqa: ASYNC110 - the log has no event for it
            await asyncio.sleep(0.02)
    ticking.cancel()
    with suppress(asyncio.CancelledError):
        await ticking

    assert caplog.messages[0].startswith("no tick: ")
    assert ticks(log)[1][:3] == [after(0.5), after(2), after(3)]
