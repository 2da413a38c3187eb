"""A priced session as a text that a finance person can follow to the cent."""

from __future__ import annotations

from typing import Final, NamedTuple

from tariffs.adjustments.adjustment import AtLeast, FeeCap, QuantityTax, Surcharge
from tariffs.kernel.compiled import CompiledComponent, Why
from tariffs.kernel.priced import Note, PricedSession
from tariffs.kernel.tally import Run
from tariffs.line_words import OfComponents, component_words, reason_of
from tariffs.model.tariff import Dimension, Tariff, TaxIncluded
from tariffs.model.usage import microseconds, moment_of
from tariffs.moment_texts import local_text
from tariffs.phrases.english import ENGLISH
from tariffs.phrases.printable import printable_lines
from tariffs.phrases.wording import duration_text
from tariffs.quantities import minor_text, ratio_text
from tariffs.taxes.breakdown import tax_breakdown
from tariffs.taxes.names import rate_name
from tariffs.taxes.taxes import ENERGY_UNITS_PER_KWH

_TAXES: Final = {
    TaxIncluded.YES: "prices include taxes",
    TaxIncluded.NO: "prices are before taxes",
    TaxIncluded.NOT_APPLICABLE: "no taxes apply",
}


def explain(session: PricedSession) -> str:
    """Return the whole explanation: head, a paragraph a line, totals, notes."""
    notes = (f"note {note.code}: {note.message}" for note in notes_of(session))
    return f"{printable_lines([*explanation(session), *notes])}\n"


def explanation(session: PricedSession) -> list[str]:
    """Return head, a paragraph a line and totals, line by line, not yet made safe to show."""
    page = _Page(session)
    return [*page.head(), *page.lines(), *page.totals()]


class _LineText(NamedTuple):
    """What each line of one component says: its volume and amounts stand between."""

    title: str
    # After the volume, and after the amount where a tax is told.
    times: str
    taxed: str
    has_rate: bool
    # A line of its own, indented.
    reason: str
    unit: int


def _pieces(component: CompiledComponent, tariff: Tariff) -> _LineText:
    words, dimension = component_words(component, tariff), component.dimension
    price = f"{words.shown_price} {tariff.currency}"
    joint = ", of which" if tariff.tax_included is TaxIncluded.YES else " +"
    rate = "" if words.percent is None else f" {words.percent} %"
    name = rate_name(component.vat, tariff.sales_taxes, tariff.country_code)
    return _LineText(
        title=dimension.value,
        times=f"{_UNITS[dimension]} x {price}{_PER[dimension]}",
        taxed=f"{joint} {name}{rate} ",
        has_rate=words.percent is not None,
        reason=f"   {words.reason}",
        unit=words.unit,
    )


_line_text: Final = OfComponents(_pieces)
_HOURS: Final = (Dimension.TIME, Dimension.PARKING_TIME, Dimension.RESERVATION_TIME)
_UNITS: Final = dict.fromkeys(Dimension, "") | {Dimension.ENERGY: " kWh"}
_PER: Final = (
    dict.fromkeys(Dimension, "") | {Dimension.ENERGY: "/kWh"} | dict.fromkeys(_HOURS, "/h")
)


class _Page:
    """One session on its way into text; what its lines share is looked up once."""

    def __init__(self, session: PricedSession) -> None:
        self._session, self._tariff = session, session.compiled.tariff
        self._exponent, self._currency = session.compiled.exponent, session.currency
        self._inclusive = self._tariff.tax_included is TaxIncluded.YES
        self._zone = session.usage.zone
        self._moments: dict[int, str] = {}

    def head(self) -> list[str]:
        """Return the tariff, the session and how its prices are meant."""
        session, tariff, usage = self._session, self._tariff, self._session.usage
        starts_at, ends_at = microseconds(usage.starts_at), microseconds(usage.ends_at)
        energy = ratio_text(session.energy_units, ENERGY_UNITS_PER_KWH)
        policy = session.policy
        return [
            f"{tariff.id}: {tariff.name}" if tariff.name else tariff.id,
            f"{self._at(starts_at)} to {self._at(ends_at)} ({usage.time_zone}), {energy} kWh",
            f"{_TAXES[tariff.tax_included]}; policy {policy.name} {policy.version}",
        ]

    def _at(self, instant_us: int) -> str:
        text = self._moments.get(instant_us)
        if text is None:
            text = self._moments[instant_us] = local_text(instant_us, self._zone)
        return text

    def lines(self) -> list[str]:
        """Return a paragraph for each line."""
        said: list[str] = []
        session, tariff, at = self._session, self._tariff, self._at
        befores, taxes = session.line_minors
        has_readings = bool(session.usage.points)
        for number, run in enumerate(session.runs):
            words = _line_text(run.component, tariff)
            what = self._what(run, words, befores[number], taxes[number])
            said += ("", f"{number + 1}. {what}")
            if run.ends_us > run.starts_us:
                said.append(f"   {at(run.starts_us)} to {at(run.ends_us)}")
            elif run.component.dimension is not Dimension.SESSION:
                said.append(f"   {at(run.starts_us)}")
            if run.adjustment is None and run.billed == run.volume:
                said.append(words.reason)
            else:
                said.append(f"   {reason_of(run, tariff)}")
            if has_readings and (ends := interpolated_ends(session, run)):
                said.append(
                    f"   register interpolated between readings at its {' and '.join(ends)}"
                )
        return said

    def _what(self, run: Run, words: _LineText, before_minor: int, tax_minor: int) -> str:
        """Return what is counted, its rounded amount as the tariff states prices, and its tax."""
        adjustment, exponent = run.adjustment, self._exponent
        if adjustment is None:
            if run.component.dimension is Dimension.SESSION:
                product = "cash rounding" if run.why is Why.CASH else "price limit"
            else:
                product = f"{_volume(run, words)}{words.times}"
        elif isinstance(adjustment, QuantityTax):
            tax = minor_text(tax_minor, exponent)
            return f"TAX: {_volume(run, words)}{words.times} = {tax} {self._currency}"
        else:
            product = _adjusted(run, words)
        stated = before_minor + tax_minor if self._inclusive else before_minor
        what = f"{words.title}: {product} = {minor_text(stated, exponent)} {self._currency}"
        if words.has_rate or tax_minor:
            return f"{what}{words.taxed}{minor_text(tax_minor, exponent)}"
        return what

    def totals(self) -> list[str]:
        """Return what is owed, and the taxes by name."""
        session, tariff, minor = self._session, self._tariff, self._minor
        before, tax = session.before_minor, session.tax_minor
        said = ["", f"total before taxes {minor(before)}, taxes {minor(tax)}"]
        for each in tax_breakdown(session) if tariff.sales_taxes or tariff.quantity_taxes else ():
            rate = "" if each.percent is None else f" {each.percent:f} %"
            said.append(f"of the taxes {each.name}{rate} {minor(each.minor)}")
        known = "" if session.tax_known else " (the tariff states no tax)"
        paid_out = "; it is paid to the driver" if before + tax < 0 else ""
        said.append(f"total {minor(before + tax)} {self._currency}{known}{paid_out}")
        if session.free_units:
            said.append(f"free by rule {session.free_wh:f} Wh of {session.energy_wh:f} Wh")
        return said

    def _minor(self, minor: int) -> str:
        return minor_text(minor, self._exponent)


def _adjusted(run: Run, words: _LineText) -> str:
    match run.adjustment:
        case FeeCap():
            return "capped"
        case AtLeast():
            return "raised"
        case Surcharge(percent=percent, amount=amount):
            return "taken off" if min(percent or 0, amount or 0) < 0 else "added"
        case _:
            return f"granted on {_volume(run, words)}{_UNITS[run.component.dimension]}"


def _volume(run: Run, words: _LineText) -> str:
    """Return the billed volume; of energy without its unit."""
    dimension = run.component.dimension
    if dimension is Dimension.ENERGY:
        return ratio_text(run.billed, words.unit)
    return "1" if words.unit == 1 else _duration(run.billed)


def notes_of(session: PricedSession) -> tuple[Note, ...]:
    """Return what a reader should know of *session* and of what it was priced from, in words."""
    if not session.notes:
        return session.remarks
    said = (Note(note.code, ENGLISH.words(note)) for note in session.notes)
    return (*session.remarks, *said)


def interpolated_ends(session: PricedSession, run: Run) -> list[str]:
    """Return which ends of an energy line fall between readings: "start", "end"."""
    if run.component.dimension is not Dimension.ENERGY:
        return []
    read = {point.at for point in session.usage.points}
    ends = (("start", moment_of(run.starts_us)), ("end", moment_of(run.ends_us)))
    return [name for name, at in ends if at not in read]


def _duration(microseconds: int) -> str:
    seconds, rest = divmod(microseconds, 1_000_000)
    return duration_text(seconds) + (f" {rest} us" if rest else "")
