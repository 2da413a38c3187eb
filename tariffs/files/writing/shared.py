"""Shared grants as lines of a tariff file; see `tariffs.files.shared`, which reads them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from tariffs.adjustments.shared import Allowance, CouponGrant, PeriodCap, SharedGrant
from tariffs.files.yaml.text import clock, quoted
from tariffs.quantities import plain


def shared_lines(grant: SharedGrant) -> Iterator[str]:
    """Yield what a tariff file says of *grant*, its reason left out."""
    match grant:
        case Allowance():
            yield f"allowance: {quoted(grant.name)}"
            yield from _granted(grant)
        case CouponGrant():
            yield f"coupon: {quoted(grant.code)}"
            yield from _granted(grant)
            yield f"uses_max: {grant.uses_max}"
        case PeriodCap():
            yield f"shared_cap: {quoted(grant.name)}"
            yield f"amount: {plain(grant.amount):f}"
            if grant.dimensions:
                yield _on(grant.dimensions)
            if grant.start_time is not None:
                yield f"from: {clock(grant.start_time)}"
            if grant.end_time is not None:
                yield f"to: {clock(grant.end_time)}"
        case _:
            assert_never(grant)
    yield f"per: {grant.per.value}"
    yield f"shared_by: {grant.shared_by.value}"
    if not isinstance(grant, CouponGrant) and grant.members is not None:
        yield f"members: {quoted(grant.members)}"


def _granted(grant: Allowance | CouponGrant) -> Iterator[str]:
    yield f"discount: {plain(grant.percent):f} %"
    yield _on(grant.dimensions)
    if grant.kwh_max is not None:
        yield f"kwh_max: {plain(grant.kwh_max):f}"
    if grant.minutes_max is not None:
        yield f"minutes_max: {plain(grant.minutes_max):f}"


def _on(dimensions: tuple[str, ...]) -> str:
    return f"on: [{', '.join(dimension.lower() for dimension in dimensions)}]"
