"""The blocks of a document's sessions: when, where, how much, its lines, its load curve."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import pairwise

from ledger.invoices.shown import InvoicedSession, InvoiceLine
from ledger.rating.decisions import CorrectionCause
from projections.documents.content.curve import CurveWords, PriceWindow, curve_svg, power_max_w
from projections.documents.content.place import session_place
from projections.documents.content.sheet import Item, SheetLine, SheetSession
from projections.documents.content.teller import DASH, Teller
from projections.documents.evidence import ShownReading

_SECOND = timedelta(seconds=1)
_NOT_BILLED_BY_TIME = {"session", "invoice"}


def session_block(
    teller: Teller, session: InvoicedSession, lines: Sequence[InvoiceLine], number: int
) -> SheetSession:
    """Return the block of *session*, the document's *number*-th, with those *lines* of it."""
    text = teller.language.text
    evidence = teller.evidence.sessions.get(session.session_id)
    place = session_place(teller, session)
    curve = _curve(teller, session, lines, evidence.readings if evidence else ())
    return SheetSession(
        title=f"{number} · {place}",
        amount=teller.money(session.gross_minor),
        items=tuple(_items(teller, session)),
        lines=tuple(sheet_line(teller, line, session) for line in lines),
        curve=curve,
        curve_caption=text("Power over time, and the prices that applied") if curve else "",
    )


def sheet_line(
    teller: Teller, line: InvoiceLine, session: InvoicedSession | None = None
) -> SheetLine:
    """Return a line as it stands on the sheet; *session*: whose it is."""
    language = teller.language
    has_price = not line.is_rounding
    return SheetLine(
        position=str(line.line),
        description=language.words(line.said),
        remarks=tuple(_remarks(teller, line, session)),
        quantity=teller.quantity(line),
        price=teller.price(line),
        price_remark=language.text("taxes included") if has_price and line.tax_included else "",
        tax=teller.percent(line.vat_percent) if has_price else "",
        net=teller.money(line.net_minor),
        gross=teller.money(line.gross_minor),
    )


def _items(teller: Teller, session: InvoicedSession) -> Iterator[Item]:
    language = teller.language
    text = language.text
    yield Item(text("Time"), teller.span(session.starts_at, session.ends_at))
    seconds = (session.ends_at - session.starts_at) // _SECOND
    yield Item(text("Duration"), language.duration(seconds))
    yield Item(text("Energy"), teller.energy(session.energy_wh))
    start, stop = session.meter_start_wh, session.meter_stop_wh
    if start is not None and stop is not None:
        readings = f"{teller.energy(start)} {DASH} {teller.energy(stop)}"
        yield Item(text("Meter start and stop"), readings)
    if session.is_attested:
        yield Item(text("End of the session"), text("read by us, as the station did not tell it"))
    if session.elsewhere is not None:
        yield Item(text("Charge detail record"), session.elsewhere.cdr_id)
    if session.token_uid is not None:
        yield Item(text("Card"), teller.name(session.token_uid))
    if session.driver is not None:
        yield Item(text("Driver"), teller.name(session.driver))
    if session.cost_centre is not None:
        yield Item(text("Cost centre"), session.cost_centre)
    evidence = teller.evidence.sessions.get(session.session_id)
    if evidence and evidence.signed_count:
        first = evidence.signed[0].record if evidence.signed else ""
        value = text("{count} values, from record {record}",
                     count=str(evidence.signed_count), record=first)  # fmt: skip
        yield Item(text("Signed meter data"), value)
    if session.credited is not None:
        yield Item(text("Reason"), credited_because(teller, session.credited.cause))


def credited_because(teller: Teller, cause: CorrectionCause) -> str:
    """Return why something is owed no more, as the buyer is told."""
    text = teller.language.text
    match cause:
        case CorrectionCause.LATE_FACT:
            said = text("The station told us more about this session later")
        case CorrectionCause.PERSON | CorrectionCause.WRITE_OFF_TAKEN_BACK:
            said = text("This session was reviewed and priced again")
        case CorrectionCause.CREDIT:
            said = text("We give this charge back to you")
        case CorrectionCause.DISPUTE:
            said = text("You objected to this charge")
        case CorrectionCause.RELEASE_TAKEN_BACK:
            said = text("This session should not have been billed")
        case CorrectionCause.DISSOLVED:
            said = text("By what the station told us later, this session did not take place")
        case CorrectionCause.PARTNER:
            said = text("The operator of the charging station bills us otherwise by now")
    return said


def _remarks(teller: Teller, line: InvoiceLine, session: InvoicedSession | None) -> Iterator[str]:
    text = teller.language.text
    if line.credits_line is not None:
        yield text("Line {line} of the invoice", line=str(line.credits_line))
    if session is not None and line.unit not in _NOT_BILLED_BY_TIME:
        whole = (session.starts_at, session.ends_at)
        if (line.starts_at, line.ends_at) != whole:
            yield teller.span(line.starts_at, line.ends_at)
    for code in line.codes:
        reason = teller.reason(code)
        if reason is not None:
            yield reason


def _curve(
    teller: Teller,
    session: InvoicedSession,
    lines: Sequence[InvoiceLine],
    readings: Sequence[ShownReading],
) -> str:
    language = teller.language
    title = language.text("Load curve: at most {power}", power=teller.power(power_max_w(readings)))
    words = CurveWords(
        power_max=teller.power(power_max_w(readings)),
        start=language.moment(session.starts_at),
        end=language.moment(session.ends_at),
        title=title,
    )
    return curve_svg(readings, price_windows(teller, lines), words)


def price_windows(teller: Teller, lines: Sequence[InvoiceLine]) -> list[PriceWindow]:
    """Return in which stretches which prices of energy and time applied, as *lines* say it."""
    priced = [
        line
        for line in lines
        if line.said.code == "fee"
        and line.unit not in _NOT_BILLED_BY_TIME
        and line.starts_at < line.ends_at
    ]
    cuts = sorted({at for line in priced for at in (line.starts_at, line.ends_at)})
    windows: list[PriceWindow] = []
    for start, end in pairwise(cuts):
        within = [each for each in priced if each.starts_at <= start and end <= each.ends_at]
        label = " + ".join(dict.fromkeys(teller.price(each) for each in within))
        if not label:
            continue
        if windows and windows[-1].label == label and windows[-1].ends_at == start:
            windows[-1] = windows[-1]._replace(ends_at=end)
        else:
            windows.append(PriceWindow(start, end, label))
    return windows
