"""The tax on a document's sum: the taxable sum times the rate, rounded once.

Source: EN 16931, BR-CO-17 (the tax of a category) and BT-114 (the rounding amount).

Prices before taxes give a net sum, prices with taxes a gross one. What is due is the net sum with
its tax, and the gross sum as it is. With 20 %:

    net 0.30                0.30 + 0.06         ten sessions of 0.03, each told 0.01 of tax
    gross 0.30              0.25 + 0.05
    gross 0.03              0.03 + 0.01 - 0.01  no net gives 0.03, so a cent is rounded off
    net 0.30, gross 0.30    0.55 + 0.11

A tax of a higher stack is on the taxes below it as the document states them: whoever has the
document alone can check each of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from tariffs.quantities import round_ratio
from tariffs.taxes.sales_taxes import SalesTax, combined_percent


class TaxOnSum(NamedTuple):
    """One tax: what it is on, and what it comes to; minor units."""

    base_minor: int
    tax_minor: int


class TaxedSum(NamedTuple):
    """A taxable sum, each tax on it, and what makes the amount due exact; minor units."""

    net_minor: int
    taxes: tuple[TaxOnSum, ...]
    rounding_minor: int

    @property
    def tax_minor(self) -> int:
        """Return all taxes together."""
        return sum(tax.tax_minor for tax in self.taxes)


def taxed_sum(taxes: Sequence[SalesTax], *, net_minor: int, gross_minor: int) -> TaxedSum:
    """Return what a sum of prices before *taxes* and one of prices with them come to.

    *taxes* in the order of `stack`.
    """
    due = _after(net_minor, taxes) + gross_minor
    after_100 = 100 + Fraction(combined_percent(taxes))
    nearest = _rounded(100 * due / after_100)
    # The amount after taxes grows with the net, by more than a unit where the tax grows as well.
    net = nearest
    while _after(net, taxes) > due:
        net -= 1
    while _after(net + 1, taxes) <= due:
        net += 1
    net = min(
        (net, net + 1), key=lambda each: (abs(due - _after(each, taxes)), abs(each - nearest))
    )
    return TaxedSum(net, _taxes(net, taxes), due - _after(net, taxes))


def _after(net_minor: int, taxes: Sequence[SalesTax]) -> int:
    return net_minor + sum(tax.tax_minor for tax in _taxes(net_minor, taxes))


def _taxes(net_minor: int, taxes: Sequence[SalesTax]) -> tuple[TaxOnSum, ...]:
    found: list[TaxOnSum] = []
    for tax in taxes:
        below = zip(taxes, found, strict=False)
        base = net_minor + sum(each.tax_minor for other, each in below if other.stack < tax.stack)
        found.append(TaxOnSum(base, _rounded(base * Fraction(tax.percent) / 100)))
    return tuple(found)


def _rounded(amount: Fraction) -> int:
    return round_ratio(amount.numerator, amount.denominator)
