"""Workers that share a log in Kafka: exactly once, whoever has a partition and whoever dies."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import faust
import psycopg
import pytest
from confluent_kafka import Consumer, TopicPartition

from ingest.facts.translate import translate
from ledger.log.event_log import NewRecord
from ledger.log.kafka.cluster import KafkaCluster
from ledger.log.kafka.event_log import KafkaEventLog
from ledger.log.kafka.topics import PROFILES, make_topic
from ledger.log.postgres import PostgresEventLog
from ledger.worker.kafka import faust_app
from ledger.worker.kafka.faust_app import WorkerGroup, WorkerGroupError
from ledger.worker.kafka.handed_log import HandedLog
from ledger.worker.position import has_caught_up
from tests.charging_day import PARTITIONS, charging_day, declare_fleet, write_log
from tests.ledger.worker.kafka.group_process import start_worker
from tests.ledger.worker.test_worker import consequences, new_schema, work

SESSION_SECONDS = 6.0
"""The least that a broker takes by default."""
SECONDS_MAX = 60.0


@pytest.fixture
def day(database: str) -> str:
    """A database whose log holds the charging day, worked off in the schema `expected`."""
    write_log(database, charging_day(declare_fleet(database)), lines_a_record=1)
    work(database, schema=new_schema(database, "expected"))
    return database


@pytest.fixture
def log(day: str, kafka: KafkaCluster) -> Iterator[KafkaEventLog]:
    """The same log's topic, still empty."""
    del day
    make_topic(kafka, partitions=PARTITIONS, profile=PROFILES["development"])
    with KafkaEventLog(kafka) as log:
        yield log


def records_of(dsn: str) -> list[NewRecord]:
    """Return the records of the log in PostgreSQL, a bit of each partition after the other."""
    with PostgresEventLog(dsn) as log:
        pages = [log.read(number, 0, records=10_000) for number in range(PARTITIONS)]
    found = [
        (record.position, NewRecord(number, record.payload.split(b"\n"), record.stamp))
        for number, page in enumerate(pages)
        for record in page
    ]
    return [record for _, record in sorted(found, key=lambda each: each[0])]


def is_done(dsn: str, log: KafkaEventLog) -> bool:
    with psycopg.connect(dsn) as connection:
        connection.execute("SET search_path = books, inputs")
        return has_caught_up(connection, log.ends())


def until(is_so: Callable[[], bool], seconds: float = SECONDS_MAX) -> None:
    limit = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < limit, "it takes too long"
        time.sleep(0.05)


async def run_group(
    dsn: str, kafka: KafkaCluster, folder: Path, *, more: Sequence[NewRecord] = ()
) -> None:
    """Run a worker until it has caught up; then append *more*, and until it has again."""
    stop = asyncio.Event()
    group = WorkerGroup(
        dsn, cluster=kafka, translate=translate, folder=folder, session_seconds=SESSION_SECONDS
    )
    running = asyncio.create_task(group.run(stop, lambda: None))
    with KafkaEventLog(kafka) as log:
        limit = time.monotonic() + SECONDS_MAX
        for rest in (more, ()):
            while not running.done() and not is_done(dsn, log):
                assert time.monotonic() < limit
                await asyncio.sleep(0.1)
            log.append(rest)
    stop.set()
    await running


def committed(kafka: KafkaCluster, offset: int) -> None:
    """Commit an offset for the group, as another tool or an older worker might."""
    settings = kafka.client({"group.id": f"{kafka.topic}.workers"})
    consumer = Consumer(settings)
    where = [TopicPartition(kafka.topic, number, offset) for number in range(PARTITIONS)]
    consumer.commit(offsets=where, asynchronous=False)
    consumer.close()


@pytest.mark.parametrize("offset", [None, 1, 3, 1000])
async def test_a_group_concludes_what_one_worker_does_wherever_kafkas_offsets_are(
    day: str, log: KafkaEventLog, kafka: KafkaCluster, tmp_path: Path, offset: int | None
) -> None:
    log.append(records_of(day))
    if offset is not None:
        committed(kafka, offset)

    await run_group(day, kafka, tmp_path)

    assert consequences(day) == consequences(day, "expected")


async def test_a_worker_goes_on_where_the_books_are(
    day: str, log: KafkaEventLog, kafka: KafkaCluster, tmp_path: Path
) -> None:
    records = records_of(day)
    log.append(records[: len(records) // 2])
    await run_group(day, kafka, tmp_path)
    log.append(records[len(records) // 2 :])

    await run_group(day, kafka, tmp_path)

    assert consequences(day) == consequences(day, "expected")


async def test_what_waits_in_great_number_is_read_in_lots_and_then_handed_over_again(
    day: str,
    log: KafkaEventLog,
    kafka: KafkaCluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("TAKEN_AT_ONCE", "SKIPPED_MIN", "BUFFERED_MESSAGES"):
        monkeypatch.setattr(faust_app, name, 2)
    came: set[tuple[int, int]] = set()
    lacks = HandedLog.lacks

    def noted(handed: HandedLog, partition: int, position: int) -> bool:
        came.add((partition, position))
        return lacks(handed, partition, position)

    monkeypatch.setattr(HandedLog, "lacks", noted)
    records = records_of(day)
    log.append(records[:-2])

    await run_group(day, kafka, tmp_path, more=records[-2:])

    assert consequences(day) == consequences(day, "expected")
    assert len(came) < len(records)
    last = records[-1].partition
    assert (last, log.ends()[last] - 1) in came


async def test_books_that_are_ahead_of_the_topic_are_another_logs(
    day: str, log: KafkaEventLog, kafka: KafkaCluster, tmp_path: Path
) -> None:
    work(day)
    log.append(records_of(day)[:2])

    with pytest.raises(WorkerGroupError, match="log of other books"):
        await run_group(day, kafka, tmp_path)

    assert consequences(day) == consequences(day, "expected")


async def test_an_error_of_the_database_ends_the_process(
    day: str, log: KafkaEventLog, kafka: KafkaCluster, tmp_path: Path
) -> None:
    with ExitStack() as exits:
        worker = exits.enter_context(started(day, kafka, tmp_path / "a"))
        log.append(records_of(day)[:3])
        until(lambda: is_done(day, log))
        with psycopg.connect(day, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        log.append(records_of(day)[3:6])

        assert worker.wait(SECONDS_MAX) == 1


def started(dsn: str, kafka: KafkaCluster, folder: Path, lot: int = 0) -> subprocess.Popen[bytes]:
    return start_worker(dsn, kafka, folder, session_seconds=SESSION_SECONDS, lot=lot)


def has_begun(folder: Path) -> bool:
    return b"partitions assigned" in (folder / "log").read_bytes()


@pytest.mark.parametrize(
    ("how", "lot"), [("SIGTERM", 0), ("SIGKILL", 0), ("SIGSTOP", 0), ("SIGTERM", 2), ("SIGSTOP", 2)]
)
def test_whoever_is_left_takes_over_and_nothing_is_done_twice(
    day: str, log: KafkaEventLog, kafka: KafkaCluster, tmp_path: Path, how: str, lot: int
) -> None:
    records = records_of(day)
    third = len(records) // 3
    workers: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name in ("a", "b"):
            workers[name] = started(day, kafka, tmp_path / name, lot)
            until(lambda name=name: has_begun(tmp_path / name))  # type: ignore[misc]
        log.append(records[:third])
        until(lambda: is_done(day, log))

        os.kill(workers["a"].pid, getattr(signal, how))
        log.append(records[third : 2 * third])
        until(lambda: is_done(day, log))
        # A zombie that goes on finds its partitions with another, and writes nothing.
        os.kill(workers["a"].pid, signal.SIGCONT) if how == "SIGSTOP" else None
        log.append(records[2 * third :])
        until(lambda: is_done(day, log))
    finally:
        for worker in workers.values():
            worker.kill()
            worker.wait()

    assert consequences(day) == consequences(day, "expected")


def test_a_zombie_that_wakes_within_its_turn_writes_nothing(
    day: str, log: KafkaEventLog, kafka: KafkaCluster, tmp_path: Path
) -> None:
    records = records_of(day)
    half = len(records) // 2
    first = started(day, kafka, tmp_path / "a")
    second = None
    try:
        until(lambda: has_begun(tmp_path / "a"))
        log.append(records[:half])
        until(lambda: is_done(day, log))
        (tmp_path / "a" / "stall").touch()
        log.append(records[half:])
        until((tmp_path / "a" / "stalled").exists)
        # Its transaction is open and holds a partition; everybody takes it for dead.
        first.send_signal(signal.SIGSTOP)
        second = started(day, kafka, tmp_path / "b")
        until(lambda: is_done(day, log))
        expected = consequences(day, "expected")
        assert consequences(day) == expected

        (tmp_path / "a" / "stall").unlink()
        first.send_signal(signal.SIGCONT)

        assert first.wait(SECONDS_MAX) == 1
        assert consequences(day) == expected
    finally:
        for worker in filter(None, (first, second)):
            worker.kill()
            worker.wait()


@pytest.mark.parametrize("client", ["aiokafka", "aiokafka.consumer.fetcher"])
def test_brokers_that_are_away_do_not_fill_the_log(
    client: str, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(500):
        logging.getLogger(client).error("Unable connect to node with id %s: %s", 4711, "refused")

    assert len(caplog.records) == 1


async def test_a_group_that_ended_hears_no_more_of_partitions(
    day: str, log: KafkaEventLog, kafka: KafkaCluster, tmp_path: Path
) -> None:
    """Faust keeps who listens by the app's address, which a later app may have."""
    log.append(records_of(day))
    await run_group(day, kafka, tmp_path)

    heard = faust.App.on_partitions_revoked._filter_receivers.values()  # noqa: SLF001 - told nowhere
    assert [each for some in heard for each in some if "WorkerGroup" in repr(each)] == []
