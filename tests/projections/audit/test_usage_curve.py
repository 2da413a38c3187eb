"""Periods and readings of a session with many: each is looked up, none goes through all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ledger.rating.decisions import RatedLine
from ledger.sessions.session import SessionPoint
from ledger.sessions.vehicle.billed_time import BilledTime
from projections.audit.usage_curve import Period, UsageCurve
from projections.documents.evidence import thinned
from tariffs.model.usage import Activity, UsagePoint, UsageSpan
from tests.depot import declared, rated, session

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
ACTIVITIES = [Activity.CHARGING, Activity.PARKING]


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def line_of(start: datetime, end: datetime) -> RatedLine:
    """Return a line of energy, from *start* to *end*."""
    line = rated(session(1), declared()).lines[0]
    return msgspec.structs.replace(line, starts_at=start, ends_at=end)


def billed(minutes: Sequence[float], changes: Sequence[float], moment: Any = at) -> BilledTime:  # noqa: ANN401 - makes a moment
    points = tuple(UsagePoint(moment(each), Decimal(100 * n)) for n, each in enumerate(minutes))
    spans = tuple(UsageSpan(moment(each), ACTIVITIES[n % 2]) for n, each in enumerate(changes))
    return BilledTime(at(99), points, spans, ())


def plain_energy(points: Sequence[UsagePoint], moment: datetime) -> Decimal:
    """Return the energy at a moment as it is defined: between the first two that are around it."""
    for earlier, later in pairwise(points):
        if earlier.at <= moment <= later.at and later.at > earlier.at:
            share = Decimal((moment - earlier.at) // timedelta(microseconds=1)) / Decimal(
                (later.at - earlier.at) // timedelta(microseconds=1)
            )
            exact = earlier.energy_wh + (later.energy_wh - earlier.energy_wh) * share
            is_read = moment in {earlier.at, later.at}
            return exact if is_read else exact.quantize(Decimal("0.001"))
    return points[-1].energy_wh if points and moment > points[-1].at else Decimal(0)


def plain_periods(told: BilledTime, line: RatedLine) -> list[Period]:
    """Return a line's periods as they are defined."""
    start, end = line.starts_at, line.ends_at
    readings = {point.at for point in told.points}
    moments = readings | {span.starts_at for span in told.spans}
    periods = []
    for earlier, later in pairwise(sorted({start, end, *(m for m in moments if start < m < end)})):
        drawn = plain_energy(told.points, later) - plain_energy(told.points, earlier)
        activities = [span.activity.value for span in told.spans if span.starts_at <= earlier]
        periods.append(
            Period(
                starts_at=earlier,
                ends_at=later,
                energy_wh=drawn,
                activity=activities[-1] if activities else "charging",
                is_interpolated=drawn != 0 and not {earlier, later} <= readings,
            )
        )
    return periods


minutes = st.lists(st.integers(0, 20), max_size=8).map(sorted)


@given(minutes, minutes, st.integers(-2, 22), st.integers(1, 24))
def test_periods_are_cut_at_readings_activities_and_borders(
    read: list[int], changed: list[int], begin: int, length: int
) -> None:
    told, line = billed(read, changed), line_of(at(begin), at(begin + length))

    assert list(UsageCurve(told).periods(line)) == plain_periods(told, line)


class CountedMoment(datetime):
    """A moment that notes how often it is compared."""

    compared = 0

    def __lt__(self, other: Any) -> bool:  # noqa: ANN401 - a date's or a moment's
        CountedMoment.compared += 1
        return bool(super().__lt__(other))

    def __le__(self, other: Any) -> bool:  # noqa: ANN401 - a date's or a moment's
        CountedMoment.compared += 1
        return bool(super().__le__(other))

    def __ge__(self, other: Any) -> bool:  # noqa: ANN401 - a date's or a moment's
        CountedMoment.compared += 1
        return bool(super().__ge__(other))

    def __gt__(self, other: Any) -> bool:  # noqa: ANN401 - a date's or a moment's
        CountedMoment.compared += 1
        return bool(super().__gt__(other))


def counted(minute: float) -> CountedMoment:
    told = at(minute)
    return CountedMoment(2026, 3, told.day, told.hour, told.minute, tzinfo=UTC)


def test_a_thousand_readings_are_not_gone_through_for_each_of_them() -> None:
    told = billed(range(1_000), [0, 500], counted)
    CountedMoment.compared = 0

    periods = list(UsageCurve(told).periods(line_of(at(0), at(999))))

    assert len(periods) == 999
    assert CountedMoment.compared <= 100 * len(periods)


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=40),
    st.lists(st.integers(-1, 31), max_size=4),
    st.integers(1, 12),
)
def test_the_neighbours_of_every_border_are_shown(
    read: list[int], borders: list[int], most: int
) -> None:
    points = [SessionPoint(at=at(each), energy_wh=Decimal(n), register_wh=None, position=n, line=0)
              for n, each in enumerate(read)]  # fmt: skip

    shown = thinned(points, [at(each) for each in borders], most)

    for border in borders:
        before = max((n for n, each in enumerate(points) if each.at <= at(border)), default=0)
        if len(points) > most:
            assert points[before] in shown
            assert points[min(before + 1, len(points) - 1)] in shown


def test_a_border_is_looked_up_among_the_readings() -> None:
    points = [
        SessionPoint(at=counted(n), energy_wh=Decimal(n), register_wh=None, position=n, line=0)
        for n in range(1_000)
    ]
    borders = [at(each) for each in range(0, 1_000, 4)]
    CountedMoment.compared = 0

    shown = thinned(points, borders, 100)

    assert {each.position for each in shown} >= {*range(0, 1_000, 4), *range(1, 1_000, 4)}
    assert CountedMoment.compared <= 20 * len(points)
