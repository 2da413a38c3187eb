"""What a plot says and draws of days and prices that are not like most."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

from tariffs.calendar.plot import day_plot
from tariffs.calendar.week import Fee, week_calendar
from tariffs.kernel.compiled import CompiledTariff
from tariffs.model.tariff import Dimension, PriceComponent, Tariff, TariffElement


def plot_of(price: str, day: date) -> str:
    component = PriceComponent(dimension=Dimension.ENERGY, price=Decimal(price))
    elements = (TariffElement(price_components=(component,)),)
    tariff = Tariff(id="t", currency="EUR", elements=elements, below_zero=True)
    week = week_calendar(CompiledTariff(tariff), time_zone="Europe/Berlin", first_day=day)
    return day_plot(week, Fee.ENERGY, day)


def test_the_hour_that_autumn_repeats_is_said_as_it_is() -> None:
    assert "00:00 to 03:00: 0.40 EUR/kWh; 02:00 to 24:00: 0.40 EUR/kWh." in plot_of(
        "0.40", date(2026, 10, 25)
    )
    assert "00:00 to 24:00: 0.40 EUR/kWh." in plot_of("0.40", date(2026, 10, 26))


def test_a_price_below_zero_hangs_below_the_line() -> None:
    drawn = plot_of("-0.10", date(2026, 3, 2))

    [(top, height)] = re.findall(r'<rect [^>]*y="([0-9.]+)"[^>]* height="([0-9.]+)"', drawn)
    assert Decimal(top) == 200
    assert Decimal(height) > 0
