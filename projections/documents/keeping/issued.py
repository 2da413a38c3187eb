"""What is rendered: a document as it was issued, and whom it is for."""

from __future__ import annotations

from datetime import datetime
from typing import Any, LiteralString, NamedTuple

from psycopg import Connection

from ledger.invoices.document import InvoiceDocument, read_document
from ledger.invoices.issuer import InvoiceIssuer
from projections.errors import UnknownInvoiceError

_BOOKED: LiteralString = "SELECT cause, issued_at, sha256 FROM issued_invoice WHERE number = %s"


class IssuedDocument(NamedTuple):
    """An invoice or credit note; `sha256` is of its canonical bytes, as the feed names it."""

    document: InvoiceDocument
    sha256: str
    issued_at: datetime

    @property
    def subject(self) -> str:
        """Return the subject id of who it is for: the customer, or who bears the token."""
        buyer = self.document.buyer
        return buyer.name if buyer is not None else self.document.bearer or ""


def read_issued(connection: Connection[Any], issuer: InvoiceIssuer, number: str) -> IssuedDocument:
    """Return the document *number*, which is booked.

    Raises:
        UnknownInvoiceError: If there is none.
    """
    row = connection.execute(_BOOKED, (number,)).fetchone()
    if row is None:
        raise UnknownInvoiceError(number)
    cause, issued_at, sha256 = row
    invoice = issuer.find(cause)
    if invoice is None:
        raise UnknownInvoiceError(number)
    return IssuedDocument(read_document(invoice.document), sha256, issued_at)
