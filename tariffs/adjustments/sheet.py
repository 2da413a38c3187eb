"""The sheet that adjustments work on: exact lines, and what earlier ones left of each piece.

Adjustments follow one another, each on what is left, and each may ask for another part of the same
line: the hours before midnight, the first 7 kWh, a third of an amount. Lines stand for the reader
and must not change. So beside the lines the sheet keeps pieces: parts of a run that no window cuts
any further, each with what is left of its amounts (`before`, `tax`) and of its volume.

Three volumes of a piece differ after a while. `due` is what nobody gave away; `units` is `due`
without what was rounded down; `step` is what OCPI's step size adds to be billed, which costs but
was never used. What is given away is valued at what earlier adjustments left of the piece, evenly:
half of the units are half of the amount.

Example 1. Three hours of parking at 6.00 from 22:00, 20 % VAT, at most 5.00 a day. Midnight cuts
the run into pieces of 12.00 and 6.00. Each day has its own cap, so two lines take 7.00 and 1.00:

    PARKING_TIME  18.00     VAT 3.60
    cap           -7.00     VAT -1.40     until midnight
    cap           -1.00     VAT -0.20     after it; 10.00 and 2.00 are owed

Example 2. A share may have no last digit, and the sheet never rounds. Where a share is not whole,
every amount is written over a denominator that is as many times larger (`make_divisible`). 11 min
of parking at 1.00 per hour, at most 0.10, of that the first 7 min free:

    PARKING_TIME  11/60
    cap           -1/12      0.10 are left, on 11 min
    free_first    -7/110     7 of 11 min are 7/11 of 0.10; the denominator is now 11 times larger

A cap asks for a share (what exceeds it of what is left), a grant for units. Both go through
`lower`, which makes the line and takes from the piece, so lines and pieces cannot differ. What an
adjustment adds (a surcharge) becomes a piece as well: later adjustments see it, but it has no
volume.

Why not change the lines in place: nobody could say any more which rule took what. Why not keep
fractions per piece: one common denominator keeps the sum of all lines a sum of whole numbers,
which is what rounding takes (`tariffs.kernel.rounding`).

Whoever scales must scale all: lines, pieces, and numbers held by the caller (`factor` tells by how
much). Held by test_no_order_of_adjustments_makes_a_total_negative_or_lines_not_add_up and by the
cases a-cap-on-each-day-of-a-session and free-kwh-at-the-price-that-a-discount-left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from math import gcd

import msgspec

from tariffs.adjustments.adjustment import LineAdjustment
from tariffs.adjustments.capped_lines import CappedLines
from tariffs.adjustments.consumption import Consumed
from tariffs.adjustments.windows import Cutter
from tariffs.kernel.compiled import CompiledTariff, Why
from tariffs.kernel.rounding import Amounts
from tariffs.kernel.tally import Run
from tariffs.model.usage import SessionUsage
from tariffs.taxes.taxes import decimals_of, scaled


class Piece(msgspec.Struct, gc=False):
    """A part of a run that no bound of any adjustment cuts; or what an adjustment added.

    `due` is the volume that nobody gave away (1 for an added piece, which has no volume), `units`
    what of it was not rounded down either, `step` what OCPI's step size adds to be billed;
    `before` and `tax` are the amounts that are left.
    """

    run: Run
    starts_us: int
    ends_us: int
    volume: int
    due: int
    units: int
    before: int
    tax: int
    step: int = 0


class Sheet:
    """A session's lines and amounts while adjustments apply, one after the other.

    Amounts are whole numbers over `amounts.denominator`; where a share of them is not whole, all
    are written over a larger denominator, so nothing is ever rounded here.
    """

    def __init__(
        self,
        runs: list[Run],
        amounts: Amounts,
        usage: SessionUsage,
        compiled: CompiledTariff,
        bounds: Sequence[int],
    ) -> None:
        self.runs, self.amounts, self.usage, self.compiled = runs, amounts, usage, compiled
        self.factor = 1
        self.consumed: list[Consumed] = []
        self.capped: list[CappedLines] = []
        self.pieces: list[Piece] = []
        cutter = Cutter(usage, bounds)
        for run in runs:
            self.pieces.extend(_pieces(run, cutter))

    def scale(self, factor: int) -> None:
        """Write every amount over a denominator that is *factor* times as large."""
        if factor == 1:
            return
        self.amounts.scale(factor)
        self.factor *= factor
        for piece in self.pieces:
            piece.before *= factor
            piece.tax *= factor

    def units_cost(self, piece: Piece, units: int) -> tuple[int, int]:
        """Return what *units* of what is left of a piece cost; all of it with what a step adds."""
        if units == piece.units:
            return piece.before, piece.tax
        return self.share(piece, units, piece.units + piece.step)

    def share(self, piece: Piece, share: int, whole: int) -> tuple[int, int]:
        """Return *share* / *whole* of what is left of a piece, exactly."""
        self.make_divisible((piece.before * share, piece.tax * share), whole)
        return piece.before * share // whole, piece.tax * share // whole

    def stated(self, piece: Piece) -> int:
        """Return what is left of a piece as the tariff states its prices."""
        return piece.before + piece.tax if self.compiled.factors.inclusive else piece.before

    def amount_of(self, money: Decimal) -> int:
        """Return an amount of money over the sheet's denominator."""
        decimals = decimals_of(money)
        whole: int = 10**decimals
        self.scale(whole // gcd(whole, self.amounts.denominator))
        return scaled(money, decimals) * (self.amounts.denominator // whole)

    def make_divisible(self, numbers: Sequence[int], divisor: int) -> int:
        """Scale so that *numbers* (amounts or sums of them) times the result divide whole."""
        # No more than is needed: every share makes the denominator longer.
        factor = divisor // gcd(divisor, *numbers)
        self.scale(factor)
        return factor

    def lower(
        self, piece: Piece, adjustment: LineAdjustment, units: int, before: int, tax: int
    ) -> None:
        """Take amounts off a piece, by a line of their own; nothing makes no line."""
        # A line of 0.00 would waive the least price of a session to which nothing was given.
        if not before and not tax:
            return
        run = Run(piece.run.component, piece.starts_us, piece.ends_us, units, units, adjustment)
        self.add(run, -before, -tax)
        piece.before -= before
        piece.tax -= tax

    def lower_by_share(
        self, piece: Piece, adjustment: LineAdjustment, units: int, share: int, whole: int
    ) -> None:
        """Take *share* / *whole* of what is left of a piece."""
        before, tax = self.share(piece, share, whole)
        self.lower(piece, adjustment, units, before, tax)

    def raise_by(self, run: Run, before: int, tax: int) -> None:
        """Add a line that later adjustments see as well."""
        self.add(run, before, tax)
        self.pieces.append(Piece(run, run.starts_us, run.ends_us, 0, 1, 0, before, tax))

    def add(self, run: Run, before: int, tax: int) -> None:
        """Add a line."""
        self.runs.append(run)
        self.amounts.befores.append(before)
        self.amounts.taxes.append(tax)

    def lines_of(self, dimensions: Sequence[str]) -> tuple[int, ...]:
        """Return the lines of *dimensions* so far, of all if none is named, by index."""
        return tuple(
            i
            for i, run in enumerate(self.runs)
            if not dimensions or run.component.dimension in dimensions
        )

    def stated_line(self, index: int) -> int:
        """Return what a line adds or takes as the tariff states its prices."""
        tax = self.amounts.taxes[index] if self.compiled.factors.inclusive else 0
        return self.amounts.befores[index] + tax

    def of(self, dimensions: Sequence[str]) -> list[Piece]:
        """Return the pieces of *dimensions*, of all if none is named, that are not below zero.

        What a driver is paid is no fee: nothing of it is given away, capped or taken a share of.
        """
        fees = [p for p in self.pieces if p.before >= 0]
        if not dimensions:
            return fees
        return [p for p in fees if p.run.component.dimension in dimensions]


def _pieces(run: Run, cutter: Cutter) -> Iterator[Piece]:
    """Yield the pieces of a run that costs something; the last has what the step adds."""
    component = run.component
    # Asked also of what costs nothing: the cutter counts the register along.
    parts = cutter.parts(run)
    if component.why is not Why.PRICED or not component.before_factor:
        return
    for number, (starts, ends, volume) in enumerate(parts, start=1):
        # What a step adds was not used at any time; it goes with the end, as OCPI bills it.
        step = run.billed - run.volume if number == len(parts) else 0
        billed = volume + step
        if billed:
            before, tax = billed * component.before_factor, billed * component.tax_factor
            yield Piece(run, starts, ends, volume, volume, volume, before, tax, step)
