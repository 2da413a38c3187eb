"""The audit trail as a finance person reads it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, TypeVar

from projections.audit.corrections import Correction
from projections.audit.partner_cdrs import PartnerCdr
from projections.audit.raw_frames import RawFrame
from projections.audit.trail import ExplainedLine, Explanation, UsedReading
from projections.audit.usage_curve import Period
from tariffs.phrases.printable import printable

T = TypeVar("T")

SHOWN_MAX: Final = 12
"""Readings and periods of a line that are printed; the JSON form holds all."""


def explanation_text(explanation: Explanation) -> str:
    """Return *explanation* as plain text; times are local to the site."""
    return "\n".join(map(printable, _invoice(explanation))) + "\n"


def _invoice(explanation: Explanation) -> Iterator[str]:
    total = _money(explanation, explanation.due_minor)
    kind = "Invoice" if explanation.credits is None else "Credit note"
    yield f"{kind} {explanation.number} of {explanation.issued_on}, {total}"
    if explanation.credits is not None:
        yield f"  for invoice {explanation.credits}: owed no more"
    yield f"  from {explanation.seller} to {explanation.buyer}"
    yield f"  document sha256 {explanation.sha256}"
    known: dict[str, int] = {}
    for each in explanation.lines:
        yield ""
        yield from _line(explanation, each)
        above = known.setdefault(each.rating.session_id, each.line.line)
        if above == each.line.line:
            yield from _session(explanation, each)
        else:
            yield f"  The decision and the frames are those of line {above}."
    if (rounding := explanation.rounding) is not None:
        net, tax = (_money(explanation, m) for m in (rounding.net_minor, rounding.vat_minor))
        yield ""
        yield f"Line {rounding.line}: {rounding.description}, {net} net; tax {tax}"
        yield f"  {rounding.reason}"
    yield from _payments(explanation)


def _payments(explanation: Explanation) -> Iterator[str]:
    payments = explanation.payments
    if payments is None or not payments.received:
        return
    yield ""
    for each in payments.received:
        yield f"{_money(explanation, each.minor)} {each.kind} on {each.happened_at:%Y-%m-%d} (UTC)"
        yield f"  movement {each.number}, {each.source}/{each.reference}"
    yield f"Open: {_money(explanation, payments.open_minor)}"


def _line(explanation: Explanation, explained: ExplainedLine) -> Iterator[str]:
    line, price = explained.line, explained.price
    yield f"Line {line.line}: {line.description}, {_money(explanation, line.net_minor)} net"
    yield (
        f"  {_quantity(line.quantity, line.unit)} at {_number(line.unit_price)}"
        f" {explanation.currency} per {line.unit}; {line.tax_name} {_percent(line.vat_percent)}"
        f" {_money(explanation, line.vat_minor)}; gross {_money(explanation, line.gross_minor)}"
    )
    yield f"  from {_time(line.starts_at)} to {_time(line.ends_at)} at the site"
    if (credited := explained.credited) is not None:
        yield f"  line {credited.invoice_line} of invoice {credited.invoice}, owed no more:"
        yield (
            f"    revision {credited.replaced_by} holds in its place ({credited.cause})"
            f"{_person(credited.by, credited.reason)}"
        )
    yield ""
    yield "  Why this price"
    yield f"    {price.reason}"
    element = "no element" if price.element is None else f"element {price.element + 1}"
    name = f' "{price.element_name}"' if price.element_name else ""
    cdr = explained.partner_cdr
    if cdr is not None and cdr.mark_up_percent is not None:
        yield f"    passed on with {_percent(cdr.mark_up_percent)}, because of {price.assignment}"
    else:
        yield f"    tariff {price.tariff_id}, {element}{name}, because of {price.assignment}"
        yield f"    tariff sha256 {price.tariff_hash}"
    yield ""
    yield from _periods(explained, line.starts_at)
    yield from _readings(explained, line.starts_at)


def _session(explanation: Explanation, explained: ExplainedLine) -> Iterator[str]:
    rating, local = explained.rating, explained.line.starts_at
    yield "  What was decided"
    decided = _time(rating.decided_at.astimezone(local.tzinfo))
    yield f"    session {rating.session_id}, rated at {decided} from log {rating.log_position}"
    yield f"    decision sha256 {rating.sha256}"
    yield (
        f"    master data version {rating.declared_version}, pricing {rating.kernel_version},"
        f" policy {rating.policy}, time zones {rating.tzdata_version}"
    )
    if rating.released_by is not None:
        yield f"    released by {rating.released_by}: {rating.released_because}"
    if rating.corrects is not None:
        yield from _corrects(explanation, rating.corrects)
    if rating.corrected_by is not None:
        yield f"    corrected since: revision {rating.corrected_by} holds"
    for flag, meaning in rating.flags.items():
        yield f"    noted: {meaning} ({flag})"
    for words in rating.notes:
        yield f"    noted: {words}"
    if rating.exported_wh:
        yield f"    the vehicle gave back {_number(rating.exported_wh)} Wh, billed to nobody"
    for each in rating.payments:
        amount = "-" if each.amount is None else _number(each.amount)
        yield f"    payment {each.psp_ref or '-'}: {each.status or 'unknown'}, {amount}"
    for words in rating.by_policy:
        yield f"    by policy: {words}"
    yield ""
    if (cdr := explained.partner_cdr) is not None:
        yield from _partner_cdr(cdr)
    else:
        yield from _frames(explained)


def _corrects(explanation: Explanation, corrects: Correction) -> Iterator[str]:
    was = _money(explanation, corrects.net_minor + corrects.tax_minor)
    yield (
        f"    corrects revision {corrects.revision} ({was}, {_number(corrects.energy_wh)} Wh):"
        f" {corrects.cause}{_person(corrects.by, corrects.reason)}"
    )
    for frame in corrects.frames:
        yield f"      {frame.position} received {_time(frame.received_at)}  {frame.frame}"
    for line in corrects.partner_lines:
        yield f"      {line.position} received {_time(line.received_at)}  {line.what}"


def _partner_cdr(cdr: PartnerCdr) -> Iterator[str]:
    """Yield what a partner's CDR says, what was found at it, and what is made by it."""
    yield f"  The CDR of partner {cdr.party}"
    yield f"    {cdr.cdr_id}{cdr.place and ', at '}{cdr.place}"
    net = "nothing that it states" if cdr.net is None else _number(cdr.net)
    tax = "" if cdr.tax is None else f", tax {_number(cdr.tax)}"
    made = "" if cdr.margin is None else f"; we charge {_number(cdr.margin)} more (our margin)"
    yield f"    it bills us {net} {cdr.currency or ''} before taxes{tax}{made}"
    if cdr.verdict is None:
        yield "    it is not among the CDRs that were read: `wattledger cdr received` lists them"
    else:
        found = f" (found: {', '.join(cdr.codes)})" if cdr.codes else ""
        judged = "" if cdr.judged == cdr.verdict else f", by the rules {cdr.judged}"
        yield f"    it is {cdr.verdict} by now{judged}{found}"
    if cdr.decided_at is not None:
        yield (
            f"    decided at {_time(cdr.decided_at)} UTC"
            f"{_person(cdr.decided_by, cdr.decided_because)}"
        )
    if cdr.credited_by is not None:
        at = f", log {cdr.credited_at}" if cdr.credited_at else ""
        yield f"    credited by CDR {cdr.credited_by}{at}"
    if (line := cdr.charged_by) is not None:
        yield f"    log {line.position}: {line.what}, {line.text}"
    if (message := cdr.message) is not None:
        yield f"    log {message.position}, received {_time(message.received_at)} UTC"
        yield f"    sha256 {message.sha256}"
        yield f"    {message.text}"
    else:
        yield "    the log does not have it any more"


def _person(by: str | None, reason: str | None) -> str:
    return "" if by is None else f", by {by}: {reason}"


def _periods(explained: ExplainedLine, local: datetime) -> Iterator[str]:
    if not explained.periods:
        return
    yield "  Charging periods"
    for period in _shortened(explained.periods):
        yield "    ..." if period is None else _period(period, local)
    total = sum((period.energy_wh for period in explained.periods), Decimal(0))
    lasted = explained.periods[-1].ends_at - explained.periods[0].starts_at
    yield f"    in all {lasted} hours with {_number(total)} Wh, {len(explained.periods)} periods"
    yield ""


def _period(period: Period, local: datetime) -> str:
    start, end = period.starts_at.astimezone(local.tzinfo), period.ends_at.astimezone(local.tzinfo)
    what = period.activity.lower()
    if period.is_interpolated:
        what += ", shared by time between two readings"
    return f"    {start:%H:%M:%S} to {end:%H:%M:%S}  {_number(period.energy_wh):>12} Wh  {what}"


def _readings(explained: ExplainedLine, local: datetime) -> Iterator[str]:
    if not explained.readings:
        return
    yield "  Meter readings"
    for reading in _shortened(explained.readings):
        yield "    ..." if reading is None else _reading(reading, local)
    yield ""


def _reading(reading: UsedReading, local: datetime) -> str:
    at = reading.at.astimezone(local.tzinfo)
    register = "derived" if reading.register_wh is None else f"{_number(reading.register_wh)} Wh"
    words = (
        f"    {at:%H:%M:%S}  register {register:>16}  session {_number(reading.energy_wh):>10} Wh"
    )
    if reading.frame is None:
        return words
    received = reading.frame.received_at.astimezone(local.tzinfo)
    position, sha256 = reading.frame.position, reading.frame.sha256
    return f"{words}  log {position} received {received:%H:%M:%S} sha256 {sha256[:16]}..."


def _frames(explained: ExplainedLine) -> Iterator[str]:
    yield f"  Raw frames of the first and last reading (the session has {explained.session_frames})"
    for frame in dict.fromkeys((explained.start_frame, explained.end_frame)):
        if frame is not None:
            yield from _frame(frame)


def _frame(frame: RawFrame) -> Iterator[str]:
    yield f"    log {frame.position}, received {frame.received_at:%Y-%m-%d %H:%M:%S} UTC"
    yield f"    sha256 {frame.sha256}"
    yield f"    {frame.frame}"


def _shortened(items: tuple[T, ...]) -> Iterator[T | None]:
    """Yield the first and last of many items with None between them."""
    if len(items) <= SHOWN_MAX:
        yield from items
        return
    yield from items[: SHOWN_MAX - 2]
    yield None
    yield from items[-2:]


def _money(explanation: Explanation, minor: int) -> str:
    exponent = explanation.currency_exponent
    return f"{Decimal(minor).scaleb(-exponent):,.{exponent}f} {explanation.currency}"


def _quantity(value: Decimal, unit: str) -> str:
    if unit != "h":
        return f"{_number(value)} {unit}"
    seconds = int((value * 3600).to_integral_value())  # a third of an hour has no last digit
    return f"{timedelta(seconds=seconds)} h"


def _number(value: Decimal) -> str:
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _percent(value: Decimal | None) -> str:
    return "none" if value is None else f"{_number(value)} %"


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"
