"""A priced session as a text that a finance person can follow to the cent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Final

from tariffs.adjustments.adjustment import AtLeast, FeeCap, QuantityTax, Surcharge
from tariffs.currencies import currency_exponent
from tariffs.kernel.compiled import Why
from tariffs.kernel.priced import Note, PricedLine, PricedSession
from tariffs.model.tariff import Dimension, TaxIncluded
from tariffs.phrases.english import ENGLISH
from tariffs.phrases.printable import printable
from tariffs.phrases.wording import duration_text
from tariffs.quantities import money_of_minor, plain
from tariffs.taxes.breakdown import tax_breakdown
from tariffs.taxes.names import rate_name

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_TAXES: Final = {
    TaxIncluded.YES: "prices include taxes",
    TaxIncluded.NO: "prices are before taxes",
    TaxIncluded.NOT_APPLICABLE: "no taxes apply",
}


def explain(session: PricedSession) -> str:
    """Return the whole explanation: head, a paragraph a line, totals, notes."""
    lines = (*_head(session), *_lines(session), *_totals(session))
    return "\n".join(map(printable, lines)) + "\n"


def _head(session: PricedSession) -> Iterator[str]:
    tariff, usage = session.compiled.tariff, session.usage
    yield f"{tariff.id}: {tariff.name}" if tariff.name else tariff.id
    when = f"{local_text(session, usage.starts_at)} to {local_text(session, usage.ends_at)}"
    energy = f"{plain(session.energy_wh.scaleb(-3)):f} kWh"
    yield f"{when} ({usage.time_zone}), {energy}"
    policy = session.policy
    yield f"{_TAXES[tariff.tax_included]}; policy {policy.name} {policy.version}"


def _lines(session: PricedSession) -> Iterator[str]:
    for number, line in enumerate(session.lines, start=1):
        yield ""
        yield from _line(session, number, line)


def _line(session: PricedSession, number: int, line: PricedLine) -> Iterator[str]:
    yield f"{number}. {_title(line)}: {_product(session, line)} = {_amount(session, line)}"
    if line.run.ends_us > line.run.starts_us:
        yield f"   {local_text(session, line.starts_at)} to {local_text(session, line.ends_at)}"
    elif line.dimension is not Dimension.SESSION:
        yield f"   {local_text(session, line.starts_at)}"
    yield f"   {ENGLISH.joined(line.reasons, line.context)}"
    interpolated = interpolated_ends(session, line)
    if interpolated:
        yield f"   register interpolated between readings at its {' and '.join(interpolated)}"


def _title(line: PricedLine) -> str:
    return "TAX" if isinstance(line.adjustment, QuantityTax) else line.dimension


def _amount(session: PricedSession, line: PricedLine) -> str:
    """Return the rounded amount as the tariff states prices, and its tax."""
    if isinstance(line.adjustment, QuantityTax):
        return f"{_minor(session, line.tax_minor)} {session.currency}"
    included = session.compiled.tariff.tax_included is TaxIncluded.YES
    stated = line.before_minor + line.tax_minor if included else line.before_minor
    amount = f"{_minor(session, stated)} {session.currency}"
    if line.tax_percent is None and not line.tax_minor:
        return amount
    percent = "" if line.tax_percent is None else f" {line.tax_percent:f} %"
    tariff = session.compiled.tariff
    name = rate_name(line.tax_percent, tariff.sales_taxes, tariff.country_code)
    joint = ", of which" if included else " +"
    return f"{amount}{joint} {name}{percent} {_minor(session, line.tax_minor)}"


def _product(session: PricedSession, line: PricedLine) -> str:
    price = _price(line.unit_price, session.currency)
    if line.adjustment is not None and not isinstance(line.adjustment, QuantityTax):
        return _adjusted(line)
    match line.dimension:
        case Dimension.ENERGY:
            return f"{_volume(line)} x {price} {session.currency}/kWh"
        case Dimension.TIME | Dimension.PARKING_TIME | Dimension.RESERVATION_TIME:
            return f"{_volume(line)} x {price} {session.currency}/h"
        case Dimension.FLAT:
            return f"{_volume(line)} x {price} {session.currency}"
        case Dimension.SESSION:
            return "cash rounding" if line.why is Why.CASH else "price limit"


def _adjusted(line: PricedLine) -> str:
    match line.adjustment:
        case FeeCap():
            return "capped"
        case AtLeast():
            return "raised"
        case Surcharge():
            return "added"
        case _:
            return f"granted on {_volume(line)}"


def _volume(line: PricedLine) -> str:
    """Return the billed volume with its unit."""
    match line.dimension:
        case Dimension.ENERGY:
            return f"{line.billed_volume:f} kWh"
        case Dimension.TIME | Dimension.PARKING_TIME | Dimension.RESERVATION_TIME:
            return _duration(line.run.billed)
        case Dimension.FLAT | Dimension.SESSION:
            return "1"


def _totals(session: PricedSession) -> Iterator[str]:
    before, after = session.total_before_taxes, session.total_after_taxes
    yield ""
    yield f"total before taxes {before.amount:f}, taxes {session.taxes.amount:f}"
    for tax in tax_breakdown(session):
        rate = "" if tax.percent is None else f" {tax.percent:f} %"
        yield f"of the taxes {tax.name}{rate} {_minor(session, tax.minor)}"
    known = "" if session.tax_known else " (the tariff states no tax)"
    yield f"total {after.amount:f} {session.currency}{known}"
    if session.free_wh:
        yield f"free by rule {session.free_wh:f} Wh of {session.energy_wh:f} Wh"
    for note in notes_of(session):
        yield f"note {note.code}: {note.message}"


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


def local_text(session: PricedSession, moment: datetime) -> str:
    """Return *moment* in the site's time, with its offset: autumn repeats an hour."""
    local = moment.astimezone(session.usage.zone)
    offset = f"{local:%z}"
    seconds = f"{local:%H:%M:%S}"
    if local.microsecond:
        seconds += f".{local.microsecond:06d}".rstrip("0")
    return f"{_DAYS[local.weekday()]} {local:%Y-%m-%d} {seconds} {offset[:3]}:{offset[3:5]}"


def _duration(microseconds: int) -> str:
    seconds, rest = divmod(microseconds, 1_000_000)
    return duration_text(seconds) + (f" {rest} us" if rest else "")


def _price(price: Decimal, currency: str) -> str:
    exponent = price.as_tuple().exponent
    decimals = -exponent if isinstance(exponent, int) else 0
    return f"{price:.{max(decimals, currency_exponent(currency))}f}"


def _minor(session: PricedSession, minor: int) -> str:
    return f"{money_of_minor(minor, session.currency).amount:f}"
