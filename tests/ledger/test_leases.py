"""Leases: one holder at a time, a successor when he is gone, and no act of one who lost it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from ledger.database import connect
from ledger.leases import Lease, LeaseLostError, give_up_lease, hold_lease, leave, take_lease

Connection = psycopg.Connection[Any]


@pytest.fixture
def connection(database: str) -> Iterator[Connection]:
    with connect(database) as connection:
        yield connection


@pytest.fixture
def other(database: str) -> Iterator[Connection]:
    with connect(database) as connection:
        yield connection


def take(connection: Connection, holder: str = "a", seconds: float = 60) -> Lease | None:
    return take_lease(connection, "ticks", holder=holder, seconds=seconds)


def run_out(connection: Connection) -> None:
    connection.execute("UPDATE lease SET until = now()")


def test_a_lease_is_taken_once_and_has_an_epoch_for_each_time(connection: Connection) -> None:
    assert take(connection) == Lease("ticks", 1)
    assert take(connection, "b") is None
    run_out(connection)
    assert take(connection, "b") == Lease("ticks", 2)
    assert take_lease(connection, "other", holder="a", seconds=60) == Lease("other", 1)


def test_a_holder_that_is_started_again_takes_its_own_lease_at_once(connection: Connection) -> None:
    take(connection, "a")

    assert take(connection, "a") == Lease("ticks", 2)


def test_it_is_free_when_its_time_is_over_and_not_before(connection: Connection) -> None:
    take(connection, "a", seconds=2)
    early = take(connection, "b")
    time.sleep(2.05)

    assert early is None
    assert take(connection, "b") == Lease("ticks", 2)


def test_a_clock_that_is_set_back_keeps_it_from_nobody_for_long(connection: Connection) -> None:
    take(connection, "a")
    connection.execute("UPDATE lease SET until = now() + interval '11 min'")
    early = take(connection, "b")
    connection.execute("UPDATE lease SET until = now() + interval '1 h'")

    assert early is None
    assert take(connection, "b") == Lease("ticks", 2)


def test_holding_moves_the_end(connection: Connection, other: Connection) -> None:
    lease = take(connection, seconds=0.2)
    assert lease is not None
    with connection.transaction():
        hold_lease(connection, lease, seconds=60)
    time.sleep(0.25)

    assert take(other, "b") is None


def test_who_lost_the_lease_writes_nothing(connection: Connection, other: Connection) -> None:
    lost = take(connection, "a")
    assert lost is not None
    run_out(connection)
    take(other, "b")

    def act() -> None:
        with connection.transaction():
            connection.execute("CREATE TABLE trace ()")
            hold_lease(connection, lost, seconds=60)

    with pytest.raises(LeaseLostError, match="lease ticks of epoch 1"):
        act()

    assert connection.execute("SELECT to_regclass('trace')").fetchone() == (None,)


def test_who_let_it_run_out_may_go_on_while_nobody_took_it(connection: Connection) -> None:
    lease = take(connection)
    assert lease is not None
    run_out(connection)

    with connection.transaction():
        hold_lease(connection, lease, seconds=60)

    assert take(connection, "b") is None


def test_nobody_takes_it_while_a_transaction_of_its_holder_runs(
    connection: Connection, other: Connection
) -> None:
    lease = take(connection)
    assert lease is not None
    run_out(connection)
    with connection.transaction():
        hold_lease(connection, lease, seconds=5)

        assert take(other, "b") is None
    run_out(connection)
    assert take(other, "b") == Lease("ticks", 2)


def test_a_holder_that_stands_still_in_its_transaction_is_ended(
    connection: Connection, other: Connection
) -> None:
    lease = take(connection, "frozen")
    assert lease is not None
    run_out(connection)

    def stand_still() -> None:
        with connection.transaction():
            hold_lease(connection, lease, seconds=0.2)
            time.sleep(2)
            taken.append(take(other, "b"))
            connection.execute("SELECT 1")

    taken: list[Lease | None] = []
    with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
        stand_still()

    assert taken == [Lease("ticks", 2)]


def test_what_is_given_up_is_free_and_only_by_its_holder(connection: Connection) -> None:
    first = take(connection, "a")
    assert first is not None
    give_up_lease(connection, first)
    second = take(connection, "b")
    give_up_lease(connection, first)

    assert second == Lease("ticks", 2)
    assert take(connection, "c") is None


def test_of_many_who_ask_at_once_one_gets_it(database: str) -> None:
    got: list[Lease | None] = []
    start = threading.Barrier(6)

    def ask(holder: str) -> None:
        with connect(database) as connection:
            start.wait()
            got.append(take(connection, holder))

    asking = [threading.Thread(target=ask, args=(str(number),)) for number in range(6)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()

    assert [each for each in got if each] == [Lease("ticks", 1)]


def test_who_leaves_gives_up_what_he_holds_and_closes(
    connection: psycopg.Connection[Any], database: str, caplog: pytest.LogCaptureFixture
) -> None:
    mine, lost = connect(database), connect(database)
    held = take_lease(mine, "a", holder="A", seconds=60)
    leave(mine, held)
    again = take_lease(connection, "a", holder="B", seconds=60)
    # A second time, without one, and where the database went away.
    leave(mine, held)
    leave(None, held)
    lost.execute("SELECT 1")
    connection.execute("SELECT pg_terminate_backend(%s)", (lost.info.backend_pid,))
    leave(lost, again)

    assert mine.closed
    assert lost.closed
    assert again is not None
    assert again.epoch == 2
    assert [each.split(" on:")[0] for each in caplog.messages] == ["the lease a runs"]
    assert take_lease(connection, "a", holder="C", seconds=60) is None
