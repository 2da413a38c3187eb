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

    assert register.covered_wh(_stretch(wanted)) == covered


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30))),
    st.tuples(st.integers(0, 30), st.integers(0, 30)),
)
def test_stretches_may_overlap_in_any_way(told: list[Ends], wanted: Ends) -> None:
    register = CoveredRegister()
    for ends in told:
        register.cover([_stretch(ends)])
    parts = {wh for ends in told for wh in range(min(ends), max(ends))}

    assert register.covered_wh(_stretch(wanted)) == len(
        parts & set(range(min(wanted), max(wanted)))
    )
