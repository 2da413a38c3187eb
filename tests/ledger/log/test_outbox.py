"""The outbox: a line comes into the log once, in order, whoever is killed between which steps."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ledger.database import connect
from ledger.log import outbox
from ledger.log.event_log import (
    EventLog,
    NewRecord,
    Position,
    UnfitLineError,
)
from ledger.log.outbox import NotCarriedError, NoTransactionError, carried_to, carry, put
from ledger.log.postgres import PostgresEventLog, make_log
from ledger.log.repeats import LastSequences
from tests.faults.faulty_log import FaultyLog, die

Connection = psycopg.Connection[Any]
PARTITIONS = 3


@pytest.fixture
def connection(database: str) -> Iterator[Connection]:
    with psycopg.connect(database, autocommit=True) as connection:
        make_log(connection, PARTITIONS)
    with connect(database) as connection:
        yield connection


@pytest.fixture
def log(database: str, connection: Connection) -> Iterator[PostgresEventLog]:
    assert not connection.closed
    with PostgresEventLog(database) as log:
        yield log


def say(connection: Connection, *lines: bytes, partition: int = 0) -> list[int]:
    """Put each of *lines* into the outbox, in a transaction of its own."""
    numbers = []
    for line in lines:
        with connection.transaction():
            numbers += put(connection, {partition: line}, partitions=PARTITIONS)
    return numbers


def stored(log: EventLog, partition: int = 0) -> list[bytes]:
    return [record.payload for record in log.read(partition, 0, records=10_000)]


def taken(log: EventLog, partition: int = 0) -> list[bytes]:
    """Return what a reader takes that drops repeats."""
    last = LastSequences()
    records = log.read(partition, 0, records=10_000)
    return [record.payload for record in records if last.takes(record.stamp)]


def test_a_line_appears_with_its_row_or_not_at_all(
    connection: Connection, log: PostgresEventLog
) -> None:
    with suppress(ZeroDivisionError), connection.transaction():
        put(connection, {0: b"never"}, partitions=PARTITIONS)
        raise ZeroDivisionError
    say(connection, b"said")
    before = stored(log)

    carry(connection, log)

    assert (before, stored(log)) == ([], [b"said"])


def test_lines_come_in_the_order_in_which_they_were_said(
    connection: Connection, log: PostgresEventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "CARRIED_AT_ONCE", 2)
    say(connection, b"1", b"2", b"3", b"4", b"5")
    say(connection, b"other", partition=2)

    carry(connection, log)

    assert (stored(log), stored(log, 2)) == ([b"1", b"2", b"3", b"4", b"5"], [b"other"])
    stamps = [record.stamp for record in log.read(0, 0, records=9) if record.stamp]
    assert [stamp.sequence for stamp in stamps] == [1, 2, 3, 4, 5]
    [producer] = {stamp.producer for stamp in stamps}
    assert re.fullmatch("outbox-[0-9a-f]{16}", producer)


def test_a_restored_database_gives_numbers_again_and_loses_no_line_by_that(
    connection: Connection, log: PostgresEventLog, database: str
) -> None:
    say(connection, b"before the backup")
    carry(connection, log)
    name = conninfo_to_dict(database)["dbname"]
    connection.close()
    log.close()
    with psycopg.connect(make_conninfo(database, dbname="postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}_restored TEMPLATE {name}".encode())
    restored = make_conninfo(database, dbname=f"{name}_restored")

    with connect(database) as lost, connect(restored) as found:
        first, second = say(lost, b"lost with the disk"), say(found, b"said after the restore")
        carry(lost, log)
        carry(found, log)

    assert first == second
    assert taken(log) == [b"before the backup", b"lost with the disk", b"said after the restore"]
    log.close()
    with psycopg.connect(make_conninfo(database, dbname="postgres"), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name}_restored WITH (FORCE)".encode())


def test_who_said_it_sees_where_it_went(connection: Connection, log: PostgresEventLog) -> None:
    log.append([NewRecord(1, [b"a station"])])
    with connection.transaction():
        numbers = put(connection, {1: b"b", 0: b"a"}, partitions=PARTITIONS)
    before = carried_to(connection, numbers[0])

    carry(connection, log)

    assert before is None
    assert [carried_to(connection, number) for number in numbers] == [(0, 0, 0), (1, 1, 0)]


def test_what_is_carried_is_not_carried_again_and_little_of_it_is_kept(
    connection: Connection, log: PostgresEventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "CARRIED_KEPT", 3)
    for number in range(8):
        say(connection, b"%d" % number)
        carry(connection, log)
        carry(connection, log)

    assert len(stored(log)) == 8
    assert connection.execute("SELECT array_agg(sequence) FROM outbox").fetchone() == ([6, 7, 8],)


def test_a_line_that_is_said_later_waits_for_the_commit_of_the_one_before(
    connection: Connection, log: PostgresEventLog, database: str
) -> None:
    with connect(database) as other:
        saying = threading.Thread(target=say, args=(other, b"second"))
        with connection.transaction():
            put(connection, {0: b"first"}, partitions=PARTITIONS)
            saying.start()
            saying.join(0.3)
            is_waiting = saying.is_alive()
            with connect(database) as third:
                carry(third, log)
            early = stored(log)
        saying.join()
        carry(other, log)

    assert (is_waiting, early) == (True, [])
    assert taken(log) == [b"first", b"second"]


def carry_and_die(dsn: str, fault: str) -> None:
    """Be a process that is killed while it carries."""
    with connect(dsn) as connection, PostgresEventLog(dsn) as log:
        carry(connection, FaultyLog(log, fault))  # type: ignore[arg-type]  # of the port it needs this


def say_and_die(dsn: str, _: str) -> None:
    """Be a process that is killed between its row and the commit."""
    with connect(dsn) as connection, connection.transaction():
        put(connection, {0: b"unsaid"}, partitions=PARTITIONS)
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    ("fault", "copies"), [("killed before the append", 1), ("killed after the append", 2)]
)
def test_whoever_is_killed_while_he_carries_the_next_one_finishes(
    connection: Connection, log: PostgresEventLog, database: str, *, fault: str, copies: int
) -> None:
    say(connection, b"1", b"2")
    die(carry_and_die, database, fault)
    say(connection, b"3")

    carry(connection, log)

    assert stored(log) == [b"1", b"2"] * copies + [b"3"]
    assert taken(log) == [b"1", b"2", b"3"]


def test_who_is_killed_before_his_commit_said_nothing_and_stops_nobody(
    connection: Connection, log: PostgresEventLog, database: str
) -> None:
    die(say_and_die, database, "")
    say(connection, b"said")

    carry(connection, log)

    assert stored(log) == [b"said"]


def test_an_append_whose_answer_is_lost_is_a_repeat_that_readers_drop(
    connection: Connection, log: PostgresEventLog
) -> None:
    say(connection, b"1", b"2")
    with pytest.raises(NotCarriedError, match="do not say it again"):
        carry(connection, FaultyLog(log, "the answer is lost"))  # type: ignore[arg-type]  # as above
    carry(connection, log)
    # A carrier that was taken for dead comes through at last.
    log.append([NewRecord(0, [b"1"], log.read(0, 0, records=1)[0].stamp)])

    assert stored(log) == [b"1", b"2", b"1", b"2", b"1"]
    assert taken(log) == [b"1", b"2"]


def test_many_who_say_and_carry_at_once_lose_nothing_and_repeat_nothing(
    connection: Connection, log: PostgresEventLog, database: str
) -> None:
    def desk(number: int) -> None:
        with connect(database) as own, PostgresEventLog(database) as to:
            for n in range(20):
                say(own, b"%d/%d" % (number, n))
                carry(own, to)

    desks = [threading.Thread(target=desk, args=(number,)) for number in range(4)]
    for thread in desks:
        thread.start()
    for thread in desks:
        thread.join()

    assert taken(log) == stored(log)
    for number in range(4):
        own = [line for line in stored(log) if line.startswith(b"%d/" % number)]
        assert own == [b"%d/%d" % (number, n) for n in range(20)]
    assert connection.execute("SELECT count(*) FROM outbox WHERE position IS NULL").fetchone() == (
        0,
    )


def test_a_carrier_that_stands_still_does_not_hold_up_the_others_for_ever(
    connection: Connection, log: PostgresEventLog, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "PATIENCE_SECONDS", 1)
    say(connection, b"1")
    entered, stands_still = threading.Event(), threading.Event()

    class Slow(FaultyLog):
        def append(self, records: Sequence[NewRecord]) -> Sequence[Position]:
            entered.set()
            stands_still.wait(60)
            return super().append(records)

    def carry_slowly() -> None:
        with (
            closing(connect(database)) as own,
            PostgresEventLog(database) as to,
            pytest.raises(NotCarriedError),
        ):
            carry(own, Slow(to, ""))  # type: ignore[arg-type]  # as above

    slow = threading.Thread(target=carry_slowly)
    slow.start()
    assert entered.wait(60)
    with suppress(NotCarriedError):  # the server may end the other one just then
        carry(connection, log)
    carry(connection, log)
    stands_still.set()
    slow.join()

    assert stored(log) == [b"1", b"1"]
    assert taken(log) == [b"1"]
    assert connection.execute("SELECT position, line FROM outbox").fetchall() == [(0, b"")]


@pytest.mark.parametrize(
    ("partition", "line"),
    [
        (PARTITIONS, b"{}"),
        (-1, b"{}"),
        (0, b""),
        (0, b"a\nb"),
        (0, b"x" * (outbox.LINE_BYTES_MAX + 1)),
    ],
)
def test_what_the_log_would_not_take_is_refused_before_it_stops_all_behind_it(
    connection: Connection, log: PostgresEventLog, *, partition: int, line: bytes
) -> None:
    with pytest.raises(UnfitLineError), connection.transaction():
        put(connection, {partition: line}, partitions=PARTITIONS)
    say(connection, b"x" * outbox.LINE_BYTES_MAX)

    carry(connection, log)

    assert stored(log) == [b"x" * outbox.LINE_BYTES_MAX]


def test_a_line_is_put_in_a_transaction_and_carried_after_it(
    connection: Connection, log: PostgresEventLog
) -> None:
    with pytest.raises(NoTransactionError):
        put(connection, {0: b"{}"}, partitions=PARTITIONS)
    with connection.transaction(), pytest.raises(NoTransactionError):
        carry(connection, log)

    assert connection.execute("SELECT count(*) FROM outbox").fetchone() == (0,)
    assert stored(log) == []
