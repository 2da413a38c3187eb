"""Percentages on the net price, stacked: what a component's one VAT percentage consists of.

Source: OCPP 2.1, TaxRateType: a tax of stack 1 is on the net amount and the taxes of stack 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import msgspec

from tariffs.quantities import EXACT, plain

STACK_MAX = 9
_HUNDRED = Decimal(100)


class SalesTax(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`percent` on the net amount and on all taxes of a lower `stack`."""

    name: str
    percent: Decimal
    stack: int = 0


def effective_percents(taxes: Sequence[SalesTax]) -> tuple[Decimal, ...]:
    """Return what percentage of the net amount each tax is; *taxes* in the order of `stack`."""
    found: list[Decimal] = []
    for tax in taxes:
        below = sum(
            (p for t, p in zip(taxes, found, strict=False) if t.stack < tax.stack), Decimal(0)
        )
        base = EXACT.divide(EXACT.add(_HUNDRED, below), _HUNDRED)
        found.append(plain(EXACT.multiply(tax.percent, base)))
    return tuple(found)


def combined_percent(taxes: Sequence[SalesTax]) -> Decimal:
    """Return the one percentage of the net amount that all *taxes* are together."""
    total = Decimal(0)
    for percent in effective_percents(taxes):
        total = EXACT.add(total, percent)
    return plain(total)


def shares(taxes: Sequence[SalesTax]) -> tuple[Fraction, ...]:
    """Return which share of their sum each tax has."""
    percents = [Fraction(percent) for percent in effective_percents(taxes)]
    total = sum(percents)
    return tuple(percent / total if total else Fraction(0) for percent in percents)
