"""Booking: what was issued goes into the books, in the order of the saves.

Many documents in one transaction, with their entries, their numbers in the feed and how far the
books are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.books.accounts import credit_entry, invoice_entry, owed_by_customer
from ledger.books.decisions_store import rated_sessions
from ledger.books.document_taxes import owed_beyond
from ledger.books.feed import DESK_PARTITION, DeskDecision, NamedDecision, append_decisions
from ledger.books.journal import JournalEntry, store_entries
from ledger.books.open_invoices import keep_open_invoices
from ledger.books.periods import ClosedMonths, load_marks
from ledger.books.prepayments import PrepaidAccount, PrepaidSettling
from ledger.database import copy_rows
from ledger.invoices.crediting import credited_before
from ledger.invoices.document import InvoiceDocument, charged_by, read_document
from ledger.invoices.invoice import Invoice
from ledger.invoices.issuer import InvoiceIssuer
from ledger.rating.decisions import FIRST_REVISION, SessionRated, SessionRevision

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
    " credits, due_on) FROM STDIN"
)
_INVOICED_COPY: LiteralString = "COPY invoiced_session (session_id, revision, number) FROM STDIN"
_CREDITED_COPY: LiteralString = (
    "COPY credited_session (session_id, revision, number, is_rest) FROM STDIN"
)
_CREDITED_LINE_COPY: LiteralString = (
    "COPY credited_line (session_id, revision, line, number) FROM STDIN"
)
_CORRECTED: LiteralString = """
DELETE FROM correction_to_document AS due
USING unnest(%s::text[], %s::integer[]) AS now (session_id, revision)
WHERE due.session_id = now.session_id AND due.revision <= now.revision
AND NOT is_settled_with_partner
"""
# What is left of a session on its invoice stands for it: it needs no other one.
_STANDS: LiteralString = """
DELETE FROM uninvoiced_session AS waiting
USING unnest(%s::text[], %s::integer[]) AS now (session_id, revision)
WHERE waiting.session_id = now.session_id AND waiting.revision <= now.revision
"""
# Who lost the lock of issuing may save an invoice of what was corrected by then, after another has
# looked what is to be credited and found that no invoice has it.
_CORRECTED_BEFORE: LiteralString = """
INSERT INTO correction_to_document
    (session_id, revision, corrects, decided_at, is_settled_with_partner)
SELECT later.session_id, later.revision, billed.revision, later.decided_at, false
FROM unnest(%s::text[], %s::integer[]) AS billed (session_id, revision)
JOIN final_decision AS later USING (session_id)
WHERE later.revision > billed.revision ON CONFLICT DO NOTHING
"""
_DONE: LiteralString = """
DELETE FROM uninvoiced_session USING unnest(%s::text[], %s::integer[]) AS billed (id, revision)
WHERE session_id = billed.id AND uninvoiced_session.revision = billed.revision
"""


class _CreditedRating(NamedTuple):
    """What a note takes back of a rating: these `lines`, after which `is_rest`: none stands.

    Revision `replaced_by` of the session holds in its place.
    """

    session: SessionRevision
    lines: tuple[int, ...]
    is_rest: bool
    replaced_by: int


class _Booked(NamedTuple):
    """A document with all that is booked of it; `customer`: whom it is to, None: a bearer."""

    row: tuple[object, ...]
    entry: JournalEntry | None
    customer: str | None
    credited: tuple[_CreditedRating, ...]


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
        # Whoever marks a month as closed holds that row too.
        closed = ClosedMonths(load_marks(connection, DESK_PARTITION))
        _book(connection, found, closed)
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


def _book(
    connection: Connection[Any], found: Sequence[tuple[int, Invoice]], closed: ClosedMonths
) -> None:
    """Take issued invoices over into the books, within the caller's transaction."""
    invoices = [invoice for _, invoice in found]
    every = iter(rated_sessions(connection, [each for one in invoices for each in one.sessions]))
    booked = [
        _booked(connection, invoice, tuple(next(every) for _ in invoice.session_ids))
        for invoice in invoices
    ]
    billing = [invoice for invoice in invoices if invoice.credits is None]
    copy_rows(connection, _ISSUED_COPY, (each.row for each in booked))
    if billing:
        copy_rows(connection, _INVOICED_COPY, _session_rows(billing))
        billed = zip(*(each for one in billing for each in one.sessions), strict=True)
        columns = [list(column) for column in billed]
        connection.execute(_DONE, columns)
        connection.execute(_CORRECTED_BEFORE, columns)
    _book_credits(connection, booked)
    places = [place for place, _ in found]
    settled = _settlements(connection, invoices, booked)
    entries = zip(places * 2, [*(each.entry for each in booked), *settled], strict=True)
    store_entries(connection, [closed.booked(each, place) for place, each in entries if each])
    keep_open_invoices(connection, {each.credits or str(each.number) for each in invoices})
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
        document.due_on,
    )
    before = credited_before(connection, invoice.credits) if invoice.credits else None
    charged = charged_by(document, sessions)
    entry = document_entry(invoice, charged, before)
    credited = tuple(_credited(document, sessions, before or ()))
    return _Booked(row, entry, first.payer.customer, credited)


def _credited(
    document: InvoiceDocument, sessions: Sequence[SessionRated], before: Sequence[SessionRated]
) -> Iterator[_CreditedRating]:
    """Yield what a note takes back of *sessions*; *before*: what others did."""
    gone = {each.decides: len(each.lines) for each in before}
    for billed, session in zip(document.sessions, sessions, strict=True):
        part = billed.credited
        if part is not None:
            count = gone.get(session.decides, 0) + billed.lines
            is_rest = count == len(session.lines)
            yield _CreditedRating(session.decides, part.rated_lines, is_rest, part.replaced_by)


def _book_credits(connection: Connection[Any], booked: Sequence[_Booked]) -> None:
    """Note which lines credit notes take back, and what needs no document any more."""
    credited = [(str(each.row[0]), rating) for each in booked for rating in each.credited]
    if not credited:
        return
    copy_rows(
        connection,
        _CREDITED_COPY,
        ((*each.session, number, each.is_rest) for number, each in credited),
    )
    copy_rows(
        connection,
        _CREDITED_LINE_COPY,
        ((*each.session, line, number) for number, each in credited for line in each.lines),
    )
    now = {each.session.session_id: each.replaced_by for _, each in credited}
    connection.execute(_CORRECTED, (list(now), list(now.values())))
    stands = [each.session.session_id for _, each in credited if not each.is_rest]
    connection.execute(_STANDS, (stands, [now[each] for each in stands]))


def _settlements(
    connection: Connection[Any], invoices: Sequence[Invoice], booked: Sequence[_Booked]
) -> Iterator[JournalEntry | None]:
    """Yield what settles each document from its buyer's prepaid balance, in their order."""
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
        to = str(invoice.number), each.customer, invoice.credits
        yield settling.settle(each.entry, *to) if each.entry else None


def _session_rows(invoices: Iterable[Invoice]) -> Iterator[tuple[object, ...]]:
    return ((*session, invoice.number) for invoice in invoices for session in invoice.sessions)


def document_entry(
    invoice: Invoice,
    sessions: Sequence[SessionRated],
    credited_before: Sequence[SessionRated] | None,
) -> JournalEntry | None:
    """Return what an issued document posts; *credited_before*: None of an invoice."""
    number, at, month = invoice.number or "", invoice.issued_at, f"{invoice.issued_on:%Y-%m}"
    if credited_before is None:
        return invoice_entry(number, at, month, sessions)
    return credit_entry(number, at, month, sessions, owed_beyond(credited_before, sessions))
