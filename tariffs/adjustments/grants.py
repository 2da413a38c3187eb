"""Adjustments that give away or drop volume: groups, validations, free firsts, rounding down."""

from __future__ import annotations

from decimal import Decimal

from tariffs.adjustments.adjustment import (
    FreeBelow,
    FreeFirst,
    GroupGrant,
    RoundDown,
    ValidationGrant,
)
from tariffs.adjustments.sheet import Piece, Sheet
from tariffs.model.tariff import Dimension
from tariffs.model.usage import microseconds
from tariffs.quantities import EXACT
from tariffs.taxes.taxes import ENERGY_UNITS_PER_KWH, ENERGY_UNITS_PER_WH, decimals_of, scaled

SECOND_UNITS = 1_000_000
MINUTE_UNITS = 60_000_000


def grant_share(grant: GroupGrant | ValidationGrant, sheet: Sheet) -> None:
    """Take a percentage of what is left, within the grant's limits per dimension."""
    decimals = decimals_of(grant.percent)
    percent, hundred = scaled(grant.percent, decimals), 100 * 10**decimals
    budgets: dict[Dimension, int | None] = {}
    for piece in sheet.of(grant.dimensions):
        dimension = piece.run.component.dimension
        budget = budgets.setdefault(dimension, budget_of(grant, dimension))
        units = covered(piece, budget)
        if units is None or not piece.before:
            continue
        if budget is not None:
            budgets[dimension] = budget - units
        before, tax = sheet.units_cost(piece, units)
        factor = sheet.make_divisible((before * percent, tax * percent), hundred)
        before, tax = before * factor * percent // hundred, tax * factor * percent // hundred
        sheet.lower(piece, grant, units, before, tax)
        if percent == hundred:
            give_away(piece, units)


def free_first(free: FreeFirst, sheet: Sheet) -> None:
    """Give away the first kWh, or the first seconds of all its dimensions together."""
    budget = _units(free.kwh, ENERGY_UNITS_PER_KWH)
    if budget is None:
        budget = (free.seconds or 0) * SECOND_UNITS
    for piece in sheet.of(free.dimensions):
        units = covered(piece, budget)
        if not units:
            continue
        budget -= units
        before, tax = sheet.units_cost(piece, units)
        sheet.lower(piece, free, units, before, tax)
        give_away(piece, units)


def free_below(free: FreeBelow, sheet: Sheet) -> None:
    """Give everything away if the session is too small or too short to be charged."""
    usage = sheet.usage
    duration = microseconds(usage.ends_at) - microseconds(usage.starts_at)
    # As metered: neither what was given away before nor what a step adds makes a session small.
    energy = sum(
        run.volume
        for run in sheet.runs
        if run.adjustment is None and run.component.dimension is Dimension.ENERGY
    )
    least = _units(free.kwh, ENERGY_UNITS_PER_KWH)
    is_short = free.seconds is not None and duration < free.seconds * SECOND_UNITS
    is_small = least is not None and energy < least
    if is_short or is_small:
        # All of them: who only plugs in is not paid for it either.
        for piece in sheet.pieces:
            sheet.lower(piece, free, piece.units, piece.before, piece.tax)
            # Nothing is due any more, so no least fee later in the file can bring it back.
            piece.due = piece.units = 0


def round_down(rounding: RoundDown, sheet: Sheet) -> None:
    """Charge whole steps only: the rest, and what OCPI's step size added, comes off the end."""
    pieces = [piece for piece in sheet.of(rounding.dimensions) if piece.volume]
    unit = SECOND_UNITS
    if rounding.dimensions == (Dimension.ENERGY,):
        unit = ENERGY_UNITS_PER_WH
    kept = sum(piece.units for piece in pieces)
    # The sum of all pieces is cut once, as a step rounds up once: not a rest from each price.
    kept -= kept % (rounding.step * unit)
    for piece in pieces:
        stays = min(piece.units, kept)
        kept -= stays
        whole = piece.units + piece.step
        if piece.before and stays < whole:
            dropped = piece.units - stays
            sheet.lower_by_share(piece, rounding, dropped, whole - stays, whole)
        piece.units, piece.step = stays, 0


def covered(piece: Piece, budget: int | None) -> int | None:
    """Return the volume that *budget* covers; None where it does not reach the piece.

    A piece without volume (a surcharge) is covered by what knows no limit.
    """
    if budget is None:
        return piece.units
    return min(piece.units, budget) or None


def give_away(piece: Piece, units: int) -> None:
    """Note that *units* of a piece cost nothing any more."""
    piece.units -= units
    piece.due -= min(units, piece.due)
    if not piece.before:
        piece.due = 0


def budget_of(grant: GroupGrant | ValidationGrant, dimension: Dimension) -> int | None:
    """Return how many volume units *grant* covers in one session; None for all."""
    match dimension:
        case Dimension.ENERGY:
            return _units(grant.kwh_max, ENERGY_UNITS_PER_KWH)
        case Dimension.TIME | Dimension.PARKING_TIME | Dimension.RESERVATION_TIME:
            return _units(grant.minutes_max, MINUTE_UNITS)
        case Dimension.FLAT | Dimension.SESSION:
            return None


def _units(limit: Decimal | None, per_unit: int) -> int | None:
    return None if limit is None else int(EXACT.multiply(limit, Decimal(per_unit)))
