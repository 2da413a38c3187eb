"""A record that the log holds twice decides once, however the worker goes through it."""

from __future__ import annotations

import threading

import pytest

from deploy.running.replay import replay_and_compare
from ledger.log.envelope import encode_line
from ledger.log.event_log import NewRecord, Stamp, partition_of
from ledger.log.postgres import PostgresEventLog
from tests.charging_day import (
    PARTITIONS,
    Timed,
    charging_day,
    choose,
    declare_fleet,
    everywhere,
    write_log,
)
from tests.ledger.worker.test_worker import (
    ALL,
    consequences,
    new_schema,
    new_worker,
    one_group,
    rows,
    states,
    work,
)

HELD = "CS-OLD-2/22/20260302T082000Z"
STATION = HELD.split("/", maxsplit=1)[0]
PARTITION = partition_of(STATION, partitions=PARTITIONS)


def stamped(dsn: str, *said: tuple[int, Timed]) -> None:
    """Append each line as a record of the outbox with that number."""
    with PostgresEventLog(dsn) as log:
        log.append(
            [
                NewRecord(PARTITION, [encode_line(line)], Stamp("outbox", number))
                for number, (_, _, line) in said
            ]
        )


RELEASE, WRITE_OFF = choose(HELD, "release", 300), choose(HELD, "write_off", 301)


@pytest.fixture
def day(database: str) -> str:
    """A day with a held session, about which somebody spoke; a carrier was killed on the way."""
    write_log(database, charging_day(declare_fleet(database)))
    stamped(database, (4, RELEASE), (4, RELEASE), (6, WRITE_OFF), (4, RELEASE), (6, WRITE_OFF))
    return database


def test_a_choice_that_is_there_again_is_dropped_and_counted(day: str) -> None:
    work(day)

    aside = "SELECT reason, lines FROM set_aside WHERE station_id IN ('', %s) ORDER BY reason"
    assert states(day)["22"] == "released"
    assert rows(day, aside.replace("%s", f"'{STATION}'"))[-2:] == [
        # The write-off came once, after the session was rated.
        ("choice_without_held_session", 1),
        ("repeated", 3),
    ]


def test_a_marker_that_is_there_again_takes_no_declaration_back(day: str) -> None:
    work(day)
    [(version,)] = rows(day, "SELECT max(declared_version) FROM worker_position")
    newer = [(n, next(iter(everywhere(version + n, 400)))) for n in (7, 8)]
    stamped(day, *newer, newer[0])

    work(day)

    of_it = f"SELECT declared_version FROM worker_position WHERE partition = {PARTITION}"
    assert rows(day, of_it) == [(version + 8,)]


@pytest.mark.parametrize("records", [1, 2, 3, 1000])
@pytest.mark.parametrize("restarting", [False, True])
def test_grouping_and_restarts_drop_the_same(day: str, *, records: int, restarting: bool) -> None:
    work(day)
    schema = new_schema(day, "other")

    while restarting and one_group(day, schema=schema, group_records=records):
        pass
    work(day, schema=schema, group_records=records)

    assert consequences(day, schema) == consequences(day)
    kept = rows(day, "SELECT producers, sequences FROM worker_position WHERE producers <> '{}'")
    assert kept == [(["outbox"], [6])]


def test_what_was_not_reached_in_time_is_no_repeat_later(day: str) -> None:
    with new_worker(day, group_seconds=0) as worker:
        while worker.run_once():
            pass

    assert states(day)["22"] == "released"
    assert rows(day, "SELECT lines FROM set_aside WHERE reason = 'repeated'") == [(3,)]


def test_one_worker_and_one_a_partition_and_a_replay_agree(day: str) -> None:
    threads = [
        threading.Thread(target=work, args=(day,), kwargs={"partitions": [number]})
        for number in ALL
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with PostgresEventLog(day) as log:
        report = replay_and_compare(day, log)

    assert report.is_identical, report.shown
    assert report.compared_by_kind["decision"] == 8


def test_the_time_of_a_repeat_is_not_the_time_of_the_log(day: str) -> None:
    work(day)

    [(last_at,)] = rows(day, f"SELECT last_at FROM worker_position WHERE partition = {PARTITION}")
    assert last_at == WRITE_OFF[0]
