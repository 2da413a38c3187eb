"""The feed: whoever writes at once, fails or is killed, readers see every number, in order."""

from __future__ import annotations

import random
import threading
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import msgspec
import psycopg
import pytest

from ledger.books.feed import (
    DESK_PARTITION,
    DeskDecision,
    FeedGapError,
    append_decision,
    feed_partitions,
    read_feed,
)
from ledger.database import connect
from ledger.rating.decisions import Moment, SessionRated, encode_decision, hash_decision
from tests.depot import keep_decisions, rated, session

PARTITIONS = (0, 1, 2)
DESKS = 3
WRITES = 40
READERS = 3
RATED = rated(session())


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(database) as opened:
        yield opened


def decisions_at(partition: int, *numbers: int) -> list[SessionRated]:
    """Return ratings of different sessions, one a record of *partition*."""
    return [
        msgspec.structs.replace(
            RATED,
            session_id=f"{partition}/{number}",
            moment=Moment(partition=partition, position=number, at=RATED.moment.at),
        )
        for number in numbers
    ]


def issue(connection: psycopg.Connection[Any], number: str) -> bool:
    with connection.transaction():
        return append_decision(
            connection, DeskDecision.ISSUED, subject=number, revision=1, sha256="ab"
        )


def test_decisions_of_either_kind_are_read_in_the_order_of_their_partition(
    connection: psycopg.Connection[Any],
) -> None:
    later, first = decisions_at(0, 7, 3)
    keep_decisions(connection, [later, first])
    issue(connection, "WL-1")

    assert list(feed_partitions(connection)) == [DESK_PARTITION, 0]
    page = read_feed(connection, 0, start=1, limit=10)
    assert [(each.number, each.kind, each.subject, each.revision) for each in page] == [
        (1, "rated", first.session_id, 1),
        (2, "rated", later.session_id, 1),
    ]
    assert page[0].sha256 == hash_decision(encode_decision(first))
    assert read_feed(connection, 0, start=2, limit=10) == page[1:]
    assert read_feed(connection, 0, start=1, limit=1) == page[:1]
    assert read_feed(connection, 0, start=3, limit=10) == []
    assert read_feed(connection, DESK_PARTITION, start=1, limit=10) == [
        (DESK_PARTITION, 1, "issued", "WL-1", 1, "ab")
    ]


def test_a_decision_of_the_desk_has_one_number_however_often_it_is_finished(
    connection: psycopg.Connection[Any],
) -> None:
    given = [issue(connection, number) for number in ("WL-1", "WL-1", "WL-2")]

    assert given == [True, False, True]
    page = read_feed(connection, DESK_PARTITION, start=1, limit=10)
    assert [(each.number, each.subject) for each in page] == [(1, "WL-1"), (2, "WL-2")]


def test_the_next_number_waits_for_an_open_transaction_and_is_its_own_if_that_fails(
    database: str, connection: psycopg.Connection[Any]
) -> None:
    with connect(database) as other, ThreadPoolExecutor(1) as pool:
        with suppress(InterruptedError), other.transaction():
            append_decision(other, DeskDecision.ISSUED, subject="WL-1", revision=1, sha256="ab")
            waiting = pool.submit(issue, connection, "WL-2")
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.2)
            raise InterruptedError

        assert waiting.result() is True
        [entry] = read_feed(other, DESK_PARTITION, start=1, limit=10)
        assert (entry.number, entry.subject) == (1, "WL-2")


def test_a_number_that_is_gone_stops_the_reader(connection: psycopg.Connection[Any]) -> None:
    keep_decisions(connection, decisions_at(0, 1, 2, 3))
    connection.execute("SET session_replication_role = replica")
    connection.execute("DELETE FROM session_decision WHERE number = 2")

    assert len(read_feed(connection, 0, start=1, limit=1)) == 1
    with pytest.raises(FeedGapError, match="decision 2 of partition 0") as caught:
        read_feed(connection, 0, start=2, limit=1)
    assert (caught.value.partition, caught.value.number) == (0, 2)


def test_the_feed_is_read_by_its_numbers_however_long_it_is(
    connection: psycopg.Connection[Any],
) -> None:
    """No sort and no whole table: a follower asks once a second, behind a million decisions."""
    query = "SELECT * FROM feed WHERE partition = 0 AND number >= 1 ORDER BY number LIMIT 5"
    connection.execute(
        "INSERT INTO session_decision SELECT n::text, 1, 0, n, n, 'held', 'ST-1', now(), '{}', ''"
        " FROM generate_series(1, 20000) AS n"
    )
    connection.execute("ANALYZE session_decision")

    plan = "\n".join(row for (row,) in connection.execute(f"EXPLAIN {query}".encode()))

    assert "session_decision_pkey" in plan
    assert "Merge Append" in plan
    assert "->  Sort" not in plan


class Writer:
    """Decides again and again; some transactions are rolled back, and some writers are killed."""

    def __init__(self, dsn: str, seed: int, partition: int, name: str) -> None:
        self._dsn, self._chance, self.partition = dsn, random.Random(seed), partition
        self._name = name
        self._connection = connect(dsn)
        self.committed = 0

    def run(self) -> None:
        """Write until enough is committed."""
        step = 0
        while self.committed < WRITES:
            step += 1
            count = self._chance.choice((1, 1, 3)) if self.partition >= 0 else 1
            try:
                with self._connection.transaction():
                    self._write(step, count)
                    self._fail_or_not()
            except psycopg.OperationalError:
                self._connection = connect(self._dsn)
            except InterruptedError:
                pass
            else:
                self.committed += count
        self._connection.close()

    def _write(self, step: int, count: int) -> None:
        if self.partition < 0:
            issue(self._connection, f"{self._name}-{step}")
        else:
            numbers = range(10 * step, 10 * step + count)
            keep_decisions(self._connection, decisions_at(self.partition, *numbers))

    def _fail_or_not(self) -> None:
        threading.Event().wait(self._chance.choice((0, 0, 0.005)))
        fate = self._chance.random()
        if fate < 0.2:
            raise InterruptedError
        if fate < 0.3:
            with psycopg.connect(self._dsn) as killer:
                pid = self._connection.info.backend_pid
                killer.execute("SELECT pg_terminate_backend(%s)", (pid,))


def followed(dsn: str, seed: int, done: threading.Event) -> dict[int, list[tuple[int, str]]]:
    """Read on and on until *done* and nothing is left; return what was seen, by partition."""
    chance = random.Random(seed)
    seen: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
    with connect(dsn) as connection:
        while True:
            is_last = done.is_set()
            count = 0
            for partition in feed_partitions(connection):
                start, limit = len(seen[partition]) + 1, chance.choice((1, 3, 500))
                page = read_feed(connection, partition, start=start, limit=limit)
                seen[partition] += [(each.number, each.subject) for each in page]
                count += len(page)
            if is_last and not count:
                return dict(seen)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_readers_beside_writers_that_fail_and_die_see_every_number_once_and_in_order(
    database: str, seed: int
) -> None:
    desks = [(DESK_PARTITION, f"WL-{number}") for number in range(DESKS)]
    named = [*((partition, "") for partition in PARTITIONS), *desks]
    writers = [
        Writer(database, seed * 100 + index, partition, name)
        for index, (partition, name) in enumerate(named)
    ]
    done = threading.Event()
    with ThreadPoolExecutor(len(writers) + READERS) as pool:
        readers = [pool.submit(followed, database, seed + n, done) for n in range(READERS)]
        for running in [pool.submit(writer.run) for writer in writers]:
            running.result()
        done.set()
        found = [reader.result() for reader in readers]

    with connect(database) as connection:
        entries = connection.execute(
            "SELECT partition, number, subject FROM feed ORDER BY partition, number"
        ).fetchall()
    committed: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for partition, number, subject in entries:
        committed[partition].append((number, subject))
    assert found == [committed] * READERS
    assert {p: [n for n, _ in of] for p, of in committed.items()} == {
        partition: list(range(1, sum(w.committed for w in writers if w.partition == partition) + 1))
        for partition in (DESK_PARTITION, *PARTITIONS)
    }
