"""Energy against power: what a connector can deliver, and what was measured beside the register."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from ledger.facts.flags import Flag
from ledger.meter.checks import is_coarse, physics_flags
from ledger.meter.evidence import MeterEvidence
from ledger.meter.series import Counted, PowerLimit
from tests.ledger.meter.readings import COARSE, LIMIT, Told, measured, powers, reading, readings

BEYOND, AGAINST = Flag.ENERGY_IMPLAUSIBLE, Flag.ENERGY_AGAINST_POWER
UNIT, POWER_UNIT = Flag.UNIT_SUSPECT, Flag.POWER_UNIT_SUSPECT


def _counted(*told: Told) -> list[Counted]:
    """Return a series that counts from 0."""
    return [Counted(each, each.value_wh) for each in readings(*told)]


@pytest.mark.parametrize(
    ("told", "flags"),
    [
        ([(0, 0)], set()),
        ([(0, 0), (59, 24_210)], set()),
        ([(0, 0), (59, 24_211)], {BEYOND}),
        ([(0, 0), (2, 1220)], set()),
        ([(0, 0), (2, 1221)], {BEYOND}),
        # in one minute of a long session: 816.67 Wh
        ([(0, 0), (300, 100), (301, 916), (600, 1000)], set()),
        ([(0, 0), (300, 100), (301, 917), (600, 1000)], {BEYOND}),
        # the minute to spare is given once, not at each step
        ([(0, 0), *((300 + i / 60, 400 * i) for i in range(3))], {BEYOND}),
        ([(0, 0), *((300 + i / 60, 200 * i) for i in range(3))], set()),
        # what came slowly first leaves no room to come fast later
        ([(0, 0), (60, 1000), (61, 1817)], {BEYOND}),
        ([(0, 0), (60, 1000), (61, 1816)], set()),
    ],
)
def test_between_any_two_readings_no_more_can_come_than_power_brings(
    told: list[Told], flags: set[Flag]
) -> None:
    assert physics_flags(_counted(*told), (), LIMIT) == flags


def test_a_register_in_whole_kwh_may_step() -> None:
    told = _counted((0, 0), (300, 0), (301, 1806))

    assert physics_flags(told, (), COARSE) == set()
    assert physics_flags(_counted((0, 0), (300, 0), (301, 1807)), (), COARSE) == {BEYOND}


@pytest.mark.parametrize(
    ("roles", "is_whole"),
    [
        ({"declared_start": [1000], "declared_stop": [2000]}, True),
        ({"declared_start": [1000], "declared_stop": [2001]}, False),
        ({"declared_start": [1001], "declared_stop": [2000]}, False),
        ({"begins": [1000], "ends": [2001]}, False),
        ({"begins": [1001], "ends": [2000]}, False),
        ({"declared_start": [1499], "samples": [2000, 3000]}, True),
        ({"declared_start": [1499], "samples": [2000]}, False),
        ({"declared_start": [1499], "samples": [2000, 2500]}, False),
        ({"declared_start": [1000]}, False),
        ({}, False),
    ],
)
def test_registers_are_coarse_where_all_or_several_samples_are_whole_kwh(
    roles: dict[str, list[int]], *, is_whole: bool
) -> None:
    told = {
        role: tuple(reading(minute, value) for minute, value in enumerate(values))
        for role, values in roles.items()
    }

    assert is_coarse(msgspec.structs.replace(MeterEvidence(), **told)) is is_whole


STEADY: list[Told] = [(10, 6000), (30, 6000), (50, 6000)]
"""6 kW: 4,000 Wh from 08:10 to 08:50, 6,000 in the hour."""


@pytest.mark.parametrize(
    ("energy", "power", "flags"),
    [
        # ten times is noticed from five on, between the first and the last power reading
        (6000, STEADY, set()),
        (1188, STEADY, set()),
        (1184, STEADY, {AGAINST}),
        (600, STEADY, {AGAINST}),
        (60, STEADY, {AGAINST}),
        (0, STEADY, {AGAINST}),
        # a thousand times has a name of its own, from a half to the double of it
        (6, STEADY, {UNIT}),
        (3, STEADY, {UNIT}),
        (12, STEADY, {UNIT}),
        ("2.9", STEADY, {AGAINST}),
        ("12.1", STEADY, {AGAINST}),
        (6000, [(10, 6), (30, 6), (50, 6)], {POWER_UNIT}),
        (3000, [(10, 6), (30, 6), (50, 6)], {POWER_UNIT}),
        (12_000, [(10, 6), (30, 6), (50, 6)], {POWER_UNIT}),
        (100, [(10, "0.1"), (50, "0.1")], {POWER_UNIT}),
        (99, [(10, "0.1"), (50, "0.1")], set()),
        (60_000, [(10, 60), (30, 60), (50, 60)], {UNIT, BEYOND}),
        # one power reading, or none where half of the time is not covered, proves nothing
        (600, [(30, 6000)], set()),
        (60, [(10, 6000), (25, 6000)], {AGAINST}),
        (60, [(10, 6000), (24.9, 6000)], set()),
        (60, [(10, 6000), (20, 6000), (30, 6000)], {AGAINST}),
        (60, [(10, 6000), (20, 6000), (29.9, 6000)], set()),
        # so low a power may be a sensor's zero, and no vehicle charges with it
        (0, [(0, 500), (60, 500)], {AGAINST}),
        (0, [(0, 499), (60, 499)], set()),
        (0, [(0, 500), (12, 500)], set()),
    ],
)
def test_a_register_is_held_against_the_power_measured(
    energy: object, power: list[Told], flags: set[Flag]
) -> None:
    """The register rises evenly, told every ten minutes."""
    whole = Decimal(str(energy))
    told = _counted(*((minute, whole * minute / 60) for minute in range(0, 61, 10)))

    assert physics_flags(told, powers(*power), LIMIT) == flags


@pytest.mark.parametrize(
    ("told", "power", "flags"),
    [
        # below 100 Wh of power nothing is compared
        ([(0, 0), (60, "0.1")], [(0, 100), (60, 100)], {UNIT}),
        ([(0, 0), (60, "0.1")], [(0, 99), (60, 99)], set()),
        ([(0, 0), (60, 1000)], [(0, 100), (60, 100)], {AGAINST}),
        ([(0, 0), (60, 1000)], [(0, 99), (60, 99)], set()),
        # a day has as many seconds as it has
        ([(0, 0), (2400, 1000)], [(0, "2.5"), (2400, "2.5")], {AGAINST}),
        ([(0, 0), (2400, 1000)], [(0, "2.5"), (2400 - 1 / 60, "2.5")], set()),
        # what rose before the first power reading is none of theirs
        ([(0, 0), (20, 3000), (60, 3000)], [(20, 400), (60, 400)], set()),
        # what is too low for charging is nothing, however long
        ([(0, 0), (6000, 0)], [(0, 499), (6000, 499)], set()),
        # what rises while energy is given back flowed the other way
        ([(0, 0), (60, 5000)], [(0, -5000), (60, -5000)], {AGAINST}),
        ([(0, 0), (60, 111)], [(0, -500), (60, -500)], {AGAINST}),
        ([(0, 0), (60, 110)], [(0, -500), (60, -500)], set()),
        ([(0, 0), (60, 5000)], [(0, -499), (60, -499)], set()),
        ([(0, 0), (12, 5000)], [(0, -500), (12, -500)], {AGAINST}),
        ([(0, 0), (11.9, 4000)], [(0, -500), (11.9, -500)], set()),
        # first taken, then nearly all of it given back
        (
            [(0, 0), (60, 5000), (120, 5000)],
            [(0, 5000), (59, 5000), (60, -4900), (120, -4900)],
            set(),
        ),
        # within one second there is no integral, in one there is
        ([(0, 0), (0.01, 0)], [(0, 6000), (0.01, 6000)], set()),
        ([(0, 0), (1 / 60, "0.3")], [(0, 10**6), (1 / 60, 10**6)], {UNIT}),
    ],
)
def test_power_proves_something_from_a_least_energy_on(
    told: list[Told], power: list[Told], flags: set[Flag]
) -> None:
    assert physics_flags(_counted(*told), powers(*power), LIMIT) == flags


@pytest.mark.parametrize(("rise", "flags"), [(30_010, set()), (30_011, {AGAINST})])
@pytest.mark.parametrize("ends", [1000, 6000], ids=["the higher ones", "those that are the same"])
def test_what_rose_between_the_power_readings_is_at_most_five_times_the_higher_ones(
    rise: int, flags: set[Flag], ends: int
) -> None:
    told = _counted((0, 0), (30, Decimal(rise) / 2), (60, rise))
    wide = PowerLimit(Decimal(50_000))

    assert physics_flags(told, powers((0, ends), (30, 6000), (60, ends)), wide) == flags


def test_what_rose_between_the_power_readings_is_at_least_a_fifth_of_the_lower_ones() -> None:
    power = powers((0, 10_000), (30, 1000), (60, 10_000))
    short = powers((0, 1000), (6, 1000))

    assert physics_flags(_counted((0, 0), (60, 190)), power, LIMIT) == set()
    assert physics_flags(_counted((0, 0), (60, 189)), power, LIMIT) == {AGAINST}
    assert physics_flags(_counted((0, 0), (6, 9)), short, LIMIT) == {AGAINST}
    assert (
        physics_flags(_counted((0, 0), (5.9, 9)), short[:1] + powers((5.9, 1000)), LIMIT) == set()
    )


def test_a_rise_where_no_power_was_measured_is_nothing_against_it() -> None:
    """The vehicle drew 10 kWh at first; power is told only of the hours when it was full."""
    told = _counted((0, 0), (30, 10_000), (600, 10_010))

    assert physics_flags(told, powers((60, 0), (300, 0), (590, 0)), LIMIT) == set()
    assert physics_flags(told, powers((60, 200), (300, 20), (590, 200)), LIMIT) == set()


@pytest.mark.parametrize(
    ("power", "rise", "flags"),
    [
        ([2000, 2000, 2000], 340, set()),
        ([2000, 2000, 2000], 341, {AGAINST}),
        ([2000, 1001, 2000], 341, {AGAINST}),
        ([2000, 1000, 2000], 341, set()),
        ([2000, 2000], 341, set()),
    ],
)
def test_one_rise_is_held_against_a_steady_power_also_where_none_was_measured(
    power: list[int], rise: int, flags: set[Flag]
) -> None:
    """Five times 2 kW and a tenth brings 330 Wh in 48 seconds and the minute to spare, and 10."""
    told = _counted((0, 0), (0.8, rise), (60, rise + 2000))
    beside = powers(*zip((10, 30, 50), power, strict=False))

    assert physics_flags(told, beside, LIMIT) == flags


def test_intervals_are_held_against_power_and_time_each() -> None:
    even: list[Told] = [(15, 1000), (30, 1000), (45, 1000), (60, 1000)]
    jump: list[Told] = [(15, 1000), (30, 1000), (45, 1000), (46, 1000), (60, 1000)]

    assert measured(None, [], None, intervals=even).flags == {Flag.INTERVALS_SUMMED}
    assert BEYOND in measured(None, [], None, intervals=jump).flags


@pytest.mark.parametrize(
    ("minutes", "flags"),
    [
        ((15, 30, 45, 60), set()),
        ((15, 30, 45), set()),
        ((15, 30, 37.5), set()),
        ((15, 30, 37.4), {Flag.INTERVAL_GAP}),
        ((15, 37.5, 52.5), set()),
        ((15, 37.6, 52.6), {Flag.INTERVAL_GAP}),
    ],
)
def test_an_interval_is_missing_from_one_and_a_half_times_the_usual_distance_on(
    minutes: tuple[float, ...], flags: set[Flag]
) -> None:
    last: Told = (minutes[-1], 0)  # the vehicle was full
    told = measured(None, [], None, intervals=[*((each, 1000) for each in minutes[:-1]), last])

    assert told.flags == {Flag.INTERVALS_SUMMED} | flags
    assert told.energy_wh == 1000 * (len(minutes) - 1)


@pytest.mark.parametrize(
    ("ends_at", "last", "is_held"),
    [
        (60, 1000, False),
        (61, 1000, False),
        (61.5, 1000, False),
        (61.6, 1000, True),  # 107 of 4,000 Wh
        (75, 100, False),
        (75, 101, True),
        (75, 0, False),
        (75, 1000, True),
    ],
)
def test_much_that_would_be_drawn_after_the_last_interval_is_missing(
    ends_at: float, last: int, *, is_held: bool
) -> None:
    """Four of a quarter of an hour, the last one ends at 60 minutes; the stop comes later."""
    intervals: list[Told] = [(15, 1000), (30, 1000), (45, 1000), (60, last)]

    told = measured(None, [], None, ends_at=ends_at, intervals=intervals)

    assert (Flag.INTERVAL_GAP in told.flags) is is_held
    assert told.energy_wh == 3000 + last


@pytest.mark.parametrize(("ends_at", "is_held"), [(62, False), (62.1, True)])
def test_two_parts_in_a_hundred_may_be_drawn_after_the_last_interval(
    ends_at: float, *, is_held: bool
) -> None:
    """Of 9,000 Wh those are 180, which two minutes bring as in the last interval."""
    intervals: list[Told] = [(20, 4000), (40, 3200), (60, 1800)]

    told = measured(None, [], None, ends_at=ends_at, intervals=intervals)

    assert (Flag.INTERVAL_GAP in told.flags) is is_held


@pytest.mark.parametrize(
    ("again", "is_held"),
    [
        ([(10, 1000), (25, 1000), (40, 1000), (55, 1000)], False),
        ([(10, 9000), (25, 2000), (40, 1000), (55, 1000)], False),
        ([(10, 0), (25, 2010), (40, 1000), (55, 1000)], False),
        ([(10, 0), (25, 2011), (40, 1000), (55, 1000)], True),
        ([(10, 0), (25, 2011), (40, 1000), (60.1, 1000)], False),
        ([], False),
    ],
)
def test_more_that_is_told_by_the_clock_than_by_sampling_is_missing_there(
    again: list[Told], *, is_held: bool
) -> None:
    """The first one by the clock may have begun before the session."""
    intervals: list[Told] = [(15, 1000), (30, 1000), (45, 1000), (60, 1000)]

    told = measured(None, [], None, intervals=intervals, told_again=again)

    assert told.energy_wh == 4000
    assert (Flag.INTERVAL_GAP in told.flags) is is_held


@pytest.mark.parametrize(
    ("before", "last", "ends_at", "is_held"),
    [
        ([(20, 1000), (40, 1000)], 2000, 60, True),
        ([(20, 1000), (40, 1000)], 1999, 60, False),
        ([(20, 1000), (40, 1000)], 5000, 60, True),
        ([(20, 0), (40, 0)], 1000, 60, False),
        ([(40, 1000)], 2000, 60, False),
        ([(20, 500), (30, 500), (40, 1000)], 3000, 60, True),
    ],
)
def test_an_interval_of_the_stop_that_may_be_the_sum_of_those_before_it_is_held(
    before: list[Told], last: int, ends_at: float, *, is_held: bool
) -> None:
    end: Told = (ends_at, last)

    told = measured(None, [], None, ends_at=ends_at, intervals=[*before, end], last_intervals=[end])
    plain = measured(None, [], None, ends_at=ends_at, intervals=[*before, end])

    assert (Flag.INTERVAL_GAP in told.flags) is is_held
    assert Flag.INTERVAL_GAP not in plain.flags


@pytest.mark.parametrize(
    ("power", "flags"),
    [(4000, set()), (4001, {AGAINST}), (11_000, {AGAINST}), (99, set())],
)
def test_a_register_of_one_phase_is_held_against_twice_its_energy(
    power: int, flags: set[Flag]
) -> None:
    told = _counted((0, 0), (60, 2000 if power > 99 else 20))
    beside = powers((0, power), (60, power))

    assert physics_flags(told, beside, LIMIT, is_one_phase=True) == flags
    assert physics_flags(told, beside, LIMIT) == (flags if power > 10_000 else set())


def test_intervals_at_the_start_or_after_the_end_are_not_the_sessions() -> None:
    told = measured(None, [], None, intervals=[(0, 5), (30, 1000), (60, 1000), (60.1, 7)])

    assert told.energy_wh == 2000
    assert measured(None, [], None, intervals=[(0, 5)]).flags == {
        Flag.START_READING_MISSING,
        Flag.STOP_READING_MISSING,
    }


def test_the_usual_distance_of_intervals_is_the_one_in_the_middle() -> None:
    moments: list[Told] = [(minute, 1000) for minute in (5, 10, 20, 30, 45)]

    assert measured(None, [], None, ends_at=45, intervals=moments).flags == {Flag.INTERVALS_SUMMED}


@pytest.mark.parametrize(
    ("ends_at", "counted"),
    [
        (60, [(0, 0), (15, 1000), (45, 3000), (60, 3000)]),
        (45, [(0, 0), (15, 1000), (45, 3000)]),
        (None, [(0, 0), (15, 1000), (45, 3000)]),
    ],
)
def test_intervals_are_counted_from_zero_at_the_start_to_the_stop(
    ends_at: float | None, counted: list[Told]
) -> None:
    told = measured(None, [], None, ends_at=ends_at, intervals=[(15, 1000), (45, 2000)])

    assert list(told.counted) == _counted(*counted)


def test_a_single_interval_is_a_session_of_one() -> None:
    told = measured(None, [], None, intervals=[(60, 1000)])

    assert list(told.counted) == _counted((0, 0), (60, 1000))
