"""Taxes as exact integer factors: an amount is volume units x factor / one denominator.

A tariff's amounts, before taxes and tax, share one denominator whatever their VAT and whether
prices include it, so that the kernel only multiplies and adds whole numbers.
"""

from __future__ import annotations

from decimal import Decimal
from math import lcm

import msgspec

from tariffs.model.tariff import Dimension, Tariff, TaxIncluded
from tariffs.quantities import EXACT

# Volume units: 1e-9 Wh, 1 microsecond, 1 (FLAT). Prices are per kWh, per hour, once.
ENERGY_UNITS_PER_WH = 10**9
ENERGY_UNITS_PER_KWH = 10**12
TIME_UNITS_PER_HOUR = 3_600_000_000
# The least common multiple of what the three volume units divide a price by, and its shares.
_VOLUME_DENOMINATOR = 9 * 10**12
_VOLUME_FACTOR = {
    Dimension.ENERGY: _VOLUME_DENOMINATOR // ENERGY_UNITS_PER_KWH,
    Dimension.TIME: _VOLUME_DENOMINATOR // TIME_UNITS_PER_HOUR,
    Dimension.PARKING_TIME: _VOLUME_DENOMINATOR // TIME_UNITS_PER_HOUR,
    Dimension.RESERVATION_TIME: _VOLUME_DENOMINATOR // TIME_UNITS_PER_HOUR,
    Dimension.FLAT: _VOLUME_DENOMINATOR,
}


def decimals_of(number: Decimal) -> int:
    """Return how many decimals *number* is written with."""
    exponent = number.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def scaled(number: Decimal, decimals: int) -> int:
    """Return *number* x 10^*decimals*, which must be whole."""
    return int(number.scaleb(decimals, EXACT))


class Factors(msgspec.Struct, frozen=True):
    """How the prices of one tariff become integers.

    `price_scale` is 10^`price_decimals`, `hundred` 100 % at `vat_decimals` decimals.
    `grants` is a spare factor in the denominator by which percentages of grants stay whole.
    """

    price_decimals: int
    price_scale: int
    vat_decimals: int
    hundred: int
    inclusive: bool
    tax_denominator: int
    grants: int

    @property
    def denominator(self) -> int:
        """Return what every amount of the tariff is divided by."""
        return _VOLUME_DENOMINATOR * self.price_scale * self.tax_denominator * self.grants

    def before(self, dimension: Dimension, price: Decimal, vat: Decimal | None) -> int:
        """Return the amount before taxes of one volume unit."""
        gross = self._price(dimension, price)
        if not self.inclusive:
            return gross * self.tax_denominator
        return gross * (self.tax_denominator // (self.hundred + self._vat(vat))) * self.hundred

    def tax(self, dimension: Dimension, price: Decimal, vat: Decimal | None) -> int:
        """Return the tax on one volume unit."""
        gross = self._price(dimension, price)
        divisor = self.hundred + self._vat(vat) if self.inclusive else self.hundred
        return gross * (self.tax_denominator // divisor) * self._vat(vat)

    def _price(self, dimension: Dimension, price: Decimal) -> int:
        return scaled(price, self.price_decimals) * _VOLUME_FACTOR[dimension] * self.grants

    def _vat(self, vat: Decimal | None) -> int:
        return 0 if vat is None else scaled(vat, self.vat_decimals)


def factors_of(tariff: Tariff, *, grants: int) -> Factors:
    """Choose the common denominator of *tariff*'s prices and taxes."""
    components = [c for element in tariff.elements for c in element.price_components]
    vats = [c.vat for c in components if c.vat is not None]
    vat_decimals = max((decimals_of(vat) for vat in vats), default=0)
    inclusive = tariff.tax_included is TaxIncluded.YES
    prices = [c.price for c in components]
    if tariff.price_series is not None:
        prices.extend(
            tariff.price_series.resolved(price) for _, price in tariff.price_series.prices
        )
    price_decimals = max((decimals_of(price) for price in prices), default=0)
    hundred: int = 100 * 10**vat_decimals
    # Taxes inside: net = gross x 100 / (100 + rate), so each rate divides the denominator.
    divisors = [hundred, *(hundred + scaled(vat, vat_decimals) for vat in vats)]
    return Factors(
        price_decimals=price_decimals,
        price_scale=10**price_decimals,
        vat_decimals=vat_decimals,
        hundred=hundred,
        inclusive=inclusive,
        tax_denominator=lcm(*divisors) if inclusive else hundred,
        grants=grants,
    )
