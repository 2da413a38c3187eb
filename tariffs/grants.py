"""Grants: amenities and promotions that lower lines already priced, each as a line of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

import msgspec

from tariffs.adjustments import Grant, GroupGrant, ValidationGrant
from tariffs.compiled import CompiledTariff, Why
from tariffs.quantities import EXACT
from tariffs.tally import Run
from tariffs.tariff import Dimension
from tariffs.taxes import ENERGY_UNITS_PER_KWH, places, scaled
from tariffs.usage import SessionUsage

_MINUTE_UNITS = 60_000_000


class Granted(msgspec.Struct, gc=False):
    """What one grant takes off one run: volume units and amounts, all positive."""

    grant: Grant
    run: Run
    units: int
    before: int
    tax: int


class _Rest(msgspec.Struct):
    """What earlier grants left of a run."""

    run: Run
    units: int
    before: int
    tax: int


def grants_for(
    usage: SessionUsage, compiled: CompiledTariff, runs: Sequence[Run]
) -> Iterator[Granted]:
    """Yield what the tariff's grants take off *runs*, in the tariff's order.

    A percentage is taken from what earlier grants left; no grant takes more than is left.
    """
    rests = [
        _Rest(
            run,
            run.volume,
            run.billed * run.component.before_factor,
            run.billed * run.component.tax_factor,
        )
        for run in runs
        if run.component.why is Why.PRICED and run.component.before_factor
    ]
    for grant in compiled.grants:
        if _is_entitled(grant, usage):
            yield from _take(grant, rests)


def _is_entitled(grant: Grant, usage: SessionUsage) -> bool:
    match grant:
        case GroupGrant():
            return grant.group in usage.groups
        case ValidationGrant():
            return grant.code in usage.validations


def _take(grant: Grant, rests: Sequence[_Rest]) -> Iterator[Granted]:
    budgets: dict[Dimension, int | None] = {}
    for rest in rests:
        dimension = rest.run.component.dimension
        if dimension not in grant.dimensions or not rest.before:
            continue
        budget = budgets.setdefault(dimension, _budget(grant, dimension))
        units = rest.units if budget is None else min(rest.units, budget)
        if budget is not None:
            budgets[dimension] = budget - units
        if not units:
            continue
        granted = _granted(grant, rest, units)
        rest.before -= granted.before
        rest.tax -= granted.tax
        if grant.percent == 100:  # noqa: PLR2004 - percent: all of it
            rest.units -= units
        yield granted


def _granted(grant: Grant, rest: _Rest, units: int) -> Granted:
    decimals = places(grant.percent)
    percent, hundred = scaled(grant.percent, decimals), 100 * 10**decimals
    before, tax = rest.before, rest.tax
    if units < rest.run.volume:
        before = min(before, units * rest.run.component.before_factor)
        tax = min(tax, units * rest.run.component.tax_factor)
    return Granted(grant, rest.run, units, before * percent // hundred, tax * percent // hundred)


def _budget(grant: Grant, dimension: Dimension) -> int | None:
    """Return how many volume units *grant* covers in one session; None for all."""
    match dimension:
        case Dimension.ENERGY:
            return _units(grant.kwh_max, ENERGY_UNITS_PER_KWH)
        case Dimension.TIME | Dimension.PARKING_TIME | Dimension.RESERVATION_TIME:
            return _units(grant.minutes_max, _MINUTE_UNITS)
        case Dimension.FLAT | Dimension.SESSION:
            return None


def _units(limit: Decimal | None, per_unit: int) -> int | None:
    return None if limit is None else int(EXACT.multiply(limit, Decimal(per_unit)))
