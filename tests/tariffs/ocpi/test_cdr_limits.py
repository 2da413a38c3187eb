"""What no session can have used, from both sides of each bound."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tariffs.cdr.cdr import ChargingPeriod
from tariffs.ocpi.cdr_limits import is_beyond, odd_volume

BEGINS = datetime(2026, 3, 2, tzinfo=UTC)
BIT = timedelta(microseconds=1)
TWO_YEARS = timedelta(days=731)


@pytest.mark.parametrize(
    ("lasts", "beyond"),
    [(timedelta(0), False), (-BIT, True), (TWO_YEARS, False), (TWO_YEARS + BIT, True)],
)
def test_a_session_runs_forwards_and_for_two_years_at_most(
    lasts: timedelta, *, beyond: bool
) -> None:
    assert is_beyond(BEGINS, BEGINS + lasts) is beyond


@pytest.mark.parametrize(
    ("said", "is_impossible"),
    [
        ({"energy": Decimal(10**9)}, None),
        ({"energy": Decimal(10**9) + Decimal("0.001")}, True),
        ({"time": Decimal(1)}, None),
        ({"time": Decimal("1.01027")}, None),
        ({"time": Decimal("1.01028")}, False),
        ({"parking_time": Decimal(17_544)}, False),
        ({"parking_time": Decimal(17_544) + Decimal("0.001")}, True),
        ({"reservation_time": Decimal(17_545)}, True),
    ],
)
def test_a_volume_is_odd_or_impossible(said: dict[str, Any], *, is_impossible: bool | None) -> None:
    periods = [ChargingPeriod(starts_at=BEGINS, **said)]

    found = odd_volume(periods, BEGINS + timedelta(hours=1))

    assert (found and found.is_impossible) is is_impossible
