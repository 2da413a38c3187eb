"""Grants that sessions share: allowances, caps per period, coupons, each with what is left of it.

50 free kWh a month for a household depend on what its other sessions used. A kernel that looked
that up would not be pure, and a replay in another order would give other prices. So what others
used before is a number of the usage (`SessionUsage.used`), and what this session uses is a number
of the result (`PricedSession.consumed`). Who shares, and in which order, the ledger decides once
and records; a replay hands in the same number and gets the same price.

Example 1, an allowance of 50 kWh a month at 0.50, of which others used 40. A session of 20 kWh:

    ENERGY      20 kWh x 0.50 = 10.00
    allowance   10 kWh       -5.00     consumed: 10,000 Wh in 2026-05, 1 use

Over a month's end the session has a part in each. 40 kWh evenly from 21:00 to 01:00 in Berlin on
31 October, where 45 of October's 50 were used: 30 kWh lie in October and get the last 5, 10 kWh
lie in November and are free: 12.50, and two entries are consumed.

Example 2, a cap of 10.00 a day on parking at 6.00 per hour. The first session stands 66 min 39 s,
exactly 6.665, and pays 6.67. The second, of two hours, is told 667 minor units and pays 3.33.
Counted exactly it would have 3.335 left and pay 3.34, and the day would have cost 10.01.

Energy and time are counted exactly, money in minor units: what the lines under the cap owe once
the session is rounded (`tariffs.adjustments.capped_lines`), before adjustments that come later in
the file. A cap must therefore not be finer than the currency (`tariffs.model.checking`).

What nothing lowers uses nothing up: a coupon on a session without energy stays whole. A coupon
counts in the period in which its session begins, for a code is shown once; allowances and caps are
cut at the site's midnight. A night has the date of its evening. A claim (`claims_of`) names every
grant and period that a session may use, before it is priced: the ledger takes its locks by these.

Why not one pot of money for an allowance: dear energy would use it up sooner than cheap energy,
and a kWh is what was promised.

Held by tests/tariffs/adjustments/test_shared_grants.py, above all
test_sessions_priced_one_after_the_other_never_get_more_than_the_allowance; caps to the cent by
test_capped_lines.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import time
from decimal import Decimal
from fractions import Fraction
from typing import Final, assert_never

import msgspec

from tariffs.adjustments.capped_lines import CappedLines
from tariffs.adjustments.consumption import NOTHING, Consumed, Consumption
from tariffs.adjustments.grants import MINUTE_UNITS, SECOND_UNITS, covered, give_away
from tariffs.adjustments.shared import (
    Allowance,
    CouponGrant,
    Per,
    PeriodCap,
    SharedBy,
    SharedGrant,
    shared_name,
)
from tariffs.adjustments.sheet import Piece, Sheet
from tariffs.adjustments.windows import Window, local_windows, window_of, within
from tariffs.kernel.compiled import CompiledTariff
from tariffs.model.tariff import Dimension
from tariffs.model.usage import SessionUsage, microseconds, moment_of
from tariffs.quantities import EXACT, decimal_of_ratio, plain
from tariffs.taxes.taxes import ENERGY_UNITS_PER_KWH, ENERGY_UNITS_PER_WH, decimals_of, scaled

EVER: Final = "ever"
_MIDNIGHT: Final = time(0)


class Claim(msgspec.Struct, frozen=True, order=True):
    """A session may use the shared grant `name` in `period`, with those whom `shared_by` names."""

    name: str
    period: str
    shared_by: SharedBy


def claims_of(usage: SessionUsage, compiled: CompiledTariff) -> tuple[Claim, ...]:
    """Return what *usage* may use of the tariff's shared grants, by name and period."""
    return tuple(
        sorted(
            Claim(shared_name(grant), period, grant.shared_by)
            for grant in compiled.shared
            if is_for(grant, usage)
            for period in _periods(grant, usage)
        )
    )


def is_for(grant: SharedGrant, usage: SessionUsage) -> bool:
    """Tell whether the session's groups and validations entitle it to *grant*."""
    match grant:
        case CouponGrant(code=code):
            return code in usage.validations
        case Allowance(members=members) | PeriodCap(members=members):
            return members is None or usage.is_in(members)
        case _:
            assert_never(grant)


def shared_windows(grant: SharedGrant, usage: SessionUsage) -> list[Window]:
    """Return the periods of *grant* that the session touches; [] where nothing is cut.

    A coupon is used in the period in which its session begins.
    """
    if grant.per is Per.EVER or isinstance(grant, CouponGrant):
        return []
    if grant.per is Per.NIGHT and isinstance(grant, PeriodCap):
        return local_windows(usage, grant.start_time or _MIDNIGHT, grant.end_time or _MIDNIGHT)
    days = local_windows(usage, _MIDNIGHT, _MIDNIGHT)
    if grant.per is Per.DAY:
        return days
    months: dict[str, Window] = {}
    for begin, end in days:
        month = _local(begin, usage, "%Y-%m")
        months[month] = (months.get(month, (begin, end))[0], end)
    return list(months.values())


def used_before(
    grant: SharedGrant, instant_us: int, usage: SessionUsage
) -> tuple[str, Consumption]:
    """Return the period that an instant of the session lies in, and what others used of it."""
    is_coupon = isinstance(grant, CouponGrant)
    instant_us = microseconds(usage.starts_at) if is_coupon else within(usage, instant_us)
    period = _period_at(grant, instant_us, shared_windows(grant, usage), usage) or ""
    return period, _used(grant, period, usage)


def apply_shared(grant: SharedGrant, sheet: Sheet, windows: Sequence[Window]) -> None:
    """Lower the pieces by what is left of *grant*, and note on the sheet what that uses."""
    match grant:
        case CouponGrant():
            _redeem(grant, sheet)
        case Allowance():
            for period, pieces in _by_period(grant, sheet, windows):
                _allow(grant, sheet, period, pieces)
        case PeriodCap():
            _cap(grant, sheet, windows)
        case _:
            assert_never(grant)


def _redeem(coupon: CouponGrant, sheet: Sheet) -> None:
    [period] = _periods(coupon, sheet.usage)
    if _used(coupon, period, sheet.usage).uses >= coupon.uses_max:
        return
    lines = len(sheet.runs)
    pieces = sheet.of(coupon.dimensions)
    _lower(coupon, sheet, pieces, _Budget(coupon.kwh_max, coupon.minutes_max, NOTHING))
    # A coupon that found nothing to lower is not used up.
    if len(sheet.runs) > lines:
        sheet.consumed.append(Consumed(shared_name(coupon), period, Consumption(uses=1)))


def _allow(allowance: Allowance, sheet: Sheet, period: str, pieces: Sequence[Piece]) -> None:
    budget = _Budget(
        allowance.kwh_max, allowance.minutes_max, _used(allowance, period, sheet.usage)
    )
    _lower(allowance, sheet, pieces, budget)
    if budget.energy_spent or budget.time_spent:
        consumption = Consumption(
            energy_wh=plain(decimal_of_ratio(budget.energy_spent, ENERGY_UNITS_PER_WH)),
            seconds=plain(decimal_of_ratio(budget.time_spent, SECOND_UNITS)),
            uses=1,
        )
        sheet.consumed.append(Consumed(shared_name(allowance), period, consumption))


def _cap(cap: PeriodCap, sheet: Sheet, windows: Sequence[Window]) -> None:
    """Take what exceeds the rest of the cap, period by period, and note what is left."""
    scale = sheet.compiled.minor_scale
    periods = [
        (
            period,
            Fraction(_cap_period(cap, sheet, period, pieces) * scale, sheet.amounts.denominator),
        )
        for period, pieces in _by_period(cap, sheet, windows)
    ]
    if not periods:
        return
    lines = sheet.lines_of(cap.dimensions)
    stated = Fraction(sum(map(sheet.stated_line, lines)) * scale, sheet.amounts.denominator)
    outside = stated - sum(left for _, left in periods)
    sheet.capped.append(CappedLines(shared_name(cap), lines, tuple(periods), outside))


def _cap_period(cap: PeriodCap, sheet: Sheet, period: str, pieces: Sequence[Piece]) -> int:
    """Take what exceeds the rest of the cap in one period, and return what is left to be paid."""
    left_minor = scaled(cap.amount, sheet.compiled.exponent)
    # More may be used than there is: the name goes on when a new version lowers the limit.
    left_minor = max(0, left_minor - _used(cap, period, sheet.usage).amount_minor)
    room = left_minor * (sheet.amounts.denominator // sheet.compiled.minor_scale)
    paid = 0
    for piece in pieces:
        stated = sheet.stated(piece)
        if stated > room:
            factor = sheet.factor
            sheet.lower_by_share(piece, cap, piece.units, stated - room, stated)
            grown = sheet.factor // factor
            room, paid = room * grown, paid * grown
            stated = sheet.stated(piece)
        room -= stated
        paid += stated
    return paid


class _Budget:
    """What is left of a grant's kWh and minutes; None means all."""

    def __init__(
        self, kwh_max: Decimal | None, minutes_max: Decimal | None, used: Consumption
    ) -> None:
        self.energy_spent = self.time_spent = 0
        used_energy = int(EXACT.multiply(used.energy_wh, Decimal(ENERGY_UNITS_PER_WH)))
        used_time = int(EXACT.multiply(used.seconds, Decimal(SECOND_UNITS)))
        self._energy = _left(kwh_max, ENERGY_UNITS_PER_KWH, used_energy)
        self._time = _left(minutes_max, MINUTE_UNITS, used_time)

    def left(self, dimension: Dimension) -> int | None:
        """Return how many volume units of *dimension* are left."""
        if dimension is Dimension.ENERGY:
            return None if self._energy is None else self._energy - self.energy_spent
        if dimension in (Dimension.FLAT, Dimension.SESSION):
            return None
        return None if self._time is None else self._time - self.time_spent

    def spend(self, dimension: Dimension, units: int) -> None:
        """Take *units* out."""
        if dimension is Dimension.ENERGY:
            self.energy_spent += units
        elif dimension not in (Dimension.FLAT, Dimension.SESSION):
            self.time_spent += units


def _lower(
    grant: Allowance | CouponGrant, sheet: Sheet, pieces: Sequence[Piece], budget: _Budget
) -> None:
    decimals = decimals_of(grant.percent)
    percent, hundred = scaled(grant.percent, decimals), 100 * 10**decimals
    for piece in pieces if percent else ():
        dimension = piece.run.component.dimension
        units = covered(piece, budget.left(dimension))
        if units is None or not piece.before:
            continue
        before, tax = sheet.units_cost(piece, units)
        factor = sheet.make_divisible((before * percent, tax * percent), hundred)
        before, tax = before * factor * percent // hundred, tax * factor * percent // hundred
        sheet.lower(piece, grant, units, before, tax)
        budget.spend(dimension, units)
        if percent == hundred:
            give_away(piece, units)


def _left(limit: Decimal | None, per_unit: int, used: int) -> int | None:
    if limit is None:
        return None
    return max(0, int(EXACT.multiply(limit, Decimal(per_unit))) - used)


def _used(grant: SharedGrant, period: str, usage: SessionUsage) -> Consumption:
    name = shared_name(grant)
    for used in usage.used:
        if used.name == name and used.period == period:
            return used.consumption
    return NOTHING


def _by_period(
    grant: SharedGrant, sheet: Sheet, windows: Sequence[Window]
) -> Iterator[tuple[str, list[Piece]]]:
    """Yield the grant's pieces, period by period, each in order of time."""
    together: dict[str, list[Piece]] = {}
    for piece in sorted(sheet.of(grant.dimensions), key=lambda piece: piece.starts_us):
        instant = within(sheet.usage, piece.starts_us)
        period = _period_at(grant, instant, windows, sheet.usage)
        if period is not None:
            together.setdefault(period, []).append(piece)
    yield from together.items()


def _periods(grant: SharedGrant, usage: SessionUsage) -> list[str]:
    """Return the periods in which the session may use *grant*."""
    windows = shared_windows(grant, usage)
    start, end = microseconds(usage.starts_at), microseconds(usage.ends_at)
    instants = [start, *(window[0] for window in windows if start < window[0] < end)]
    found = (_period_at(grant, instant, windows, usage) for instant in instants)
    return sorted({period for period in found if period is not None})


def _period_at(
    grant: SharedGrant, instant_us: int, windows: Sequence[Window], usage: SessionUsage
) -> str | None:
    """Return the period of an instant: "2026-11-10", "2026-11", "ever"; None outside a night.

    A night has the date on which it begins.
    """
    if grant.per is Per.EVER:
        return EVER
    if grant.per is Per.NIGHT:
        index = window_of(windows, instant_us)
        if index is None:
            return None
        instant_us = windows[index][0]
    return _local(instant_us, usage, "%Y-%m" if grant.per is Per.MONTH else "%Y-%m-%d")


def _local(instant_us: int, usage: SessionUsage, form: str) -> str:
    return moment_of(instant_us).astimezone(usage.zone).strftime(form)
