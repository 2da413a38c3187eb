"""A price series: dynamic prices of an exchange, fixed into the version of a tariff.

Every price belongs to an absolute interval, so a day of 23 or 25 hours needs no care. What a
driver pays per kWh is price x (1 + percent) + markup, then not below `floor`, not above `cap`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from tariffs.errors import TariffError
from tariffs.model.usage import microseconds
from tariffs.phrases.phrase import Phrase, phrase
from tariffs.quantities import EXACT, is_sane, plain

MINUTES: Final = (15, 30, 60)
# Quarter-hours of five and a half years.
PRICES_MAX: Final = 200_000
_MINUTE_US: Final = 60_000_000
_HUNDRED: Final = Decimal(100)


class PriceSeries(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Prices per kWh, each for `minutes` from its moment (UTC), sorted; gaps are allowed.

    A session that takes energy in a gap is refused, never priced at zero.
    """

    name: str
    minutes: int
    prices: tuple[tuple[datetime, Decimal], ...]
    percent: Decimal = Decimal(0)
    markup: Decimal = Decimal(0)
    floor: Decimal | None = None
    cap: Decimal | None = None

    def resolved(self, price: Decimal) -> Decimal:
        """Return what a driver pays per kWh where the exchange has *price*."""
        share = EXACT.divide(EXACT.add(_HUNDRED, self.percent), _HUNDRED)
        paid = EXACT.add(EXACT.multiply(price, share), self.markup)
        if self.cap is not None:
            paid = min(paid, self.cap)
        if self.floor is not None:
            paid = max(paid, self.floor)
        return plain(paid)

    def formula(self, price: Decimal, own: Decimal) -> Phrase:
        """Say how *price* becomes what is paid: "spot 0.10 + 5 % + 0.08, at least 0.15".

        `own` is what the component that follows the series states beside it.
        """
        return phrase(
            "series",
            series=self.name,
            price=price,
            percent=self.percent or None,
            markup=self.markup or None,
            floor=self.floor,
            cap=self.cap,
            own=own or None,
        )


class SeriesTable:
    """A price series made ready: looked up by instants in microseconds since 1970."""

    __slots__ = ("_interval_us", "_starts", "series")

    def __init__(self, series: PriceSeries) -> None:
        self.series = series
        self._interval_us = series.minutes * _MINUTE_US
        self._starts = [microseconds(at) for at, _ in series.prices]

    def bounds(self, start_us: int, end_us: int) -> list[int]:
        """Return where an interval begins or ends within a session."""
        low = max(0, bisect_right(self._starts, start_us) - 1)
        high = bisect_right(self._starts, end_us)
        within = self._starts[low:high]
        return [bound for at in within for bound in (at, at + self._interval_us)]

    def price_at(self, instant_us: int) -> Decimal | None:
        """Return the exchange's price at an instant; None in a gap."""
        index = bisect_right(self._starts, instant_us) - 1
        if index < 0 or instant_us >= self._starts[index] + self._interval_us:
            return None
        return self.series.prices[index][1]


def series_faults(series: PriceSeries, *, below_zero: bool = False) -> Iterator[str]:
    """Yield what makes *series* impossible to price with, the first of each kind."""
    if series.minutes not in MINUTES:
        yield f"intervals of {series.minutes} min are not known, only of 15, 30 or 60"
    if not 0 < len(series.prices) <= PRICES_MAX:
        yield f"it has {len(series.prices)} prices"
    for name in ("percent", "markup", "floor", "cap"):
        number = getattr(series, name)
        if number is not None and not (is_sane(number) and number >= 0):
            yield f"its {name} is {number}"
    if series.floor is not None and series.cap is not None and series.cap < series.floor:
        yield "its cap is less than its floor"
    yield from _price_faults(series, below_zero=below_zero)


def _price_faults(series: PriceSeries, *, below_zero: bool) -> Iterator[str]:
    interval = timedelta(minutes=max(1, series.minutes))
    last: datetime | None = None
    for at, price in series.prices:
        if not is_sane(price):
            yield f"the price of {at} is {price}"
            return
        if last is not None and (at <= last or (at - last) % interval):
            yield f"the price of {at} does not begin a whole number of intervals after {last}"
            return
        if series.resolved(price) < 0 and not below_zero:
            costs = f"from {at} it costs {series.resolved(price):f} per kWh"
            yield f"{costs}; give it a floor, or say below_zero: yes"
            return
        last = at


class MissingPriceError(TariffError):
    """A session took energy in an interval for which the series has no price."""

    def __init__(self, tariff_id: str, series: str, at: datetime) -> None:
        super().__init__(tariff_id, series, at)
        self.tariff_id, self.series, self.at = tariff_id, series, at
        when = f"{at:%Y-%m-%d %H:%M}"
        self.said = phrase("price_missing", tariff=tariff_id, series=series, at=when)
