"""Which events of a transaction came: gaps are seen, and memory is bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.answers.sequences import Sequences


def told(*numbers: int | None) -> Sequences:
    sequences = Sequences()
    for number in numbers:
        sequences.add("T1", number)
    return sequences


@pytest.mark.parametrize(
    ("numbers", "has_gap"),
    [
        ((), True),
        ((None,), True),
        ((0,), False),
        ((1,), True),
        ((0, 1, 2), False),
        ((0, 2), True),
        ((0, 2, 1), False),
        ((2, 1, 0, 1), False),
        (tuple(range(30_000)), False),
        ((*range(30_000), 30_001), True),
        ((0, 10**17), True),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_gap_is_a_number_below_the_highest_that_did_not_come(
    numbers: tuple[int | None, ...], *, has_gap: bool
) -> None:
    assert told(*numbers).has_gap("T1") is has_gap


@given(st.lists(st.integers(0, 999)))
def test_numbers_may_come_in_any_order_and_again(numbers: list[int]) -> None:
    missing = set(range(max(numbers, default=0))) - set(numbers)

    assert told(*numbers).has_gap("T1") is bool(missing or not numbers)


def test_only_the_latest_transactions_are_known() -> None:
    sequences = Sequences()
    for number in range(17):
        sequences.add(f"T{number}", 0)

    assert [sequences.has_gap(each) for each in ("T0", "T1", "T16")] == [True, False, False]
