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

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final

import msgspec

from tariffs.cdr.cdr import Cdr, StatedCost, StatedTotals
from tariffs.kernel.priced import PricedSession
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
_NOTHING: Final = Decimal(0)
_HOUR_US: Final = 3_600_000_000
_MODES: Final = {
    RoundingMode.HALF_EVEN: "rounded half to even",
    RoundingMode.DOWN: "rounded down",
    RoundingMode.UP: "rounded up",
}
TOTAL_COST: Final = "total_cost"
_DIMENSIONS: Final = {
    "total_fixed_cost": Dimension.FLAT,
    "total_energy_cost": Dimension.ENERGY,
    "total_time_cost": Dimension.TIME,
    "total_parking_cost": Dimension.PARKING_TIME,
    "total_reservation_cost": Dimension.RESERVATION_TIME,
}
_COSTS: Final = (TOTAL_COST, *_DIMENSIONS)
_BEFORE: Final = "before_taxes"
_AFTER: Final = "after_taxes"
_NO_POLICY_GIVES_IT: Final = "no named policy gives it"
_NO_POLICY: Final = "no named policy gives what is stated"


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


class CostPair(msgspec.Struct, frozen=True, gc=False):
    """One exact cost, before and after taxes, over `denominator`; None: the tariff does not say."""

    before: int | None
    after: int | None
    denominator: int

    def side(self, side: str) -> int | None:
        """Return the numerator before or after taxes, as OCPI names the two."""
        return self.before if side == _BEFORE else self.after


def cost_of(priced: PricedSession, name: str, *, is_credit: bool = False) -> CostPair:
    """Return one exact cost of *priced*, by OCPI's name; a credit CDR negates the total."""
    pair = _pair(priced, None if name == TOTAL_COST else _rows_of(priced, name))
    if not is_credit or name != TOTAL_COST:
        return pair
    return CostPair(_negated(pair.before), _negated(pair.after), pair.denominator)


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
        self._exponent = priced.compiled.exponent
        # Every other policy prices the CDR anew, so not before something differs.
        self._others: dict[str, PricedSession] | None = None

    def differences(self) -> Iterator[Difference]:
        """Yield each difference, the total first."""
        for name in _COSTS:
            stated: StatedCost | None = getattr(self.cdr.stated, name)
            if stated is None:
                continue
            ours = self._cost(self.priced, name)
            for side, amount in ((_BEFORE, stated.before_taxes), (_AFTER, stated.after_taxes)):
                exact = ours.side(side)
                if amount is None or exact is None:
                    continue
                if not self._agrees(amount, exact, self.priced, name, side):
                    yield self._cost_difference(name, side, amount, exact)
        yield from _volume_differences(self.cdr)

    def _cost(self, priced: PricedSession, name: str) -> CostPair:
        return cost_of(priced, name, is_credit=self.cdr.is_credit)

    def _agrees(
        self, stated: Decimal, exact: int, priced: PricedSession, name: str, side: str
    ) -> bool:
        """Tell whether *stated* is ours at its own digits, or as the policy rounds it."""
        # The usual case first, in whole numbers.
        if name == TOTAL_COST and stated == self._signed(self._total(priced, side)):
            return True
        return stated == self._rounded(exact, priced, max(self._exponent, _decimals(stated)))

    def _rounded(
        self,
        exact: int,
        priced: PricedSession,
        digits: int,
        mode: RoundingMode = RoundingMode.HALF_UP,
    ) -> Decimal:
        return _rounded(exact, priced.denominator, digits, mode)

    def _signed(self, amount: Decimal) -> Decimal:
        """Return *amount* as the CDR states its total: a credit CDR negates it."""
        return EXACT.minus(amount) if self.cdr.is_credit else amount

    def _total(self, priced: PricedSession, side: str) -> Decimal:
        minor = priced.before_minor if side == "before_taxes" else priced.after_minor
        return Decimal(minor).scaleb(-self._exponent, EXACT)

    def _cost_difference(self, name: str, side: str, stated: Decimal, exact: int) -> Difference:
        ours = self._rounded(exact, self.priced, max(self._exponent, _decimals(stated)))
        if name == TOTAL_COST:
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
            exact = self._cost(other, name).side(side)
            if exact is not None and self._agrees(stated, exact, other, name, side):
                yield policy_name

    def _reason(
        self, name: str, side: str, stated: Decimal, exact: int, policies: tuple[str, ...]
    ) -> str:
        if policies:
            return f"the policy {' or '.join(policies)} gives what is stated"
        digits = max(self._exponent, _decimals(stated))
        for mode, words in _MODES.items():
            # At the digits that were stated: a partner rounds once, to what he writes.
            if stated == self._rounded(exact, self.priced, digits, mode):
                return f"ours {words} is what is stated"
        other = self._cost(self.priced, name).side(_AFTER if side == _BEFORE else _BEFORE)
        if other not in (None, exact) and stated == self._rounded(other or 0, self.priced, digits):
            told = "after" if side == _BEFORE else "before"
            return f"what is stated is our amount {told} taxes"
        if stated == self._rounded(-exact, self.priced, digits):
            return self._sign_reason(name)
        if name == TOTAL_COST:
            return self._total_reason(side, stated, digits)
        return _NO_POLICY

    def _sign_reason(self, name: str) -> str:
        """Say why the amount is right and its sign is not."""
        if not self.cdr.is_credit:
            return (
                "what is stated is ours with the other sign; only a credit CDR takes a total back"
            )
        if name == TOTAL_COST:
            return "a credit CDR states the negative of the total"
        return "a credit CDR negates its total alone, and no part of it"

    def _total_reason(self, side: str, stated: Decimal, digits: int) -> str:
        # All else is compared as the original stated it: a credit CDR negates the total alone.
        paid = self._signed(stated)
        left_out = self._left_out(side, paid, digits)
        if left_out is not None:
            return f"what is stated leaves out: {left_out}"
        parts = [getattr(self.cdr.stated, part) for part in _COSTS[1:]]
        amounts = [
            part.before_taxes if side == _BEFORE else part.after_taxes
            for part in parts
            if part is not None
        ]
        known = [Fraction(amount) for amount in amounts if amount is not None]
        if known and len(known) == len(amounts):
            total = sum(known, Fraction(0))
            summed = _rounded(total.numerator, total.denominator, digits)
            # Some partners negate the parts of a credit CDR too; they add up all the same.
            if summed not in (stated, paid):
                return f"its own parts add up to {summed:f}, not to what is stated"
        ours = self._total(self.priced, side)
        one = Decimal(1).scaleb(-self._exponent)
        # Nobody rounds what is owed to what is paid back.
        is_like = not (ours < 0 < paid or paid < 0 < ours)
        if is_like and abs(EXACT.subtract(paid, ours)) <= one * len(self.cdr.periods):
            return f"{_NO_POLICY_GIVES_IT}; within one minor unit a period, so probably rounding"
        return _NO_POLICY

    def _left_out(self, side: str, paid: Decimal, digits: int) -> str | None:
        """Return what of the session as a whole is missing in *paid*, if that explains it."""
        # OCPI has no field for it beside the total: limits, coins, surcharges.
        lines = self.priced.lines
        rows = [i for i, line in enumerate(lines) if line.dimension is Dimension.SESSION]
        for missing in ([rows] if rows else []) + [[row] for row in rows]:
            kept = [i for i in range(len(lines)) if i not in missing]
            exact = _pair(self.priced, kept).side(side)
            if exact is not None and paid == self._rounded(exact, self.priced, digits):
                first = lines[missing[0]]
                return ENGLISH.joined(first.reasons, first.context)
        return None


def _rows_of(priced: PricedSession, name: str) -> list[int]:
    """Return which lines one of OCPI's totals is made of."""
    dimension, reserved = _DIMENSIONS[name], name == "total_reservation_cost"
    return [
        i
        for i, run in enumerate(priced.runs)
        if (
            run.component.dimension is dimension
            or (reserved and run.component.dimension is Dimension.FLAT)
        )
        and run.component.for_reservation is reserved
    ]


def _pair(priced: PricedSession, rows: Sequence[int] | None) -> CostPair:
    """Return the exact amounts of some lines, or all; None where the tariff does not tell the tax.

    A price with taxes but without VAT (North America) tells the amount after taxes only.
    """
    befores, taxes = priced.amounts.befores, priced.amounts.taxes
    if rows is None:
        before, tax = sum(befores), sum(taxes)
    else:
        before, tax = sum(befores[i] for i in rows), sum(taxes[i] for i in rows)
    if priced.compiled.tariff.tax_included is TaxIncluded.YES:
        told = all(
            priced.runs[i].component.vat is not None or taxes[i] or not befores[i]
            for i in (range(len(befores)) if rows is None else rows)
        )
        return CostPair(before if told else None, before + tax, priced.denominator)
    return CostPair(before, before + tax if priced.tax_known else None, priced.denominator)


def _negated(amount: int | None) -> int | None:
    return None if amount is None else -amount


def _decimals(number: Decimal) -> int:
    exponent = plain(number).as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _rounded(
    numerator: int, denominator: int, decimals: int, mode: RoundingMode = RoundingMode.HALF_UP
) -> Decimal:
    whole = round_ratio(numerator * 10**decimals, denominator, mode)
    return Decimal(whole).scaleb(-decimals, EXACT)


def _volume_differences(cdr: Cdr) -> Iterator[Difference]:
    """Yield the stated energy and times that the periods do not add up to."""
    stated: StatedTotals = cdr.stated
    energy, timed, parking = _volumes(cdr)
    if stated.total_energy is not None and not _near(
        stated.total_energy, energy, _ENERGY_DECIMALS_MIN
    ):
        in_wh = _near(EXACT.multiply(stated.total_energy, _WATT_HOURS), energy, 0)
        why = "; the periods seem to be in Wh" if in_wh and energy else ""
        yield _volume("total_energy", stated.total_energy, energy, f"kWh{why}")
    if stated.total_time is not None and not _is_time_of(cdr, stated.total_time, timed):
        yield _volume("total_time", stated.total_time, timed or _lasted(cdr), "hours")
    if stated.total_parking_time is not None and not _near(
        stated.total_parking_time, parking, _TIME_DECIMALS_MIN
    ):
        yield _volume("total_parking_time", stated.total_parking_time, parking, "hours")


def _is_time_of(cdr: Cdr, stated: Decimal, timed: Decimal) -> bool:
    """Tell whether *stated* is the time of the periods or of the CDR, with a reservation or not."""
    if _near(stated, timed, _TIME_DECIMALS_MIN):
        return True
    lasted, reserved = _lasted(cdr), _NOTHING
    for period in cdr.periods:
        reserved = EXACT.add(reserved, period.reservation_time or _NOTHING)
    others = (lasted, EXACT.add(timed, reserved), EXACT.subtract(lasted, reserved))
    return any(_near(stated, each, _TIME_DECIMALS_MIN) for each in others)


def _lasted(cdr: Cdr) -> Decimal:
    since = cdr.ends_at - cdr.starts_at
    micros = (since.days * 86_400 + since.seconds) * 10**6 + since.microseconds
    return decimal_of_ratio(micros, _HOUR_US)


def _volumes(cdr: Cdr) -> tuple[Decimal, Decimal, Decimal]:
    """Return what the periods add up to: kWh, hours with those of parking, hours of parking."""
    add = EXACT.add
    energy = time = parking = _NOTHING
    for period in cdr.periods:
        if period.energy is not None:
            energy = add(energy, period.energy)
        if period.time is not None:
            time = add(time, period.time)
        if period.parking_time is not None:
            parking = add(parking, period.parking_time)
    return energy, add(time, parking), parking


def _near(stated: Decimal, ours: Decimal, decimals_min: int) -> bool:
    if stated == ours:
        return True
    tolerance = Decimal(1).scaleb(-max(_decimals(stated), decimals_min))
    return abs(EXACT.subtract(stated, ours)) < tolerance


def _volume(field: str, stated: Decimal, ours: Decimal, unit: str) -> Difference:
    return Difference(
        field=field,
        stated=plain(stated),
        ours=plain(ours),
        difference=plain(EXACT.subtract(stated, ours)),
        reason=f"the charging periods add up to {plain(ours):f} {unit}; they were priced",
    )
