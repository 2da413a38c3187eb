"""The screen "Line": from its arithmetic over tariff, periods and readings down to the frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from decimal import Decimal
from itertools import chain
from typing import Any, Final

from litestar import Controller, Response, get
from litestar.exceptions import NotFoundException, ValidationException
from litestar.params import FromPath
from psycopg import Connection

from ledger.books.decisions_store import rated_sessions
from ledger.persons.store import names_in, readable
from ledger.rating.decisions import RatedLine, SessionRated, SessionRevision
from ledger.users.roles import Permission
from projections.audit.trail import ExplainedLine, Explanation, explain
from projections.console.entry import needs
from projections.console.invoices.finding import amount_of
from projections.console.invoices.showing import (
    SESSIONS_MAX,
    document_within,
    line_words,
    price_of,
    quantity_of,
    too_long,
)
from projections.console.links import (
    frame_link,
    invoice_link,
    number_in,
    session_link,
    tariff_link,
)
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage, ThisPage
from projections.console.parts.curve import Curve, CurvePoint, CurveWindow, curve_of
from projections.console.sentences import flag_words, reason_words
from projections.documents.evidence import SessionEvidence, session_evidence
from projections.errors import LongDocumentError, UnknownInvoiceError, UnknownLineError
from tariffs.model.tariff import Dimension
from tariffs.quantities import EXACT, money_of_minor

ROWS_MAX: Final = 50
"""Periods and readings on the page; the page of the session has all."""
_LINE_MAX: Final = 10**9
_TIMES: Final = "\N{MULTIPLICATION SIGN}"


class LinePage(Controller):
    """One line of a document."""

    path = "/invoices/{number:str}/lines/{line:int}"

    @get("/", opt=needs(Permission.SEE_BOOKS), sync_to_thread=True)
    def shown(self, page: ThisPage, number: FromPath[str], line: FromPath[int]) -> Response[str]:
        """Show why a line is what it is, down to the frames."""
        number = number_in(number)
        with page.console.reading() as connection, page.console.desk.reading_log() as log:
            document_within(connection, page, number)
            known = page.console.newest.of(connection)
            try:
                found = explain(
                    connection,
                    log,
                    number,
                    min(max(line, 0), _LINE_MAX),
                    known=known,
                    sessions_max=SESSIONS_MAX,
                )
            except LongDocumentError as error:
                raise ValidationException(too_long(page, number)) from error
            except UnknownLineError as error:
                raise NotFoundException(str(error)) from error
            names = names_in(connection, found)
            content = _of(page, connection, found, names)
        here = invoice_link(number)
        return page.show("invoices/line.html.j2", number=number, here=here, line=line, **content)


def _of(
    page: ConsolePage, connection: Connection[Any], found: Explanation, names: Mapping[str, str]
) -> dict[str, Any]:
    if found.rounding is not None and not found.lines:
        line = found.rounding
        reasons = reason_words(page.words, line.codes, names)
        return {
            "title": line_words(page, line, names),
            "reasons": reasons,
            "explained": None,
            "amounts": [
                (title, Cell(amount_of(page, minor, found.currency)))
                for title, minor in (
                    ("Net", line.net_minor),
                    ("Tax", line.vat_minor),
                    ("Total", line.gross_minor),
                )
            ],
        }
    if not found.lines:
        raise UnknownInvoiceError(found.number)
    [explained] = found.lines
    line = explained.line
    [decision] = rated_sessions(connection, [SessionRevision(line.session_id, line.revision)])
    [rated] = [each for each in decision.lines if each.line == line.rated_line]
    zone = line.starts_at.tzinfo or decision.local_zone
    borders = set(chain.from_iterable((e.starts_at, e.ends_at) for e in decision.lines))
    evidence = session_evidence(
        connection, decision, borders, known=page.console.newest.of(connection)
    )
    return {
        "title": line_words(page, line, names),
        "reasons": reason_words(page.words, line.codes, names),
        "explained": explained,
        "zone": zone,
        "arithmetic": list(_arithmetic(page, found, explained, decision, rated)),
        "price": list(_price(explained, decision)),
        "credited": _credited(page, explained, names),
        "decision": list(_decision(page, explained, zone, names)),
        "notes": list(_notes(page, decision, names)),
        "curve": _curve(page, decision, evidence),
        "curve_table": _curve_table(page, evidence, zone),
        "windows": _window_table(page, decision, zone),
        "periods": _periods(page, explained, zone),
        "readings": _readings(page, explained, zone),
        "frame_link": frame_link,
        "frames": [f for f in dict.fromkeys((explained.start_frame, explained.end_frame)) if f],
        "partner": explained.partner_cdr,
    }


def _arithmetic(
    page: ConsolePage,
    found: Explanation,
    explained: ExplainedLine,
    decision: SessionRated,
    rated: RatedLine,
) -> Iterator[tuple[str, Cell]]:
    """Yield how a line's amounts come about: each number exactly as it was reckoned with."""
    line, language, currency = explained.line, page.words.language, found.currency
    unit = language.unit(line.unit, rated.volume)
    if rated.volume != rated.billed_volume:
        yield "Measured", Cell(f"{language.number(rated.volume)} {unit}")
    yield (
        "Billed",
        Cell(
            quantity_of(page, line),
            note=""
            if rated.volume == rated.billed_volume
            else page.text("rounded up to whole steps of the tariff"),
        ),
    )
    with_tax = page.text("taxes included" if decision.tax_included else "before taxes")
    yield "Unit price", Cell(price_of(page, line, currency), note=with_tax)
    product = EXACT.multiply(rated.billed_volume, rated.unit_price)
    factors = f"{language.number(rated.billed_volume)} {_TIMES} {language.number(rated.unit_price)}"
    yield (
        "Quantity by price",
        Cell(f"{factors} = {language.number(product)} {currency}"),
    )
    yield "Exact, before taxes", Cell(f"{language.number(rated.net)} {currency}")
    yield "Exact tax", Cell(f"{language.number(rated.tax)} {currency}")
    percent = line.vat_percent
    rate = page.text("none") if percent is None else language.percent(percent)
    yield "Tax rate", Cell(rate, note=line.tax_name)
    exact = EXACT.add(rated.net, rated.tax)
    booked = money_of_minor(line.gross_minor, currency).amount
    off = EXACT.subtract(booked, exact)
    policy = f"{decision.policy} {decision.policy_version}"
    yield (
        "Rounded",
        Cell(
            f"{language.number(off)} {currency}",
            note=page.text("once for the session, by the policy {policy}", policy=policy),
        ),
    )
    sign = -1 if found.credits is not None else 1
    yield "Net", Cell(amount_of(page, sign * line.net_minor, currency))
    yield "Tax", Cell(amount_of(page, sign * line.vat_minor, currency))
    yield "Total", Cell(amount_of(page, sign * line.gross_minor, currency))


def _price(explained: ExplainedLine, decision: SessionRated) -> Iterator[tuple[str, Cell]]:
    price = explained.price
    yield "Tariff", Cell(price.tariff_id, tariff_link(price.tariff_id))
    if price.element is not None:
        name = price.element_name or ""
        yield "Element", Cell(str(price.element + 1), note=name)
    yield "Assigned by", Cell(price.assignment)
    yield "Version (SHA-256)", Cell(price.tariff_hash)
    if price.grant:
        yield "Grant", Cell(price.grant)
    yield "Time zone", Cell(decision.time_zone)


def _credited(page: ConsolePage, explained: ExplainedLine, names: Mapping[str, str]) -> str:
    because = explained.credited
    if because is None:
        return ""
    why = readable(because.reason or "", names)
    return page.text(
        "Line {line} of invoice {invoice} is owed no more: revision {revision} of its session "
        "holds ({cause}). {by} {reason}",
        line=because.invoice_line,
        invoice=because.invoice,
        revision=because.replaced_by,
        cause=because.cause,
        by=because.by or "",
        reason=why,
    )


def _decision(
    page: ConsolePage, explained: ExplainedLine, zone: tzinfo, names: Mapping[str, str]
) -> Iterator[tuple[str, Cell]]:
    rating = explained.rating
    yield "Session", Cell(rating.session_id, session_link(rating.session_id))
    yield "Revision", Cell(str(rating.revision))
    yield "Station", Cell(rating.station_id)
    yield "Decided", Cell(at=rating.decided_at, zone=zone)
    yield "Place in the log", Cell(rating.log_position)
    yield "Decision (SHA-256)", Cell(rating.sha256)
    yield "Master data", Cell(page.text("version {version}", version=rating.declared_version))
    yield "Pricing", Cell(rating.kernel_version, note=rating.policy)
    yield "Time zones", Cell(rating.tzdata_version)
    if rating.released_by is not None:
        why = readable(rating.released_because or "", names)
        yield "Released by", Cell(rating.released_by, note=why)
    if (corrects := rating.corrects) is not None:
        note = readable(" ".join(filter(None, (corrects.by, corrects.reason))), names)
        text = page.text("revision {revision} ({cause})", revision=corrects.revision,
                         cause=corrects.cause)  # fmt: skip
        yield "Corrects", Cell(text, note=note)
    if rating.corrected_by is not None:
        text = page.text("revision {revision} holds", revision=rating.corrected_by)
        yield "Corrected since", Cell(text, tone="warn")


def _notes(page: ConsolePage, decision: SessionRated, names: Mapping[str, str]) -> Iterator[str]:
    for flag in decision.flags:
        yield f"{flag_words(page.words, flag)} ({flag})"
    yield from reason_words(page.words, (*decision.by_policy, *decision.notes), names)


def _price_windows(page: ConsolePage, decision: SessionRated) -> list[CurveWindow]:
    """Return where which price per kWh or hour held, in order."""
    lines = [
        each
        for each in decision.lines
        if each.dimension not in {Dimension.FLAT, Dimension.SESSION}
        and each.ends_at > each.starts_at
        and not each.is_tax
    ]
    energy = [each for each in lines if each.dimension is Dimension.ENERGY] or lines
    return [
        CurveWindow(
            each.starts_at,
            each.ends_at,
            page.words.language.price(each.unit_price, decision.currency),
        )
        for each in sorted(energy, key=lambda each: (each.starts_at, each.line))
    ]


def _curve(page: ConsolePage, decision: SessionRated, evidence: SessionEvidence) -> Curve | None:
    points = [CurvePoint(each.at, each.energy_wh) for each in evidence.readings]
    return curve_of(points, _price_windows(page, decision))


def _curve_table(page: ConsolePage, evidence: SessionEvidence, zone: tzinfo) -> Listing:
    number = page.words.language.number
    return Listing(
        caption=page.text("Readings of the session"),
        columns=(
            Column("at", "Time"),
            Column("energy", "Energy so far", is_figure=True),
            Column("register", "Register", is_figure=True),
            Column("frame", "Frame"),
        ),
        rows=[
            (
                Cell(at=each.at, zone=zone),
                Cell(f"{number(each.energy_wh)} Wh"),
                Cell("" if each.register_wh is None else f"{number(each.register_wh)} Wh"),
                Cell(each.record, frame_link(each.record)),
            )
            for each in evidence.readings
        ],
        address=page.address,
        empty=page.text("No reading is known."),
        total=page.text("{count} in all", count=evidence.readings_count),
    )


def _window_table(page: ConsolePage, decision: SessionRated, zone: tzinfo) -> Listing:
    return Listing(
        caption=page.text("Price windows"),
        columns=(
            Column("from", "From"),
            Column("to", "Up to"),
            Column("price", "Price", is_figure=True),
        ),
        rows=[
            (
                Cell(at=each.starts_at, zone=zone),
                Cell(at=each.ends_at, zone=zone),
                Cell(each.label),
            )
            for each in _price_windows(page, decision)
        ],
        address=page.address,
        empty=page.text("One price held all the time."),
    )


def _periods(page: ConsolePage, explained: ExplainedLine, zone: tzinfo) -> Listing:
    number = page.words.language.number
    periods = explained.periods
    energy = sum((each.energy_wh for each in periods), Decimal(0))
    return Listing(
        caption=page.text("Charging periods of this line"),
        columns=(
            Column("from", "From"),
            Column("to", "Up to"),
            Column("energy", "Energy", is_figure=True),
            Column("what", "Activity"),
        ),
        rows=[
            (
                Cell(at=each.starts_at, zone=zone),
                Cell(at=each.ends_at, zone=zone),
                Cell(f"{number(each.energy_wh)} Wh"),
                Cell(
                    each.activity,
                    note=page.text("shared by time between two readings")
                    if each.is_interpolated
                    else "",
                ),
            )
            for each in periods[:ROWS_MAX]
        ],
        address=page.address,
        empty=page.text("This line is for no stretch of time."),
        total=page.text("{count} in all, {energy} Wh", count=len(periods), energy=number(energy)),
    )


def _readings(page: ConsolePage, explained: ExplainedLine, zone: tzinfo) -> Listing:
    readings: Sequence[Any] = explained.readings
    number = page.words.language.number

    def received(at: datetime | None) -> Cell:
        return Cell() if at is None else Cell(at=at, zone=zone)

    return Listing(
        caption=page.text("Meter readings of this line, with their frames"),
        columns=(
            Column("at", "Time"),
            Column("register", "Register", is_figure=True),
            Column("energy", "Energy so far", is_figure=True),
            Column("frame", "Frame"),
            Column("received", "Received"),
            Column("hash", "SHA-256"),
        ),
        rows=[
            (
                Cell(at=each.at, zone=zone),
                Cell(
                    page.text("derived")
                    if each.register_wh is None
                    else f"{number(each.register_wh)} Wh"
                ),
                Cell(f"{number(each.energy_wh)} Wh"),
                Cell(each.frame.position, frame_link(each.frame.position))
                if each.frame
                else Cell(),
                received(each.frame and each.frame.received_at),
                Cell(f"{each.frame.sha256[:16]}…" if each.frame else ""),
            )
            for each in readings[:ROWS_MAX]
        ],
        address=page.address,
        empty=page.text("No reading is behind this line."),
        total=page.text("{count} in all", count=len(readings)),
    )
