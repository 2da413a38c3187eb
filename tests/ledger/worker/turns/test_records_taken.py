"""How many records a group takes, and what becomes of those that there is no time for."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from ledger.log.envelope import TakeAgain
from ledger.worker.entries import EntryReader
from tests.charging_day import Timed, at, status16
from tests.ledger.worker.judged.one_partition import Calls, OnePartition, one_partition

A = "CS-OLD-1"


@pytest.fixture
def one(database: str) -> Iterator[OnePartition]:
    with one_partition(database) as one:
        yield one


def again(minute: float, position: int = 0) -> Timed:
    line = TakeAgain(received_at=at(minute), station=A, position=position, line=0, by="ann")
    return line.received_at, A, line


def test_a_record_that_takes_again_is_taken_alone(one: OnePartition) -> None:
    records = [
        one.record(line)
        for line in (status16(A, 1, "Available"), again(2), again(3), status16(A, 4, "Available"))
    ]
    reached = []
    while one.worker.next_position < 4:
        one.worker.take(records[one.worker.next_position :], lambda: True)
        reached.append(one.worker.next_position)

    assert reached == [1, 2, 3, 4]
    assert one.worker.lines_done == 4


def test_without_time_one_record_is_taken(one: OnePartition) -> None:
    records = [one.record(status16(A, n, "Available")) for n in range(3)]

    one.worker.take(records, lambda: False)
    assert (one.worker.next_position, one.worker.lines_done) == (1, 1)
    one.worker.take(records[1:], lambda: True)
    assert (one.worker.next_position, one.worker.lines_done) == (3, 3)


def test_what_there_was_no_time_for_is_not_read_again(
    one: OnePartition, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four records are read once; what takes a line again in its turn, too, with all before it."""
    calls = Calls(partial(EntryReader.read, one.worker._reader))  # noqa: SLF001 - it is counted
    monkeypatch.setattr(EntryReader, "read", calls)
    lines = [*(status16(A, n, "Available") for n in range(4)), again(5, 9)]
    records = [one.record(line) for line in lines]
    while (position := one.worker.next_position) < len(records):
        one.worker.take(records[position:], lambda: False)
        one.worker.store()

    assert calls.count == 4 + 5
    assert one.worker.lines_done == len(records)


def test_what_lies_beyond_a_smaller_group_is_not_read_again_either(
    one: OnePartition, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who did one record of a hundred is given one at a time: the other 99 are there already."""
    calls = Calls(partial(EntryReader.read, one.worker._reader))  # noqa: SLF001 - it is counted
    monkeypatch.setattr(EntryReader, "read", calls)
    records = [one.record(status16(A, n, "Available")) for n in range(100)]
    ahead = []
    one.worker.take(records, lambda: False)
    while (position := one.worker.next_position) < len(records):
        ahead.append(len(one.worker._ahead))  # noqa: SLF001 - and what is kept
        one.worker.take(records[position : position + 1], lambda: True)
        one.worker.store()

    assert calls.count == len(records)
    assert ahead == [*range(99, 0, -1)]
    assert one.worker.lines_done == len(records)
