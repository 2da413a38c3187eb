"""A tariff of thousands of elements: compiled as it is defined, each looked at a few times."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, time, timedelta
from types import FrameType
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roaming_ocpi.incoming.verdicts.judging import judge_cdr
from roaming_ocpi.incoming.verdicts.known import CdrSurroundings
from roaming_ocpi.incoming.verdicts.repricing import Repricer
from tariffs.model.periods import WallClock
from tariffs.model.restrictions import bands_of, clock_applies
from tariffs.model.tariff import Restrictions
from tariffs.model.usage import microseconds
from tests.roaming_ocpi.incoming.partner_stories import TARIFF, cdr_of, told_cdr

bounds = st.none() | st.integers(0, 6)
times = st.none() | st.sampled_from([time(0), time(1), time(2, 30), time(12), time(23, 59)])
dates = st.none() | st.sampled_from([date(2026, 3, 28), date(2026, 3, 29), date(2026, 3, 30)])
days = st.sampled_from([(), ("MONDAY",), ("SATURDAY", "SUNDAY")])
seasons = st.none() | st.sampled_from(["11-01", "04-01"])
restrictions = st.builds(
    Restrictions,
    start_time=times,
    end_time=times,
    start_date=dates,
    end_date=dates,
    day_of_week=days,
    season_start=seasons,
    season_end=seasons,
)


@given(st.lists(st.tuples(bounds, bounds), min_size=1, max_size=6))
def test_bands_are_what_each_pair_of_bounds_says(
    ranges: list[tuple[int | None, int | None]],
) -> None:
    bands = bands_of(ranges)

    for value in range(8):
        allowed = [
            (low is None or value >= low) and (high is None or value < high) for low, high in ranges
        ]
        mask = sum(1 << i for i, each in enumerate(allowed) if each)
        assert (bands is None and all(allowed)) or (bands and bands.mask_at(value) == mask)


@given(
    st.lists(restrictions, min_size=1, max_size=5),
    st.integers(0, 3 * 24 * 60 * 2),
    st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Apia", "Asia/Kathmandu"]),
)
def test_the_clock_allows_what_each_restriction_says(
    listed: list[Restrictions], half_minutes: int, name: str
) -> None:
    instant = datetime(2026, 3, 28, tzinfo=UTC) + timedelta(seconds=30 * half_minutes)
    zone = ZoneInfo(name)
    wanted = [clock_applies(each, instant.astimezone(zone)) for each in listed]

    mask = WallClock(listed, zone).mask_at(microseconds(instant))

    assert [bool(mask >> i & 1) for i in range(len(listed))] == wanted


ZONES = (
    "UTC",
    "Europe/Berlin",
    "Pacific/Apia",
    "Asia/Kathmandu",
    "America/St_Johns",
    "Africa/Monrovia",
)


@given(
    st.lists(restrictions, min_size=1, max_size=5),
    st.integers(-30_000, 40_000),
    st.sampled_from(ZONES),
)
def test_where_no_clock_is_turned_a_day_changes_as_if_each_time_were_converted(
    listed: list[Restrictions], day: int, name: str
) -> None:
    """From 1887 to 2079, of any length of a day and offsets to the second."""
    quickly = WallClock(listed, ZoneInfo(name)).changes(day)
    with pytest.MonkeyPatch.context() as patch:
        shifts = WallClock._shifts  # noqa: SLF001 - the way of a day with a turned clock
        patch.setattr(WallClock, "_shifts", lambda self, begin: [begin, *shifts(self, begin)])
        one_by_one = WallClock(listed, ZoneInfo(name)).changes(day)

    assert quickly == one_by_one


def by_energy(number: int) -> dict[str, Any]:
    return {"min_kwh": 1_000 + number}


def by_time(number: int) -> dict[str, Any]:
    moments = [f"{at // 60 % 24:02d}:{at % 60:02d}" for at in (number, number + 7)]
    return dict(zip(("start_time", "end_time"), moments, strict=True))


@pytest.mark.parametrize("restricted", [by_energy, by_time])
def test_twice_as_many_elements_cost_a_partner_s_cdr_about_twice(restricted: Any) -> None:  # noqa: ANN401 - one of the two
    costs = []
    for count in (300, 600):
        components = TARIFF["elements"][0]["price_components"]
        elements = [
            {"price_components": components, "restrictions": restricted(number)}
            for number in range(count)
        ]
        tariff = TARIFF | {"elements": [*elements, {"price_components": components}]}
        told = told_cdr(cdr_of(tariffs=[tariff]))
        costs.append(calls_of(lambda told=told: judge_cdr(told, CdrSurroundings(), Repricer())))

    assert costs[1] < 2.3 * costs[0], costs


def calls_of(work: Any) -> int:  # noqa: ANN401 - a function
    """Return how many calls, and steps of generators, *work* takes."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return calls
