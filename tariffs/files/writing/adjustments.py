"""Adjustments as lines of a tariff file; see `tariffs.files.adjustments`, which reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
from tariffs.adjustments.shared import Allowance, CouponGrant, PeriodCap
from tariffs.files.writing.shared import shared_lines
from tariffs.files.yaml.text import clock, duration, quoted
from tariffs.model.tariff import Dimension
from tariffs.quantities import plain


def adjustment_lines(adjustment: Adjustment) -> Iterator[str]:
    """Yield the lines of *adjustment*, an item of the list; none if files have no word for it."""
    lines = list(_fields(adjustment))
    if not lines:
        return
    if adjustment.reason is not None and adjustment.reason.strip():
        lines.append(f"reason: {quoted(adjustment.reason)}")
    yield f"  - {lines[0]}"
    yield from (f"    {line}" for line in lines[1:])


def _fields(adjustment: Adjustment) -> Iterator[str]:  # noqa: C901 - one branch per type
    match adjustment:
        case IdleGrace():
            yield f"idle_grace: {duration(adjustment.seconds)}"
        case GroupGrant():
            yield f"group: {quoted(adjustment.group)}"
            yield from _granted(adjustment)
        case ValidationGrant():
            yield f"validation: {quoted(adjustment.code)}"
            yield from _granted(adjustment)
        case FreeFirst():
            yield f"free_first: {_size(adjustment)}"
            yield from _on(adjustment.dimensions)
            if adjustment.before_steps:
                yield "before_steps: yes"
        case FreeBelow():
            sizes = [FreeBelow(kwh=adjustment.kwh), FreeBelow(seconds=adjustment.seconds)]
            said = [_size(s) for s in sizes if s != FreeBelow()]
            yield f"free_below: [{', '.join(said)}]"
        case RoundDown():
            is_energy = Dimension.ENERGY in adjustment.dimensions
            yield f"round_down: {adjustment.step} {'Wh' if is_energy else 's'}"
            yield from _on(adjustment.dimensions)
        case FeeCap():
            yield from _cap(adjustment)
        case AtLeast():
            yield f"at_least: {plain(adjustment.amount):f}"
            yield from _on(adjustment.dimensions)
        case Surcharge():
            yield from _surcharge(adjustment)
        case Allowance() | PeriodCap() | CouponGrant():
            yield from shared_lines(adjustment)


def _granted(grant: GroupGrant | ValidationGrant) -> Iterator[str]:
    yield f"discount: {plain(grant.percent):f} %"
    yield from _on(grant.dimensions)
    for key in ("kwh_max", "minutes_max"):
        limit = getattr(grant, key)
        if limit is not None:
            yield f"{key}: {plain(limit):f}"


def _cap(cap: FeeCap) -> Iterator[str]:
    yield f"cap: {plain(cap.amount):f}"
    yield from _on(cap.dimensions)
    if cap.per is not CapPeriod.SESSION:
        yield f"per: {cap.per.value}"
    if cap.start_time is not None:
        yield f"from: {clock(cap.start_time)}"
    if cap.end_time is not None:
        yield f"to: {clock(cap.end_time)}"


def _surcharge(surcharge: Surcharge) -> Iterator[str]:
    if surcharge.percent is not None:
        yield f"surcharge: {plain(surcharge.percent):f} %"
    elif surcharge.amount is not None:
        yield f"surcharge: {plain(surcharge.amount):f}"
    yield from _on(surcharge.dimensions)
    if surcharge.payment_methods:
        methods = ", ".join(quoted(method) for method in surcharge.payment_methods)
        yield f"payment_method: [{methods}]"
    if surcharge.vat is not None:
        yield f"vat: {plain(surcharge.vat):f} %"


def _on(dimensions: Sequence[str]) -> Iterator[str]:
    if dimensions:
        yield f"on: [{', '.join(dimension.lower() for dimension in dimensions)}]"


def _size(adjustment: FreeFirst | FreeBelow) -> str:
    if adjustment.kwh is not None:
        return f"{plain(adjustment.kwh):f} kWh"
    return duration(adjustment.seconds or 0)
