"""Trouble that no line makes: it sets none aside, and one partition's is not another's."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import psycopg
import pytest

from ingest.facts.translate import translate
from ledger.asides.stored import listed_asides
from ledger.database import connect
from ledger.log.envelope import encode_line
from ledger.log.event_log import NewRecord
from ledger.log.postgres import PostgresEventLog, make_log
from ledger.worker.stored.session_store import store_rows
from ledger.worker.worker import Worker
from tests.charging_day import (
    PARTITIONS,
    charging_day,
    declare_fleet,
    everywhere,
    start16,
    write_log,
)  # fmt: skip
from tests.faults.broken_books import (
    BAD,
    PARTITION,
    PARTITION_MODULE,
    asides,
    rows,
    states,
    story,
    work,
)  # fmt: skip


@pytest.mark.parametrize(
    "error",
    [
        psycopg.OperationalError("the server is away"),
        psycopg.errors.SerializationFailure("again"),
        psycopg.errors.DiskFull("no space"),
        psycopg.errors.UndefinedTable("not migrated"),
        OSError("no network"),
        MemoryError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_is_no_content_s_fault_sets_no_line_aside(
    database: str, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    write_log(database, [*everywhere(declare_fleet(database), -1), *story()])
    with monkeypatch.context() as breaking:
        breaking.setattr(f"{PARTITION_MODULE}.store_rows", fail)
        with pytest.raises(type(error)):
            work(database)

    assert asides(database) == []
    work(database)
    assert states(database)["11"] == "rated"


def test_one_partition_in_trouble_rests_and_the_others_go_on(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.worker.worker.PAUSE_SECONDS", 0.05)
    version = declare_fleet(database)
    write_log(database, charging_day(version))
    broken, stop = {"CS-OLD-1"}, threading.Event()

    def fail(connection: Any, changed: Any, gone: Any) -> None:  # noqa: ANN401 - handed on
        found = list(changed)
        if any(row.station_id in broken for row in found):
            raise psycopg.errors.UndefinedTable
        store_rows(connection, found, gone)

    monkeypatch.setattr(f"{PARTITION_MODULE}.store_rows", fail)
    with (
        PostgresEventLog(database) as log,
        Worker(database, log=log, partitions=range(PARTITIONS), translate=translate) as worker,
    ):
        thread = threading.Thread(target=worker.run, args=(stop,))
        thread.start()
        other = 1 - PARTITION
        query = f"SELECT next_position FROM worker_position WHERE partition = {other}"
        wait_for(lambda: rows(database, query) == [(log_end(database, other),)])
        assert "11" not in states(database)
        wait_for(lambda: worker.resting() == [PARTITION])
        broken.clear()
        wait_for(lambda: states(database).get("11") == "rated")
        wait_for(lambda: worker.resting() == [])
        stop.set()
        thread.join()


def log_end(dsn: str, partition: int) -> int:
    with PostgresEventLog(dsn) as log:
        return log.ends()[partition]


def wait_for(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(600):
        if condition():
            return
        pause.wait(0.1)
    raise AssertionError


def test_a_line_that_nobody_can_read_is_listed_with_its_place(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        make_log(connection, PARTITIONS)
    with PostgresEventLog(database) as log:
        log.append([NewRecord(0, [b"{no json", encode_line(start16(BAD, 1, 1, "A", 1)[2])])])
    work(database)

    [line] = listed(database)
    assert (line["position"], line["line"], line["reason"]) == (0, 0, "line_unreadable")


def listed(dsn: str) -> list[dict[str, Any]]:
    with connect(dsn) as connection:
        return [asdict(each) for each in listed_asides(connection)]
