"""Which elements can ever apply, in years of either length."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tariffs.kernel.pricing import compile_tariff
from tariffs.lint.reach import reach_of
from tariffs.model.tariff import (
    Dimension,
    PriceComponent,
    Restrictions,
    Tariff,
    TariffElement,
    Weekday,
)

FROM_2026 = datetime(2026, 1, 1, tzinfo=UTC)
TO_2027 = datetime(2027, 1, 1, tzinfo=UTC)
LEAP_DAY = Restrictions(season_start="02-29", season_end="03-01")
SATURDAY = Restrictions(day_of_week=(Weekday.SATURDAY,), season_start="02-28", season_end="03-01")


@pytest.mark.parametrize(
    ("when", "starts", "ends", "applies"),
    [
        pytest.param(LEAP_DAY, None, None, True, id="a leap year, without dates"),
        pytest.param(SATURDAY, None, None, True, id="28 February is a Saturday in 2026"),
        pytest.param(LEAP_DAY, FROM_2026, None, True, id="from a common year on"),
        pytest.param(LEAP_DAY, FROM_2026, TO_2027, False, id="within a common year"),
    ],
)
def test_a_season_is_looked_at_in_leap_years_and_in_common_ones(
    when: Restrictions,
    starts: datetime | None,
    ends: datetime | None,
    applies: bool,  # noqa: FBT001 - a column of the table
) -> None:
    component = PriceComponent(dimension=Dimension.ENERGY, price=Decimal("0.30"))
    seasonal = Tariff(
        id="t",
        currency="EUR",
        elements=(TariffElement(price_components=(component,), restrictions=when),),
        start_date_time=starts,
        end_date_time=ends,
    )

    assert reach_of(compile_tariff(seasonal)).ever_applies(0) is applies
