"""How a usage becomes instants and registers, where its pieces touch or its clock is not UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from tariffs.kernel.compiled import State
from tariffs.kernel.pricing import compile_tariff, price_session
from tariffs.kernel.timeline import UnusableUsageError, timeline_of
from tariffs.model.tariff import Dimension, PriceComponent, Restrictions, Tariff, TariffElement
from tariffs.model.usage import Activity, SessionUsage, UsagePoint, UsageSpan, microseconds

START = datetime(2026, 5, 4, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def usage_of(
    *points: tuple[int, str], spans: tuple[tuple[int, Activity], ...] = ()
) -> SessionUsage:
    return SessionUsage(
        starts_at=START,
        ends_at=START + 60 * MINUTE,
        time_zone="UTC",
        points=tuple(UsagePoint(START + minute * MINUTE, Decimal(wh)) for minute, wh in points),
        spans=tuple(UsageSpan(START + minute * MINUTE, to) for minute, to in spans),
    )


def test_charging_of_no_length_ends_no_parking_and_restarts_no_grace() -> None:
    usage = usage_of(
        spans=((10, Activity.PARKING), (30, Activity.CHARGING), (30, Activity.PARKING))
    )

    timeline = timeline_of(usage, 5 * 60_000_000)

    starts = [(at - timeline.start_us) // 60_000_000 for at, _ in timeline.changes]
    assert starts == [10, 15]
    assert [state for _, state in timeline.changes] == [State.GRACE, State.PARKING]


def test_a_register_between_readings_is_interpolated_and_rounded_down() -> None:
    timeline = timeline_of(usage_of((0, "0"), (30, "10"), (60, "20")), 0)

    assert timeline.register_at(microseconds(START + 10 * MINUTE)) == 3_333_333_333
    assert timeline.register_at(microseconds(START + 30 * MINUTE)) == 10_000_000_000


def test_a_threshold_is_reached_at_the_first_microsecond_that_has_it() -> None:
    timeline = timeline_of(usage_of((0, "0"), (60, "70")), 0)

    reached = timeline.reaches(10_000_000_000)

    assert reached is not None
    assert reached - timeline.start_us == -(-60 * 60_000_000 // 7)
    assert timeline.register_at(reached - 1) < 10_000_000_000 <= timeline.register_at(reached)
    assert timeline.reaches(70_000_000_001) is None


def test_of_two_readings_at_one_moment_the_last_stands() -> None:
    high, low = Decimal(60_000), Decimal(3_000)
    middle = START + 30 * MINUTE
    usage = SessionUsage(
        starts_at=START,
        ends_at=START + 60 * MINUTE,
        time_zone="UTC",
        points=(
            UsagePoint(START, Decimal(0), power_w=low),
            UsagePoint(middle, Decimal(1000), power_w=low),
            UsagePoint(middle, Decimal(2000), power_w=high),
            UsagePoint(START + 60 * MINUTE, Decimal(5000), power_w=high),
        ),
    )
    energy = PriceComponent(dimension=Dimension.ENERGY, price=Decimal(1), step_size=0)
    fast = Restrictions(min_power=Decimal(50))
    tariff = Tariff(
        id="t",
        currency="EUR",
        elements=(TariffElement(price_components=(energy,), restrictions=fast),),
    )

    priced = price_session(usage, compile_tariff(tariff))

    assert [line.volume for line in priced.lines] == [Decimal(2), Decimal(3)]
    assert priced.before_minor == 300


def test_moments_in_a_zone_of_their_own_run_on_through_the_hour_that_autumn_repeats() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    first = datetime(2026, 10, 25, 2, 50, tzinfo=berlin)
    again = datetime(2026, 10, 25, 2, 10, fold=1, tzinfo=berlin)
    usage = SessionUsage(
        starts_at=first,
        ends_at=again,
        time_zone="Europe/Berlin",
        points=(UsagePoint(first, Decimal(0)), UsagePoint(again, Decimal(1))),
    )

    timeline = timeline_of(usage, 0)

    assert timeline.end_us - timeline.start_us == 20 * 60_000_000


@pytest.mark.parametrize(
    "spans",
    [
        # Nothing changes at the first of these, for it charges from its start on.
        ((30, Activity.CHARGING), (10, Activity.PARKING)),
        ((20, Activity.PARKING), (30, Activity.CHARGING), (29, Activity.PARKING)),
        ((-1, Activity.PARKING), (-2, Activity.CHARGING)),
    ],
)
def test_spans_that_run_backwards_make_no_session(
    spans: tuple[tuple[int, Activity], ...],
) -> None:
    with pytest.raises(UnusableUsageError, match="run backwards"):
        timeline_of(usage_of(spans=spans), 0)


@pytest.mark.parametrize(
    "points",
    [
        pytest.param(((0, "0"), (30, "5"), (60, "4")), id="a register that falls"),
        pytest.param(((0, "0"), (60, "5"), (30, "6")), id="a reading before the last"),
        pytest.param(((0, "1"), (60, "5")), id="a first register that is not 0"),
        pytest.param(((1, "0"), (60, "5")), id="no reading at the start"),
        pytest.param(((0, "0"), (59, "5")), id="no reading at the end"),
        pytest.param(((0, "0"), (30, "NaN"), (60, "5")), id="a reading that is no number"),
        pytest.param(((0, "0"), (60, "1E+12")), id="a TWh and more"),
    ],
)
def test_readings_that_make_no_session_are_refused(points: tuple[tuple[int, str], ...]) -> None:
    with pytest.raises(UnusableUsageError):
        timeline_of(usage_of(*points), 0)
