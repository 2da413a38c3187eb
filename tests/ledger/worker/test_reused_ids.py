"""An id that is started again and again: what is long over is brought back where a frame is its."""

from __future__ import annotations

from typing import Any

import psycopg

from ledger.declared.changes import Change
from ledger.declared.declarations import POLICY_KEY, Kind
from ledger.declared.store import declare
from ledger.log.event_log import partition_of
from ledger.master_data.policies import Policy
from ledger.worker.station_memory import CROWD
from tests.charging_day import (
    PARTITIONS,
    Timed,
    at,
    declare_fleet,
    event201,
    everywhere,
    tick,
    write_log,
)
from tests.ledger.worker.test_late_facts import decided, rows, work
from tests.ledger.worker.test_worker import new_worker


def charge(begins: float, wh: float) -> list[Timed]:
    """Return a session of half an hour under the id R."""
    return [
        event201("CS-NEW-1", begins, "Started", "R", 0, wh, token="FLEET1"),
        event201("CS-NEW-1", begins + 30, "Ended", "R", 1, wh + 2000),
    ]


def flags(dsn: str) -> dict[str, Any]:
    return dict(rows(dsn, "SELECT right(session_id, 7), flags FROM session ORDER BY session_id"))


def test_a_late_frame_of_a_session_that_is_no_longer_in_mind_flags_it_and_bills_nothing_twice(
    database: str,
) -> None:
    version = declare_fleet(database)
    write_log(database, [*everywhere(version, -1), *charge(10, 1000), *charge(200, 3000)])
    work(database)
    # A worker that begins here has the last session in mind alone, until the old stop comes again.
    started = event201("CS-NEW-1", 400, "Started", "R", 0, 5000, token="FLEET1")
    write_log(database, [started], lines_a_record=1)
    write_log(
        database,
        [event201("CS-NEW-1", 41, "Ended", "R", 1, 2900, received=410)],
        lines_a_record=1,
    )
    work(database)

    assert decided(database) == ["rated", "rated"]
    assert [key for key, found in flags(database).items() if "late_fact" in found] == ["071000Z"]
    assert list(flags(database)) == ["071000Z", "102000Z", "134000Z"]


def test_a_row_lies_where_its_session_does_once_a_late_start_moved_it(database: str) -> None:
    version = declare_fleet(database)
    write_log(database, [*everywhere(version, -1), *charge(10, 1000), *charge(120, 3000)])
    work(database)
    moved = event201("CS-NEW-1", 119.5, "Started", "R", 0, 3000, token="FLEET1", received=200)
    write_log(database, [moved])
    work(database)

    [row] = rows(
        database,
        'SELECT facts_from, ("window" ->> 2)::timestamptz FROM session'
        " WHERE session_id LIKE '%090000Z'",
    )
    assert row == (at(119.5), at(119.5))
    assert decided(database) == ["rated", "rated", "corrected"]


def test_a_policy_that_begins_to_hold_and_waits_less_holds_at_the_next_tick(database: str) -> None:
    declare_fleet(database)
    change = Change(kind=Kind.POLICY, key=POLICY_KEY, entity=Policy(wait_s=600), valid_from=at(100))
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SET search_path = books, inputs, persons")
        version = declare(connection, [change], by="test", at=at(-2))
    gap = [
        event201("CS-NEW-1", 60, "Started", "R", 0, 1000, token="FLEET1"),
        event201("CS-NEW-1", 70, "Ended", "R", 2, 3000),
    ]
    lines = [*everywhere(version, -1), *gap, *tick(90), *tick(101), *tick(200)]
    write_log(database, lines, lines_a_record=1)
    work(database)

    assert rows(database, "SELECT kind, decided_at FROM session_decision") == [("held", at(101))]


def test_a_reading_is_of_the_session_that_began_last_before_it(database: str) -> None:
    version = declare_fleet(database)
    lines = [
        event201("CS-NEW-1", 10, "Started", "R", 0, 1000, token="FLEET1"),
        event201("CS-NEW-1", 100, "Started", "R", 0, 3000, token="FLEET1"),
        event201("CS-NEW-1", 120, "Updated", "R", 1, 3500),
    ]
    write_log(database, [*everywhere(version, -1), *lines], lines_a_record=1)
    work(database)

    heard = rows(database, "SELECT last_fact_at FROM session ORDER BY session_id")
    assert [moment.replace(second=0) for (moment,) in heard] == [at(10), at(120)]


def test_a_group_ends_with_the_start_that_crowds_a_station(database: str) -> None:
    version = declare_fleet(database)
    sessions = [each for n in range(CROWD + 1) for each in charge(60 * n, 1000 + 2000 * n)]
    write_log(database, [*everywhere(version, -1), *sessions], lines_a_record=1)
    partition = partition_of("CS-NEW-1", partitions=PARTITIONS)
    with new_worker(database, partitions=[partition], group_seconds=600.0) as worker:
        done = [worker.run_once() for _ in range(3)]

    # The marker, the sessions before and the start itself; then its stop and the last session.
    assert done == [2 * CROWD, 3, 0]
    assert decided(database) == ["rated"] * (CROWD + 1)
