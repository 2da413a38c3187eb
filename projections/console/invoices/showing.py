"""What of a document is said on its pages: lines, sums and times in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from litestar.exceptions import NotFoundException
from psycopg import Connection

from ledger.invoices.shown import InvoiceLine, ShownInvoice
from ledger.users.roles import Permission
from projections.console.invoices.finding import amount_of
from projections.console.links import invoice_link
from projections.console.listing import Cell, Column
from projections.console.page import ConsolePage
from projections.console.sentences import reason_words
from projections.documents.content.teller import QUANTITY_DIGITS_MAX
from projections.finding.documents import find_document
from projections.invoice_list import ListedInvoice

LINE_COLUMNS = (
    Column("line", "Line", is_figure=True),
    Column("what", "For"),
    Column("when", "From"),
    Column("quantity", "Quantity", is_figure=True),
    Column("price", "Unit price", is_figure=True),
    Column("net", "Net", is_figure=True),
    Column("tax", "Tax", is_figure=True),
    Column("gross", "Total", is_figure=True),
)


def document_within(
    connection: Connection[object],
    page: ConsolePage,
    number: str,
    permission: Permission = Permission.SEE_BOOKS,
) -> ListedInvoice:
    """Return a document within the reader's reach.

    Raises:
        NotFoundException: If there is none, or it is out of reach.
    """
    found = find_document(connection, number)
    if found is None or not page.user.reach(permission).covers(found.legal_entity):
        raise NotFoundException(page.text("There is no document {number}.", number=number[:200]))
    return found


def line_words(page: ConsolePage, line: InvoiceLine, names: Mapping[str, str]) -> str:
    """Return what a line is for."""
    return reason_words(page.words, [line.said], names)[0]


def quantity_of(page: ConsolePage, line: InvoiceLine) -> str:
    """Return what a line is charged for; nothing of the document's own line."""
    if line.is_rounding:
        return ""
    language = page.words.language
    shown = language.number(line.quantity, digits_max=QUANTITY_DIGITS_MAX)
    return f"{shown} {language.unit(line.unit, line.quantity)}"


def price_of(page: ConsolePage, line: InvoiceLine, currency: str) -> str:
    """Return what one unit of a line costs; nothing of the document's own line."""
    if line.is_rounding:
        return ""
    language = page.words.language
    price = language.price(line.unit_price, currency)
    return f"{price} / {language.unit(line.unit, Decimal(1))}"


SESSIONS_MAX: Final = 5_000
"""Of a document with more its page shows the sums: each rating is read to prove a line."""


def too_long(page: ConsolePage, number: str) -> str:
    """Return what is said of a document with more sessions."""
    return page.text(
        "{number} has more than {count} sessions: its lines are in its PDF and its XML, and "
        "`wattledger explain {number} LINE` explains one.",
        number=number,
        count=SESSIONS_MAX,
    )


def line_row(
    page: ConsolePage, shown: ShownInvoice, line: InvoiceLine, names: Mapping[str, str]
) -> Sequence[Cell]:
    """Return a line as a row of `LINE_COLUMNS`."""
    sign = -1 if shown.credits is not None else 1
    href = "" if line.is_rounding else f"{invoice_link(shown.number)}/lines/{line.line}"
    note = "; ".join(reason_words(page.words, line.codes, names))
    when = Cell() if line.is_rounding else Cell(at=line.starts_at, zone=line.starts_at.tzinfo)
    amounts = (line.net_minor, line.vat_minor, line.gross_minor)
    return (
        Cell(str(line.line), href),
        Cell(line_words(page, line, names), href, note=note),
        when,
        Cell(quantity_of(page, line)),
        Cell(price_of(page, line, shown.currency)),
        *(Cell(amount_of(page, sign * minor, shown.currency)) for minor in amounts),
    )
