"""What a CDR states against what we get: each total that differs, by how much, and why.

A partner's total that is a cent off is either a fault or another reading of the same text, and the
answer to each is another one. Editions differ in steps, nobody says how to round, and limits get
forgotten. Whoever only says "differs by 0.01" leaves the search to people, thousands of times. So
each difference is tried against what is known to happen, and says the first thing that gives it
exactly.

First, what is no difference: a stated amount that is ours rounded half up to its own digits (at
least those of the currency), or that is the total as our policy rounds it. A partner who states
1.837 of our 1.83702 agrees. A credit CDR takes its total back, and everything is compared so.

Then, in this order, the surest first:

1. another named policy gives it: the whole CDR is priced again under each, once, and only now
2. another mode of rounding gives it: half to even, down, up
3. it is our amount after taxes where before was asked for, or the other way round
4. a credit CDR, and the sign is the other one
5. for the total only: a limit or surcharge is left out; its own parts add up to something else;
   it is within one minor unit a period, so probably rounding

Example 1. 7.293 kWh at 0.22 and 0.969 kWh at 0.24, VAT 21 %; stated are 1.83 and 2.21:

    ours 1.84 and 2.22: "the policy round-per-line or round-per-period gives what is stated"

Example 2. 1 kWh at 0.25 with min_price 0.50; stated is 0.25:

    ours 0.50: "what is stated leaves out: the tariff's least price for a session"

Why exact or not at all, except for the last reason: a tolerance would call every small fault
rounding. Why the policies first: a policy is a reason that a partner can be asked about, and it
tells which one to set for him. Volumes are compared apart, with a tolerance of their last digit,
for times are no decimals; where they differ, the periods were priced, and the sentence says so.

Held by tests/tariffs/cdr/test_differences.py (each reason by name).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Final

import msgspec

from tariffs.cdr.cdr import Cdr, StatedCost, StatedTotals
from tariffs.currencies import currency_exponent
from tariffs.kernel.priced import PricedLine, PricedSession
from tariffs.model.policy import POLICIES, PricingPolicy
from tariffs.model.tariff import Dimension, TaxIncluded
from tariffs.phrases.english import ENGLISH
from tariffs.quantities import (
    EXACT,
    RoundingMode,
    decimal_of_ratio,
    plain,
    round_ratio,
)

Repricer = Callable[[PricingPolicy], PricedSession]
_TIME_DECIMALS_MIN: Final = 2
_ENERGY_DECIMALS_MIN: Final = 3
_WATT_HOURS: Final = Decimal(1000)
_HOUR_US: Final = 3_600_000_000
_MODES: Final = {
    RoundingMode.HALF_EVEN: "rounded half to even",
    RoundingMode.DOWN: "rounded down",
    RoundingMode.UP: "rounded up",
}
_COSTS: Final = (
    "total_cost",
    "total_fixed_cost",
    "total_energy_cost",
    "total_time_cost",
    "total_parking_cost",
    "total_reservation_cost",
)


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One stated total that is not ours; `difference` is stated less ours.

    `policies` are the named policies under which ours would be the stated one.
    """

    field: str
    stated: Decimal
    ours: Decimal
    difference: Decimal
    reason: str
    policies: tuple[str, ...] = ()


class CostPair(msgspec.Struct, frozen=True):
    """One exact cost, before and after taxes; None where the tariff does not tell."""

    before: Fraction | None
    after: Fraction | None


def costs_of(priced: PricedSession, *, is_credit: bool = False) -> dict[str, CostPair]:
    """Return the exact costs of *priced* under OCPI's names; a credit CDR negates the total."""
    costs = {name: _pair(priced, _lines_of(priced, name)) for name in _COSTS}
    if is_credit:
        total = costs["total_cost"]
        costs["total_cost"] = CostPair(_negated(total.before), _negated(total.after))
    return costs


def differences_of(cdr: Cdr, priced: PricedSession, reprice: Repricer) -> tuple[Difference, ...]:
    """Return every total that *cdr* states and that *priced* does not have.

    Args:
        cdr: The CDR with its stated totals.
        priced: What we get.
        reprice: Prices the same CDR under another policy; called only where something differs.
    """
    return tuple(_Comparison(cdr, priced, reprice).differences())


class _Comparison:
    """One CDR, its pricing, and what other policies would give (made once, if needed)."""

    def __init__(self, cdr: Cdr, priced: PricedSession, reprice: Repricer) -> None:
        self.cdr, self.priced, self._reprice = cdr, priced, reprice
        self._exponent = currency_exponent(priced.currency)
        # Every other policy prices the CDR anew, so not before something differs.
        self._others: dict[str, PricedSession] | None = None

    def differences(self) -> Iterator[Difference]:
        """Yield each difference, the total first."""
        ours = costs_of(self.priced, is_credit=self.cdr.is_credit)
        for name in _COSTS:
            stated: StatedCost | None = getattr(self.cdr.stated, name)
            if stated is None:
                continue
            for side, amount, exact in (
                ("before_taxes", stated.before_taxes, ours[name].before),
                ("after_taxes", stated.after_taxes, ours[name].after),
            ):
                if amount is None or exact is None:
                    continue
                if not self._agrees(amount, exact, self.priced, name, side):
                    yield self._cost_difference(name, side, amount, exact)
        yield from _volume_differences(self.cdr)

    def _agrees(
        self, stated: Decimal, exact: Fraction, priced: PricedSession, name: str, side: str
    ) -> bool:
        """Tell whether *stated* is ours at its own digits, or as the policy rounds it."""
        if stated == _rounded(exact, max(self._exponent, _decimals(stated))):
            return True
        return name == "total_cost" and stated == self._signed(self._total(priced, side))

    def _signed(self, amount: Decimal) -> Decimal:
        """Return *amount* as the CDR states its total: a credit CDR negates it."""
        return EXACT.minus(amount) if self.cdr.is_credit else amount

    def _total(self, priced: PricedSession, side: str) -> Decimal:
        minor = priced.before_minor if side == "before_taxes" else priced.after_minor
        return Decimal(minor).scaleb(-self._exponent, EXACT)

    def _cost_difference(
        self, name: str, side: str, stated: Decimal, exact: Fraction
    ) -> Difference:
        ours = _rounded(exact, max(self._exponent, _decimals(stated)))
        if name == "total_cost":
            ours = self._signed(self._total(self.priced, side))
        policies = tuple(self._policies_that_give(stated, name, side))
        return Difference(
            field=f"{name}.{side}",
            stated=plain(stated),
            ours=ours,
            difference=EXACT.subtract(stated, ours),
            reason=self._reason(name, side, stated, exact, policies),
            policies=policies,
        )

    def _policies_that_give(self, stated: Decimal, name: str, side: str) -> Iterator[str]:
        if self._others is None:
            self._others = {
                policy.name: self._reprice(policy)
                for policy in POLICIES.values()
                if policy != self.priced.policy
            }
        for policy_name, other in self._others.items():
            pair = costs_of(other, is_credit=self.cdr.is_credit)[name]
            exact = pair.before if side == "before_taxes" else pair.after
            if exact is not None and self._agrees(stated, exact, other, name, side):
                yield policy_name

    def _reason(
        self, name: str, side: str, stated: Decimal, exact: Fraction, policies: tuple[str, ...]
    ) -> str:
        if policies:
            return f"the policy {' or '.join(policies)} gives what is stated"
        digits = max(self._exponent, _decimals(stated))
        for mode, words in _MODES.items():
            # At the digits that were stated: a partner rounds once, to what he writes.
            if stated == _rounded(exact, digits, mode):
                return f"ours {words} is what is stated"
        pair = costs_of(self.priced, is_credit=self.cdr.is_credit)[name]
        other = pair.after if side == "before_taxes" else pair.before
        if other is not None and other != exact and stated == _rounded(other, digits):
            told = "after" if side == "before_taxes" else "before"
            return f"what is stated is our amount {told} taxes"
        if self.cdr.is_credit and stated == _rounded(-exact, digits):
            return "a credit CDR states the negative of the total"
        if name == "total_cost":
            return self._total_reason(side, stated, digits)
        return "no named policy gives what is stated"

    def _total_reason(self, side: str, stated: Decimal, digits: int) -> str:
        # All else is compared as the original stated it: a credit CDR negates the total alone.
        paid = self._signed(stated)
        # What concerns the session as a whole: OCPI has no field for it beside the total.
        limits = [line for line in self.priced.lines if line.dimension is Dimension.SESSION]
        if limits:
            without = _pair(self.priced, [x for x in self.priced.lines if x not in limits])
            exact = without.before if side == "before_taxes" else without.after
            if exact is not None and paid == _rounded(exact, digits):
                said = ENGLISH.joined(limits[0].reasons, limits[0].context)
                return f"what is stated leaves out: {said}"
        parts = [getattr(self.cdr.stated, part) for part in _COSTS[1:]]
        amounts = [
            part.before_taxes if side == "before_taxes" else part.after_taxes
            for part in parts
            if part is not None
        ]
        known = [Fraction(amount) for amount in amounts if amount is not None]
        if known and len(known) == len(amounts):
            total = sum(known, Fraction(0))
            # Some partners negate the parts of a credit CDR too; they add up all the same.
            if _rounded(total, digits) not in (stated, paid):
                return f"its own parts add up to {_rounded(total, digits):f}, not to what is stated"
        one = Decimal(1).scaleb(-self._exponent)
        off = EXACT.subtract(paid, self._total(self.priced, side))
        if abs(off) <= one * len(self.cdr.periods):
            return "no named policy gives it; within one minor unit a period, so probably rounding"
        return "no named policy gives what is stated"


def _lines_of(priced: PricedSession, name: str) -> list[PricedLine]:
    """Return the lines that one of OCPI's totals is made of."""
    if name == "total_cost":
        return list(priced.lines)
    dimension = {
        "total_fixed_cost": Dimension.FLAT,
        "total_energy_cost": Dimension.ENERGY,
        "total_time_cost": Dimension.TIME,
        "total_parking_cost": Dimension.PARKING_TIME,
        "total_reservation_cost": Dimension.RESERVATION_TIME,
    }[name]
    reserved = name == "total_reservation_cost"
    return [
        line
        for line in priced.lines
        if (line.dimension is dimension and line.component.for_reservation is reserved)
        or (reserved and line.dimension is Dimension.FLAT and line.component.for_reservation)
    ]


def _pair(priced: PricedSession, lines: list[PricedLine]) -> CostPair:
    """Return the exact amounts of *lines*; None where the tariff does not tell the tax.

    A price with taxes but without VAT (North America) tells the amount after taxes only.
    """
    before = Fraction(sum(line.before_numerator for line in lines), priced.denominator)
    tax = Fraction(sum(line.tax_numerator for line in lines), priced.denominator)
    if priced.compiled.tariff.tax_included is TaxIncluded.YES:
        told = all(
            line.tax_percent is not None or line.tax_numerator or not line.before_numerator
            for line in lines
        )
        return CostPair(before if told else None, before + tax)
    return CostPair(before, before + tax if priced.tax_known else None)


def _negated(amount: Fraction | None) -> Fraction | None:
    return None if amount is None else -amount


def _decimals(number: Decimal) -> int:
    exponent = plain(number).as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _rounded(exact: Fraction, decimals: int, mode: RoundingMode = RoundingMode.HALF_UP) -> Decimal:
    whole = round_ratio(exact.numerator * 10**decimals, exact.denominator, mode)
    return Decimal(whole).scaleb(-decimals, EXACT)


def _volume_differences(cdr: Cdr) -> Iterator[Difference]:
    """Yield the stated energy and times that the periods do not add up to."""
    stated: StatedTotals = cdr.stated
    energy = _sum(p.energy for p in cdr.periods)
    parking = _sum(p.parking_time for p in cdr.periods)
    timed = EXACT.add(_sum(p.time for p in cdr.periods), parking)
    reserved = _sum(p.reservation_time for p in cdr.periods)
    since = cdr.ends_at - cdr.starts_at
    micros = (since.days * 86_400 + since.seconds) * 10**6 + since.microseconds
    lasted = decimal_of_ratio(micros, _HOUR_US)
    if stated.total_energy is not None and not _near(
        stated.total_energy, energy, _ENERGY_DECIMALS_MIN
    ):
        in_wh = _near(EXACT.multiply(stated.total_energy, _WATT_HOURS), energy, 0)
        why = "; the periods seem to be in Wh" if in_wh and energy else ""
        yield _volume("total_energy", stated.total_energy, energy, f"kWh{why}")
    if stated.total_time is not None:
        alternatives = (timed, lasted, EXACT.add(timed, reserved), EXACT.subtract(lasted, reserved))
        if not any(_near(stated.total_time, each, _TIME_DECIMALS_MIN) for each in alternatives):
            yield _volume("total_time", stated.total_time, timed or lasted, "hours")
    if stated.total_parking_time is not None and not _near(
        stated.total_parking_time, parking, _TIME_DECIMALS_MIN
    ):
        yield _volume("total_parking_time", stated.total_parking_time, parking, "hours")


def _sum(volumes: Iterator[Decimal | None]) -> Decimal:
    total = Decimal(0)
    for volume in volumes:
        if volume is not None:
            total = EXACT.add(total, volume)
    return plain(total)


def _near(stated: Decimal, ours: Decimal, decimals_min: int) -> bool:
    tolerance = Decimal(1).scaleb(-max(_decimals(stated), decimals_min))
    return abs(EXACT.subtract(stated, ours)) < tolerance


def _volume(field: str, stated: Decimal, ours: Decimal, unit: str) -> Difference:
    return Difference(
        field=field,
        stated=plain(stated),
        ours=ours,
        difference=plain(EXACT.subtract(stated, ours)),
        reason=f"the charging periods add up to {ours:f} {unit}; they were priced",
    )
