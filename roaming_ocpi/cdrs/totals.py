"""The totals that a CDR states: what is owed, its taxes by rate, and the parts it consists of.

A total is in whole minor units, for that is what is paid. Its parts are, too, where they then add
up to it; where each is rounded on its own and they do not, they have two decimals more, and come to
the total when it is rounded. What concerns the session as a whole (a price limit) is no part: OCPI
has no field for it.

Example. A fee, 1 kWh and 1 h at 0.335 each: exactly 1.005, so 1.01; parts 0.335 each.

Sources: OCPI 2.3.0, mod_cdrs, CDR object; types, Price and TaxAmount.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Final

from roaming_ocpi.cdrs.periods import hours_of
from tariffs.cdr.cdr import ChargingPeriod, StatedCost, StatedTax, StatedTotals
from tariffs.kernel.priced import PricedSession
from tariffs.kernel.rounding import apportion
from tariffs.kernel.tally import Run
from tariffs.model.tariff import Dimension
from tariffs.quantities import EXACT, plain, round_ratio

VAT: Final = "VAT"
_MORE_DIGITS: Final = 2
_HOUR_DECIMALS: Final = 4
_FIXED: Final = "total_fixed_cost"
_RESERVED: Final = "total_reservation_cost"
_PARTS: Final = {
    Dimension.FLAT: _FIXED,
    Dimension.ENERGY: "total_energy_cost",
    Dimension.TIME: "total_time_cost",
    Dimension.PARKING_TIME: "total_parking_cost",
    Dimension.RESERVATION_TIME: _RESERVED,
}
# By rate of VAT (None: none applies): exact numerators before taxes, and of the tax.
_ByRate = Mapping[Decimal | None, list[int]]


def stated_totals(
    priced: PricedSession, periods: Sequence[ChargingPeriod], lasts_us: int
) -> StatedTotals:
    """Return the totals of a CDR with these *periods*, as *priced* from them."""
    total: dict[Decimal | None, list[int]] = {}
    parts: defaultdict[str, dict[Decimal | None, list[int]]] = defaultdict(dict)
    amounts = priced.amounts
    for run, before, tax in zip(priced.runs, amounts.befores, amounts.taxes, strict=True):
        if not before and not tax:
            continue
        part = _part_of(run)
        for rates in (total,) if part is None else (total, parts[part]):
            pair = rates.setdefault(run.component.vat, [0, 0])
            pair[0] += before
            pair[1] += tax
    digits = _digits(priced, parts)
    exponent, is_known = priced.compiled.exponent, priced.tax_known
    owed = priced.before_minor, priced.after_minor
    total_cost = _cost(total, owed, priced.denominator, exponent, is_known=is_known)
    # One part that is all of it, and rounded as it is, costs the same.
    is_one = digits == exponent and list(parts.values()) == [total]
    costs = {
        part: total_cost if is_one else _part(rates, priced.denominator, digits, is_known=is_known)
        for part, rates in parts.items()
    }
    energy = parking = Decimal(0)
    for period in periods:
        energy = EXACT.add(energy, period.energy or Decimal(0))
        parking = EXACT.add(parking, period.parking_time or Decimal(0))
    return StatedTotals(
        total_cost=total_cost,
        total_energy=plain(energy),
        total_time=hours_of(lasts_us, _HOUR_DECIMALS),
        total_parking_time=plain(parking) if parking else None,
        **costs,
    )


def _part_of(run: Run) -> str | None:
    component = run.component
    if component.for_reservation:
        return _RESERVED
    return _PARTS.get(component.dimension)


def _digits(priced: PricedSession, parts: Mapping[str, _ByRate]) -> int:
    """Return how many decimals parts have: the currency's where they add up to the total so."""
    exponent = priced.compiled.exponent
    minor = priced.denominator // 10**exponent
    before = after = 0
    for rates in parts.values():
        net = sum(pair[0] for pair in rates.values())
        before += round_ratio(net, minor)
        after += round_ratio(net + sum(pair[1] for pair in rates.values()), minor)
    adds_up = (before, after) == (priced.before_minor, priced.after_minor)
    return exponent if adds_up else exponent + _MORE_DIGITS


def _part(rates: _ByRate, denominator: int, digits: int, *, is_known: bool) -> StatedCost:
    net = sum(pair[0] for pair in rates.values())
    gross = net + sum(pair[1] for pair in rates.values())
    scale = 10**digits
    rounded = round_ratio(net * scale, denominator), round_ratio(gross * scale, denominator)
    return _cost(rates, rounded, denominator, digits, is_known=is_known)


def _cost(
    rates: _ByRate, owed: tuple[int, int], denominator: int, digits: int, *, is_known: bool
) -> StatedCost:
    """Return a cost of which *owed* (before and after taxes, at *digits*) is stated."""
    before, after = owed
    net = _decimal(before, digits)
    if not is_known:
        return StatedCost(before_taxes=net)
    named: list[Decimal | None] = [vat for vat in rates if vat is not None]
    if not named:
        # What has no rate bears a tax only where a limit or coins changed that of the others.
        if after == before:
            return StatedCost(before_taxes=net)
        named = [None]
    numerators = [rates[vat][1] * 10**digits if vat in rates else 0 for vat in named]
    shares = apportion(numerators, denominator, after - before)
    return StatedCost(
        before_taxes=net,
        taxes=tuple(
            StatedTax(name=VAT, percentage=vat, amount=_decimal(share, digits))
            for vat, share in zip(named, shares, strict=True)
        ),
    )


# Most amounts of a bill are among a few thousand.
@lru_cache(maxsize=1 << 14)
def _decimal(scaled: int, digits: int) -> Decimal:
    return plain(Decimal(scaled).scaleb(-digits, EXACT))
