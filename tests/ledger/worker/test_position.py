"""Where the worker stands in a partition: begun once, locked at its place, written whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from ledger.books.feed import FIRST_NUMBER
from ledger.database import connect
from ledger.log.event_log import Stamp
from ledger.log.repeats import LastSequences
from ledger.worker.position import (
    Reached,
    has_caught_up,
    load_position,
    lock_position,
    store_position,
)
from tests.charging_day import at


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(database) as connection:
        yield connection


def loaded(connection: psycopg.Connection[Any], partition: int) -> Reached:
    reached = load_position(connection, partition)
    assert reached is not None
    return reached


def test_a_partition_begins_at_its_first_record_with_the_first_number(
    connection: psycopg.Connection[Any],
) -> None:
    begun = loaded(connection, 3)

    assert begun[:5] == (3, 0, 0, FIRST_NUMBER, None)
    assert begun.sequences.kept() == LastSequences().kept()
    assert loaded(connection, 3)[:5] == begun[:5]


def test_what_is_written_is_found_again_and_no_other_partition_is_moved(
    connection: psycopg.Connection[Any],
) -> None:
    other = loaded(connection, 0)
    last = LastSequences([Stamp("a", 4), Stamp("b", 1)])
    store_position(connection, loaded(connection, 1)._replace(
        position=7, version=2, number=9, last_at=at(5), sequences=last
    ))  # fmt: skip

    found = loaded(connection, 1)

    assert found[:5] == (1, 7, 2, 9, at(5))
    assert found.sequences.kept() == last.kept()
    assert loaded(connection, 0)[:5] == other[:5]


def test_only_where_it_stands_a_position_can_be_locked(
    connection: psycopg.Connection[Any],
) -> None:
    store_position(connection, loaded(connection, 1)._replace(position=7))

    assert lock_position(connection, 1, 7)
    assert not lock_position(connection, 1, 6)
    assert not lock_position(connection, 1, 8)
    assert not lock_position(connection, 2, 0), "nobody began it"


@pytest.mark.parametrize(
    ("ends", "is_caught_up"),
    [
        ([0, 7], True),
        ([0, 6], True),
        ([0, 8], False),
        ([1, 7], False),
        ([0, 7, 0], True),
        ([0, 7, 1], False),
        ([], True),
    ],
)
def test_the_worker_has_caught_up_when_it_is_at_every_end(
    connection: psycopg.Connection[Any], ends: list[int], *, is_caught_up: bool
) -> None:
    loaded(connection, 0)
    store_position(connection, loaded(connection, 1)._replace(position=7))

    assert has_caught_up(connection, ends) is is_caught_up
