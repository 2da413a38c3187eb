"""What every adjustment must satisfy before it changes anything, wherever it came from."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from tariffs.adjustments.adjustment import (
    Adjustment,
    AtLeast,
    CapPeriod,
    FeeCap,
    FreeBelow,
    FreeFirst,
    GroupGrant,
    IdleGrace,
    RoundDown,
    Surcharge,
    ValidationGrant,
)
from tariffs.adjustments.shared import Allowance, CouponGrant, PeriodCap, shared_faults
from tariffs.model.tariff import Dimension
from tariffs.quantities import is_sane

TIMED: Final = frozenset(
    (Dimension.TIME, Dimension.PARKING_TIME, Dimension.RESERVATION_TIME),
)
_PERCENT_MAX: Final = Decimal(100)


def adjustment_faults(adjustment: Adjustment, *, below_zero: bool = False) -> Iterator[str]:
    """Yield what makes *adjustment* impossible to apply; with *below_zero* a surcharge may give."""
    if isinstance(adjustment, Surcharge):
        size = adjustment.percent if adjustment.amount is None else adjustment.amount
        if size is not None and size < 0 and not below_zero:
            yield f"a surcharge of {size} is negative; say below_zero: yes if that is meant"
            return
    yield from _numbers(adjustment)
    yield from _unknown_dimensions(adjustment)
    if isinstance(adjustment, Allowance | PeriodCap | CouponGrant):
        yield from shared_faults(adjustment)
    else:
        yield from _kind_faults(adjustment)


def _kind_faults(adjustment: Adjustment) -> Iterator[str]:
    match adjustment:
        case FreeFirst():
            yield from _free_first_faults(adjustment)
        case FreeBelow(kwh=None, seconds=None):
            yield "it needs an amount of energy or time"
        case RoundDown(dimensions=dimensions):
            if not adjustment.step:
                yield "its step is 0"
            if not _is_of_one_kind(dimensions):
                yield "it rounds either energy or times"
        case FeeCap():
            is_night = adjustment.per is CapPeriod.NIGHT
            times = adjustment.start_time, adjustment.end_time
            # Wrong are a night without both times, and times without a night.
            if is_night == (None in times) or (is_night and times[0] == times[1]):
                yield "a night, and only a night, needs two different times"
        case AtLeast(dimensions=()):
            yield "it needs dimensions"
        case Surcharge(percent=None, amount=None):
            yield "it needs a percentage or an amount"
        case _:
            pass


def _free_first_faults(free: FreeFirst) -> Iterator[str]:
    if free.before_steps and len(free.dimensions) != 1:
        yield "before_steps needs one dimension: steps count each by itself"
    if (free.kwh is None) == (free.seconds is None):
        yield "it needs either energy or time"
    elif free.kwh is not None and free.dimensions != (Dimension.ENERGY,):
        yield "the first kWh can only be energy"
    elif free.seconds is not None and not (free.dimensions and TIMED.issuperset(free.dimensions)):
        yield f"the first minutes are of {', '.join(sorted(d.lower() for d in TIMED))}"


def _is_of_one_kind(dimensions: tuple[str, ...]) -> bool:
    return dimensions == (Dimension.ENERGY,) or bool(dimensions and TIMED.issuperset(dimensions))


def _unknown_dimensions(adjustment: Adjustment) -> Iterator[str]:
    for dimension in () if isinstance(adjustment, IdleGrace | FreeBelow) else adjustment.dimensions:
        if dimension not in list(Dimension):
            yield f"there is no dimension {dimension!r}"


def _numbers(adjustment: Adjustment) -> Iterator[str]:
    percent: Decimal | None = None
    numbers: list[Decimal | int | None] = []
    match adjustment:
        case IdleGrace():
            numbers = [adjustment.seconds]
        case GroupGrant() | ValidationGrant() | Allowance() | CouponGrant():
            percent, numbers = adjustment.percent, [adjustment.kwh_max, adjustment.minutes_max]
        case FreeFirst() | FreeBelow():
            numbers = [adjustment.kwh, adjustment.seconds]
        case RoundDown():
            numbers = [adjustment.step]
        case FeeCap() | AtLeast() | PeriodCap():
            numbers = [adjustment.amount]
        case Surcharge():
            percent = None if adjustment.percent is None else abs(adjustment.percent)
            amount = None if adjustment.amount is None else abs(adjustment.amount)
            numbers = [amount, adjustment.vat]
    if percent is not None and not (is_sane(percent) and 0 <= percent <= _PERCENT_MAX):
        yield f"percent is {percent}"
    for number in numbers:
        if number is not None and not (is_sane(Decimal(number)) and number >= 0):
            yield f"the limit is {number}"
