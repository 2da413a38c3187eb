"""Documents as they were issued, with the ratings that they name."""

from __future__ import annotations

from typing import Any, LiteralString

import msgspec
from psycopg import Connection

from ledger.books.decisions_store import rated_sessions
from ledger.invoices.document import read_document
from ledger.invoices.issuer import issued_invoice
from ledger.invoices.shown import ShownInvoice, shown_invoice
from ledger.master_data.customers import PersonDetails
from ledger.persons.store import read_blobs
from ledger.rating.decisions import SessionRevision
from projections.errors import UnknownInvoiceError

_CAUSE: LiteralString = "SELECT cause FROM issued_invoice WHERE number = %s"


def show_invoice(
    connection: Connection[Any], number: str, *, sessions_max: int | None = None
) -> ShownInvoice:
    """Return invoice *number* from its bytes as issued and the ratings that they name.

    One of more than *sessions_max* sessions has none of them, nor their lines, but its sums.

    Raises:
        UnknownInvoiceError: If there is none.
        OtherRatingError: If a rating is not the one that was invoiced.
    """
    return shown_text(connection, issued_text(connection, number)[0], sessions_max)


def shown_text(
    connection: Connection[Any], text: str, sessions_max: int | None = None
) -> ShownInvoice:
    """Return the invoice for people's eyes: with who the buyer is, unless that was erased."""
    document = read_document(text)
    if sessions_max is not None and len(document.sessions) > sessions_max:
        document = msgspec.structs.replace(document, sessions=())
    named = [SessionRevision(each.session_id, each.revision) for each in document.sessions]
    sessions = rated_sessions(connection, named)
    blobs = read_blobs(connection, [document.buyer.details or ""] if document.buyer else [])
    details = {
        reference: msgspec.json.decode(content, type=PersonDetails)
        for reference, content in blobs.items()
    }
    return shown_invoice(document, sessions, details)


def issued_text(connection: Connection[Any], number: str) -> tuple[str, str]:
    """Return the canonical text of invoice *number* as it was issued, and its SHA-256.

    Raises:
        UnknownInvoiceError: If there is none.
    """
    row = connection.execute(_CAUSE, (number,)).fetchone()
    invoice = issued_invoice(connection, row[0]) if row else None
    if invoice is None:
        raise UnknownInvoiceError(number)
    return invoice.document, invoice.sha256
