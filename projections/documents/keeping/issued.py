"""What is rendered: a document as it was issued, and whom it is for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, LiteralString, NamedTuple

import msgspec
from psycopg import Connection

from ledger.books.decisions_store import rated_sessions
from ledger.declared.declarations import Declarations, Kind
from ledger.invoices.document import InvoiceDocument, SellerDetails, read_document
from ledger.invoices.issuer import issued_invoice
from ledger.invoices.shown import ShownInvoice, shown_invoice
from ledger.master_data.customers import PersonDetails
from ledger.master_data.legal_entities import LegalEntity
from ledger.persons.store import read_blobs
from ledger.rating.decisions import SessionRated, SessionRevision
from projections.errors import UnknownInvoiceError

_BOOKED: LiteralString = """
SELECT cause, issued_at, sha256, legal_entity FROM issued_invoice WHERE number = %s
"""


class IssuedDocument(NamedTuple):
    """An invoice or credit note; `sha256` is of its canonical bytes, as the feed names it."""

    document: InvoiceDocument
    sha256: str
    issued_at: datetime
    legal_entity: str

    @property
    def subject(self) -> str:
        """Return the subject id of who it is for: the customer, or who bears the token."""
        buyer = self.document.buyer
        return buyer.name if buyer is not None else self.document.bearer or ""


def read_issued(connection: Connection[Any], number: str) -> IssuedDocument:
    """Return the document *number*, which is booked.

    Raises:
        UnknownInvoiceError: If there is none.
    """
    row = connection.execute(_BOOKED, (number,)).fetchone()
    if row is None:
        raise UnknownInvoiceError(number)
    cause, issued_at, booked_sha256, legal_entity = row
    invoice = issued_invoice(connection, cause)
    if invoice is None:
        raise UnknownInvoiceError(number)
    document = read_document(invoice.document)
    return IssuedDocument(document, booked_sha256, issued_at, legal_entity)


def shown(connection: Connection[Any], document: InvoiceDocument) -> ShownInvoice:
    """Return *document* with the ratings that it names, and who its buyer is.

    Raises:
        OtherRatingError: If a rating is not the one that was invoiced.
    """
    named = [SessionRevision(each.session_id, each.revision) for each in document.sessions]
    return shown_of(connection, document, rated_sessions(connection, named))


def shown_of(
    connection: Connection[Any], document: InvoiceDocument, sessions: Sequence[SessionRated]
) -> ShownInvoice:
    """Return *document*, issued or about to be, with *sessions* and who its buyer is."""
    reference = document.buyer.details if document.buyer else None
    details = {
        name: msgspec.json.decode(content, type=PersonDetails)
        for name, content in read_blobs(connection, [reference] if reference else []).items()
    }
    return shown_invoice(document, sessions, details)


def logo_of(declarations: Declarations, issued: IssuedDocument) -> str | None:
    """Return the seller's logo that *issued* names by its hash; None: it names none."""
    wanted = (issued.document.seller_details or SellerDetails()).logo_sha256
    if wanted is None:
        return None
    for declared in declarations.history(Kind.LEGAL_ENTITY, issued.legal_entity):
        entity = declared.entity
        logo = entity.logo if isinstance(entity, LegalEntity) else None
        if logo is not None and sha256(logo.encode()).hexdigest() == wanted:
            return logo
    return None
