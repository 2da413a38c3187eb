"""What is read back of stations: of each its own, asked once a station however many sessions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import psycopg
import pytest

from ledger.database import connect
from ledger.sessions.states import UNFINISHED
from ledger.worker.stored.session_store import OF_STATIONS, load_stations

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
HOURS = 400
LATE = FIRST + timedelta(hours=HOURS - 3)
# An hour each, one after the other; the last is open, and at the second station one of long ago.
_FILL: LiteralString = """
INSERT INTO session (session_id, partition, station_id, transaction_ref, state, flags, blockers,
    reasons, started_at, first_fact_at, last_fact_at, heard_at)
SELECT station || '/' || hour, 0, station, hour::text,
    CASE WHEN hour = %(hours)s OR (station = 'CS-2' AND hour = 10) THEN 'open' ELSE 'rated' END,
    '{}', '{}', '{}', begins, begins, begins + interval '30 min', begins
FROM unnest('{CS-1,CS-2,CS-3}'::text[]) AS station, generate_series(1, %(hours)s) AS hour,
    LATERAL (SELECT %(first)s + hour * interval '1 h' AS begins) AS at
"""


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(database) as connection:
        connection.execute(_FILL, {"hours": HOURS, "first": FIRST})
        yield connection


def found(connection: psycopg.Connection[Any], *stations: str) -> dict[str, list[int]]:
    rows = load_stations(connection, stations, since=LATE)
    return {
        station: sorted(int(row.transaction_ref) for row in rows if row.station_id == station)
        for station in sorted({row.station_id for row in rows})
    }


def test_each_station_is_read_since_its_own_first_unfinished_session(
    connection: psycopg.Connection[Any],
) -> None:
    recent, older = list(range(HOURS - 3, HOURS + 1)), list(range(10, HOURS + 1))

    assert found(connection, "CS-1", "CS-2") == {"CS-1": recent, "CS-2": older}
    assert found(connection, "CS-1") == {"CS-1": recent}
    assert found(connection, "CS-4") == {}


def test_what_is_unfinished_is_asked_once_a_station(connection: psycopg.Connection[Any]) -> None:
    asked = {"stations": ["CS-1", "CS-2"], "states": list(UNFINISHED), "since": LATE}
    row = connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {OF_STATIONS}", asked).fetchone()

    assert row is not None
    plans = list(inner_plans(row[0][0]["Plan"]))
    times = [each["Actual Loops"] for each in plans if each.get("Subplan Name") != "CTE wanted"]
    assert times == [2]


def inner_plans(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "Subplan Name" in plan:
        yield plan
    for each in plan.get("Plans", ()):
        yield from inner_plans(each)
