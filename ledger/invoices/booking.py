"""Booking: what was issued goes into the books, in the order of the saves.

Each document in one transaction with its entry, its number in the feed and how far the books are.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString

from psycopg import Connection

from ledger.books.accounts import credit_entry, invoice_entry
from ledger.books.decisions_store import rated_sessions
from ledger.books.document_taxes import owed_beyond
from ledger.books.feed import DeskDecision, append_decision
from ledger.books.journal import JournalEntry, store_entries
from ledger.invoices.crediting import credited_before
from ledger.invoices.document import read_document
from ledger.invoices.invoice import Invoice
from ledger.invoices.issuer import InvoiceIssuer
from ledger.rating.decisions import FIRST_REVISION, SessionRated

_LOCK_BOOKED: LiteralString = "SELECT notification_id FROM booked_position FOR UPDATE"
_ADVANCE_BOOKED: LiteralString = "UPDATE booked_position SET notification_id = %s"
_INVOICED: LiteralString = """
INSERT INTO invoiced_session (session_id, revision, number)
SELECT session_id, revision, %s
FROM unnest(%s::text[], %s::integer[]) AS billed (session_id, revision)
"""
_ISSUED: LiteralString = """
INSERT INTO issued_invoice (number, cause, invoice_id, legal_entity, customer, currency, issued_on,
    issued_at, net_minor, tax_minor, gross_minor, rounding_minor, due_minor, sha256, credits)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_CREDITED: LiteralString = """
INSERT INTO credited_session (session_id, revision, number)
SELECT session_id, revision, %s
FROM unnest(%s::text[], %s::integer[]) AS billed (session_id, revision)
"""
_CORRECTED: LiteralString = """
DELETE FROM correction_to_document WHERE session_id = ANY(%s) AND NOT is_settled_with_partner
"""
_DONE: LiteralString = """
DELETE FROM uninvoiced_session USING unnest(%s::text[], %s::integer[]) AS billed (id, revision)
WHERE session_id = billed.id AND uninvoiced_session.revision = billed.revision
"""


def book_next(connection: Connection[Any], issuer: InvoiceIssuer) -> str | None:
    """Book the first invoice that is issued and not booked; return its number."""
    with connection.transaction():
        # Whoever has the row books alone; a rival waits here and finds the next invoice.
        [(after,)] = connection.execute(_LOCK_BOOKED).fetchall()
        notification_id, invoice = next(issuer.invoices(after=after, page=1), (after, None))
        if invoice is None:
            return None
        _book(connection, invoice)
        connection.execute(_ADVANCE_BOOKED, (notification_id,))
    return invoice.number


def _book(connection: Connection[Any], invoice: Invoice) -> None:
    """Take an issued *invoice* over into the books, within the caller's transaction."""
    document = read_document(invoice.document)
    sessions = rated_sessions(connection, invoice.sessions)
    first, number = sessions[0], document.number
    row = (
        document.number,
        invoice.cause,
        invoice.id,
        first.legal_entity,
        first.payer.customer,
        document.currency,
        document.issued_on,
        invoice.issued_at,
        document.net_minor,
        document.vat_minor,
        document.gross_minor,
        document.rounding_minor,
        document.due_minor,
        invoice.sha256,
        invoice.credits,
    )
    billed = (invoice.session_ids, invoice.revisions)
    before = credited_before(connection, invoice.credits) if invoice.credits else None
    entry = document_entry(number, invoice.issued_at, sessions, before)
    connection.execute(_ISSUED, row)
    if invoice.credits is None:
        connection.execute(_INVOICED, (number, *billed))
        connection.execute(_DONE, billed)
    else:
        connection.execute(_CREDITED, (number, *billed))
        connection.execute(_CORRECTED, (invoice.session_ids,))
    store_entries(connection, [entry] if entry else [])
    append_decision(
        connection,
        DeskDecision.ISSUED,
        subject=document.number,
        revision=FIRST_REVISION,
        sha256=invoice.sha256,
    )


def document_entry(
    number: str,
    issued_at: datetime,
    sessions: Sequence[SessionRated],
    credited_before: Sequence[SessionRated] | None,
) -> JournalEntry | None:
    """Return what issuing a document posts; *credited_before*: None of an invoice."""
    if credited_before is None:
        return invoice_entry(number, issued_at, sessions)
    return credit_entry(number, issued_at, sessions, owed_beyond(credited_before, sessions))
