"""Applying adjustments to a priced session, in the order of the tariff file.

Operators give away, cap and add in ways that OCPI has no words for, and combine them. A
combination has no meaning of its own: half price and a cap of 12.00 is one contract in one order
and another in the other. A fixed order of kinds would be right for some operators and silently
wrong for others. So the file's order is the order, each adjustment sees what the earlier ones
left, and none takes more than is left. No total gets negative, whatever somebody writes.

Example 1, two hours of parking at 10.00, before taxes:

    discount 50 %, then cap 12.00    20.00 - 10.00, the cap is not reached        10.00
    cap 12.00, then discount 50 %    20.00 - 8.00 - 6.00                           6.00
    group 10 %, then group 10 %      20.00 - 2.00 - 1.80: 19 % off, not 20 %      16.20

Example 2, `at_least: 12.00` on the same parking:

    after free_first: 1 h     10.00 are left, so a line of 2.00: 12.00
    after free_first: 2 h     nothing is due, so nothing is raised: 0.00
    after round_down: 3 h     nothing is left either, but it was not given away: 12.00

"Due" is what nobody gave away. Rounding down forgives a rest and is no gift, so a least fee still
holds. Fees in the field do so: four hours free, then whole steps of 5 min, at least 0.50.

A cap takes from the piece on in which it is reached, in order of time: an invoice line for the
third hour then says why it is lower, and the tax that goes with it is that of this hour. A day or
a night is a window of the site's clock; runs are cut at all windows of all adjustments beforehand
(see `tariffs.adjustments.sheet`), because a later adjustment must find the cuts of an earlier one.

Which adjustments concern the session (its groups, codes, payment) is asked once, before anything
is cut: most sessions have none, and then nothing here costs time. A grace is not here: it changes
which component holds, and belongs to the cut (`tariffs.kernel.timeline`).

Held by tests/tariffs/adjustments/test_adjustments.py: orders by chance never make a total negative
or lines that do not add up, and a cap never raises a price. By hand: the cases named a-cap-*,
a-discount-* and groups-stack-* in tests/cases.
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
from tariffs.adjustments.capped_lines import CappedLines
from tariffs.adjustments.consumption import Consumed
from tariffs.adjustments.grants import free_below, free_first, grant_share, round_down
from tariffs.adjustments.shared import Allowance, CouponGrant, PeriodCap
from tariffs.adjustments.shared_grants import apply_shared, is_for, shared_windows
from tariffs.adjustments.sheet import Piece, Sheet
from tariffs.adjustments.surcharges import add_surcharge
from tariffs.adjustments.windows import Window, local_windows, window_of, within
from tariffs.kernel.compiled import CompiledTariff
from tariffs.kernel.rounding import Amounts
from tariffs.kernel.tally import Run
from tariffs.model.usage import SessionUsage

_MIDNIGHT = time(0)


def adjust(
    runs: list[Run], amounts: Amounts, usage: SessionUsage, compiled: CompiledTariff
) -> tuple[list[Consumed], list[CappedLines]]:
    """Add the lines that the tariff's adjustments make to *runs* and *amounts*.

    Returns:
        What the session used of the grants that it shares, and the lines that shared caps bound:
        what those use is known when lines are rounded.
    """
    adjustments = [each for each in compiled.line_adjustments if concerns(each, usage)]
    if not adjustments:
        return [], []
    # All windows before the first line: pieces are cut once, for every adjustment's bounds.
    windows = {id(each): _windows(each, usage) for each in adjustments}
    bounds = [bound for found in windows.values() for window in found for bound in window]
    sheet = Sheet(runs, amounts, usage, compiled, bounds)
    for adjustment in adjustments:
        _apply(adjustment, sheet, windows[id(adjustment)])
    return sheet.consumed, sheet.capped


def concerns(adjustment: SessionAdjustment, usage: SessionUsage) -> bool:
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
    """Return within what a cap counts, but for one that counts within the session."""
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
        # Its start tells: a piece was cut at every window and lies in one.
        instant = within(sheet.usage, piece.starts_us)
        window = 0 if cap.per is CapPeriod.SESSION else window_of(windows, instant)
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
            # The share may have made every amount larger; the room is one of them.
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
    # Ours grows with the sheet's amounts, as the room of a cap does.
    missing *= sheet.make_divisible((missing * before, missing * tax), whole)
    # No volume: what is added is money, and the energy or time was counted above.
    run = Run(component, last.starts_us, last.ends_us, 0, 0, least)
    sheet.raise_by(run, missing * before // whole, missing * tax // whole)
