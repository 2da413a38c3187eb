"""Adjustments: what operators want and OCPI cannot say, typed, ordered, each with its reason.

A *rule of the cut* changes which component holds at an instant (a grace period). Every other
adjustment makes lines of its own, in the order of the tariff file, each on what the earlier ones
left. A new kind is a new struct here, one branch in `tariffs.adjustments.adjusting` and one in
`tariffs.files.adjustments`. Amounts are stated as the tariff states its prices: before taxes, or
with them where `tax_included` is YES. `dimensions` are Dimension values.
"""

from __future__ import annotations

from datetime import time
from decimal import Decimal
from enum import StrEnum

import msgspec

from tariffs.adjustments.shared import Allowance, CouponGrant, Per, PeriodCap, SharedGrant


class IdleGrace(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="idle_grace"):
    """The first `seconds` of every stretch of parking cost nothing."""

    seconds: int
    reason: str | None = None


class GroupGrant(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="group"):
    """Members of a token group get `percent` off the named dimensions.

    `kwh_max` and `minutes_max` bound what one session gets, counted from its start.
    """

    group: str
    dimensions: tuple[str, ...]
    percent: Decimal = Decimal(100)
    kwh_max: Decimal | None = None
    minutes_max: Decimal | None = None
    reason: str | None = None


class ValidationGrant(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="validation"
):
    """A session validated with `code` (a shop's stamp, a hotel stay) gets `percent` off."""

    code: str
    dimensions: tuple[str, ...]
    percent: Decimal = Decimal(100)
    kwh_max: Decimal | None = None
    minutes_max: Decimal | None = None
    reason: str | None = None


class FreeFirst(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="free_first"):
    """The first `kwh`, or the first `seconds` of charged time, of every session are free.

    Time of several dimensions counts together, and only where it is priced: four free hours of a
    fee that holds by day do not run out at night. With `before_steps` a step rounds up what is
    left of its one dimension; else all of it, before anything is free.
    """

    dimensions: tuple[str, ...]
    kwh: Decimal | None = None
    seconds: int | None = None
    reason: str | None = None
    before_steps: bool = False


class FreeBelow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="free_below"):
    """A session of less than `kwh`, or shorter than `seconds`, costs nothing at all."""

    kwh: Decimal | None = None
    seconds: int | None = None
    reason: str | None = None


class RoundDown(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="round_down"):
    """Only whole steps (in Wh or seconds) of what is left of the dimensions are charged."""

    dimensions: tuple[str, ...]
    step: int
    reason: str | None = None


class CapPeriod(StrEnum):
    """Within what a cap counts: a session, each local day of it, or each night."""

    SESSION = "session"
    DAY = "day"
    NIGHT = "night"


class FeeCap(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="cap"):
    """The dimensions (all, if none is named) cost at most `amount` per session, day or night.

    A night lasts from `start_time` until `end_time`, local; what lies outside is not capped.
    """

    amount: Decimal
    dimensions: tuple[str, ...] = ()
    per: CapPeriod = CapPeriod.SESSION
    start_time: time | None = None
    end_time: time | None = None
    reason: str | None = None


class AtLeast(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="at_least"):
    """The dimensions cost at least `amount` as soon as anything of them is due.

    What was given away is not due; what was rounded down to nothing is.
    """

    amount: Decimal
    dimensions: tuple[str, ...]
    reason: str | None = None


class Surcharge(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="surcharge"):
    """A percentage of what the dimensions (all, if none is named) cost, or an amount.

    With `payment_methods` only for these. Added only where something is owed. A percentage bears
    the taxes of what it is taken from, an amount `vat` percent.
    """

    percent: Decimal | None = None
    amount: Decimal | None = None
    dimensions: tuple[str, ...] = ()
    payment_methods: tuple[str, ...] = ()
    vat: Decimal | None = None
    reason: str | None = None


class QuantityTax(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A tax of `per_kwh` on all metered energy, free or not; `vat` percent on it, if any.

    It stands in a tariff's `quantity_taxes` and is added after everything else.
    """

    name: str
    per_kwh: Decimal
    vat: Decimal | None = None


Grant = GroupGrant | ValidationGrant
SessionAdjustment = (
    Grant | FreeFirst | FreeBelow | RoundDown | FeeCap | AtLeast | Surcharge | SharedGrant
)
Adjustment = IdleGrace | SessionAdjustment
# What a line can be made by.
LineAdjustment = SessionAdjustment | QuantityTax


def is_given_away(adjustment: LineAdjustment) -> bool:
    """Tell whether the volume on a line of *adjustment* costs nothing any more."""
    match adjustment:
        case GroupGrant() | ValidationGrant() | Allowance() | CouponGrant():
            return adjustment.percent == 100  # noqa: PLR2004 - percent: all of it
        case FreeFirst() | FreeBelow() | RoundDown():
            return True
        # A cap makes a fee cheaper, but none of the volume free: energy below it stays billed.
        case FeeCap() | AtLeast() | Surcharge() | QuantityTax() | PeriodCap():
            return False


def reads_time(adjustment: Adjustment) -> bool:
    """Tell whether *adjustment* asks when or how long, even where nothing costs by the hour."""
    match adjustment:
        case FeeCap():
            return adjustment.per is not CapPeriod.SESSION
        case FreeBelow():
            return adjustment.seconds is not None
        case Allowance() | PeriodCap() | CouponGrant():
            return adjustment.per is not Per.EVER
        # Their minutes and graces are of time that has a price, and that price tells already.
        case IdleGrace() | GroupGrant() | ValidationGrant() | FreeFirst() | RoundDown():
            return False
        case AtLeast() | Surcharge():
            return False


def waives_least_price(adjustment: LineAdjustment) -> bool:
    """Tell whether a session with *adjustment* may cost less than the tariff's min_price."""
    # A cap bounds a fee and rounding down forgives a rest: no gift, so min_price holds.
    return isinstance(
        adjustment, GroupGrant | ValidationGrant | FreeFirst | FreeBelow | Allowance | CouponGrant
    )
