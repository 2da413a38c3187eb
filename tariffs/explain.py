"""A priced session as a text that a finance person can follow to the cent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from tariffs.adjustments.adjustment import AtLeast, FeeCap, QuantityTax, Surcharge
from tariffs.kernel.compiled import Why
from tariffs.kernel.priced import Note, PricedLine, PricedSession
from tariffs.kernel.tally import Run
from tariffs.line_words import ComponentWords, component_words, reason_and_codes
from tariffs.model.tariff import Dimension, TaxIncluded
from tariffs.model.usage import microseconds
from tariffs.moment_texts import local_text
from tariffs.phrases.english import ENGLISH
from tariffs.phrases.printable import printable
from tariffs.phrases.wording import duration_text
from tariffs.quantities import minor_text, ratio_text
from tariffs.taxes.breakdown import tax_breakdown
from tariffs.taxes.names import rate_name

_TAXES: Final = {
    TaxIncluded.YES: "prices include taxes",
    TaxIncluded.NO: "prices are before taxes",
    TaxIncluded.NOT_APPLICABLE: "no taxes apply",
}


def explain(session: PricedSession, *, notes: Sequence[Note] | None = None) -> str:
    """Return the whole explanation: head, a paragraph a line, totals, notes.

    *notes* stand in the place of those of *session*.
    """
    said = notes_of(session) if notes is None else notes
    page = _Page(session)
    lines = (*page.head(), *page.lines(), *page.totals(), *map(_note, said))
    return "\n".join(map(printable, lines)) + "\n"


class _Page:
    """One session on its way into text; what its lines share is looked up once."""

    def __init__(self, session: PricedSession) -> None:
        self._session, self._lines = session, session.lines
        self._exponent, self._currency = session.compiled.exponent, session.currency
        self._inclusive = session.compiled.tariff.tax_included is TaxIncluded.YES
        self._zone = session.usage.zone
        self._tax_names: dict[Decimal | None, str] = {}

    def head(self) -> Iterator[str]:
        """Yield the tariff, the session and how its prices are meant."""
        session, tariff, usage = self._session, self._session.compiled.tariff, self._session.usage
        yield f"{tariff.id}: {tariff.name}" if tariff.name else tariff.id
        when = (
            f"{self._at(microseconds(usage.starts_at))} to {self._at(microseconds(usage.ends_at))}"
        )
        energy = ratio_text(*session.energy_wh.scaleb(-3).as_integer_ratio())
        yield f"{when} ({usage.time_zone}), {energy} kWh"
        policy = session.policy
        yield f"{_TAXES[tariff.tax_included]}; policy {policy.name} {policy.version}"

    def _at(self, instant_us: int) -> str:
        return local_text(instant_us, self._zone)

    def lines(self) -> Iterator[str]:
        """Yield a paragraph for each line."""
        for number, line in enumerate(self._lines, start=1):
            yield ""
            yield from self._line(number, line)

    def _line(self, number: int, line: PricedLine) -> Iterator[str]:
        run = line.run
        said, dimension = component_words(run, self._currency), run.component.dimension
        title = "TAX" if isinstance(run.adjustment, QuantityTax) else said.dimension
        yield f"{number}. {title}: {self._product(run, said)} = {self._amount(line, said)}"
        if run.ends_us > run.starts_us:
            yield f"   {self._at(run.starts_us)} to {self._at(run.ends_us)}"
        elif dimension is not Dimension.SESSION:
            yield f"   {self._at(run.starts_us)}"
        yield f"   {reason_and_codes(run, self._currency)[0]}"
        interpolated = interpolated_ends(self._session, line)
        if interpolated:
            yield f"   register interpolated between readings at its {' and '.join(interpolated)}"

    def _amount(self, line: PricedLine, said: ComponentWords) -> str:
        """Return the rounded amount as the tariff states prices, and its tax."""
        tax = self._minor(line.tax_minor)
        if isinstance(line.run.adjustment, QuantityTax):
            return f"{tax} {self._currency}"
        stated = line.before_minor + line.tax_minor if self._inclusive else line.before_minor
        amount = f"{self._minor(stated)} {self._currency}"
        if said.percent is None and not line.tax_minor:
            return amount
        percent = "" if said.percent is None else f" {said.percent} %"
        joint = ", of which" if self._inclusive else " +"
        return f"{amount}{joint} {self._tax_name(line.tax_percent)}{percent} {tax}"

    def _tax_name(self, percent: Decimal | None) -> str:
        name = self._tax_names.get(percent)
        if name is None:
            tariff = self._session.compiled.tariff
            name = rate_name(percent, tariff.sales_taxes, tariff.country_code)
            self._tax_names[percent] = name
        return name

    def _product(self, run: Run, said: ComponentWords) -> str:
        if run.adjustment is not None and not isinstance(run.adjustment, QuantityTax):
            return _adjusted(run, said)
        dimension, price = run.component.dimension, f"{said.shown_price} {self._currency}"
        if dimension is Dimension.ENERGY:
            return f"{_volume(run, said)} x {price}/kWh"
        if dimension is Dimension.FLAT:
            return f"{_volume(run, said)} x {price}"
        if dimension is Dimension.SESSION:
            return "cash rounding" if run.why is Why.CASH else "price limit"
        return f"{_volume(run, said)} x {price}/h"

    def totals(self) -> Iterator[str]:
        """Yield what is owed, and the taxes by name."""
        session = self._session
        yield ""
        before, tax = self._minor(session.before_minor), self._minor(session.tax_minor)
        yield f"total before taxes {before}, taxes {tax}"
        tariff = session.compiled.tariff
        for each in tax_breakdown(session) if tariff.sales_taxes or tariff.quantity_taxes else ():
            rate = "" if each.percent is None else f" {each.percent:f} %"
            yield f"of the taxes {each.name}{rate} {self._minor(each.minor)}"
        known = "" if session.tax_known else " (the tariff states no tax)"
        paid_out = "; it is paid to the driver" if session.after_minor < 0 else ""
        yield f"total {self._minor(session.after_minor)} {self._currency}{known}{paid_out}"
        free_wh = session.free_wh
        if free_wh:
            yield f"free by rule {free_wh:f} Wh of {session.energy_wh:f} Wh"

    def _minor(self, minor: int) -> str:
        return minor_text(minor, self._exponent)


def _adjusted(run: Run, said: ComponentWords) -> str:
    match run.adjustment:
        case FeeCap():
            return "capped"
        case AtLeast():
            return "raised"
        case Surcharge(percent=percent, amount=amount):
            return "taken off" if min(percent or 0, amount or 0) < 0 else "added"
        case _:
            return f"granted on {_volume(run, said)}"


def _volume(run: Run, said: ComponentWords) -> str:
    """Return the billed volume with its unit."""
    dimension = run.component.dimension
    if dimension is Dimension.ENERGY:
        return f"{ratio_text(run.billed, said.unit)} kWh"
    if dimension is Dimension.FLAT or dimension is Dimension.SESSION:
        return "1"
    return _duration(run.billed)


def _note(note: Note) -> str:
    return f"note {note.code}: {note.message}"


def notes_of(session: PricedSession) -> tuple[Note, ...]:
    """Return what a reader should know of *session* and of what it was priced from, in words."""
    said = (Note(note.code, ENGLISH.words(note)) for note in session.notes)
    return (*session.remarks, *said)


def interpolated_ends(session: PricedSession, line: PricedLine) -> list[str]:
    """Return which ends of an energy line fall between readings: "start", "end"."""
    if line.dimension is not Dimension.ENERGY or not session.usage.points:
        return []
    read = {point.at for point in session.usage.points}
    ends = (("start", line.starts_at), ("end", line.ends_at))
    return [name for name, at in ends if at not in read]


def _duration(microseconds: int) -> str:
    seconds, rest = divmod(microseconds, 1_000_000)
    return duration_text(seconds) + (f" {rest} us" if rest else "")
