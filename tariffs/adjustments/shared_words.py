"""Shared grants in sentences."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, assert_never

from tariffs.adjustments.consumption import Consumption
from tariffs.adjustments.shared import (
    Allowance,
    CouponGrant,
    Per,
    PeriodCap,
    SharedBy,
    SharedGrant,
)
from tariffs.model.reasons import WORDS
from tariffs.model.tariff import Dimension
from tariffs.quantities import money_of_minor, plain

_PER: Final = {Per.DAY: "a day", Per.NIGHT: "a night", Per.MONTH: "a month", Per.EVER: "in all"}
_FOR: Final = {
    SharedBy.TOKEN: "for a token",
    SharedBy.CUSTOMER: "for a customer's sessions together",
    SharedBy.GROUP: "for a token group's sessions together",
    SharedBy.EVERYBODY: "for all sessions together",
}


def shared_label(grant: SharedGrant) -> str:
    """Return what stands on an invoice line beside the fee: "allowance household"."""
    match grant:
        case Allowance(name=name):
            return f"allowance {name}"
        case PeriodCap(name=name):
            return f"cap {name}"
        case CouponGrant(code=code):
            return f"coupon {code}"
        case _:
            assert_never(grant)


def shared_rule(grant: SharedGrant, currency: str) -> str:
    """Say what *grant* does to a line."""
    match grant:
        case Allowance():
            sizes = _sizes(grant.kwh_max, grant.minutes_max)
            members = f", for members of the group {grant.members!r}" if grant.members else ""
            rule = f"{_share(grant.percent)} for the first {sizes}"
            return f"{rule} {_PER[grant.per]} {_FOR[grant.shared_by]}{members}"
        case PeriodCap():
            most = f"{_what(grant.dimensions)} costs at most {grant.amount:f} {currency}"
            return f"{most} {_per(grant)} {_FOR[grant.shared_by]}"
        case CouponGrant():
            sizes = _sizes(grant.kwh_max, grant.minutes_max)
            limit = f", up to {sizes} a session" if sizes else ""
            times = "once" if grant.uses_max == 1 else f"{grant.uses_max} times"
            rule = f"{_share(grant.percent)} with the coupon {grant.code!r}{limit}"
            return f"{rule}, {times} {_PER[grant.per]} {_FOR[grant.shared_by]}"
        case _:
            assert_never(grant)


def standing_words(grant: SharedGrant, period: str, used: Consumption, currency: str) -> str:
    """Say what others had used of *grant*: "30 kWh used before in 2026-03"."""
    match grant:
        case Allowance():
            sizes = [] if grant.kwh_max is None else [f"{plain(used.energy_wh / 1000):f} kWh"]
            sizes += [] if grant.minutes_max is None else [f"{plain(used.seconds / 60):f} min"]
            said = f"{' and '.join(sizes)} used before"
        case PeriodCap():
            said = f"{money_of_minor(used.amount_minor, currency)} paid before"
        case CouponGrant():
            said = f"used {'once' if used.uses == 1 else f'{used.uses} times'} before"
        case _:
            assert_never(grant)
    return said if grant.per is Per.EVER else f"{said} in {period}"


def _per(cap: PeriodCap) -> str:
    if cap.per is Per.NIGHT:
        return f"a night from {cap.start_time:%H:%M} to {cap.end_time:%H:%M}"
    return _PER[cap.per]


def _share(percent: Decimal) -> str:
    return "free" if percent == 100 else f"{percent:f} % off"  # noqa: PLR2004 - percent


def _sizes(kwh_max: Decimal | None, minutes_max: Decimal | None) -> str:
    sizes = [] if kwh_max is None else [f"{kwh_max:f} kWh"]
    sizes += [] if minutes_max is None else [f"{minutes_max:f} min"]
    return " and ".join(sizes)


def _what(dimensions: tuple[str, ...]) -> str:
    if not dimensions:
        return WORDS[Dimension.SESSION]
    return " and ".join(WORDS[Dimension(dimension)] for dimension in dimensions)
