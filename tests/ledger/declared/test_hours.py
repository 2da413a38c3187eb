"""Weekly hours by the clock on the wall: borders, midnight, and when clocks are set."""

from __future__ import annotations

from datetime import UTC, datetime, time

import pytest

from ledger.master_data.hours import WeeklyHours, closes_at
from tariffs.model.tariff import Weekday

BERLIN = "Europe/Berlin"
WORK = WeeklyHours(
    start=time(7),
    end=time(19),
    days=(Weekday.MONDAY, Weekday.TUESDAY),
)
NIGHT = WeeklyHours(start=time(22), end=time(6), days=(Weekday.FRIDAY,))
ALWAYS = WeeklyHours()


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "moment", "closing"),
    [
        # A Monday in winter: 7:00 is 6:00 UTC.
        pytest.param(WORK, "2026-03-02T05:59:59.999999", None, id="a moment too early"),
        pytest.param(WORK, "2026-03-02T06:00:00", "2026-03-02T18:00:00", id="the first moment"),
        pytest.param(WORK, "2026-03-02T17:59:59.9", "2026-03-02T18:00:00", id="the last one"),
        pytest.param(WORK, "2026-03-02T18:00:00", None, id="the end is no part"),
        pytest.param(WORK, "2026-03-04T12:00:00", None, id="a Wednesday"),
        pytest.param(WORK, "2026-07-06T05:00:00", "2026-07-06T17:00:00", id="in summer"),
        pytest.param(NIGHT, "2026-03-06T21:00:00", "2026-03-07T05:00:00", id="Friday evening"),
        pytest.param(NIGHT, "2026-03-07T04:59:00", "2026-03-07T05:00:00", id="Saturday morning"),
        pytest.param(NIGHT, "2026-03-06T04:59:00", None, id="Friday morning is Thursday's"),
        # In the night to Sunday clocks go from 2:00 to 3:00: 2:30 is shown never, 3:30 first.
        pytest.param(
            WeeklyHours(start=time(1), end=time(2, 30)),
            "2026-03-29T00:30:00",
            "2026-03-29T01:30:00",
            id="an end that spring leaves out",
        ),
        # Clocks pass 2:30 twice; it is open until the first time.
        pytest.param(
            WeeklyHours(start=time(1), end=time(2, 30)),
            "2026-10-25T00:15:00",
            "2026-10-25T00:30:00",
            id="an end that autumn repeats",
        ),
    ],
)
def test_when_hours_hold_and_until_when(
    hours: WeeklyHours, moment: str, closing: str | None
) -> None:
    expected = None if closing is None else utc(closing)

    assert closes_at([hours], utc(moment), BERLIN) == expected


def test_hours_that_meet_are_one() -> None:
    evening = WeeklyHours(start=time(18), end=time(22), days=(Weekday.MONDAY,))

    assert closes_at([WORK, evening], utc("2026-03-02T12:00"), BERLIN) == utc("2026-03-02T21:00")


def test_hours_that_never_end_hold_for_a_week_and_more() -> None:
    closing = closes_at([ALWAYS], utc("2026-03-02T12:00"), BERLIN)

    assert closing is not None
    assert closing >= utc("2026-03-09T12:00")


def test_no_hours_hold_never() -> None:
    assert closes_at([], utc("2026-03-02T12:00"), BERLIN) is None
