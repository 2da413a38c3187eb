"""Repeats: what was taken is dropped, whatever the grouping and restarts, with bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.log.event_log import Stamp
from ledger.log.repeats import PRODUCERS_MAX, LastSequences


def taken(stamps: Iterable[Stamp | None], last: LastSequences | None = None) -> list[Stamp | None]:
    last = last or LastSequences()
    return [stamp for stamp in stamps if last.takes(stamp)]


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        pytest.param([1, 2, 3], [1, 2, 3], id="in order"),
        pytest.param([1, 5, 9], [1, 5, 9], id="gaps are none of our business"),
        pytest.param([7, 7, 8, 7, 9], [7, 8, 9], id="at once and later"),
        pytest.param([1, 2, 3, 1, 2, 3, 4], [1, 2, 3, 4], id="a whole batch again"),
    ],
)
def test_what_is_there_again_is_dropped(numbers: Sequence[int], expected: Sequence[int]) -> None:
    found = taken(Stamp("a", number) for number in numbers)

    assert found == [Stamp("a", number) for number in expected]


def test_each_producer_counts_for_itself_and_what_has_no_stamp_is_always_taken() -> None:
    stamps = [Stamp("a", 5), Stamp("b", 1), None, Stamp("a", 5), None, Stamp("b", 2), Stamp("b", 1)]

    assert taken(stamps) == [Stamp("a", 5), Stamp("b", 1), None, None, Stamp("b", 2)]


def test_the_producer_heard_of_longest_ago_is_forgotten_first() -> None:
    last = LastSequences()
    taken([Stamp(str(number), 1) for number in range(PRODUCERS_MAX)], last)
    assert last.takes(Stamp("0", 2))
    assert not last.takes(Stamp("1", 1))  # the oldest now, for a repeat is no sign of life

    assert last.takes(Stamp("one more", 1))

    assert len(last.kept()) == PRODUCERS_MAX
    assert not last.takes(Stamp("0", 2))
    assert not last.takes(Stamp("2", 1))
    assert last.takes(Stamp("1", 1))


@given(
    st.lists(
        st.one_of(st.none(), st.builds(Stamp, st.sampled_from("abc"), st.integers(1, 6))),
        max_size=30,
    ),
    st.lists(st.integers(0, 30), max_size=4),
)
def test_restarts_change_nothing(stamps: list[Stamp | None], restarts: list[int]) -> None:
    last, found = LastSequences(), []
    for index, stamp in enumerate(stamps):
        if index in restarts:
            last = LastSequences(last.kept())
        found += taken([stamp], last)

    assert found == taken(stamps)
