"""The screen "Invoice": prove it; its lines, taxes, payments and notes, and the files beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any, Final, LiteralString, NamedTuple

from litestar import Controller, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from psycopg import Connection

from ledger.desk.withdrawing.withdrawn import About, WithdrawnProposal, withdrawn_of
from ledger.invoices.shown import ShownInvoice
from ledger.persons.store import names_in
from ledger.users.roles import Permission
from projections.audit.shown_documents import show_invoice
from projections.console.addresses import AFTER
from projections.console.entry import needs
from projections.console.invoices.finding import (
    PATH,
    amount_of,
    customer_cell,
    state_cell,
)
from projections.console.invoices.showing import (
    LINE_COLUMNS,
    SESSIONS_MAX,
    document_within,
    line_row,
    too_long,
)
from projections.console.links import invoice_link, number_in, payment_link, session_link
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage, ThisPage
from projections.console.parts.money_words import MOVEMENT_WORDS
from projections.console.parts.withdrawn_list import withdrawn_listing
from projections.documents.delivery.folder import file_name
from projections.documents.delivery.listing import list_documents
from projections.documents.keeping.kept import read_kept
from projections.documents.keeping.other_forms import as_html
from projections.documents.paid import InvoicePayments, paid_from_balance, payments_of
from projections.documents.screen.html import CONTENT_SECURITY_POLICY
from projections.finding.documents import DocumentWish, find_documents, standings
from projections.invoice_list import ListedInvoice

LINES: Final = 50
"""Lines of a document on one page."""
_CLOSED: Final = {
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_NOTES_MAX: Final = 100
_DIGITS_MAX: Final = 6
_KEPT: LiteralString = """
SELECT pdf_sha256, xml_sha256, rendered_at FROM rendered_document WHERE number = %s
"""
_PROPOSED: LiteralString = """
SELECT proposed_by, proposed_at, due_minor, reason FROM credit_proposal WHERE invoice = %s
"""
# Of what is credited by now the note is still to come.
_AWAITED: LiteralString = """
SELECT count(*) FROM invoiced_session AS stands JOIN correction_to_document AS due
    ON due.session_id = stands.session_id AND due.corrects = stands.revision
WHERE stands.number = %s
"""


class RenderedHashes(NamedTuple):
    """The hashes of what was rendered; the XML's is None where there is none."""

    pdf_sha256: str
    xml_sha256: str | None
    rendered_at: Any


class OneDocumentPage(Controller):
    """One invoice or credit note."""

    path = "/invoices/{number:str}"

    @get("/", opt=needs(Permission.SEE_BOOKS), sync_to_thread=True)
    def shown(self, page: ThisPage, number: FromPath[str]) -> Response[str]:
        """Show a document, as it was issued, and what came of it since."""
        number = number_in(number)
        with page.console.reading() as connection:
            row = document_within(connection, page, number)
            return page.show("invoices/document.html.j2", **content_of(page, connection, row))

    @get("/pdf", opt=needs(Permission.SEE_BOOKS), sync_to_thread=True)
    def pdf(self, page: ThisPage, number: FromPath[str]) -> Response[bytes]:
        """Return the PDF that was rendered once."""
        number = number_in(number)
        with page.console.reading() as connection:
            document_within(connection, page, number)
            kept = read_kept(connection, number)
        return _file(kept.pdf, "application/pdf", file_name(number, "pdf"))

    @get("/xml", opt=needs(Permission.SEE_BOOKS), sync_to_thread=True)
    def xml(self, page: ThisPage, number: FromPath[str]) -> Response[bytes]:
        """Return the electronic invoice that is embedded in the PDF (EN 16931, CII)."""
        number = number_in(number)
        with page.console.reading() as connection:
            document_within(connection, page, number)
            kept = read_kept(connection, number)
        if kept.xml is None:
            raise NotFoundException(page.text("This document has no electronic invoice."))
        return _file(kept.xml, "application/xml", file_name(number, "xml"))

    @get("/html", opt=needs(Permission.SEE_BOOKS), sync_to_thread=True)
    def html(self, page: ThisPage, number: FromPath[str]) -> Response[str]:
        """Return the document for the screen, as its reader gets it."""
        number = number_in(number)
        with page.console.reading() as connection:
            document_within(connection, page, number)
            text = as_html(connection, number, known=page.console.newest.of(connection))
        headers = {**_CLOSED, "Content-Security-Policy": CONTENT_SECURITY_POLICY}
        return Response(text, media_type="text/html", headers=headers)


def content_of(
    page: ConsolePage, connection: Connection[Any], row: ListedInvoice
) -> dict[str, Any]:
    """Return what the page of a document is made of."""
    number = row.number
    shown = show_invoice(connection, number, sessions_max=SESSIONS_MAX)
    names = names_in(connection, shown)
    kept = connection.execute(_KEPT, (number,)).fetchone()
    notes = find_documents(connection, DocumentWish(credits=number), limit=_NOTES_MAX)
    about = ",".join(str(each.line) for each in shown.lines if not each.is_rounding)
    lines = _lines_on(page, shown)
    proposal = connection.execute(_PROPOSED, (number,)).fetchone()
    [(awaited,)] = connection.execute(_AWAITED, (number,)).fetchall()
    may_credit = row.credits is None and page.user.reach(Permission.CREDIT).covers(row.legal_entity)
    return {
        "number": number,
        "too_long": "" if shown.sessions else too_long(page, number),
        "row": row,
        "kind": page.text("Invoice" if row.credits is None else "Credit note"),
        "head": _head(page, connection, row, shown),
        "files": None if kept is None else RenderedHashes(*kept),
        "delivery": list_documents(connection, limit=20, numbers=[number]),
        "lines": _line_listing(page, shown, lines, names),
        "sessions": _sessions(page, shown, lines),
        "taxes": _taxes(page, shown),
        "payments": _payments(page, connection, row),
        "notes": _notes(page, notes),
        "proposal": proposal,
        "proposed": proposal and amount_of(page, proposal[2], row.currency),
        "withdrawn": withdrawn_listing(
            page,
            _withdrawn(connection, number),
            UTC,
            lambda choice: page.text("Refund" if choice == "refund" else "Credit"),
        ),
        "zone": UTC,
        "awaited": awaited,
        "may_credit": may_credit and bool(about),
    }


def _withdrawn(connection: Connection[Any], number: str) -> list[WithdrawnProposal]:
    """Return what was proposed to be given back of an invoice and taken back, the last first."""
    found = [
        each
        for about in (About.INVOICE, About.REFUND)
        for each in withdrawn_of(connection, about, number)
    ]
    return sorted(found, key=lambda each: each.withdrawn_at, reverse=True)


def _head(
    page: ConsolePage, connection: Connection[Any], row: ListedInvoice, shown: ShownInvoice
) -> Sequence[tuple[str, Cell]]:
    language, sign = page.words.language, 1 if row.credits is None else -1
    stand = standings(connection, [row.number])[row.number]
    facts = [
        ("Date", Cell(language.day(row.issued_on))),
        ("Customer", customer_cell(page, row)),
        ("Legal entity", Cell(shown.seller.name, f"{PATH}?entity={row.legal_entity}")),
        ("State", state_cell(page, row, stand)),
    ]
    if row.credits is not None:
        facts.append(("For invoice", Cell(row.credits, invoice_link(row.credits))))
    if shown.due_on is not None:
        facts.append(("Due date", Cell(language.day(shown.due_on))))
    if shown.month is not None:
        facts.append(("Month", Cell(language.month(shown.month))))
    facts += [
        (title, Cell(amount_of(page, sign * minor, row.currency)))
        for title, minor in (
            ("Net", row.net_minor),
            ("Tax", row.tax_minor),
            ("Rounding", row.rounding_minor),
            ("Total", row.due_minor),
        )
        if minor or title != "Rounding"
    ]
    if row.credits is None:
        facts.append(("Open", Cell(amount_of(page, row.open_minor, row.currency))))
    return facts


def _lines_on(page: ConsolePage, shown: ShownInvoice) -> tuple[int, int]:
    """Return which lines, counted from 0, stand on this page."""
    after = page.address.of(AFTER)
    begin = int(after) if after.isascii() and after.isdecimal() and len(after) <= _DIGITS_MAX else 0
    begin = min(begin, len(shown.lines))
    return begin, min(begin + LINES, len(shown.lines))


def _line_listing(
    page: ConsolePage, shown: ShownInvoice, lines: tuple[int, int], names: Mapping[str, str]
) -> Listing:
    begin, end = lines
    return Listing(
        caption=page.text("Lines"),
        columns=LINE_COLUMNS,
        rows=[line_row(page, shown, each, names) for each in shown.lines[begin:end]],
        address=page.address,
        empty=page.text("There are no further lines."),
        next_after=str(end) if end < len(shown.lines) else "",
        total=page.text("{count} in all", count=len(shown.lines)),
    )


def _sessions(page: ConsolePage, shown: ShownInvoice, lines: tuple[int, int]) -> Listing:
    """Return the sessions whose lines stand on this page."""
    begin, end = lines
    wanted = {each.session_id for each in shown.lines[begin:end]}
    number, sign = page.words.language.number, -1 if shown.credits is not None else 1
    return Listing(
        caption=page.text("Sessions of these lines"),
        columns=(
            Column("session", "Session"),
            Column("station", "Station"),
            Column("began", "From"),
            Column("energy", "Energy", is_figure=True),
            Column("gross", "Total", is_figure=True),
        ),
        rows=[
            (
                Cell(each.session_id, session_link(each.session_id)),
                Cell(each.station_id),
                Cell(at=each.starts_at, zone=each.starts_at.tzinfo),
                Cell(f"{number(each.energy_wh / 1000)} kWh"),
                Cell(amount_of(page, sign * each.gross_minor, shown.currency)),
            )
            for each in shown.sessions
            if each.session_id in wanted
        ],
        address=page.address,
        empty=page.text("There are no further lines."),
    )


def _taxes(page: ConsolePage, shown: ShownInvoice) -> Listing:
    language, sign = page.words.language, -1 if shown.credits is not None else 1
    return Listing(
        caption=page.text("Taxes"),
        columns=(
            Column("tax", "Tax"),
            Column("percent", "Rate", is_figure=True),
            Column("on", "On", is_figure=True),
            Column("amount", "Amount", is_figure=True),
        ),
        rows=[
            (
                Cell(language.tax_name(each)),
                Cell("" if each.percent is None else language.percent(each.percent)),
                Cell(amount_of(page, sign * each.taxable_minor, shown.currency)),
                Cell(amount_of(page, sign * each.tax_minor, shown.currency)),
            )
            for each in shown.taxes
        ],
        address=page.address,
        empty=page.text("No tax applies."),
    )


def _payments(page: ConsolePage, connection: Connection[Any], row: ListedInvoice) -> Listing | None:
    payments = payments_of(connection, row.number)
    if payments is None:
        return None
    settled = paid_from_balance(connection, row.number)
    rows = list(_payment_rows(page, payments, row))
    if settled is not None:
        amount = Cell(amount_of(page, settled.minor, row.currency))
        rows.insert(0, (Cell(page.text("From the prepaid balance")), Cell(), Cell(), amount))
    if payments.credited_minor:
        amount = Cell(amount_of(page, -payments.credited_minor, row.currency))
        rows.append((Cell(page.text("Owed no more, by credit notes")), Cell(), Cell(), amount))
    return Listing(
        caption=page.text("Payments"),
        columns=(
            Column("kind", "Kind"),
            Column("reference", "Reference"),
            Column("at", "When"),
            Column("amount", "Amount", is_figure=True),
        ),
        rows=rows,
        address=page.address,
        empty=page.text("Nothing was paid for it yet."),
        total=page.text("open: {amount}", amount=amount_of(page, row.open_minor, row.currency)),
    )


def _payment_rows(
    page: ConsolePage, payments: InvoicePayments, row: ListedInvoice
) -> Sequence[Sequence[Cell]]:
    return [
        (
            Cell(page.text(MOVEMENT_WORDS[each.kind]), payment_link(each.number)),
            Cell(f"{each.source}/{each.reference}", payment_link(each.number)),
            Cell(at=each.happened_at, zone=UTC),
            Cell(amount_of(page, each.minor, row.currency)),
        )
        for each in payments.received
    ]


def _notes(page: ConsolePage, notes: Sequence[ListedInvoice]) -> Listing:
    return Listing(
        caption=page.text("Credit notes over this invoice"),
        columns=(
            Column("number", "Number"),
            Column("date", "Date"),
            Column("amount", "Amount", is_figure=True),
            Column("pdf", "PDF"),
        ),
        rows=[
            (
                Cell(each.number, invoice_link(each.number)),
                Cell(page.words.language.day(each.issued_on)),
                Cell(amount_of(page, -each.due_minor, each.currency)),
                Cell("PDF", f"{invoice_link(each.number)}/pdf"),
            )
            for each in notes
        ],
        address=page.address,
        empty=page.text("Nothing of it was credited."),
    )


def _file(content: bytes, media_type: str, name: str) -> Response[bytes]:
    headers = {**_CLOSED, "Content-Disposition": f'inline; filename="{name}"'}
    return Response(content, media_type=media_type, headers=headers)
