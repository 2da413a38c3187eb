"""Applying adjustments to a priced session, in the order of the tariff file.

Each sees what the earlier ones left; none takes more than is left, so no total gets negative.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time

from tariffs.adjustments.adjustment import (
    AtLeast,
    CapPeriod,
    FeeCap,
    FreeBelow,
    FreeFirst,
    GroupGrant,
    RoundDown,
    SessionAdjustment,
    Surcharge,
    ValidationGrant,
)
from tariffs.adjustments.consumption import Consumed
from tariffs.adjustments.grants import free_below, free_first, grant_share, round_down
from tariffs.adjustments.shared import Allowance, CouponGrant, PeriodCap
from tariffs.adjustments.shared_grants import apply_shared, is_for, shared_windows
from tariffs.adjustments.sheet import Piece, Sheet
from tariffs.adjustments.surcharges import add_surcharge
from tariffs.adjustments.windows import Window, local_windows, window_of
from tariffs.kernel.compiled import CompiledTariff
from tariffs.kernel.rounding import Amounts
from tariffs.kernel.tally import Run
from tariffs.model.usage import SessionUsage

_MIDNIGHT = time(0)


def adjust(
    runs: list[Run], amounts: Amounts, usage: SessionUsage, compiled: CompiledTariff
) -> tuple[Consumed, ...]:
    """Add the lines that the tariff's adjustments make to *runs* and *amounts*.

    Returns:
        What the session used of the grants that it shares.
    """
    adjustments = [each for each in compiled.line_adjustments if _concerns(each, usage)]
    if not adjustments:
        return ()
    windows = {id(each): _windows(each, usage) for each in adjustments}
    bounds = [bound for found in windows.values() for window in found for bound in window]
    sheet = Sheet(runs, amounts, usage, compiled, bounds)
    for adjustment in adjustments:
        _apply(adjustment, sheet, windows[id(adjustment)])
    return tuple(sheet.consumed)


def _concerns(adjustment: SessionAdjustment, usage: SessionUsage) -> bool:
    """Tell whether *adjustment* is for this session's driver and payment."""
    match adjustment:
        case GroupGrant():
            return usage.is_in(adjustment.group)
        case ValidationGrant():
            return adjustment.code in usage.validations
        case Surcharge():
            methods = adjustment.payment_methods
            return not methods or usage.payment_method in methods
        case Allowance() | PeriodCap() | CouponGrant():
            return is_for(adjustment, usage)
        case FreeFirst() | FreeBelow() | RoundDown() | FeeCap() | AtLeast():
            return True


def _apply(adjustment: SessionAdjustment, sheet: Sheet, windows: Sequence[Window]) -> None:
    match adjustment:
        case GroupGrant() | ValidationGrant():
            grant_share(adjustment, sheet)
        case Allowance() | PeriodCap() | CouponGrant():
            apply_shared(adjustment, sheet, windows)
        case FreeFirst():
            free_first(adjustment, sheet)
        case FreeBelow():
            free_below(adjustment, sheet)
        case RoundDown():
            round_down(adjustment, sheet)
        case FeeCap():
            _cap(adjustment, sheet, windows)
        case AtLeast():
            _raise(adjustment, sheet)
        case Surcharge():
            add_surcharge(adjustment, sheet)


def _windows(adjustment: SessionAdjustment, usage: SessionUsage) -> list[Window]:
    """Return within what a cap counts; [] for the whole session."""
    if isinstance(adjustment, Allowance | PeriodCap | CouponGrant):
        return shared_windows(adjustment, usage)
    if not isinstance(adjustment, FeeCap) or adjustment.per is CapPeriod.SESSION:
        return []
    start, end = adjustment.start_time or _MIDNIGHT, adjustment.end_time or _MIDNIGHT
    return local_windows(usage, start, end)


def _cap(cap: FeeCap, sheet: Sheet, windows: Sequence[Window]) -> None:
    """Take what exceeds the cap, from the piece on in which it is reached."""
    together: dict[int, list[Piece]] = {}
    for piece in sheet.of(cap.dimensions):
        window = window_of(windows, piece.starts_us) if windows else 0
        if window is not None:
            together.setdefault(window, []).append(piece)
    for pieces in together.values():
        _cap_sum(cap, sheet, sorted(pieces, key=lambda piece: piece.starts_us))


def _cap_sum(cap: FeeCap, sheet: Sheet, pieces: Sequence[Piece]) -> None:
    room = sheet.amount_of(cap.amount)
    for piece in pieces:
        stated = sheet.stated(piece)
        if stated > room:
            factor = sheet.factor
            sheet.lower_by_share(piece, cap, piece.units, stated - room, stated)
            room = room * sheet.factor // factor
            stated = sheet.stated(piece)
        room -= stated


def _raise(least: AtLeast, sheet: Sheet) -> None:
    """Raise the sum of the dimensions, with the tax of the last piece that is due."""
    due = [piece for piece in sheet.of(least.dimensions) if piece.due]
    amount = sheet.amount_of(least.amount)
    missing = amount - sum(sheet.stated(piece) for piece in due)
    if not due or missing <= 0:
        return
    last = due[-1]
    component = last.run.component
    before, tax = component.before_factor, component.tax_factor
    whole = before + tax if sheet.compiled.factors.inclusive else before
    missing *= sheet.make_divisible((missing * before, missing * tax), whole)
    run = Run(component, last.starts_us, last.ends_us, 0, 0, least)
    sheet.raise_by(run, missing * before // whole, missing * tax // whole)
