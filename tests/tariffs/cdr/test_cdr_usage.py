"""What a CDR tells of its session, as our own tariff prices it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from tariffs.cdr.cdr import Cdr, ChargingPeriod
from tariffs.cdr.usage import has_mixed_times, usage_of
from tariffs.model.usage import Activity

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
CHARGING, PARKING, RESERVED = Activity.CHARGING, Activity.PARKING, Activity.RESERVATION


def cdr(*periods: ChargingPeriod, starts_at: datetime = NOON) -> Cdr:
    return Cdr(id="C", starts_at=starts_at, ends_at=NOON + 4 * HOUR, currency=None, periods=periods)


def period(hours: int, **said: Decimal) -> ChargingPeriod:
    return replace(ChargingPeriod(starts_at=NOON + hours * HOUR), **said)


def test_periods_are_registers_at_their_bounds() -> None:
    usage = usage_of(cdr(period(0, energy=Decimal("1.5")), period(1, energy=Decimal(2))), "UTC")

    assert [(each.at, int(each.energy_wh)) for each in usage.points] == [
        (NOON, 0),
        (NOON + HOUR, 1500),
        (NOON + 4 * HOUR, 3500),
    ]


@pytest.mark.parametrize(
    ("said", "activity"),
    [
        ({"energy": Decimal(1)}, CHARGING),
        ({"time": Decimal(1)}, CHARGING),
        ({"parking_time": Decimal(1)}, PARKING),
        ({"parking_time": Decimal(0)}, CHARGING),
        ({"parking_time": Decimal(1), "time": Decimal(0)}, PARKING),
        ({"parking_time": Decimal(1), "time": Decimal(1)}, CHARGING),
        ({"parking_time": Decimal(1), "energy": Decimal(1)}, CHARGING),
        ({"reservation_time": Decimal(1)}, RESERVED),
    ],
)
def test_a_period_is_what_the_vehicle_did(said: dict[str, Decimal], activity: Activity) -> None:
    usage = usage_of(cdr(period(0, energy=Decimal(1)), period(2, **said)), "UTC")

    expected = [(NOON, CHARGING)]
    if activity is not CHARGING:
        expected.append((NOON + 2 * HOUR, activity))
    assert [(each.starts_at, each.activity) for each in usage.spans] == expected


def test_a_gap_before_the_first_period_draws_nothing() -> None:
    usage = usage_of(cdr(period(1, energy=Decimal(3))), "UTC")

    assert [(each.at, int(each.energy_wh)) for each in usage.points[:2]] == [
        (NOON, 0),
        (NOON + HOUR, 0),
    ]
    assert usage.spans[0].starts_at == NOON


@pytest.mark.parametrize(
    ("said", "is_mixed"),
    [
        ({"parking_time": Decimal(1), "time": Decimal(1)}, True),
        ({"parking_time": Decimal(1), "energy": Decimal(1)}, True),
        ({"parking_time": Decimal(0), "time": Decimal(1)}, False),
        ({"parking_time": Decimal(1)}, False),
        ({"energy": Decimal(1), "time": Decimal(1)}, False),
    ],
)
def test_nobody_can_say_when_a_mixed_period_parked(
    said: dict[str, Decimal],
    is_mixed: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    assert has_mixed_times(cdr(period(0, energy=Decimal(1)), period(1, **said))) is is_mixed
