"""The measure of one session: every kind of odd register is right, or held with a true flag."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ledger.facts.flags import Flag
from tests.ledger.meter.readings import Told, measured, outcome, reading, readings

F = Flag
BESIDE = {F.REGISTER_OTHER_FRAME, F.ENERGY_AGAINST_READINGS}


@pytest.mark.parametrize(
    ("start", "samples", "stop", "energy", "flags"),
    [
        (1000, [(30, 3000)], 6000, 5000, set()),
        # start
        (
            0,
            [(1, 10_100), (30, 11_050)],
            12_000,
            1900,
            {F.METER_START_IMPLAUSIBLE, F.START_READING_MISSING},
        ),
        (50_001, [(20, 2001), (40, 4001)], 6001, 4000, {F.METER_RESET}),
        (None, [(5 / 60, 1000)], 6000, 5000, set()),
        (None, [(0, 1000)], 6000, 5000, set()),
        (None, [(-0.5, 990), (0, 1000)], 6000, 5000, set()),
        (None, [(-0.9, 980), (-0.5, 1000)], 6000, 5000, set()),
        (None, [(0.1, 1000)], 6000, 5000, {F.START_READING_MISSING}),
        (None, [(-1, 1000), (30, 3000)], 6000, 5000, set()),
        (None, [(-61 / 60, 1000), (30, 3000)], 6000, 3000, {F.START_READING_MISSING}),
        # stop
        (1001, [(59, 5005)], 45_007, 44_006, {F.ENERGY_IMPLAUSIBLE}),
        (1000, [(20, 3000), (40, 5000)], 4000, 3000, {F.READINGS_ABOVE_STOP}),
        (1000, [(20, 3000)], 2989, 1989, {F.READINGS_ABOVE_STOP}),
        (1000, [(20, 3000)], 2990, 1990, set()),
        (
            1000,
            [(20, 3000), (40, 5000)],
            1000,
            4000,
            {F.READINGS_ABOVE_STOP, F.METER_STOP_ESTIMATED},
        ),
        (
            1000,
            [(20, 3000), (40, 5000)],
            1010,
            4000,
            {F.READINGS_ABOVE_STOP, F.METER_STOP_ESTIMATED},
        ),
        (1000, [(20, 3000), (40, 5000)], 1011, 11, {F.READINGS_ABOVE_STOP}),
        (1000, [(20, 1010), (40, 1010)], 1000, 0, set()),
        (1000, [(20, 1011), (59.95, 1011)], 1000, 11, {F.READINGS_ABOVE_STOP}),
        (
            1000,
            [(20, 3000), (59.9, 5000)],
            0,
            4000,
            {F.METER_STOP_BELOW_START, F.METER_STOP_ESTIMATED},
        ),
        (1000, [(20, 3000), (59 + 55 / 60, 5000)], 0, 4000, {F.METER_STOP_BELOW_START}),
        (1000, [], 0, 0, {F.METER_STOP_BELOW_START, F.STOP_READING_MISSING}),
        (1000, [(60, 6000)], None, 5000, set()),
        # spikes and dips
        (1000, [(30, 9000)], 6000, 5000, {F.READINGS_ABOVE_STOP}),
        (1000, [(10, 2000), (30, 358_000), (50, 5000)], 6000, 5000, {F.READING_SPIKE_DROPPED}),
        (1000, [(10, 2000), (12, 7000), (50, 5000)], 6000, 5000, {F.READING_SPIKE_DROPPED}),
        (1000, [(10, 2000), (30, 9000), (50, 5000)], 6000, 5000, {F.READINGS_ABOVE_STOP}),
        (1000, [(40, 5999), (41, 9000)], 6000, 5000, {F.READING_SPIKE_DROPPED}),
        (1000, [(40, 6000), (41, 9000)], 6000, 5000, {F.READING_SPIKE_DROPPED}),
        (
            1000,
            [(5, 1500), (10, 0)],
            45_007,
            44_007,
            {F.READING_DIP_DROPPED, F.ENERGY_IMPLAUSIBLE},
        ),
        (1000, [(20, 3000), (30, 0), (40, 4000)], 6000, 5000, {F.READING_DIP_DROPPED}),
        (1000, [(20, 3000), (59, 0)], 6000, 5000, {F.READING_DIP_DROPPED}),
        (1000, [(10, 0), (20, 3000)], 6000, 5000, {F.REGISTER_SESSION_RELATIVE}),
        # resets
        (500_000, [(15, 502_000), (30, 0), (45, 1000)], 2000, 4000, {F.METER_RESET}),
        (1000, [(20, 3000), (30, 500), (40, 2000)], 4000, 5500, {F.METER_RESET}),
        # rollovers
        (9_998_000, [(15, 9_999_500), (30, 500)], 3000, 5000, {F.METER_ROLLOVER}),
        (9_998_000, [(15, 9_999_500)], 3000, 5000, {F.METER_ROLLOVER}),
        (9_998_000, [], 3000, 5000, {F.METER_ROLLOVER}),
        (
            9_000_000,
            [(15, 9_000_500)],
            3000,
            500,
            {F.METER_STOP_BELOW_START, F.METER_STOP_ESTIMATED},
        ),
        # other frames and units
        (
            4_076_000,
            [(15, 1000), (30, 2500), (45, 4000)],
            4_081_000,
            5000,
            {F.REGISTER_SESSION_RELATIVE},
        ),
        (4_076_000, [(15, 1000), (30, 900), (45, 4000)], 4_081_000, 5000, {F.REGISTER_OTHER_FRAME}),
        (4_076_000, [(15, 1000), (30, 1000)], 4_081_000, 5000, {F.REGISTER_SESSION_RELATIVE}),
        (4_076_000, [(45, 5010)], 4_081_000, 5000, {F.REGISTER_SESSION_RELATIVE}),
        (4_076_000, [(45, 5011)], 4_081_000, 5000, {F.REGISTER_OTHER_FRAME}),
        # a stop that says the start again
        (
            4_076_000,
            [(15, 1000), (30, 2500)],
            4_076_000,
            0,
            {F.REGISTER_OTHER_FRAME, F.ENERGY_AGAINST_READINGS},
        ),
        # another register, beside it
        (1000, [(15, 1_003_000), (30, 1_003_100)], 1033, 33, BESIDE),
        (1000, [(15, 1_003_000), (30, 1_003_099)], 1032, 32, {F.REGISTER_OTHER_FRAME}),
        (1000, [(15, 1_003_000), (30, 1_003_150)], 1050, 50, {F.REGISTER_OTHER_FRAME}),
        (1000, [(15, 1_003_000), (30, 1_003_151)], 1050, 50, BESIDE),
        (1000, [(15, 5), (30, 8)], 1000, 0, {F.REGISTER_SESSION_RELATIVE}),
        # one sample and a stop that goes on from it
        (
            4_076_000,
            [(45, 4000)],
            5000,
            0,
            {F.READING_DIP_DROPPED, F.METER_STOP_BELOW_START, F.STOP_READING_MISSING},
        ),
        (4_076_000, [(15, 1000), (30, 2500), (45, 4000)], 5000, 4000, {F.METER_RESET}),
        (
            4_076_000,
            [(15, 1000), (30, 2500), (45, 4000)],
            0,
            4000,
            {F.REGISTER_SESSION_RELATIVE, F.METER_STOP_BELOW_START, F.METER_STOP_ESTIMATED},
        ),
        (4_076_000, [(30, 88_000_000)], 4_081_000, 5000, {F.REGISTER_OTHER_FRAME}),
        (1_001_500, [(15, "1005.01")], 1_005_000, 3500, {F.UNIT_SUSPECT}),
        (100_000, [(15, 1000), (30, 2000), (45, 101_500)], 106_000, 6000, {F.READING_DIP_DROPPED}),
        (0, [(30, 358_000)], 6000, 6000, {F.READING_SPIKE_DROPPED}),
        (1_001_500, [(15, 1002), (30, 1003)], 1_005_000, 3500, {F.UNIT_SUSPECT}),
        (
            1000,
            [(10, 1001), (20, 1_002_000), (40, 1_003_000)],
            1_005_000,
            1_004_000,
            {F.ENERGY_IMPLAUSIBLE},
        ),
        (0, [(15, 1000), (30, 2500)], 5000, 5000, set()),
    ],
)
def test_a_session_is_right_or_says_what_is_wrong(
    start: int | None, samples: list[Told], stop: int | None, energy: int, flags: set[Flag]
) -> None:
    told = measured(start, samples, stop)

    assert outcome(told) == (energy, flags)


@pytest.mark.parametrize(
    ("stop", "intervals", "is_held"),
    [
        (1000, [(60, 100)], True),
        (1000, [(60, 99)], False),
        (1000, [(15, 50), (60, 50)], True),
        (1001, [(60, 5000)], False),  # it may have begun before the session
        (2000, [(15, 5000), (30, 1500), (60, 1500)], False),
        (2000, [(15, 5000), (30, 1500), (60, 1501)], True),
        (2000, [(0, 5000), (15, 10), (60, 1000), (60.1, 9000)], False),
    ],
)
def test_intervals_that_show_far_more_than_the_register_hold(
    stop: int, intervals: list[Told], *, is_held: bool
) -> None:
    told = measured(1000, [], stop, intervals=intervals)

    assert told.energy_wh == stop - 1000
    assert (F.ENERGY_AGAINST_READINGS in told.flags) == is_held


@pytest.mark.parametrize(
    ("samples", "stop", "energy", "flags"),
    [
        ([(15, 502_000), (30, 300), (45, 1000)], 2000, 4000, {F.METER_RESET}),
        ([(15, 502_000)], 2000, 4000, {F.METER_RESET}),
    ],
)
def test_a_register_that_began_again_at_a_boot_is_continued_from_it(
    samples: list[Told], stop: int, energy: int, flags: set[Flag]
) -> None:
    told = measured(500_000, samples, stop, restarts=(16,))

    assert outcome(told) == (energy, flags)


def test_a_young_register_that_began_again_at_a_boot_is_no_dip() -> None:
    told = measured(1000, [(20, 3000), (40, 500)], 4000, restarts=(21,))
    after = measured(1000, [(20, 3000), (22, 0), (25, 3100)], 6000, restarts=(21,))

    assert outcome(told) == (6000, {F.METER_RESET})
    assert outcome(after) == (5000, {F.READING_DIP_DROPPED})


@pytest.mark.parametrize(
    ("late", "unattributed"),
    [
        ([(61, 6004)], 4),
        ([(61, 6004), (62, 6007)], 7),
        ([(61, 90_000), (62, 6007)], 7),
        ([(61, 5000)], 0),
        ([(61, 90_000)], 0),
        ([(61, 6816)], 816),
        ([(61, 6817)], 0),
    ],
)
def test_what_rises_after_the_stop_is_nobodys_where_power_can_bring_it(
    late: list[Told], unattributed: int
) -> None:
    told = measured(1000, [(30, 3000), *late], 6000)

    assert told.unattributed_wh == unattributed
    assert outcome(told) == (5000, {F.POST_STOP_READINGS})


@pytest.mark.parametrize(
    ("more", "flags"),
    [
        ({"samples": [(15, 1000), (30, 900)]}, {F.READING_DIP_DROPPED}),
        ({"samples": [(15, 1500), (30, 2000)]}, set()),
    ],
)
def test_a_session_that_is_open_has_what_was_read_last(
    more: dict[str, Any], flags: set[Flag]
) -> None:
    told = measured(1000, more["samples"], None, ends_at=None)

    assert told.flags == flags
    assert told.energy_wh == told.counted[-1].reading.value_wh - 1000
    assert told.stop_wh is None


def test_nothing_is_measured_without_a_reading() -> None:
    told = measured(None, [], 6000)

    assert outcome(told) == (None, {F.START_READING_MISSING})
    assert measured(None, [], None).flags == {F.START_READING_MISSING, F.STOP_READING_MISSING}


def test_each_wh_of_the_register_is_kept_to_the_last_digit() -> None:
    told = measured("1000.0001", [(30, "3000.12345")], "6000.0002")

    assert told.energy_wh == Decimal("5000.0001")
    assert [point.energy_wh for point in told.counted] == [
        Decimal(0),
        Decimal("2000.12335"),
        Decimal("5000.0001"),
    ]


@pytest.mark.parametrize(
    ("start", "samples", "energy", "flags"),
    [
        (1000, [(30, 2000)], 1000, set()),
        (4_076_000, [(15, 1000), (30, 2500)], 2500, {F.REGISTER_SESSION_RELATIVE}),
        (9_999_900, [(15, 500), (30, 1000)], 1100, {F.METER_ROLLOVER}),
    ],
)
def test_readings_of_an_open_session_count_in_their_frame(
    start: int, samples: list[Told], energy: int, flags: set[Flag]
) -> None:
    assert outcome(measured(start, samples, None, ends_at=None)) == (energy, flags)


@pytest.mark.parametrize(
    ("samples", "stop", "flags"),
    [
        (
            [(15, 1000), (30, 2500), (45, 88_000_000)],
            4_081_000,
            {F.REGISTER_SESSION_RELATIVE, F.READING_SPIKE_DROPPED},
        ),
        (
            [(15, 1000), (30, 2500), (45, 5000)],
            500,
            {F.REGISTER_SESSION_RELATIVE, F.METER_STOP_BELOW_START, F.METER_STOP_ESTIMATED},
        ),
    ],
)
def test_readings_that_count_from_the_start_stay_so_beside_one_that_does_not(
    samples: list[Told], stop: int, flags: set[Flag]
) -> None:
    assert outcome(measured(4_076_000, samples, stop)) == (5000, flags)


def test_readings_after_the_next_start_are_not_an_open_sessions() -> None:
    told = measured(1000, [(15, 1500), (30, 2000), (30.1, 2500)], None, ends_at=None, until=30)

    assert told.energy_wh == 1000


@pytest.mark.parametrize(
    ("start", "samples", "stop", "dropped"),
    [
        (1000, [(20, 3000), (50, 6000)], 6000, []),
        # a start that is not believed, a stop that is none
        (0, [(1, 10_100), (30, 11_050)], 12_000, [(0, 0)]),
        (1000, [(20, 3000), (40, 5000)], 1000, [(60, 1000)]),
        (1000, [(20, 3000), (40, 5000)], 0, [(60, 0)]),
        # above the stop, in other units, in another frame
        (1000, [(30, 9000)], 6000, [(30, 9000)]),
        (1_001_500, [(15, 1002), (30, 1003)], 1_005_000, [(15, 1002), (30, 1003)]),
        (4_076_000, [(30, 88_000_000)], 4_081_000, [(30, 88_000_000)]),
        # counted from the start, and dropped as it came
        (4_076_000, [(15, 1000), (30, 88_000_000)], 4_081_000, [(30, 88_000_000)]),
    ],
)
def test_what_was_not_believed_is_dropped_as_it_came(
    start: int, samples: list[Told], stop: int, dropped: list[Told]
) -> None:
    told = measured(start, samples, stop)

    found = told.dropped | told.refused_starts | told.refused_stops
    assert found == set(readings(*dropped))


@pytest.mark.parametrize(
    ("start", "samples", "stop", "more", "dropped"),
    [
        (
            None,
            [(0.05, 1_001_500), (15, 1002), (30, 1003)],
            1_005_000,
            {"begins": [(0.05, 1_001_500)]},
            [(0.05, 1_001_500), (15, 1002), (30, 1003)],
        ),
        (4_076_000, [(15, 1000), (30, 2500)], None, {"ends": [(15, 1000)]}, []),
    ],
    ids=["as the start", "as a stop that is refused"],
)
def test_what_is_told_in_two_roles_is_dropped_in_the_one_that_was_not_used(
    start: int | None,
    samples: list[Told],
    stop: int | None,
    more: dict[str, Any],
    dropped: list[Told],
) -> None:
    told = measured(start, samples, stop, **more)

    assert told.dropped == set(readings(*dropped))
    assert not told.refused_starts
    assert told.refused_stops == set(readings(*more.get("ends", [])))


def test_every_sample_up_to_the_stop_is_a_point() -> None:
    told = measured(1000, [(0, 1005), (20, 3000), (50, 6000)], 6000)

    assert [each.reading for each in told.counted] == readings(
        (0, 1000), (0, 1005), (20, 3000), (50, 6000), (60, 6000)
    )
    assert [each.energy_wh for each in told.counted] == [0, 5, 2000, 5000, 5000]


def test_of_starts_that_are_all_refuted_the_first_stands_where_nothing_else_was_read() -> None:
    told = measured(0, [], 12_000, begins=[(0, 1)], ends=[(1, 10_100)])

    assert told.start_wh == 0
    assert F.METER_START_IMPLAUSIBLE in told.flags


def test_stops_that_differ_are_told() -> None:
    told = measured(1000, [(30, 3000)], 6000, ends=[(60, 6011)])

    assert outcome(told) == (5000, {F.STOP_READINGS_DIFFER})


def test_intervals_of_an_open_session_after_the_next_start_are_not_its_own() -> None:
    told: list[Told] = [(15, 500), (30, 200), (30.1, 700)]

    assert measured(None, [], None, ends_at=None, until=30, intervals=told).energy_wh == 700


def test_a_reading_of_the_start_is_the_session_s_own_though_the_next_one_began_before_it() -> None:
    told = measured(1000, [(0, 1007), (1, 2000)], None, ends_at=None, until=-5)

    assert told.energy_wh == 7


def test_samples_of_which_one_stands_for_the_start_count_in_its_frame() -> None:
    told = measured(None, [(10, 5), (60, 1)], None, ends=[(7, 2)], restarts=(9,))

    assert F.UNIT_SUSPECT not in told.flags
    assert told.energy_wh == 0
    assert told.dropped == {reading(60, 1)}
