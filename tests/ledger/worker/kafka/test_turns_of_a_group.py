"""The worker of the partitions that are ours now: opened, closed and ended, one turn at a time.

What a group needs of its log here is how far it goes; the one in PostgreSQL says that too.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection, Iterator

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from ingest.facts.translate import translate
from ledger.log.postgres import PostgresEventLog
from ledger.worker.kafka.faust_app import WorkerGroupError, _Turns
from ledger.worker.worker import Worker
from tests.charging_day import PARTITIONS, start16, stop16, write_log
from tests.faults.broken_books import BAD, GOOD, PARTITION, PARTITION_MODULE, rows

FOLLOWS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'follows'"
OTHER = 1 - PARTITION


class Turns:
    """Turns on the log of a database; `opened` are the partitions of each worker."""

    def __init__(self, dsn: str) -> None:
        self.dsn, self.opened = dsn, list[list[int]]()
        self.log, self.read_log = PostgresEventLog(dsn), PostgresEventLog(dsn)
        self.turns = _Turns(self.log, self._new_worker)  # type: ignore[arg-type] # it has ends, too

    def _new_worker(self, partitions: Collection[int]) -> Worker:
        self.opened.append(sorted(partitions))
        return Worker(
            make_conninfo(self.dsn, application_name="follows"),
            log=self.read_log,
            partitions=partitions,
            translate=translate,
            group_records=1,
        )

    def connections(self, wanted: int) -> bool:
        """Whether there are so many, in a while: the server takes its time."""
        for _ in range(3_000):
            if rows(self.dsn, FOLLOWS) == [(wanted,)]:
                return True
            threading.Event().wait(0.02)
        return False


@pytest.fixture
def it(database: str) -> Iterator[Turns]:
    lines = [start16(BAD, n, n, "A", n, connector=n) for n in range(1, 4)]
    write_log(database, lines, lines_a_record=1)
    turns = Turns(database)
    yield turns
    turns.turns.end()
    turns.log.close()
    turns.read_log.close()


async def test_turns_are_taken_until_nothing_is_left(it: Turns) -> None:
    assert await it.turns.open([PARTITION]) == {PARTITION: 0}
    await it.turns.take()

    assert await it.turns.open([PARTITION, OTHER]) == {PARTITION: 3, OTHER: 0}
    assert it.connections(1), "the former worker's is closed"
    assert await it.turns.open([]) == {}
    assert it.connections(0)
    await it.turns.take()
    assert it.opened == [[PARTITION], [0, 1]]


async def test_after_a_close_nothing_is_taken(it: Turns) -> None:
    await it.turns.open([PARTITION])
    await it.turns.close()
    assert it.connections(0)
    await it.turns.take()
    await it.turns.idle()
    await it.turns.close()

    assert rows(it.dsn, "SELECT sum(next_position) FROM worker_position") == [(0,)]


@pytest.mark.parametrize(("position", "is_ahead"), [(3, False), (4, True)])
async def test_books_may_be_where_the_log_ends_and_no_further(
    it: Turns, position: int, *, is_ahead: bool
) -> None:
    await it.turns.open(range(PARTITIONS))
    await it.turns.close()
    with psycopg.connect(it.dsn, autocommit=True) as connection:
        connection.execute(
            "UPDATE books.worker_position SET next_position = %s WHERE partition = %s",
            (position, PARTITION),
        )

    if is_ahead:
        with pytest.raises(WorkerGroupError, match=f"4 records of partition {PARTITION}"):
            await it.turns.open([PARTITION])
    else:
        assert await it.turns.open([PARTITION]) == {PARTITION: 3}


async def test_who_rests_is_told_until_it_is_another_s(
    it: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise psycopg.errors.UndefinedTable

    monkeypatch.setattr(f"{PARTITION_MODULE}.store_rows", fail)
    await it.turns.open([PARTITION])
    await it.turns.take()
    assert list(it.turns.resting) == [PARTITION]
    await it.turns.close()
    await it.turns.take()
    assert list(it.turns.resting) == []


async def test_a_turn_goes_on_whoever_is_cancelled_and_the_next_waits_for_it(
    it: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, left = threading.Event(), threading.Event()
    take_turns = Worker.take_turns

    def slow(worker: Worker) -> int:
        entered.set()
        left.wait(60)
        return take_turns(worker)

    await it.turns.open([PARTITION])
    monkeypatch.setattr(Worker, "take_turns", slow)
    taking = asyncio.create_task(it.turns.take())
    await asyncio.to_thread(entered.wait, 60)
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    closing = asyncio.create_task(it.turns.close())
    await asyncio.sleep(0.1)
    assert not closing.done()
    left.set()
    await closing

    assert rows(it.dsn, "SELECT sum(next_position) FROM worker_position") == [(1,)]


def test_at_the_end_the_connection_and_the_thread_are_let_go(database: str) -> None:
    write_log(database, [start16(GOOD, 1, 1, "A", 0), stop16(GOOD, 2, 1, 5)])
    before = set(threading.enumerate())
    it = Turns(database)
    asyncio.run(it.turns.open([PARTITION]))
    assert it.connections(1)
    it.turns.end()

    assert it.connections(0)
    assert set(threading.enumerate()) <= before
    it.log.close()
    it.read_log.close()
