"""Adjustments that sessions share: what one session gets depends on what others used before.

The kernel is told what was used as a number (`SessionUsage.used`) and says what it uses itself
(`PricedSession.consumed`); who shares, the ledger knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time
from decimal import Decimal
from enum import StrEnum
from typing import Final, assert_never

import msgspec

# Texts, for the model's Dimension stands above: the model of a tariff imports this file.
_ENERGY: Final = "ENERGY"
_TIMED: Final = frozenset({"TIME", "PARKING_TIME", "RESERVATION_TIME"})


class Per(StrEnum):
    """How long a shared grant lasts before it begins anew, in the calendar of the site."""

    DAY = "day"
    NIGHT = "night"
    MONTH = "month"
    EVER = "ever"


class SharedBy(StrEnum):
    """Whose sessions share a grant; a household or a fleet is a customer or a token group."""

    TOKEN = "token"  # noqa: S105 - the name of a side, no secret
    CUSTOMER = "customer"
    GROUP = "group"
    EVERYBODY = "everybody"


class Allowance(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="allowance"):
    """The first `kwh_max` and `minutes_max` of each period cost `percent` less.

    `name` is its own within the tariff and stays when the text changes: what was used goes on.
    `members` limits it to a token group. Time of several dimensions counts together.
    """

    name: str
    dimensions: tuple[str, ...]
    percent: Decimal = Decimal(100)
    kwh_max: Decimal | None = None
    minutes_max: Decimal | None = None
    per: Per = Per.MONTH
    shared_by: SharedBy = SharedBy.CUSTOMER
    members: str | None = None
    reason: str | None = None


class PeriodCap(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="period_cap"):
    """The dimensions (all, if none is named) of all sessions of a period cost at most `amount`.

    A night lasts from `start_time` until `end_time`, local; what lies outside is not capped.
    """

    name: str
    amount: Decimal
    dimensions: tuple[str, ...] = ()
    per: Per = Per.DAY
    start_time: time | None = None
    end_time: time | None = None
    shared_by: SharedBy = SharedBy.TOKEN
    members: str | None = None
    reason: str | None = None


class CouponGrant(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="coupon"):
    """A session validated with `code` gets `percent` off; `uses_max` sessions a period do.

    The period is that in which the session begins.
    """

    code: str
    dimensions: tuple[str, ...]
    uses_max: int
    percent: Decimal = Decimal(100)
    kwh_max: Decimal | None = None
    minutes_max: Decimal | None = None
    per: Per = Per.EVER
    shared_by: SharedBy = SharedBy.EVERYBODY
    reason: str | None = None


SharedGrant = Allowance | PeriodCap | CouponGrant


def shared_name(grant: SharedGrant) -> str:
    """Return under which name *grant* counts, unique within its tariff: "allowance/household"."""
    match grant:
        case Allowance(name=name):
            return f"allowance/{name}"
        case PeriodCap(name=name):
            return f"cap/{name}"
        case CouponGrant(code=code):
            return f"coupon/{code}"
        case _:
            assert_never(grant)


def shared_faults(grant: SharedGrant) -> Iterator[str]:
    """Yield what makes *grant* impossible to apply, its numbers and dimensions left out."""
    if not shared_name(grant).partition("/")[2].strip():
        yield "it needs a name"
    match grant:
        case Allowance():
            yield from _allowance_faults(grant)
        case PeriodCap():
            times = grant.start_time, grant.end_time
            is_night = grant.per is Per.NIGHT
            if is_night == (None in times) or (is_night and times[0] == times[1]):
                yield "a night, and only a night, needs two different times"
        case CouponGrant():
            if grant.uses_max < 1:
                yield "uses_max is at least 1"
            if grant.per is Per.NIGHT:
                yield "a coupon is per day, month or ever"
        case _:
            assert_never(grant)


def _allowance_faults(allowance: Allowance) -> Iterator[str]:
    dimensions = set(allowance.dimensions)
    if not dimensions or not dimensions <= {_ENERGY, *_TIMED}:
        yield f"an allowance is of energy or of {', '.join(sorted(map(str.lower, _TIMED)))}"
    if (_ENERGY in dimensions) != (allowance.kwh_max is not None):
        yield "energy, and only energy, needs kwh_max"
    if bool(_TIMED & dimensions) != (allowance.minutes_max is not None):
        yield "time, and only time, needs minutes_max"
    if allowance.per is Per.NIGHT:
        yield "an allowance is per day, month or ever"
