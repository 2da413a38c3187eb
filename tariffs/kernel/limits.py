"""The least and the most that a session costs.

Adjustments come first: a session may cost less than min_price because something of it was given
away, never otherwise.

Both limits hold, before and after taxes, and what is taxed is taxed at the tariff's rates: tax is
no place to put a difference. Each rate keeps its share of the price where that leaves both limits
met. Where it does not, the change falls on the dearer rates first, as far as the limit before
taxes can be kept that way; what then is still beyond the limit after taxes changes the price.

What is below zero (a tariff may say so) is no fee, and bears no share: a least price first takes
back of it, rate by rate in proportion, and raises the fees only once nothing is below zero any
more. A greatest price lowers the fees. So a least price of 0 is how to pay nobody.

    19 %; min_price 5.00 and 5.50, 4.80 + 0.912              5.00 + 0.95; both hold by themselves
    19 %; min_price 5.00 and 6.50, 4.80 + 0.912              5.4622 + 1.0378; 6.50 is more than 5.95
    19 % and 7 %; min_price 0, 3.00 and -5.00                3.00 and -3.00, + 0.57 - 0.21
    10 % and 20 %; max_price 10.00 and 11.00,
        12.50 at 10 % and 0.50 at 20 %                       10.00 + 1.00: all of it at 10 %

Source: OCPI 2.3.0, mod_tariffs, Tariff.min_price and max_price; the last example is that of
mod_tariffs, whose total it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from math import lcm
from typing import Final, NamedTuple

import msgspec

from tariffs.kernel.compiled import CompiledTariff, Why
from tariffs.kernel.rounding import Amounts
from tariffs.kernel.tally import Run
from tariffs.model.policy import LimitTaxPolicy, PricingPolicy
from tariffs.model.tariff import PriceLimit, Tariff

_NOTHING: Final = PriceLimit(before_taxes=Decimal(0))

# VAT in percent, and what is added before taxes and as tax (or taken, when negative).
LimitedPart = tuple[Decimal | None, int, int]


class Limited(msgspec.Struct, frozen=True):
    """What a limit changes: a part for each rate of VAT, or one whose tax follows from none.

    The amounts stand over the session's denominator times `scale`, so that they are whole.
    """

    parts: Sequence[LimitedPart]
    scale: int


class _Owed(NamedTuple):
    """What a session owes before taxes at one rate, and the tax on one of it."""

    vat: Decimal | None
    before: Fraction
    tax_on_one: Fraction


class _Limit(NamedTuple):
    """A limit before taxes and perhaps after them, as amounts; the least price or the most."""

    before: Fraction
    after: Fraction | None
    is_least: bool

    def bound(self, amount: Fraction, bound: Fraction | None) -> Fraction:
        """Return *amount*, or *bound* where it is beyond that."""
        if bound is None:
            return amount
        return max(amount, bound) if self.is_least else min(amount, bound)


def limit_for(
    compiled: CompiledTariff,
    policy: PricingPolicy,
    why: Why,
    runs: Sequence[Run],
    amounts: Amounts,
    *,
    waived: bool = False,
) -> Limited | None:
    """Return what min_price or max_price (*why*) changes of what a session's lines come to.

    Of a least price that is *waived*, because something was given away, nothing but 0 is left.
    """
    is_least = why is Why.MIN_PRICE
    stated = compiled.tariff.min_price if is_least else compiled.tariff.max_price
    if stated is None:
        return None
    if is_least and waived:
        # Only what is below zero can be less than that.
        if not compiled.tariff.below_zero:
            return None
        stated = _NOTHING
    limit = _limit(stated, amounts, is_least=is_least)
    before, tax = Fraction(sum(amounts.befores)), Fraction(sum(amounts.taxes))
    if policy.limit_tax is LimitTaxPolicy.UNCHANGED:
        limited = limit.bound(before, limit.before)
        after = limit.bound(limited + tax, limit.after)
        return _whole([(None, limited - before, after - limited - tax)])
    owed = _by_rate(runs, amounts)
    if not any(each.before > 0 for each in owed):
        owed.append(_on_nothing(compiled.tariff))
    return _whole(
        [
            (each.vat, net - each.before, (net - each.before) * each.tax_on_one)
            for each, net in zip(owed, _nets(owed, limit), strict=True)
        ]
    )


def rate_on_nothing(tariff: Tariff) -> Decimal | None:
    """Return the VAT on a least price of a session that owes nothing: the first that is stated."""
    components = (c for element in tariff.elements for c in element.price_components)
    return next((c.vat for c in components if c.vat is not None), None)


def _limit(stated: PriceLimit, amounts: Amounts, *, is_least: bool) -> _Limit:
    """Return the limit over the session's denominator."""
    before, after = Fraction(stated.before_taxes), stated.after_taxes
    return _Limit(
        before * amounts.denominator,
        None if after is None else Fraction(after) * amounts.denominator,
        is_least,
    )


def _by_rate(runs: Sequence[Run], amounts: Amounts) -> list[_Owed]:
    """Return what is owed at each rate, without those at which nothing is."""
    rates: dict[Decimal | None, tuple[int, int]] = {}
    for run, owed, tax in zip(runs, amounts.befores, amounts.taxes, strict=True):
        sofar = rates.get(run.component.vat, (0, 0))
        rates[run.component.vat] = sofar[0] + owed, sofar[1] + tax
    return [
        _Owed(vat, Fraction(owed), Fraction(tax, owed))
        for vat, (owed, tax) in rates.items()
        if owed
    ]


def _on_nothing(tariff: Tariff) -> _Owed:
    vat = rate_on_nothing(tariff)
    return _Owed(vat, Fraction(0), Fraction(vat or 0) / 100)


def _nets(owed: Sequence[_Owed], limit: _Limit) -> list[Fraction]:
    """Return what is to be owed at each rate."""
    before = sum((each.before for each in owed), Fraction(0))
    net = limit.bound(before, limit.before)
    nets = _shared(owed, net - before)
    after = _after(owed, nets)
    if limit.bound(after, limit.after) == after or limit.after is None:
        return nets
    # The same price before taxes, with as much or as little tax as the session's rates allow.
    dearest = _from_the_dearest(owed, net - before)
    furthest = _after(owed, dearest)
    if limit.bound(furthest, limit.after) == furthest:
        share = (limit.after - after) / (furthest - after)
        return [net + share * (other - net) for net, other in zip(nets, dearest, strict=True)]
    if furthest > 0:
        return [net * limit.after / furthest for net in dearest]
    last = max(range(len(owed)), key=lambda i: owed[i].before)
    dearest[last] += (limit.after - furthest) / (1 + owed[last].tax_on_one)
    return dearest


def _shared(owed: Sequence[_Owed], change: Fraction) -> list[Fraction]:
    """Return what is owed at each rate after *change*, of which each bears its share.

    A raise takes back what is below zero before it raises the rest; the rest alone is lowered.
    """
    nets = [each.before for each in owed]
    paid = -sum((net for net in nets if net < 0), Fraction(0))
    back = min(paid, max(change, Fraction(0)))
    if back:
        nets = [net - net * back / paid if net < 0 else net for net in nets]
    change -= back
    fees = sum((net for net in nets if net > 0), Fraction(0))
    if fees:
        return [net + net * change / fees if net > 0 else net for net in nets]
    # The last is the one that bears a least price on nothing.
    return [*nets[:-1], nets[-1] + change]


def _from_the_dearest(owed: Sequence[_Owed], change: Fraction) -> list[Fraction]:
    """Return what is owed at each rate after *change*, which the highest rates bear first."""
    nets = [each.before for each in owed]
    for i in sorted(range(len(owed)), key=lambda i: owed[i].tax_on_one, reverse=True):
        # No rate is lowered by more than is owed at it.
        borne = max(change, min(-nets[i], Fraction(0)))
        nets[i] += borne
        change -= borne
    return nets


def _after(owed: Sequence[_Owed], nets: Sequence[Fraction]) -> Fraction:
    """Return what *nets* at the rates of *owed* come to after taxes."""
    return sum(
        (net * (1 + each.tax_on_one) for each, net in zip(owed, nets, strict=True)), Fraction(0)
    )


def _whole(parts: Sequence[tuple[Decimal | None, Fraction, Fraction]]) -> Limited | None:
    """Return the changes as whole numbers, one for each rate; None where nothing changes."""
    # What bears a least price on nothing may have the rate of what is below zero.
    rates: dict[Decimal | None, tuple[Fraction, Fraction]] = {}
    for vat, before, tax in parts:
        sofar = rates.get(vat, (Fraction(0), Fraction(0)))
        rates[vat] = sofar[0] + before, sofar[1] + tax
    changed = [(vat, before, tax) for vat, (before, tax) in rates.items() if before or tax]
    if not changed:
        return None
    scale = lcm(*(each.denominator for _, before, tax in changed for each in (before, tax)))
    whole = [(vat, int(before * scale), int(tax * scale)) for vat, before, tax in changed]
    return Limited(whole, scale)
