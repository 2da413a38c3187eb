"""The sheet that adjustments work on: exact lines, and what earlier ones left of each piece."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from math import gcd

import msgspec

from tariffs.adjustments.adjustment import LineAdjustment
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
        factor = divisor // gcd(divisor, *numbers)
        self.scale(factor)
        return factor

    def lower(
        self, piece: Piece, adjustment: LineAdjustment, units: int, before: int, tax: int
    ) -> None:
        """Take amounts off a piece, by a line of their own."""
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

    def of(self, dimensions: Sequence[str]) -> list[Piece]:
        """Return the pieces of *dimensions*, of all if none is named."""
        if not dimensions:
            return list(self.pieces)
        return [p for p in self.pieces if p.run.component.dimension in dimensions]


def _pieces(run: Run, cutter: Cutter) -> Iterator[Piece]:
    """Yield the pieces of a run that costs something; the last has what the step adds."""
    component = run.component
    parts = cutter.parts(run)
    if component.why is not Why.PRICED or not component.before_factor:
        return
    for number, (starts, ends, volume) in enumerate(parts, start=1):
        step = run.billed - run.volume if number == len(parts) else 0
        billed = volume + step
        if billed:
            before, tax = billed * component.before_factor, billed * component.tax_factor
            yield Piece(run, starts, ends, volume, volume, volume, before, tax, step)
