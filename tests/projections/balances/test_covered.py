"""Parts of a register that several have: counted once."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.balances.covered import CoveredRegister, RegisterStretch

Ends = tuple[int, int]


def _stretch(ends: Ends) -> RegisterStretch:
    return RegisterStretch(Decimal(min(ends)), Decimal(max(ends)))


@pytest.mark.parametrize(
    ("wanted", "covered"),
    [
        ((0, 10), 0),
        ((0, 11), 1),
        ((15, 16), 1),
        ((19, 30), 1),
        ((20, 30), 0),
        ((0, 100), 20),
        ((19, 51), 2),
    ],
)
def test_what_is_covered_already_is_told_to_the_wh(wanted: Ends, covered: int) -> None:
    register = CoveredRegister()
    register.cover([_stretch((10, 20)), _stretch((50, 60))])

    assert register.cover([_stretch(wanted)]) == [covered]


def test_what_is_covered_together_is_held_against_what_was_covered_before() -> None:
    register = CoveredRegister()
    register.cover([_stretch((10, 20))])

    found = register.cover([_stretch(ends) for ends in [(5, 12), (5, 12), (18, 30), (20, 25)]])

    assert found == [2, 2, 2, 0]
    assert register.cover([_stretch((0, 40))]) == [25]


@pytest.mark.parametrize(
    ("value", "is_within"), [(10, False), (11, True), (20, False), (29, True), (30, False)]
)
def test_the_end_of_a_stretch_is_not_within_it(value: int, *, is_within: bool) -> None:
    register = CoveredRegister()
    register.cover([_stretch((10, 20)), _stretch((20, 30))])

    assert register.is_within(Decimal(value)) is is_within


ENDS = st.tuples(st.integers(0, 30), st.integers(0, 30))


@given(st.lists(st.lists(ENDS)))
def test_stretches_may_overlap_in_any_way(told: list[list[Ends]]) -> None:
    register = CoveredRegister()
    parts: set[int] = set()
    for together in told:
        wanted = [set(range(min(ends), max(ends))) for ends in together]

        found = register.cover([_stretch(ends) for ends in together])

        assert found == [len(parts & each) for each in wanted]
        parts = parts.union(*wanted)
