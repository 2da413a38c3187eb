"""Which reading holds at the start and at the stop, where they contradict each other."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ledger.facts.flags import Flag
from ledger.meter.anchors import choose_start, choose_stop
from tests.ledger.meter.readings import LIMIT, Told, measured, outcome, reading, readings
from tests.station_story import at

DIFFER, REFUTED = Flag.START_READINGS_DIFFER, Flag.OTHER_READING_REFUTED
IMPLAUSIBLE, BELOW = Flag.METER_START_IMPLAUSIBLE, Flag.METER_STOP_BELOW_START


@pytest.mark.parametrize(
    ("told", "later", "value", "flags"),
    [
        ([1000], [(30, 3000), (60, 6000)], 1000, set()),
        ([], [(30, 3000), (60, 6000)], None, set()),
        ([1000], [], 1000, set()),
        # 22 kW bring 816.67 Wh in the first minute
        ([1000], [(1, 1816), (30, 3000)], 1000, set()),
        ([1000], [(1, 1817), (30, 3000)], None, {IMPLAUSIBLE}),
        ([1000], [(2, 2220), (30, 3000)], 1000, set()),
        ([0], [(1, 10_100), (30, 11_050), (60, 12_000)], None, {IMPLAUSIBLE}),
        # one reading alone refutes nothing, and no more does one that the next takes back
        ([0], [(1, 10_100)], 0, set()),
        ([0], [(1, 10_100), (30, 9000)], 0, set()),
        ([0], [(1, 10_100), (30, 90_000)], 0, set()),
        ([0], [(1, 10_100), (30, 11_050), (60, 10_090)], None, {IMPLAUSIBLE}),
        ([0], [(1, 10_100), (30, 11_050), (60, 10_089)], 0, set()),
        # two that say the same, or not
        ([1000, 1010], [(30, 3000), (60, 6000)], 1000, set()),
        ([1000, 1011], [(30, 3000), (60, 6000)], 1000, {DIFFER}),
        ([0, 10_000], [(1, 10_100), (30, 11_050)], 10_000, {REFUTED}),
        ([10_000, 0], [(1, 10_100), (30, 11_050)], 10_000, {REFUTED}),
        ([0, 1], [(1, 10_100), (30, 11_050)], None, {IMPLAUSIBLE}),
        ([50_000, 1000], [(30, 3000), (60, 6000)], 1000, {REFUTED}),
        ([6011, 1000], [(30, 3000), (60, 6000)], 1000, {REFUTED}),
        ([6010, 1000], [(30, 3000), (60, 6000)], 6010, {DIFFER}),
        ([50_000], [(30, 3000), (60, 6000)], 50_000, set()),
        ([50_000, 51_000], [(30, 3000), (60, 6000)], 50_000, {DIFFER}),
    ],
)
def test_the_first_start_that_the_next_readings_do_not_refute_holds(
    told: list[int], later: list[Told], value: int | None, flags: set[Flag]
) -> None:
    starts = [reading(0, each) for each in told]
    chosen = choose_start(starts, readings(*later), at(0), LIMIT)

    assert (chosen.reading, set(chosen.flags)) == (
        None if value is None else reading(0, value),
        flags,
    )


def test_a_begin_told_later_is_held_against_what_follows_as_of_the_start() -> None:
    begin = reading(29, 10_000)
    later = readings((30, 22_000), (40, 23_000))

    assert choose_start([begin], later, at(0), LIMIT).reading == begin
    assert choose_start([begin], later, at(29), LIMIT).reading is None


@pytest.mark.parametrize(
    ("told", "last", "value", "flags"),
    [
        ([6000], (30, 3000), 6000, set()),
        ([], (30, 3000), None, set()),
        ([6000, 6010], (30, 3000), 6000, set()),
        ([6000, 6011], (30, 3000), 6000, {Flag.STOP_READINGS_DIFFER}),
        ([6011, 6000], None, 6011, {Flag.STOP_READINGS_DIFFER}),
        # below the start
        ([0, 6000], (30, 3000), 6000, {BELOW}),
        ([999, 6000], None, 6000, {BELOW}),
        ([1000, 6000], None, 1000, {Flag.STOP_READINGS_DIFFER}),
        ([6000, 0], None, 6000, {BELOW}),
        ([0, 500], None, 0, {Flag.STOP_READINGS_DIFFER}),
        # below the last sample, or farther above it than power can bring
        ([2989, 6000], (30, 3000), 6000, {REFUTED}),
        ([2990, 6000], (30, 3000), 2990, {Flag.STOP_READINGS_DIFFER}),
        ([3817, 3100], (59, 3000), 3100, {REFUTED}),
        ([3816, 3100], (59, 3000), 3816, {Flag.STOP_READINGS_DIFFER}),
        ([4220, 3100], (58, 3000), 4220, {Flag.STOP_READINGS_DIFFER}),
        ([90_000, 95_000], (59, 3000), 90_000, {Flag.STOP_READINGS_DIFFER}),
        ([90_000, 500], (59, 3000), 90_000, {BELOW}),
    ],
)
def test_the_first_stop_that_start_and_last_sample_do_not_refute_holds(
    told: list[int], last: Told | None, value: int | None, flags: set[Flag]
) -> None:
    stops = [reading(60, each) for each in told]
    sample = None if last is None else reading(*last)
    chosen = choose_stop(stops, reading(0, 1000), sample, at(60), LIMIT)

    assert (chosen.reading, set(chosen.flags)) == (
        None if value is None else reading(60, value),
        flags,
    )


def test_of_several_ends_the_last_one_is_at_the_end() -> None:
    told = measured(1000, [(30, 3000)], None, ends=[(58, 5990), (60, 6000)])

    assert outcome(told) == (5000, frozenset())


def test_a_reading_that_start_or_stop_repeat_is_one_reading() -> None:
    told = measured(1000, [], 6000, begins=[(0, 1000)], ends=[(60, 6000)])

    assert outcome(told) == (5000, frozenset())
    assert told.dropped | told.refused_starts | told.refused_stops == frozenset()


def test_a_reading_that_was_not_used_is_dropped_or_refused_as_it_came() -> None:
    told = measured(
        1000, [(20, 2000), (30, 0), (40, 4000)], 6000, begins=[(0, 1005)], ends=[(60, 6005)]
    )

    assert told.dropped == {reading(30, 0)}
    assert told.refused_starts == {reading(0, 1005)}
    assert told.refused_stops == {reading(60, 6005)}
    assert told.energy_wh == Decimal(5000)


def test_what_a_frame_says_of_the_start_and_again_in_between_is_dropped_as_the_latter() -> None:
    told = measured(None, [(30, 2000), (40, 1000), (50, 2500)], None, begins=[(40, 1000)])

    assert told.dropped == {reading(40, 1000)}
    assert not told.refused_starts
    assert told.energy_wh == Decimal(1500)


def test_of_several_stops_without_a_start_one_stands_for_the_register() -> None:
    told = measured(None, [], 5, ends=[(58, 67_000), (60, 67_063)])

    assert told.energy_wh is None
    assert told.refused_stops == {reading(58, 67_000), reading(60, 67_063)}
