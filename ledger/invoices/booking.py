"""Booking: what was issued goes into the books, in the order of the saves.

Many documents in one transaction, with their entries, their numbers in the feed and how far the
books are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.books.accounts import credit_entry, invoice_entry, owed_by_customer
from ledger.books.decisions_store import rated_sessions
from ledger.books.document_taxes import owed_beyond
from ledger.books.feed import DeskDecision, NamedDecision, append_decisions
from ledger.books.journal import JournalEntry, store_entries
from ledger.books.prepayments import PrepaidAccount, PrepaidSettling
from ledger.database import copy_rows
from ledger.invoices.crediting import credited_before
from ledger.invoices.document import read_document
from ledger.invoices.invoice import Invoice
from ledger.invoices.issuer import InvoiceIssuer
from ledger.rating.decisions import FIRST_REVISION, SessionRated

DOCUMENTS_AT_ONCE: Final = 100
SESSIONS_AT_ONCE: Final = 1_000
"""A batch is full with so many documents, or with this many sessions on them."""
_READ_AT_ONCE: Final = 20
"""So many documents are read together: one may have a month of thousands of sessions."""
_LOCK_BOOKED: LiteralString = "SELECT notification_id FROM booked_position FOR UPDATE"
_ADVANCE_BOOKED: LiteralString = "UPDATE booked_position SET notification_id = %s"
_ISSUED_COPY: LiteralString = (
    "COPY issued_invoice (number, place, cause, invoice_id, legal_entity, customer, currency,"
    " issued_on, issued_at, net_minor, tax_minor, gross_minor, rounding_minor, due_minor, sha256,"
    " credits) FROM STDIN"
)
_INVOICED_COPY: LiteralString = "COPY invoiced_session (session_id, revision, number) FROM STDIN"
_CREDITED_COPY: LiteralString = "COPY credited_session (session_id, revision, number) FROM STDIN"
_CORRECTED: LiteralString = """
DELETE FROM correction_to_document WHERE session_id = ANY(%s) AND NOT is_settled_with_partner
"""
_DONE: LiteralString = """
DELETE FROM uninvoiced_session USING unnest(%s::text[], %s::integer[]) AS billed (id, revision)
WHERE session_id = billed.id AND uninvoiced_session.revision = billed.revision
"""


class _Booked(NamedTuple):
    """A document with all that is booked of it; `customer`: whom it is to, None: a bearer."""

    row: tuple[object, ...]
    entry: JournalEntry | None
    customer: str | None


def book_some(
    connection: Connection[Any], issuer: InvoiceIssuer, *, at_once: int = DOCUMENTS_AT_ONCE
) -> tuple[str, ...]:
    """Book the first documents that are issued and not booked; return their numbers."""
    with connection.transaction():
        # Whoever has the row books alone; a rival waits here and finds the next document.
        [(after,)] = connection.execute(_LOCK_BOOKED).fetchall()
        found = list(_together(issuer, after, at_once))
        if not found:
            return ()
        _book(connection, [invoice for _, invoice in found])
        connection.execute(_ADVANCE_BOOKED, (found[-1][0],))
    return tuple(str(invoice.number) for _, invoice in found)


def _together(issuer: InvoiceIssuer, after: int, at_once: int) -> Iterator[tuple[int, Invoice]]:
    """Yield the documents of one transaction: as many as a batch has."""
    sessions, credited = 0, set()
    for documents, (place, invoice) in enumerate(
        issuer.invoices(after=after, page=min(at_once, _READ_AT_ONCE)), 1
    ):
        # What a note owes no more hangs on the notes before it: those are booked by then.
        if invoice.credits is not None and invoice.credits in credited:
            return
        credited.add(invoice.credits)
        sessions += len(invoice.session_ids)
        yield place, invoice
        if documents == at_once or sessions >= SESSIONS_AT_ONCE:
            return


def _book(connection: Connection[Any], invoices: Sequence[Invoice]) -> None:
    """Take issued *invoices* over into the books, within the caller's transaction."""
    every = iter(rated_sessions(connection, [each for one in invoices for each in one.sessions]))
    booked = [
        _booked(connection, invoice, tuple(next(every) for _ in invoice.session_ids))
        for invoice in invoices
    ]
    billing = [invoice for invoice in invoices if invoice.credits is None]
    crediting = [invoice for invoice in invoices if invoice.credits is not None]
    copy_rows(connection, _ISSUED_COPY, (each.row for each in booked))
    if billing:
        copy_rows(connection, _INVOICED_COPY, _session_rows(billing))
        columns = zip(*(each for one in billing for each in one.sessions), strict=True)
        connection.execute(_DONE, [list(column) for column in columns])
    if crediting:
        copy_rows(connection, _CREDITED_COPY, _session_rows(crediting))
        ids = [session_id for invoice in crediting for session_id in invoice.session_ids]
        connection.execute(_CORRECTED, (ids,))
    entries = [each.entry for each in booked if each.entry]
    store_entries(connection, [*entries, *_settlements(connection, invoices, booked)])
    decided = [NamedDecision(str(each.number), FIRST_REVISION, each.sha256) for each in invoices]
    append_decisions(connection, DeskDecision.ISSUED, decided)


def _booked(
    connection: Connection[Any], invoice: Invoice, sessions: Sequence[SessionRated]
) -> _Booked:
    document, first = read_document(invoice.document), sessions[0]
    row = (
        document.number,
        invoice.place,
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
    before = credited_before(connection, invoice.credits) if invoice.credits else None
    entry = document_entry(document.number, invoice.issued_at, sessions, before)
    return _Booked(row, entry, first.payer.customer)


def _settlements(
    connection: Connection[Any], invoices: Sequence[Invoice], booked: Sequence[_Booked]
) -> Iterator[JournalEntry]:
    """Yield what settles documents from prepaid balances, in their order."""
    settling = PrepaidSettling(connection)
    settling.look_up(
        [
            PrepaidAccount(owed.party, each.entry.legal_entity, owed.currency)
            for each in booked
            if each.entry
            and each.customer
            and (owed := owed_by_customer(each.entry, each.customer))
        ]
    )
    for invoice, each in zip(invoices, booked, strict=True):
        if each.entry is None:
            continue
        number = str(invoice.number)
        settled = settling.settle(each.entry, number, each.customer, invoice.credits)
        if settled is not None:
            yield settled


def _session_rows(invoices: Iterable[Invoice]) -> Iterator[tuple[object, ...]]:
    return ((*session, invoice.number) for invoice in invoices for session in invoice.sessions)


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
