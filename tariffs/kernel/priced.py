"""The priced session: lines that carry their own explanation, and totals exact and rounded."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import repeat
from typing import Final

import msgspec

from tariffs.adjustments.adjustment import LineAdjustment, is_given_away
from tariffs.adjustments.consumption import Consumed
from tariffs.adjustments.phrases import adjustment_phrase
from tariffs.kernel.compiled import CompiledComponent, CompiledTariff, Why
from tariffs.kernel.rounding import Amounts, Shares, share_out
from tariffs.kernel.tally import Run
from tariffs.model.policy import PricingPolicy
from tariffs.model.tariff import Dimension, TaxIncluded
from tariffs.model.usage import SessionUsage, moment_of
from tariffs.phrases.phrase import Phrase, phrase
from tariffs.phrases.wording import Context
from tariffs.quantities import EXACT, Money, decimal_of_ratio, money_of_minor
from tariffs.taxes.taxes import ENERGY_UNITS_PER_KWH, ENERGY_UNITS_PER_WH, TIME_UNITS_PER_HOUR

KERNEL_VERSION = "1"
# What a volume in whole units is divided by to be kWh, hours or a count.
UNITS: Final = {
    Dimension.FLAT: 1,
    Dimension.ENERGY: ENERGY_UNITS_PER_KWH,
    Dimension.TIME: TIME_UNITS_PER_HOUR,
    Dimension.PARKING_TIME: TIME_UNITS_PER_HOUR,
    Dimension.RESERVATION_TIME: TIME_UNITS_PER_HOUR,
    Dimension.SESSION: 1,
}


# A spot was called a place once; JSON that others read keeps the old key.
class Note(msgspec.Struct, frozen=True, rename={"spot": "place"}):
    """Something a reader should know about a document that was read: code, sentence, where."""

    code: str
    message: str
    spot: str | None = None


class PricedLine(msgspec.Struct, frozen=True, gc=False):
    """One line: a component over a stretch, a grant that lowers another line, or a price limit.

    Exact amounts are numerators over `denominator`. The minor amounts of all lines add up to
    those of the session.
    """

    run: Run
    before_numerator: int
    tax_numerator: int
    before_minor: int
    tax_minor: int
    denominator: int
    currency: str

    @property
    def component(self) -> CompiledComponent:
        """Return the price component that holds."""
        return self.run.component

    @property
    def why(self) -> Why:
        """Return why the line stands here, as one code; `reasons` say it in full."""
        return self.run.why

    @property
    def adjustment(self) -> LineAdjustment | None:
        """Return the adjustment, on a line that one made."""
        return self.run.adjustment

    @property
    def reasons(self) -> tuple[Phrase, ...]:
        """Return why the line stands here; what the line says itself (`context`) is left out."""
        return reasons_of(self.run, self.currency)

    @property
    def context(self) -> Context:
        """Return what the line says itself, for the words of its reasons."""
        return context_of(self.run.component, self.currency)

    @property
    def dimension(self) -> Dimension:
        """Return what the line charges for."""
        return self.run.component.dimension

    @property
    def element_index(self) -> int | None:
        """Return the tariff element, counted from 0; None where none applies."""
        return self.run.component.element_index

    @property
    def tariff_id(self) -> str:
        """Return the tariff that the element belongs to."""
        return self.run.component.tariff_id

    @property
    def volume(self) -> Decimal:
        """Return kWh, hours or 1, as measured."""
        return volume_of(self.dimension, self.run.volume)

    @property
    def billed_volume(self) -> Decimal:
        """Return kWh, hours or 1, after the step."""
        return volume_of(self.dimension, self.run.billed)

    @property
    def unit_price(self) -> Decimal:
        """Return the price per kWh, per hour or once, as the tariff states it."""
        return self.run.component.price

    @property
    def amount(self) -> Money:
        """Return the unrounded amount before taxes."""
        return Money(decimal_of_ratio(self.before_numerator, self.denominator), self.currency)

    @property
    def tax_percent(self) -> Decimal | None:
        """Return the VAT in percent; None if none applies."""
        return self.run.component.vat

    @property
    def tax_amount(self) -> Money:
        """Return the unrounded tax."""
        return Money(decimal_of_ratio(self.tax_numerator, self.denominator), self.currency)

    @property
    def starts_at(self) -> datetime:
        """Return where the line begins."""
        return moment_of(self.run.starts_us)

    @property
    def ends_at(self) -> datetime:
        """Return where the line ends (exclusive)."""
        return moment_of(self.run.ends_us)


class PricedSession(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a session costs and why.

    `runs` are what was counted and `amounts` what it costs exactly, side by side; `before_minor`
    and `tax_minor` are owed, in minor units of the currency. `shares` are the minor units of each
    line where the policy rounds lines; where it rounds the total, the lines share that.
    `consumed` is what the session used of grants that it shares. `notes` are about the price,
    `remarks` about the document that it was priced from.
    """

    compiled: CompiledTariff
    usage: SessionUsage
    policy: PricingPolicy
    runs: list[Run]
    amounts: Amounts
    before_minor: int
    tax_minor: int
    shares: Shares | None
    notes: tuple[Phrase, ...] = ()
    remarks: tuple[Note, ...] = ()
    consumed: tuple[Consumed, ...] = ()

    @property
    def line_minors(self) -> Shares:
        """Return what each line owes, before taxes and tax, in minor units."""
        return self.shares or share_out(
            self.amounts, self.compiled.minor_scale, self.before_minor, self.tax_minor
        )

    @property
    def lines(self) -> tuple[PricedLine, ...]:
        """Return the lines, made when asked for: who re-rates a year asks for totals only."""
        amounts = self.amounts
        befores, taxes = self.line_minors
        return tuple(
            map(
                PricedLine,
                self.runs,
                amounts.befores,
                amounts.taxes,
                befores,
                taxes,
                repeat(amounts.denominator),
                repeat(self.currency),
            )
        )

    @property
    def denominator(self) -> int:
        """Return what the exact amounts of all lines are divided by."""
        return self.amounts.denominator

    @property
    def tariff_id(self) -> str:
        """Return the tariff's id."""
        return self.compiled.tariff.id

    @property
    def tariff_hash(self) -> str:
        """Return the sha256 that names the tariff's version."""
        return self.compiled.hash

    @property
    def currency(self) -> str:
        """Return the currency of every amount."""
        return self.compiled.tariff.currency

    @property
    def after_minor(self) -> int:
        """Return what is owed, taxes included, in minor units."""
        return self.before_minor + self.tax_minor

    @property
    def before_exact(self) -> Fraction:
        """Return the exact total before taxes."""
        return Fraction(sum(self.amounts.befores), self.denominator)

    @property
    def taxes_exact(self) -> Fraction:
        """Return the exact taxes."""
        return Fraction(sum(self.amounts.taxes), self.denominator)

    @property
    def after_exact(self) -> Fraction:
        """Return the exact total after taxes."""
        return self.before_exact + self.taxes_exact

    @property
    def total_before_taxes(self) -> Money:
        """Return the rounded total before taxes."""
        return money_of_minor(self.before_minor, self.currency)

    @property
    def taxes(self) -> Money:
        """Return the rounded taxes."""
        return money_of_minor(self.tax_minor, self.currency)

    @property
    def total_after_taxes(self) -> Money:
        """Return the rounded total after taxes."""
        return money_of_minor(self.after_minor, self.currency)

    @property
    def tax_known(self) -> bool:
        """Tell whether the tariff says what tax applies: a price without VAT leaves it open."""
        if self.compiled.tariff.tax_included is TaxIncluded.NOT_APPLICABLE:
            return True
        is_charged = False
        amounts = self.amounts
        for run, before, tax in zip(self.runs, amounts.befores, amounts.taxes, strict=True):
            if before:
                if tax or run.component.vat is not None:
                    return True
                is_charged = True
        return not is_charged

    @property
    def energy_units(self) -> int:
        """Return the energy of the session as metered, in units of 1e-9 Wh."""
        energy = 0
        for run in self.runs:
            if run.adjustment is None and run.component.dimension is Dimension.ENERGY:
                energy += run.volume
        return energy

    @property
    def free_units(self) -> int:
        """Return the energy that costs nothing, by the tariff or by a grant of all of it."""
        free = 0
        for run in self.runs:
            component, adjustment = run.component, run.adjustment
            if component.dimension is Dimension.ENERGY and (
                not component.before_factor if adjustment is None else is_given_away(adjustment)
            ):
                free += run.volume
        return free

    @property
    def energy_wh(self) -> Decimal:
        """Return the energy of the session as metered."""
        return _wh(self.energy_units)

    @property
    def free_wh(self) -> Decimal:
        """Return the energy that costs nothing, by the tariff or by a grant of all of it."""
        return _wh(self.free_units)

    @property
    def billed_wh(self) -> Decimal:
        """Return the metered energy that is charged for (without what a step adds)."""
        return EXACT.subtract(self.energy_wh, self.free_wh)


def reasons_of(run: Run, currency: str) -> tuple[Phrase, ...]:
    """Return why *run* counts, without what its line says itself (`context_of`)."""
    if run.adjustment is not None:
        return (adjustment_phrase(run.adjustment, currency),)
    reasons, added = run.component.reasons, run.billed - run.volume
    return (*reasons, step_phrase(run.component.dimension, added)) if added else reasons


def context_of(component: CompiledComponent, currency: str) -> Context:
    """Return what a line of *component* says itself, for the words of its reasons."""
    return {
        "element": component.element_index,
        "name": component.element_name,
        "dimension": component.dimension.value,
        "currency": currency,
    }


def step_phrase(dimension: Dimension, added_units: int) -> Phrase:
    """Say what the step adds to a line's volume."""
    if dimension is Dimension.ENERGY:
        return phrase("step_of_energy", wh=decimal_of_ratio(added_units, ENERGY_UNITS_PER_WH))
    seconds = decimal_of_ratio(added_units, TIME_UNITS_PER_HOUR // 3600)
    return phrase("step_of_time", seconds=seconds)


def volume_of(dimension: Dimension, units: int) -> Decimal:
    """Return *units* in the unit that OCPI uses for *dimension*: kWh, hours, or a count."""
    return decimal_of_ratio(units, UNITS[dimension])


def _wh(units: int) -> Decimal:
    return decimal_of_ratio(units, ENERGY_UNITS_PER_WH)
