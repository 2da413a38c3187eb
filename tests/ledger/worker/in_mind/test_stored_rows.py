"""Rows of sessions come back from the database as they were written, and only those asked for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

from ledger.database import connect
from ledger.facts.flags import Flag
from ledger.sessions.states import SessionState
from ledger.worker.session_rows import SessionRow, WaitsSince
from ledger.worker.station_memory import StationMemory
from ledger.worker.stored.session_store import (
    load_around,
    load_beside,
    load_sessions,
    load_since,
    load_watched,
    store_rows,
    store_validations,
)
from tests.charging_day import at
from tests.ledger.worker.in_mind.rows_of_sessions import row

SECOND = timedelta(seconds=1)
OPEN, WAITING, HELD = SessionState.OPEN, SessionState.WAITING, SessionState.HELD


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(database) as connection:
        yield connection


def every_id(connection: psycopg.Connection[Any]) -> list[str]:
    found = connection.execute("SELECT session_id FROM session ORDER BY 1").fetchall()
    return [session_id for (session_id,) in found]


def names(rows: list[SessionRow]) -> list[str]:
    return sorted(each.session_id.removeprefix("ST-1/") for each in rows)


def test_a_row_comes_back_as_it_was_written_last(connection: psycopg.Connection[Any]) -> None:
    plain, moved = row("A"), row("B", facts_from=at(0), flags=[Flag.SEQ_GAP])
    assert moved.lies is not None
    moved.window = replace(moved.lies, starts_at=at(-5))

    store_rows(connection, [row("A", OPEN, ends=None), moved], [])
    store_rows(connection, [plain], [])

    found = {each.session_id: each for each in load_sessions(connection, ["ST-1/A", "ST-1/B"])}
    assert found == {"ST-1/A": plain, "ST-1/B": moved}
    assert load_sessions(connection, ["ST-1/C"]) == []


def test_what_is_gone_is_deleted_and_nothing_else(connection: psycopg.Connection[Any]) -> None:
    store_rows(connection, [row("A"), row("B"), row("C")], [])

    store_rows(connection, [], [])
    assert every_id(connection) == ["ST-1/A", "ST-1/B", "ST-1/C"]
    store_rows(connection, [], ["ST-1/B"])
    assert every_id(connection) == ["ST-1/A", "ST-1/C"]
    store_rows(connection, [row("D")], ["ST-1/A"])
    assert every_id(connection) == ["ST-1/C", "ST-1/D"]


def test_around_a_session_lie_those_heard_of_until_the_next_day(
    connection: psycopg.Connection[Any],
) -> None:
    asked = row("A", heard=(0, 30))
    day = 24 * 60
    store_rows(
        connection,
        [
            asked,
            row("before", heard=(-30, -1 / 60)),
            row("until", heard=(-30, 0)),
            row("next", heard=(30 + day, 40 + day)),
            row("later", heard=(30 + day + 1 / 60, 40 + day)),
            row("elsewhere", station_id="ST-2"),
        ],
        [],
    )

    assert names(load_around(connection, asked)) == ["A", "next", "until"]


def test_beside_a_session_lie_those_that_began_at_its_place_before_its_end(
    connection: psycopg.Connection[Any],
) -> None:
    rows = [row(f"{minute:02}", begins=minute) for minute in range(12)]
    others = [row("two", evse_id=2), row("seven", evse_id=None, connector_id=7)]
    gone = row("gone", SessionState.REPLACED, begins=5)
    store_rows(connection, [*rows, *others, gone], [])

    assert names(load_beside(connection, "ST-1", 1, at(11))) == [f"{n:02}" for n in range(1, 11)]
    assert names(load_beside(connection, "ST-1", 7, at(11))) == ["seven"]
    assert load_beside(connection, "ST-1", 1, at(0)) == []


@pytest.mark.parametrize(
    ("asked_at", "expected"),
    [
        (at(200), ["3"]),
        (at(200) - SECOND, ["2", "3"]),
        (at(100), ["2", "3"]),
        (at(100) - SECOND, ["1", "2", "3"]),
    ],
)
def test_of_an_id_those_come_back_that_a_date_concerns(
    connection: psycopg.Connection[Any],
    asked_at: datetime,
    expected: list[str],
) -> None:
    rows = [
        row("R", session_id="ST-1/1"),
        row("R", session_id="ST-1/2", begins=100, facts_from=at(100)),
        row("R", session_id="ST-1/3", begins=200, facts_from=at(200)),
        row("R", SessionState.REPLACED, session_id="ST-1/4", begins=150, facts_from=at(150)),
        row("other"),
    ]
    store_rows(connection, rows, [])

    found = names(load_since(connection, {("ST-1", "R"): asked_at, ("ST-9", "R"): at(0)}))

    assert [name for name in found if name != "4"] == expected


def test_stations_with_unfinished_sessions_are_known_by_partition_with_since_when_those_wait(
    connection: psycopg.Connection[Any],
) -> None:
    rows = [
        row("A", OPEN, station_id="ST-1", heard=(0, 5), heard_at=at(90)),
        row("B", OPEN, station_id="ST-1", heard=(0, 3), heard_at=at(90)),
        row("L", OPEN, station_id="ST-1", heard=(0, 7), flags=[Flag.STOP_LOST], heard_at=at(90)),
        row("C", WAITING, station_id="ST-2", heard=(0, 4), heard_at=at(80)),
        row("D", WAITING, station_id="ST-2", heard=(0, 6), heard_at=at(80)),
        row("E", HELD, station_id="ST-3"),
        row("F", OPEN, station_id="ST-4", partition=1),
    ]
    store_rows(connection, rows, [])

    found = load_watched(connection, 0)

    # What a station in mind says of itself.
    memory = StationMemory()
    memory.absorb(rows[:3], at(0))
    assert found == {"ST-1": memory.waits_since, "ST-2": WaitsSince(None, at(4))}
    assert memory.waits_since == WaitsSince(at(90), at(7))
    assert list(load_watched(connection, 1)) == ["ST-4"]


def test_who_validated_is_written(connection: psycopg.Connection[Any]) -> None:
    store_validations(connection, [])
    validated = (0, 4, 2, "ST-1/A", "ST-1", "STAMP", "desk", at(3))
    store_validations(connection, [validated])

    found = connection.execute(
        "SELECT partition, position, line, session_id, station_id, code, validated_by,"
        " validated_at FROM validation"
    ).fetchall()
    assert found == [validated]
