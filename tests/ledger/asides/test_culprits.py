"""Which things raise: all of them and none else, in few tries."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.asides.culprits import culprits


class Tries:
    """Raises where one of *bad* is tried, or all of one of *together*; counts the tries."""

    def __init__(self, bad: set[int], together: Sequence[set[int]] = ()) -> None:
        self.bad, self.together, self.tried = bad, together, list[list[int]]()

    def raised(self, some: Sequence[int]) -> Exception | None:
        self.tried.append(list(some))
        for each in some:
            if each in self.bad:
                return ValueError(each)
        for pair in self.together:
            if pair <= set(some):
                return KeyError(max(pair))
        return None


@given(st.sets(st.integers(0, 40)), st.integers(0, 40))
def test_each_that_raises_is_found_in_its_order_with_what_it_raised(
    bad: set[int], count: int
) -> None:
    tries = Tries(bad)

    found = culprits(range(count), tries.raised)

    assert [(each, repr(error)) for each, error in found] == [
        (each, f"ValueError({each})") for each in sorted(bad) if each < count
    ]
    assert all(some == sorted(some) for some in tries.tried), "tried in their order"


@pytest.mark.parametrize(("pair", "culprit"), [({1, 6}, 6), ({0, 1}, 1), ({6, 7}, 7)])
def test_of_two_that_raise_only_together_it_is_the_later_one(pair: set[int], culprit: int) -> None:
    found = culprits(range(8), Tries(set(), [pair]).raised)

    assert [(each, repr(error)) for each, error in found] == [(culprit, f"KeyError({culprit})")]


def test_nothing_is_tried_where_there_is_nothing() -> None:
    tries = Tries(set())

    assert culprits([], tries.raised) == []
    assert tries.tried == []


@pytest.mark.parametrize(
    ("bad", "tries_max"),
    [
        pytest.param(set(), 1, id="none"),
        pytest.param({0}, 21, id="the first of a thousand"),
        pytest.param({999}, 21, id="the last of a thousand"),
        pytest.param(set(range(1000)), 1999, id="a thousand of a thousand"),
    ],
)
def test_few_tries_find_them(bad: set[int], tries_max: int) -> None:
    tries = Tries(bad)
    culprits(range(1000), tries.raised)

    assert len(tries.tried) <= tries_max
