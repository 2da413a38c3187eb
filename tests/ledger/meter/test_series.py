"""Series of register readings: what is possible, and what a fall or a jump means."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ledger.facts.flags import Flag
from ledger.meter.series import (
    PowerLimit,
    Rise,
    accumulate,
    has_restarted,
    rise_between,
    rollover_rise,
)
from tests.ledger.meter.readings import COARSE, LIMIT, Told, outcome, reading, readings
from tests.station_story import at

DIP, SPIKE = Flag.READING_DIP_DROPPED, Flag.READING_SPIKE_DROPPED
RESET, ROLLOVER = Flag.METER_RESET, Flag.METER_ROLLOVER


def test_power_and_time_bound_a_rise_with_a_minute_and_ten_wh_to_spare() -> None:
    """22 kW and a tenth is 24.2 kW: in one minute more than asked, and 10 Wh."""
    assert LIMIT.energy_max_wh(at(0), at(59)) == Decimal(24_210)
    assert LIMIT.energy_max_wh(at(5), at(0)) == LIMIT.slack_wh
    assert LIMIT.steady_wh(at(0), at(60)) == Decimal(24_200)
    assert LIMIT.steady_wh(at(0), at(1441)) == Decimal(24_200) * 1441 / 60
    assert COARSE.energy_max_wh(at(0), at(59)) == Decimal(25_200)


def test_a_limit_knows_by_how_much_readings_differ_that_mean_the_same() -> None:
    watts = Decimal(22_000)

    assert PowerLimit(watts).tolerance_wh == 10
    assert PowerLimit(watts, coarse=True).tolerance_wh == 1000
    assert PowerLimit(watts).slack_wh == Decimal(24_200) / 60 + 10
    assert PowerLimit(watts).steady_wh(at(0), at(0)) == 0
    assert PowerLimit(watts).steady_wh(at(0), at(1 / 60)) == Decimal(24_200) / 3600


@pytest.mark.parametrize(
    ("value", "is_allowed"), [(999, False), (1000, True), (25_210, True), (25_211, False)]
)
def test_a_register_may_rise_as_far_as_power_can_bring_it(value: int, *, is_allowed: bool) -> None:
    assert LIMIT.allows(reading(0, 1000), reading(59, value)) is is_allowed


@pytest.mark.parametrize(
    ("minute", "value", "is_same"),
    [
        (0, 1010, True),
        (0, 990, True),
        (0, 1011, False),
        (0, 989, False),
        (3, 2220, True),
        (3, 2221, False),
        (-3, 2220, True),
        (5, 3026, True),
        (5, 3027, False),
        (6, 3026, True),
        (6, 3027, False),
    ],
)
def test_two_readings_agree_within_ten_wh_and_what_flows_between(
    minute: int, value: int, *, is_same: bool
) -> None:
    assert LIMIT.agree(reading(0, 1000), reading(minute, value)) is is_same


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        (1499, 2000, True),
        (2000, 1499, True),
        (999, 2000, False),
        (1000, 2000, False),
        (1400, 1411, False),
    ],
)
def test_a_whole_kwh_may_stand_for_a_finer_value_but_for_no_other_kwh(
    one: int, other: int, *, is_same: bool
) -> None:
    assert COARSE.agree(reading(0, one), reading(0, other)) is is_same


def test_values_of_one_second_lie_as_far_apart_as_a_second_of_power_brings() -> None:
    second = Decimal(24_200) / 3600

    assert LIMIT.is_one_moment(10 + second)
    assert not LIMIT.is_one_moment(Decimal("10.01") + second)


@pytest.mark.parametrize(
    ("before", "after", "rise"),
    [
        (999_000, 500, 1500),
        (999_999, 500, 501),
        # a register of six digits never shows that: 1 MWh, in another unit than what follows
        (1_000_000, 500, None),
        (9_999_000, 500, 1500),
        (10**12 - 1000, 500, 1500),
        (2**31 - 1000, 500, 1500),
        (2**32 - 1000, 500, 1500),
        (999_000, 0, None),
        (99_000, 500, None),
        (10**13 - 1000, 500, None),
        (999_000, 23_210, 24_210),
        (999_000, 23_211, None),
        (500_000, 500, None),
    ],
)
def test_a_rollover_is_one_at_a_registers_end_and_small_enough_for_the_time(
    before: int, after: int, rise: int | None
) -> None:
    assert rollover_rise(reading(0, before), reading(59, after), LIMIT) == rise


@pytest.mark.parametrize(
    ("before", "rise"),
    [
        (700_000, None),
        (979_999, None),
        (980_000, 20_100),
        (9_799_999, None),
        (9_800_000, 200_100),
    ],
)
def test_farther_from_its_end_than_a_fiftieth_no_register_rolls_over(
    before: int, rise: int | None
) -> None:
    """Power and time would allow it; a meter that was exchanged looks the same."""
    assert rollover_rise(reading(0, before), reading(3000, 100), LIMIT) == rise


@pytest.mark.parametrize(
    ("boot", "is_between"), [(0, False), (0.1, True), (10, True), (11, True), (11 + 1 / 60, False)]
)
def test_a_boot_lies_between_two_readings_or_a_minute_behind_as_clocks_differ(
    boot: float, *, is_between: bool
) -> None:
    assert has_restarted(reading(0, 1000), reading(10, 0), [at(boot)]) is is_between


@pytest.mark.parametrize(
    ("before", "after", "boots", "rise"),
    [
        (1000, 1000, (), Rise(Decimal(0))),
        (1000, 1500, (5,), Rise(Decimal(500))),
        (3000, 500, (), Rise(Decimal(0), RESET)),
        (3000, 500, (5,), Rise(Decimal(500), RESET)),
        (30_000, 4443, (5,), Rise(Decimal(4443), RESET)),
        (30_000, 4447, (5,), Rise(Decimal(0), RESET)),
        (999_000, 500, (), Rise(Decimal(1500), ROLLOVER)),
        (999_000, 500, (5,), Rise(Decimal(500), RESET)),
    ],
)
def test_a_register_that_fell_rolled_over_or_began_again_at_a_boot_or_nobody_knows(
    before: int, after: int, boots: tuple[int, ...], rise: Rise
) -> None:
    """In ten minutes at 22 kW 4,446.67 Wh can have come since a boot."""
    told = rise_between(reading(0, before), reading(10, after), LIMIT, [at(b) for b in boots])

    assert told == rise


@pytest.mark.parametrize(("after", "energy"), [(1220, 1220), (1221, 0)])
def test_since_a_boot_no_more_can_have_come_than_power_brings(after: int, energy: int) -> None:
    told = rise_between(reading(0, 30_000), reading(2, after), LIMIT, [at(1)])

    assert told == Rise(Decimal(energy), RESET)


@pytest.mark.parametrize(
    ("told", "energy", "flags"),
    [
        ([(0, 1000), (10, 2000), (20, 2000), (30, 3000)], 2000, set()),
        # a dip: back where power can bring it, from the reading before
        ([(0, 1000), (10, 0), (20, 3000)], 2000, {DIP}),
        ([(0, 1000), (10, 999), (20, 1000)], 0, {DIP}),
        ([(0, 1000), (10, 0), (20, 0), (30, 3000)], 2000, {DIP}),
        ([(0, 1000), (10, 0)], 0, {DIP}),
        # higher again, but beyond power: the next one that is within it
        ([(0, 1000), (10, 0), (20, 90_000), (30, 3000)], 2000, {DIP}),
        ([(0, 1000), (10, 0), (20, 90_000)], 90_000, {RESET}),
        # lower ones that climb by themselves
        ([(0, 3000), (10, 0), (20, 1500), (30, 4000)], 4000, {RESET}),
        ([(0, 3000), (10, 1500), (20, 0), (30, 4000)], 1000, {DIP}),
        ([(0, 20_000), (50, 0), (51, 100), (53, 20_100)], 100, {DIP}),
        ([(0, 3000), (10, 0), (20, 500)], 500, {RESET}),
        # spikes
        ([(0, 1000), (10, 90_000), (20, 2000)], 1000, {SPIKE}),
        ([(0, 1000), (10, 90_000), (20, 90_000)], 89_000, set()),
        ([(0, 1000), (10, 90_000)], 89_000, set()),
        ([(0, 1000), (1, 3000), (30, 3000)], 2000, set()),
        ([(0, 1000), (30, 9000), (40, 5000), (50, 6000), (55, 6500)], 5500, {SPIKE}),
        ([(0, 1000), (30, 9000), (40, 5000), (50, 6000)], 5000, {SPIKE}),
        ([(0, 1000), (30, 9000), (40, 5000), (50, 6000), (60, 9500)], 8500, {SPIKE}),
        ([(0, 1000), (30, 9000), (40, 5000), (50, 9000)], 8000, {DIP}),
        ([(0, 1000), (30, 9000), (40, 5000)], 8000, {DIP}),
        ([(0, 1000), (30, 9000), (40, 900), (50, 1000)], 8100, {RESET}),
        ([(0, 1000), (30, 9000), (40, 5000), (50, 4999)], 8000, {RESET, DIP}),
    ],
)
def test_a_series_is_made_monotone_by_what_its_neighbours_say(
    told: list[Told], energy: int, flags: set[Flag]
) -> None:
    series = accumulate(readings(*told), LIMIT)

    assert outcome(series) == (energy, flags)
    assert len(series.counted) + len(series.dropped) == len(told)


@pytest.mark.parametrize(
    ("told", "energy", "flags"),
    [
        ([(0, 1000), (10, 0), (11, 90_000)], 89_000, {DIP}),
        ([(0, 3000), (10, 0), (20, 1500), (30, 4000)], 4000, {RESET}),
    ],
)
def test_before_a_stop_that_is_trusted_a_fall_is_a_dip_unless_it_climbs(
    told: list[Told], energy: int, flags: set[Flag]
) -> None:
    series = accumulate(readings(*told), LIMIT, bounded=True)

    assert outcome(series) == (energy, flags)


@pytest.mark.parametrize(
    ("told", "energy", "flags"),
    [
        ([(0, 3000), (20, 500), (40, 4000)], 4000, {RESET}),
        ([(0, 3000), (20, 0), (22, 4000)], 1000, {DIP}),
        ([(0, 3000), (20, 500)], 500, {RESET}),
    ],
)
def test_after_a_boot_one_lower_reading_is_doubt_enough_where_the_next_can_follow_it(
    told: list[Told], energy: int, flags: set[Flag]
) -> None:
    series = accumulate(readings(*told), LIMIT, restarts=[at(5)])

    assert outcome(series) == (energy, flags)


@pytest.mark.parametrize(("lows", "flag"), [(999, DIP), (1000, RESET)])
def test_so_long_a_fall_is_no_dip_and_is_not_looked_through(lows: int, flag: Flag) -> None:
    told: list[Told] = [(0, 1000), *((i / 100, 0) for i in range(1, lows + 1)), (30, 2000)]

    assert set(accumulate(readings(*told), LIMIT).flags) == {flag}
