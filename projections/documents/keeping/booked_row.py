"""The row by which a document is listed, summed and found, held against the document itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, LiteralString

from psycopg import Connection
from psycopg.rows import dict_row

from ledger.invoices.document import InvoiceDocument, read_document
from ledger.invoices.invoice import Invoice
from projections.errors import UnknownInvoiceError

_ROW: LiteralString = """
SELECT number, place, customer, currency, issued_on, issued_at, net_minor, tax_minor, gross_minor,
    rounding_minor, due_minor, sha256, credits
FROM issued_invoice WHERE number = %s
"""


def booked_otherwise(connection: Connection[Any], number: str, invoice: Invoice) -> tuple[str, ...]:
    """Return which columns of the row of *number* do not say what was issued.

    Raises:
        UnknownInvoiceError: If there is no such row.
        ValidationError: msgspec's, if what was issued is no document.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_ROW, (number,)).fetchone()
    if row is None:
        raise UnknownInvoiceError(number)
    issued = _issued(invoice, read_document(invoice.document))
    return tuple(name for name, value in row.items() if name in issued and value != issued[name])


def _issued(invoice: Invoice, document: InvoiceDocument) -> Mapping[str, object]:
    """Return what was issued, as the row has it; who bears a token has no name there."""
    return {
        "number": document.number,
        "place": invoice.place,
        **({} if document.buyer is None else {"customer": document.buyer.name}),
        "currency": document.currency,
        "issued_on": document.issued_on,
        "issued_at": invoice.issued_at,
        "net_minor": document.net_minor,
        "tax_minor": document.vat_minor,
        "gross_minor": document.gross_minor,
        "rounding_minor": document.rounding_minor,
        "due_minor": document.due_minor,
        "sha256": invoice.sha256,
        "credits": document.credits.number if document.credits else None,
    }
