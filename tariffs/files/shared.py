"""Shared grants in a tariff file."""

from __future__ import annotations

from datetime import time
from decimal import Decimal
from typing import NamedTuple

from tariffs.adjustments.shared import Allowance, CouponGrant, Per, PeriodCap, SharedBy
from tariffs.files.yaml.fields import Fields, time_of


class Granted(NamedTuple):
    """What `free: [...]` or `discount: 20 %` with `on: [...]` says, and its limits."""

    dimensions: tuple[str, ...]
    percent: Decimal
    kwh_max: Decimal | None
    minutes_max: Decimal | None


def read_allowance(fields: Fields, granted: Granted | None, reason: str | None) -> Allowance | None:
    """Read `allowance: household` with what is free and for whom."""
    name = fields.text("allowance")
    per, shared_by = _per(fields, Per.MONTH), _shared_by(fields, SharedBy.CUSTOMER)
    members = fields.text("members")
    if name is None or granted is None:
        return None
    return Allowance(
        name=name,
        dimensions=granted.dimensions,
        percent=granted.percent,
        kwh_max=granted.kwh_max,
        minutes_max=granted.minutes_max,
        per=per,
        shared_by=shared_by,
        members=members,
        reason=reason,
    )


def read_period_cap(
    fields: Fields, dimensions: tuple[str, ...], reason: str | None
) -> PeriodCap | None:
    """Read `shared_cap: idle` with its amount and what it is on."""
    name, amount = fields.text("shared_cap"), fields.number("amount", required=True)
    per, shared_by = _per(fields, Per.DAY), _shared_by(fields, SharedBy.TOKEN)
    start: time | None = fields.read("from", time_of)
    end: time | None = fields.read("to", time_of)
    members = fields.text("members")
    if name is None or amount is None:
        return None
    return PeriodCap(
        name=name,
        amount=amount,
        dimensions=dimensions,
        per=per,
        start_time=start,
        end_time=end,
        shared_by=shared_by,
        members=members,
        reason=reason,
    )


def read_coupon(fields: Fields, granted: Granted | None, reason: str | None) -> CouponGrant | None:
    """Read `coupon: SUMMER` with what it gives and how often."""
    code, uses_max = fields.text("coupon"), fields.whole("uses_max", required=True)
    per, shared_by = _per(fields, Per.EVER), _shared_by(fields, SharedBy.EVERYBODY)
    if code is None or granted is None or uses_max is None:
        return None
    return CouponGrant(
        code=code,
        dimensions=granted.dimensions,
        uses_max=uses_max,
        percent=granted.percent,
        kwh_max=granted.kwh_max,
        minutes_max=granted.minutes_max,
        per=per,
        shared_by=shared_by,
        reason=reason,
    )


def _per(fields: Fields, otherwise: Per) -> Per:
    return Per(fields.choice("per", [each.value for each in Per]) or otherwise)


def _shared_by(fields: Fields, otherwise: SharedBy) -> SharedBy:
    return SharedBy(fields.choice("shared_by", [each.value for each in SharedBy]) or otherwise)
