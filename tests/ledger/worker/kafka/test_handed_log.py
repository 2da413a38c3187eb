"""What was handed over is answered by position; what was not kept is read from the store."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.log.event_log import Record
from ledger.worker.kafka import handed_log
from ledger.worker.kafka.handed_log import HandedLog


def record(position: int, *, lines: int = 1, partition: int = 0) -> Record:
    return Record(partition, position, b"\n".join([b"%d" % position] * lines))


class Store:
    """A log of *count* records in partition 0, which notes what it was asked."""

    def __init__(self, count: int) -> None:
        self.records = [record(position) for position in range(count)]
        self.asked: list[tuple[int, int]] = []

    def read(
        self, partition: int, start: int, *, records: int, lines: int | None = None
    ) -> Sequence[Record]:
        assert partition == 0
        self.asked.append((start, records))
        return self.records[start : start + min(records, lines or records)]

    def wait(self, seconds: float) -> None:
        raise AssertionError(seconds)


def test_nothing_is_there_before_it_was_handed_over() -> None:
    store = Store(9)
    handed = HandedLog(store)
    handed.begin({0: 4})

    assert handed.read(0, 4, records=10) == []
    assert store.asked == []


def test_what_was_handed_over_is_read_without_the_store() -> None:
    store = Store(9)
    handed = HandedLog(store)
    handed.begin({0: 4})
    for position in (4, 5, 6):
        handed.hand(record(position))

    assert handed.read(0, 4, records=2) == [record(4), record(5)]
    assert handed.read(0, 4, records=9) == [record(4), record(5), record(6)]
    assert handed.read(0, 6, records=9) == [record(6)]
    assert handed.read(0, 7, records=9) == []
    assert store.asked == []


def test_a_read_ends_with_the_record_that_reaches_the_lines() -> None:
    handed = HandedLog(Store(0))
    handed.begin({0: 0})
    for position, lines in enumerate((3, 2, 1)):
        handed.hand(record(position, lines=lines))

    assert [len(handed.read(0, 0, records=9, lines=n)) for n in (1, 3, 4, 5, 6)] == [1, 1, 2, 2, 3]


def test_what_lies_behind_is_read_from_the_store_up_to_what_is_kept() -> None:
    store = Store(9)
    handed = HandedLog(store)
    handed.begin({0: 5})
    handed.hand(record(5))
    handed.hand(record(6))
    handed.read(0, 6, records=1)

    assert handed.read(0, 2, records=9) == [record(n) for n in (2, 3, 4, 5)]
    assert handed.read(0, 2, records=1) == [record(2)]
    assert store.asked == [(2, 4), (2, 1)]


def test_a_gap_is_read_from_the_store() -> None:
    store = Store(9)
    handed = HandedLog(store)
    handed.begin({0: 2})
    handed.hand(record(5))

    assert handed.read(0, 2, records=9) == [record(n) for n in (2, 3, 4)]
    assert handed.read(0, 5, records=9) == [record(5)]


def test_what_comes_again_changes_nothing() -> None:
    handed = HandedLog(Store(9))
    handed.begin({0: 2})
    for position in (2, 3, 2, 3, 4):
        handed.hand(record(position))

    assert handed.read(0, 2, records=9) == [record(n) for n in (2, 3, 4)]


def test_what_is_too_much_to_keep_is_read_in_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handed_log, "KEPT_BYTES_MAX", 3)
    store = Store(9)
    handed = HandedLog(store)
    handed.begin({0: 0})
    for position in range(8):
        handed.hand(record(position))

    assert handed.read(0, 0, records=9) == [record(n) for n in range(3)]
    assert handed.read(0, 3, records=9) == [record(n) for n in range(3, 8)]
    assert store.asked == [(3, 5)]


def test_a_partition_that_is_not_ours_is_not_kept() -> None:
    handed = HandedLog(Store(9))
    handed.begin({0: 0})
    handed.hand(record(0, partition=1))

    assert handed.read(1, 0, records=9) == []


def test_what_need_not_be_handed_over_is_read_from_the_store_as_far_as_was_said() -> None:
    store = Store(12)
    handed = HandedLog(store)
    handed.begin({0: 0})
    handed.hand(record(0))

    handed.reach({0: 9, 1: 9})
    handed.reach({0: 5})

    assert handed.read(0, 0, records=20) == [record(0)]
    assert handed.read(0, 1, records=20) == [record(n) for n in range(1, 9)]
    assert handed.read(0, 9, records=20) == []
    assert handed.read(1, 0, records=20) == []
    assert store.asked == [(1, 8)]


def test_only_what_lies_at_the_end_or_beyond_is_lacking() -> None:
    handed = HandedLog(Store(9))
    handed.begin({0: 3})
    handed.reach({0: 6})

    assert [handed.lacks(0, position) for position in (5, 6)] == [False, True]
    assert not handed.lacks(1, 6)


def test_a_partition_is_stalled_of_which_nothing_comes_though_the_log_has_more() -> None:
    handed = HandedLog(Store(9))
    handed.begin({0: 3, 1: 5})
    ends = {0: 6, 1: 5, 2: 9}

    assert handed.stalled(ends) == {}  # nobody knows yet whether any comes
    assert handed.stalled(ends) == {0: 6}
    handed.hand(record(3))
    assert handed.stalled(ends) == {}
    handed.hand(record(4))
    assert handed.stalled(ends) == {}
    assert handed.stalled(ends) == {0: 6}
    handed.reach({0: 6})
    assert handed.stalled(ends) == {}
    assert handed.stalled(ends | {0: 7}) == {0: 7}
    for _ in range(2):  # of one that is just ours nobody knows yet either
        handed.begin({0: 3})
        assert handed.stalled(ends) == {}
        assert handed.stalled(ends) == {0: 6}


@given(
    st.lists(st.integers(0, 11), max_size=40),
    st.integers(0, 12),
    st.lists(st.integers(1, 5), min_size=1, max_size=20),
    st.lists(st.integers(0, 12), min_size=1, max_size=20),
)
def test_however_records_come_a_reader_takes_each_once_and_in_order(
    coming: list[int], begins: int, pages: list[int], reaches: list[int]
) -> None:
    store = Store(12)
    handed = HandedLog(store)
    handed.begin({0: begins})
    at, taken = begins, []
    for index, position in enumerate(coming):
        handed.reach({0: reaches[index % len(reaches)]})
        handed.hand(record(position))
        for found in handed.read(0, at, records=pages[index % len(pages)]):
            taken.append(found.position)
            at = found.position + 1
    while found_now := handed.read(0, at, records=pages[0]):
        taken += [found.position for found in found_now]
        at = taken[-1] + 1

    said = [reaches[index % len(reaches)] for index in range(len(coming))]
    reached = max([begins, *(position + 1 for position in coming), *said])
    assert taken == list(range(begins, reached))
