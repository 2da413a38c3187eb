"""A log that was copied goes on in one place: the old store takes nothing any more."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from ledger.database import connect
from ledger.log.copying import CopyRefusedError
from ledger.log.event_log import LogUnavailableError, NewRecord
from ledger.log.moving import (
    POSTGRES,
    LogElsewhereError,
    LogStore,
    check_store,
    move_log,
    store_in_use,
)
from ledger.log.postgres import PostgresEventLog, make_log
from ledger.log.postgres_lines import PostgresLineWriter
from tests.ledger.log.log_contract import lines_of

KAFKA = LogStore("kafka", "wattledger.log")
LINE = NewRecord(0, [b"{}"])


@pytest.fixture
def log(database: str) -> Iterator[PostgresEventLog]:
    """A log of one record."""
    with psycopg.connect(database) as connection:
        make_log(connection, 2)
    with PostgresEventLog(database) as log:
        log.append([LINE])
        yield log


@pytest.fixture
def books(database: str) -> Iterator[psycopg.Connection]:
    with connect(database) as connection:
        yield connection


def test_without_a_record_the_log_may_be_anywhere(database: str, books: psycopg.Connection) -> None:
    make_log(books, 2)
    books.execute("SET search_path = books, inputs")

    assert store_in_use(books) is None
    for store in (POSTGRES, KAFKA):
        check_store(books, store)

    with PostgresEventLog(database) as log:
        log.append([LINE])
    assert store_in_use(books) == POSTGRES


def test_a_log_that_was_never_copied_is_refused_to_who_looks_in_kafka(
    log: PostgresEventLog, books: psycopg.Connection
) -> None:
    del log
    check_store(books, POSTGRES)
    with pytest.raises(LogElsewhereError) as refused:
        check_store(books, KAFKA)

    assert str(refused.value) == (
        "the event log is in PostgreSQL, not in Kafka's topic wattledger.log: "
        'set log = "postgres", or move it first: wattledger log copy --from postgres --to kafka'
    )


def test_a_copied_log_takes_nothing_and_is_read_as_ever(
    database: str, log: PostgresEventLog, books: psycopg.Connection
) -> None:
    move_log(books, KAFKA, records=1)

    with pytest.raises(LogUnavailableError, match="was copied to Kafka and goes on there: set log"):
        log.append([NewRecord(1, [b"late"])])
    assert list(log.ends()) == [1, 0]
    assert lines_of(log, 0) == [b"{}"]
    check_store(books, KAFKA)
    with pytest.raises(LogElsewhereError, match='set log = "kafka" and kafka_topic = "watt'):
        check_store(books, POSTGRES)
    with pytest.raises(LogElsewhereError, match=r'wattledger\.log, not in .* other: .*r\.log"$'):
        check_store(books, LogStore("kafka", "other"))
    with PostgresEventLog(database, is_copied_to=True) as back:
        assert back.append([LINE])[0].position == 1


async def test_a_process_that_had_begun_before_the_copy_stores_no_line_after_it(
    database: str, log: PostgresEventLog, books: psycopg.Connection
) -> None:
    async with await PostgresLineWriter.open(database, partitions=2) as writer:
        await writer.append(1, b"before")
        move_log(books, KAFKA, records=2)

        with pytest.raises(LogUnavailableError, match="goes on there: set log"):
            await writer.append(1, b"after")

    assert lines_of(log, 1) == [b"before"]


def test_back_in_postgresql_it_takes_records_again(
    log: PostgresEventLog, books: psycopg.Connection
) -> None:
    move_log(books, KAFKA, records=1)
    move_log(books, POSTGRES, records=1)

    assert log.append([LINE])[0].position == 1
    with pytest.raises(LogElsewhereError, match="--from postgres --to kafka"):
        check_store(books, KAFKA)


@pytest.mark.parametrize("copied", [0, 2])
def test_a_log_that_is_not_what_was_copied_stays_where_it_is(
    log: PostgresEventLog, books: psycopg.Connection, copied: int
) -> None:
    with pytest.raises(CopyRefusedError, match="wrote to the log after it was copied"):
        move_log(books, KAFKA, records=copied)

    assert store_in_use(books) == POSTGRES
    assert log.append([LINE])[0].position == 1


def test_who_is_appending_while_the_log_moves_is_waited_for(
    database: str, log: PostgresEventLog, books: psycopg.Connection
) -> None:
    with ThreadPoolExecutor(1) as pool, psycopg.connect(database) as appending:
        appending.execute("SET search_path = inputs")
        appending.execute("UPDATE log_head SET next_position = 2 WHERE partition = 0")
        moving = pool.submit(move_log, books, KAFKA, records=1)
        with pytest.raises(TimeoutError):
            moving.result(0.3)
        appending.commit()

        with pytest.raises(CopyRefusedError):
            moving.result(60)
    assert store_in_use(books) == POSTGRES
    assert list(log.ends()) == [2, 0]
