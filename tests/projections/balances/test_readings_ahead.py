"""What is yet to come of a row, and what runs at a moment, as looking through all of it says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from ledger.meter.series import RegisterReading
from projections.balances.readings_ahead import ReadingsAhead, RunningTimes

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
VALUES = st.integers(0, 12)


def _at(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


@given(st.lists(st.lists(VALUES, max_size=3)), st.lists(VALUES, min_size=1, max_size=4))
def test_the_lowest_value_ahead_is_that_of_all_later_blocks(
    told: list[list[int]], asked: list[int]
) -> None:
    blocks = [[RegisterReading(NOON, Decimal(value), 0, 0) for value in each] for each in told]
    ahead = ReadingsAhead(blocks)

    for number in range(len(told)):
        ahead.go_on()
        for value in asked:
            later = [each for block in told[number + 1 :] for each in block if each >= value]
            assert ahead.lowest_from(Decimal(value)) == min(later, default=None)


@given(st.lists(st.tuples(VALUES, VALUES)), VALUES)
def test_something_runs_from_its_beginning_to_its_end(
    told: list[tuple[int, int]], moment: int
) -> None:
    running = RunningTimes((_at(start), _at(end)) for start, end in told)

    assert running.is_at(_at(moment)) is any(start <= moment <= end for start, end in told)
