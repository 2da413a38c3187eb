"""Tariffs of hundreds of elements: what lint, calendar and diff take grows as they do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tariffs.calendar.circumstances import footnotes
from tariffs.calendar.week import week_calendar
from tariffs.diff.diff import diff_tariffs
from tariffs.kernel.pricing import compile_tariff
from tariffs.lint import reach
from tariffs.lint.linter import lint_tariff
from tariffs.lint.reach import columns_of, reach_of
from tariffs.lint.subject import subject_of
from tariffs.model.restrictions import clock_applies, clock_boundaries
from tariffs.model.tariff import Tariff
from tests.tariffs.kernel.test_many_elements import calls_of
from tests.tariffs.lint.lint_examples import ENERGY, TIME, element, price, tariff
from tests.tariffs.lint.test_lint_properties import tariffs

MONDAY = date(2026, 3, 2)


def of_the_day(count: int, amount: str = "0.30") -> Tariff:
    """Return a price of its own for every second minute, each seven minutes long."""
    windows = [(2 * number, 2 * number + 7) for number in range(count)]
    return tariff(
        *(
            element(
                price(ENERGY, f"{amount}{number}"),
                price(TIME, f"1.{number}"),
                start_time=time(start // 60, start % 60),
                end_time=time(end // 60, end % 60),
            )
            for number, (start, end) in enumerate(windows)
        )
    )


def of_kwh(count: int, amount: str = "0.30") -> Tariff:
    """Return a price of its own from each kWh on."""
    return tariff(
        *(
            element(price(ENERGY, f"{amount}{number}"), min_kwh=Decimal(number))
            for number in reversed(range(count))
        )
    )


@pytest.mark.parametrize("made", [of_the_day, of_kwh])
def test_twice_as_many_elements_are_twice_the_work_of_lint(made: Callable[[int], Tariff]) -> None:
    costs = [calls_of(lambda count=count: lint_tariff(made(count))) for count in (80, 160)]

    assert costs[1] < 2.3 * costs[0], costs


def test_twice_as_many_elements_are_twice_the_work_of_comparing() -> None:
    def compared(count: int) -> None:
        before, after = (compile_tariff(of_the_day(count, each)) for each in ("0.30", "0.40"))
        diff_tariffs(before, after, time_zone="Europe/Berlin", first_day=MONDAY)

    costs = [calls_of(lambda count=count: compared(count)) for count in (80, 160)]

    assert costs[1] < 2.3 * costs[0], costs


def test_twice_as_many_elements_are_twice_the_work_of_what_a_calendar_does_not_show() -> None:
    def noted(count: int) -> None:
        late = element(price(TIME, "2"), min_duration=3_600)
        compiled = compile_tariff(tariff(*of_the_day(count).elements, late))
        footnotes(compiled, week_calendar(compiled, time_zone="UTC", first_day=MONDAY))

    costs = [calls_of(lambda count=count: noted(count)) for count in (80, 160)]

    assert costs[1] < 2.3 * costs[0], costs


@given(tariffs)
def test_the_clock_is_asked_at_each_boundary_of_each_day(of_hours: Tariff) -> None:
    found = reach_of(compile_tariff(of_hours))

    restrictions = [each.restrictions for each in of_hours.elements]
    boundaries = {time(0)}.union(*map(clock_boundaries, restrictions))
    wanted: dict[int, datetime] = {}
    for day in range(1, 8):
        for moment in sorted(boundaries):
            local = datetime.combine(date(2024, 1, day), moment)
            held = [clock_applies(each, local) for each in restrictions]
            wanted.setdefault(sum(1 << i for i, each in enumerate(held) if each), local)
    assert found.clock_masks == wanted


@given(st.lists(st.integers(0, 31), min_size=1, max_size=6, unique=True))
def test_a_column_says_in_which_masks_an_element_is(masks: list[int]) -> None:
    columns = columns_of(masks, 5)

    told = [[column >> (len(masks) - 1 - place) & 1 for column in columns]
            for place in range(len(masks))]  # fmt: skip
    assert told == [[mask >> index & 1 for index in range(5)] for mask in masks]
    assert columns_of([], 2) == [0, 0]


def test_so_many_weeks_and_bands_are_looked_at_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = compile_tariff(of_kwh(9))
    assert len(subject_of(compiled, country=None).calendars) == 9

    monkeypatch.setattr(reach, "CALENDARS_MAX", 4)

    assert len(subject_of(compiled, country=None).calendars) == 4
