"""The shelf says what the log says, whatever of it is stored already."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from ledger.database import connect
from ledger.facts.station_facts import SessionUpdated
from ledger.worker.fact_shelf import FactShelf
from tests.charging_day import at

A_BIT = timedelta(microseconds=1)
KEY, OTHER = ("ST-1", "A"), ("ST-1", "B")


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(database) as connection:
        yield connection


def fact(position: int, minute: float, line: int = 0, *, of: str = "A") -> SessionUpdated:
    return SessionUpdated(
        station_id="ST-1",
        position=position,
        line=line,
        received_at=at(minute),
        transaction_ref=of,
        evse_id=1,
        connector_id=1,
        occurred_at=at(minute),
        readings=(),
    )


def stored(connection: psycopg.Connection[Any], *groups: list[SessionUpdated]) -> FactShelf:
    """Return a shelf that stored each of *groups* in a transaction of its own."""
    shelf = FactShelf(connection, 0)
    for group in groups:
        put(shelf, *group)
        shelf.store()
    return shelf


def put(shelf: FactShelf, *facts: SessionUpdated) -> None:
    for each in facts:
        shelf.new["ST-1", each.transaction_ref or ""].append(each)


def places(shelf: FactShelf, since: datetime, key: tuple[str, str] = KEY) -> list[int]:
    return [each.position for each in shelf.facts(key, since)]


def table(connection: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    query = "SELECT transaction_ref, position, received_until FROM fact ORDER BY 2, 1"
    return connection.execute(query).fetchall()


def test_stored_and_new_facts_come_in_the_order_of_the_log(
    connection: psycopg.Connection[Any],
) -> None:
    shelf = stored(connection, [fact(1, 10), fact(1, 10, 1), fact(2, 12, of="B")], [fact(5, 20)])
    put(shelf, fact(7, 30))

    assert places(shelf, at(0)) == [1, 1, 5, 7]
    assert places(shelf, at(0), OTHER) == [2]
    assert places(shelf, at(0), ("ST-2", "A")) == []
    assert table(connection) == [("A", 1, at(10)), ("B", 2, at(12)), ("A", 5, at(20))]


def test_facts_come_from_the_moment_on_that_is_asked_for(
    connection: psycopg.Connection[Any],
) -> None:
    shelf = stored(connection, [fact(1, 10), fact(2, 20)], [fact(5, 15)])

    assert places(shelf, at(20)) == [2]
    assert places(shelf, at(20) + A_BIT) == []
    # One that asks further back finds what was not read before, and only once.
    assert places(shelf, at(15)) == [2, 5]
    assert places(shelf, at(10)) == [1, 2, 5]
    assert places(shelf, at(15)) == [2, 5]


def test_what_was_read_is_not_read_again(connection: psycopg.Connection[Any]) -> None:
    shelf = stored(connection, [fact(1, 10)])
    assert places(shelf, at(10)) == [1]
    connection.execute("DELETE FROM fact")

    assert places(shelf, at(10)) == [1]
    assert places(shelf, at(11)) == []
    assert places(shelf, at(9)) == [], "that much was not read"


def test_after_it_was_stored_it_is_read_anew(connection: psycopg.Connection[Any]) -> None:
    shelf = stored(connection)
    put(shelf, fact(1, 10))
    assert places(shelf, at(0)) == [1]
    shelf.store()
    assert shelf.new == {}
    assert places(shelf, at(0)) == [1]
    shelf.store()

    assert table(connection) == [("A", 1, at(10))], "nothing is stored twice"


def test_a_record_brings_its_own_facts_and_those_that_it_takes_again(
    connection: psycopg.Connection[Any],
) -> None:
    shelf = stored(connection)
    facts = [fact(1, 10), fact(1, 10, 1), fact(7, 30)]

    assert shelf.brought(facts, 7) == facts[2:]
    shelf.again = {(1, 1)}
    assert shelf.brought(facts, 7) == facts[1:]
    assert shelf.brought(facts, 8) == facts[1:2]


def test_a_row_stands_where_its_youngest_fact_does(connection: psycopg.Connection[Any]) -> None:
    shelf = stored(connection)
    put(shelf, fact(7, 30), fact(1, 10))
    shelf.again = {(1, 0)}
    shelf.store()

    assert table(connection) == [("A", 7, at(30))]
    assert shelf.again == set()
    assert places(shelf, at(0)) == [7, 1]


def test_what_is_taken_away_is_gone_from_shelf_and_table(
    connection: psycopg.Connection[Any],
) -> None:
    shelf = stored(
        connection,
        [fact(1, 10), fact(1, 10, of="B")],
        [fact(2, 20), fact(3, 30)],
        [fact(4, 40)],
    )
    put(shelf, fact(5, 50), fact(5, 50, 1), fact(6, 60, of="B"))
    shelf.facts(KEY, at(0))
    before = table(connection)

    shelf.remove("ST-1", {(2, 0), (4, 0), (5, 1), (6, 0)})

    assert places(shelf, at(0)) == [1, 3, 5]
    assert OTHER not in shelf.new
    assert table(connection) == [row for row in before if row[1] != 4]
    shelf.remove("ST-2", {(1, 0)})
    assert places(shelf, at(0)) == [1, 3, 5], "another station's"
    assert places(shelf, at(0), OTHER) == [1]
