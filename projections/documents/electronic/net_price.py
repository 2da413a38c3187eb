"""Quantity and net price of a line, so that their product rounds to exactly what it costs.

The rules (BR-27, and PEPPOL-EN16931-R120 of German public buyers) want quantity x price / base =
net amount and no price below zero. A tariff's price before taxes stands as it is where that holds.
A price with taxes, or a line that got its share of a rounded total, has the net price with as many
decimals as it takes. What an adjustment took off at no price of its own is one piece at what it
takes; so is what costs something without a quantity.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Final, NamedTuple

from ledger.invoices.shown import InvoiceLine
from projections.documents.electronic.electronic_invoice import NetPrice
from projections.documents.electronic.tax_categories import is_tax
from tariffs.quantities import EXACT, plain, round_ratio
from tariffs.taxes.taxes import decimals_of

PIECE: Final = "C62"
HOUR: Final = "HUR"
MINUTE: Final = "MIN"
UNIT_CODES: Final = {"kWh": "KWH", "h": HOUR, "session": PIECE, "invoice": PIECE}
"""The units of `ledger.invoices.shown`, by UN/ECE recommendation 20."""

PRICE_DECIMALS_MAX: Final = 18
_QUANTITY_DECIMALS_MAX: Final = 9
_SHORT_DECIMALS: Final = 4
_MINUTES: Final = 60
# An hour's volume that does not end has 18 decimals.
_SAME: Final = Fraction(1, 10**15)


class _Measured(NamedTuple):
    """A quantity, and of how many of its unit the price is."""

    quantity: Decimal
    unit: str
    base: int


_ONE_PIECE: Final = _Measured(Decimal(1), PIECE, 1)


def net_price(line: InvoiceLine, net_minor: int, exponent: int) -> NetPrice:
    """Return quantity and net price of *line*, which costs *net_minor* before taxes.

    *exponent* is the number of decimals of the currency's minor unit.
    """
    costs = abs(net_minor)
    measured = _measured(abs(line.quantity), line.unit)
    price = _price(line, measured, costs, exponent)
    if price is None:
        measured, price = _ONE_PIECE, _decimal(Fraction(costs, 10**exponent), exponent)
    return NetPrice(
        quantity=-measured.quantity if net_minor < 0 else measured.quantity,
        unit=measured.unit,
        price=price,
        base=measured.base,
    )


def _price(line: InvoiceLine, measured: _Measured, costs: int, exponent: int) -> Decimal | None:
    """Return the price at which *measured* costs so many minor units, None if there is none."""
    stated = abs(line.unit_price)
    if _costs_minor(measured, Fraction(stated), exponent) == costs:
        return stated
    for exact in _prices(line, measured, costs, exponent):
        for decimals in range(exponent, PRICE_DECIMALS_MAX + 1):
            price = _decimal(exact, decimals)
            if _costs_minor(measured, Fraction(price), exponent) == costs:
                return price
    return None


def _prices(
    line: InvoiceLine, measured: _Measured, costs: int, exponent: int
) -> Iterator[Fraction]:
    """Yield what the net price may be exactly: the stated one without its tax, the line's own."""
    if not measured.quantity:
        return
    if line.vat_percent:
        before = 100 * Fraction(abs(line.unit_price)) / (100 + Fraction(line.vat_percent))
        if _costs_minor(measured, before, exponent) == costs:
            yield before
    if line.said.code != "adjusted_fee" or is_tax(line):
        yield Fraction(costs * measured.base, 10**exponent) / Fraction(measured.quantity)


def _costs_minor(measured: _Measured, price: Fraction, exponent: int) -> int:
    exact = Fraction(measured.quantity) * price * 10**exponent / measured.base
    return round_ratio(exact.numerator, exact.denominator)


def _decimal(exact: Fraction, decimals: int) -> Decimal:
    scaled = round_ratio(exact.numerator * 10**decimals, exact.denominator)
    return Decimal(scaled).scaleb(-decimals, EXACT)


def _measured(quantity: Decimal, unit: str) -> _Measured:
    """Return *quantity* in as few digits as say it: hours that do not end may end as minutes."""
    if unit == "h" and decimals_of(quantity) > _SHORT_DECIMALS:
        minutes = _decimal(Fraction(quantity) * _MINUTES, _SHORT_DECIMALS)
        if abs(Fraction(minutes) / _MINUTES - Fraction(quantity)) < _SAME:
            return _Measured(plain(minutes), MINUTE, _MINUTES)
    if decimals_of(quantity) > _QUANTITY_DECIMALS_MAX:
        quantity = _decimal(Fraction(quantity), _QUANTITY_DECIMALS_MAX)
    return _Measured(plain(quantity), UNIT_CODES[unit], 1)
