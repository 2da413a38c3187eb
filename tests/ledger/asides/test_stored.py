"""The table of what was set aside: found again by place, open until it is taken again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from ledger.asides.aside import Aside, AsideStep, LinesRaiseError
from ledger.asides.stored import (
    Taken,
    count_asides,
    listed_asides,
    open_asides,
    recorded_asides,
    stalled_stations,
    store_asides,
    store_counts,
)
from ledger.database import connect

FOLD = Aside(4, 1, "B", 6, AsideStep.FOLD, "KeyError: 1")
"""Of line 1 of record 4, found out at record 6."""
TAKE = Aside(6, 0, "A", 6, AsideStep.TAKE, "ValueError: no")
STALLED = Aside(6, 2, "C", 6, AsideStep.TIME_OUT, "ValueError: no")


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(database) as connection:
        store_asides(connection, 1, [STALLED, TAKE, FOLD], [])
        yield connection


def test_a_replay_gets_them_by_the_record_that_sets_them_aside(
    connection: psycopg.Connection[Any],
) -> None:
    later = Aside(9, 0, "A", 9, AsideStep.READ, "the line is none of ours")
    store_asides(connection, 1, [later], [Taken(6, 0, "A", 8)])

    assert recorded_asides(connection, 1, schema="books") == {6: [FOLD, TAKE, STALLED], 9: [later]}
    assert recorded_asides(connection, 0, schema="books") == {}


def test_what_is_taken_again_is_open_no_more_and_nothing_else_is_closed(
    connection: psycopg.Connection[Any],
) -> None:
    assert open_asides(connection, 1, 6, 0) == [("A", AsideStep.TAKE)]
    assert open_asides(connection, 0, 6, 0) == []
    assert stalled_stations(connection, 1) == {"C"}
    assert stalled_stations(connection, 0) == set()

    # The line of another station, another line, another record: these are not what is open.
    nothing = [Taken(6, 0, "B", 7), Taken(6, 1, "A", 7), Taken(5, 0, "A", 7)]
    store_asides(connection, 1, [], nothing)
    assert count_asides(connection) == 3

    store_asides(connection, 1, [], [Taken(6, 0, "A", 7), Taken(6, 2, "C", 8)])

    assert open_asides(connection, 1, 6, 0) == []
    assert stalled_stations(connection, 1) == set()
    assert [(each.station_id, each.taken_at) for each in listed_asides(connection)] == [("B", None)]
    assert [
        (each.station_id, each.taken_at) for each in listed_asides(connection, is_all=True)
    ] == [("B", None), ("A", 7), ("C", 8)]
    assert count_asides(connection) == 1


def test_what_is_taken_again_and_raises_once_more_is_open_anew(
    connection: psycopg.Connection[Any],
) -> None:
    again = TAKE._replace(at=8, why="ValueError: still")
    store_asides(connection, 1, [again], [Taken(6, 0, "A", 8)])

    assert [
        (each.set_aside_at, each.taken_at, each.why)
        for each in listed_asides(connection, station_id="A", is_all=True)
    ] == [(6, 8, "ValueError: no"), (8, None, "ValueError: still")]


def test_they_are_listed_in_their_order_for_one_station_and_as_many_as_asked(
    connection: psycopg.Connection[Any],
) -> None:
    store_asides(connection, 0, [TAKE], [])

    def places(**options: Any) -> list[tuple[int, int, int, str]]:  # noqa: ANN401 - handed on
        found = listed_asides(connection, **options)
        return [(each.partition, each.position, each.line, each.station_id) for each in found]

    assert places() == [(0, 6, 0, "A"), (1, 4, 1, "B"), (1, 6, 0, "A"), (1, 6, 2, "C")]
    assert places(limit=2) == [(0, 6, 0, "A"), (1, 4, 1, "B")]
    assert places(station_id="A") == [(0, 6, 0, "A"), (1, 6, 0, "A")]
    assert places(station_id="") == []


def test_lines_that_say_nothing_are_counted_on(connection: psycopg.Connection[Any]) -> None:
    def counted() -> list[tuple[Any, ...]]:
        query = "SELECT partition, station_id, reason, lines FROM set_aside ORDER BY 1, 2, 3"
        return connection.execute(query).fetchall()

    store_counts(connection, 1, Counter())
    assert counted() == []
    store_counts(connection, 1, Counter({("A", "not_taken"): 2, ("A", "not_folded"): 1}))
    store_counts(connection, 1, Counter({("A", "not_taken"): 3}))
    store_counts(connection, 0, Counter({("A", "not_taken"): 4}))

    assert counted() == [
        (0, "A", "not_taken", 4),
        (1, "A", "not_folded", 1),
        (1, "A", "not_taken", 5),
    ]


def test_lines_that_raise_say_how_many_where_and_why() -> None:
    error = LinesRaiseError(6, [FOLD, TAKE])

    assert str(error) == "2 lines raise at record 6: KeyError: 1"
    assert (error.at, error.asides) == (6, (FOLD, TAKE))
