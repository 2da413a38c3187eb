"""Nothing that a version says changes unsaid: neither its own fields nor the tables in it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec
import pytest

from tariffs.adjustments.adjustment import IdleGrace, QuantityTax
from tariffs.diff.diff import diff_tariffs
from tariffs.holiday_calendar import HolidayCalendar
from tariffs.kernel.compiled import CompiledTariff
from tariffs.model.policy import FlatPolicy, RoundingUnit, StepPolicy
from tariffs.model.price_series import PriceSeries
from tariffs.model.tariff import (
    Dimension,
    PriceComponent,
    PriceLimit,
    Restrictions,
    Tariff,
    TariffElement,
    TaxIncluded,
    Weekday,
)
from tariffs.quantities import RoundingMode
from tariffs.taxes.sales_taxes import SalesTax

NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)
LIMIT = PriceLimit(before_taxes=Decimal(1))
MAY_DAYS = tuple(date(year, 5, 1) for year in (2026, 2027))


def energy(price: str, *, series: bool = False, **restrictions: Any) -> TariffElement:  # noqa: ANN401 - any field
    component = PriceComponent(dimension=Dimension.ENERGY, price=Decimal(price), series=series)
    return TariffElement(
        price_components=(component,), restrictions=Restrictions(**restrictions), name="energy"
    )


def spot(*prices: str, **terms: Any) -> PriceSeries:  # noqa: ANN401 - any field
    starts = (NEW_YEAR + timedelta(hours=hour) for hour in range(len(prices)))
    told = tuple(zip(starts, map(Decimal, prices), strict=True))
    return PriceSeries(**{"name": "spot", "minutes": 60, "prices": told, **terms})


PLAIN = Tariff(id="t", currency="EUR", elements=(energy("0.40"),))
DYNAMIC = msgspec.structs.replace(
    PLAIN, elements=(energy("0.08", series=True),), price_series=spot("0.10", "0.20", "0.30")
)
FOLLOWS = "Energy that follows a price series costs"
PER_HOUR = "its price of 'spot' for each 1 h"
ON_SUNDAYS: Final[dict[str, Any]] = {"day_of_week": (Weekday.SUNDAY,)}
HOLIDAYS = msgspec.structs.replace(
    PLAIN,
    elements=(energy("0.30", **ON_SUNDAYS, holidays=MAY_DAYS[:1]), energy("0.40")),
    holidays=HolidayCalendar(country="DE", region="BY", years=(2026,), days=MAY_DAYS[:1]),
)


def sentences(before: Tariff, after: Tariff) -> list[str]:
    found = diff_tariffs(
        CompiledTariff(before),
        CompiledTariff(after),
        time_zone="Europe/Berlin",
        first_day=date(2026, 3, 2),
    )
    return [change.sentence for change in found.changes]


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"markup": Decimal("0.08")}, " + 0.08"),
        ({"percent": Decimal(5), "floor": Decimal(0)}, " + 5 %, at least 0"),
        ({"cap": Decimal(1)}, ", at most 1"),
    ],
)
def test_a_price_series_says_its_terms(terms: dict[str, Decimal], said: str) -> None:
    after = msgspec.structs.replace(DYNAMIC, price_series=spot("0.10", "0.20", "0.30", **terms))

    assert sentences(DYNAMIC, after) == [f"{FOLLOWS} {PER_HOUR}{said} (was {PER_HOUR})"]


@pytest.mark.parametrize(
    ("prices", "said"),
    [
        (("0.10", "0.21"), ["Prices of the series: 1 are others, 0 come and 1 go"]),
        (("0.10", "0.20", "0.30", "0.40"), ["Prices of the series: 0 are others, 1 come and 0 go"]),
        (("0.10", "0.20", "0.30"), []),
    ],
)
def test_prices_of_a_series_are_counted(prices: tuple[str, ...], said: list[str]) -> None:
    after = msgspec.structs.replace(DYNAMIC, price_series=spot(*prices))

    assert sentences(DYNAMIC, after) == said


def test_energy_that_ceases_to_follow_a_series_says_so() -> None:
    after = msgspec.structs.replace(PLAIN, elements=(energy("0.08"),))

    said = sentences(DYNAMIC, after)

    assert said[0] == f"{FOLLOWS} what its element says alone (was {PER_HOUR})"
    assert said[1].startswith("Element 1 (energy) changes from: Energy 0.08 EUR/kWh over the price")


def test_another_year_of_holidays_is_no_other_step() -> None:
    after = msgspec.structs.replace(
        HOLIDAYS,
        elements=(energy("0.30", **ON_SUNDAYS, holidays=MAY_DAYS), HOLIDAYS.elements[1]),
        holidays=HolidayCalendar(country="DE", region="BY", years=(2026, 2027), days=MAY_DAYS),
    )

    assert sentences(HOLIDAYS, after) == [
        "Public holidays are those of DE-BY in 2026, 2027 (were those of DE-BY in 2026)",
        "Public holidays: 1 days come and 0 go",
    ]
    assert sentences(HOLIDAYS, HOLIDAYS) == []


def test_holidays_that_an_element_gets_are_a_change_of_it() -> None:
    before = msgspec.structs.replace(
        HOLIDAYS, elements=(energy("0.30", **ON_SUNDAYS), energy("0.40")), holidays=None
    )

    said = sentences(before, HOLIDAYS)

    assert said[:2] == [
        "Public holidays are those of DE-BY in 2026 (were not named)",
        "Public holidays: 1 days come and 0 go",
    ]
    assert said[2].endswith("to: Energy 0.30 EUR/kWh (Sun and public holidays)")


OTHERWISE: Final[dict[str, Any]] = {
    "id": "u",
    "currency": "CHF",
    "elements": (energy("0.41"),),
    "tax_included": TaxIncluded.YES,
    "min_price": LIMIT,
    "max_price": LIMIT,
    "start_date_time": NEW_YEAR,
    "end_date_time": NEW_YEAR,
    "adjustments": (IdleGrace(seconds=60),),
    "name": "Summer",
    "type": "REGULAR",
    "country_code": "DE",
    "party_id": "ABC",
    "alt_text": (("en", "cheap"),),
    "alt_url": "https://example.com",
    "price_series": spot("0.10"),
    "sales_taxes": (SalesTax(name="GST", percent=Decimal(5)),),
    "quantity_taxes": (QuantityTax(name="excise", per_kwh=Decimal("0.03")),),
    "holidays": HolidayCalendar(country="DE", years=(2026,), days=()),
    "step_policy": StepPolicy.NONE_3_0,
    "rounding": RoundingUnit.LINE,
    "rounding_mode": RoundingMode.DOWN,
    "flat_policy": FlatPolicy.FIRST_ONLY,
    "below_zero": True,
    "preauthorize_amount": Decimal(50),
}


@pytest.mark.parametrize("name", [each.name for each in msgspec.structs.fields(Tariff)])
def test_each_field_of_a_tariff_says_that_it_changes(name: str) -> None:
    """But for the moment at which it was last written, which says nothing of it."""
    if name == "last_updated":
        assert name not in OTHERWISE
        return

    assert sentences(PLAIN, msgspec.structs.replace(PLAIN, **{name: OTHERWISE[name]}))
