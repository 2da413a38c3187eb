"""Invoicing: find rated sessions that are due, issue their invoices, and book what was issued.

Safe to kill at any moment: an invoice and its number are saved together, and the books take over
what was saved, in the order of the saves, each invoice in one transaction with its number in the
feed and how far they are. A kill in between leaves an invoice that is saved and not booked: whoever
issues next books it before anything else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.books.accounts import credit_entry, invoice_entry
from ledger.books.decisions_store import rated_sessions
from ledger.books.document_taxes import owed_beyond
from ledger.books.feed import DESK_PARTITION, DeskDecision, append_decision
from ledger.books.journal import JournalEntry, store_entries
from ledger.books.periods import ClosedMonths, load_marks
from ledger.declared.declarations import Declarations
from ledger.errors import LedgerError
from ledger.invoices.crediting import DueDocument, credited_before, due_credits
from ledger.invoices.document import read_document
from ledger.invoices.invoice import Invoice
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.order import cause_of_month, cause_of_session, order_of
from ledger.rating.decisions import FIRST_REVISION, SessionRated, SessionRevision
from tariffs.zones import zone

_FURTHEST_AHEAD: Final = timedelta(hours=14)
"""No calendar is further ahead of UTC (Kiritimati)."""
_DECEMBER: Final = 12
ISSUING_LOCK: Final = 0x69737375  # "issu"
"""An advisory lock: who holds it issues, everybody else leaves that alone meanwhile."""
_LOCK_BOOKED: LiteralString = "SELECT notification_id FROM booked_position FOR UPDATE"
_ADVANCE_BOOKED: LiteralString = "UPDATE booked_position SET notification_id = %s"
_INVOICED: LiteralString = """
INSERT INTO invoiced_session (session_id, revision, number)
SELECT session_id, revision, %s
FROM unnest(%s::text[], %s::integer[]) AS billed (session_id, revision)
"""
# What is corrected waits until what it replaces is credited.
_SINGLES: LiteralString = """
SELECT session_id, revision FROM uninvoiced_session AS waiting WHERE invoicing = 'per_session'
AND NOT EXISTS (
    SELECT FROM correction_to_document AS due WHERE due.session_id = waiting.session_id
) ORDER BY session_id, revision
"""
_MONTHS: LiteralString = """
SELECT legal_entity, customer, currency, billing_month, session_id, revision
FROM uninvoiced_session AS waiting WHERE invoicing = 'per_month' AND billing_month < %s
AND NOT EXISTS (
    SELECT FROM correction_to_document AS due WHERE due.session_id = waiting.session_id
) ORDER BY legal_entity, customer, currency, billing_month, session_id, revision
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


class _Group(NamedTuple):
    """Whose sessions may share an invoice."""

    legal_entity: str
    customer: str
    currency: str


def issue_due(
    connection: Connection[Any],
    issuer: InvoiceIssuer,
    declarations: Declarations,
    *,
    up_to: datetime,
    complete_up_to: datetime | None = None,
    is_over: Callable[[], bool] = lambda: False,
    told: Callable[[str, Exception], None] = lambda _cause, _why: None,
) -> tuple[str, ...]:
    """Issue every invoice that is due at the record time *up_to*; return their numbers.

    A session that is billed by itself is due at once, a month when it has been over in the legal
    entity's calendar for the policy's `wait_s`: by then what ended in it is rated or held.

    Args:
        connection: Outside a transaction; each invoice is booked in one of its own.
        issuer: Where invoices are issued.
        declarations: For names and addresses as declared for *up_to*.
        up_to: The time of receipt of the last record that was decided about.
        complete_up_to: Every record received before that was decided about; *up_to* if None.
        is_over: Asked before each invoice whether to leave the rest to the next call.
        told: Given each cause that cannot be invoiced, and why. The others do not wait for it.
    """
    complete_up_to = min(up_to, complete_up_to or up_to)
    locked = connection.execute("SELECT pg_try_advisory_lock(%s)", (ISSUING_LOCK,)).fetchone()
    if locked is None or not locked[0]:
        return ()  # another process issues now: it, or the next call here, finds what is due
    try:
        # What a kill left behind comes first, so that what is issued here is the next to be booked.
        booked: list[str] = []
        while not is_over() and (number := _book_next(connection, issuer)) is not None:
            booked.append(number)
        # What a session's next revision replaces is credited before anything new.
        credited_first = due_credits(connection, declarations, up_to)
        due = _due(connection, declarations, complete_up_to)
        for cause, credited, sessions in chain(credited_first, due):
            if is_over():
                break
            try:
                order = order_of(cause, sessions, declarations, at=up_to, credited=credited)
            except (LedgerError, ValueError, ArithmeticError) as error:
                told(cause, error)
                continue
            issuer.issue(order)
            if (number := _book_next(connection, issuer)) is not None:
                booked.append(number)
    finally:
        connection.execute("SELECT pg_advisory_unlock(%s)", (ISSUING_LOCK,))
    return tuple(booked)


def _book_next(connection: Connection[Any], issuer: InvoiceIssuer) -> str | None:
    """Book the first invoice that is issued and not booked; return its number."""
    with connection.transaction():
        # Whoever has the row books alone; a rival waits here and finds the next invoice.
        [(after,)] = connection.execute(_LOCK_BOOKED).fetchall()
        notification_id, invoice = next(issuer.invoices(after=after, page=1), (after, None))
        if invoice is None:
            return None
        # Whoever marks a month as closed holds that row too.
        closed = ClosedMonths(load_marks(connection, DESK_PARTITION))
        _book(connection, invoice, closed, notification_id)
        connection.execute(_ADVANCE_BOOKED, (notification_id,))
    return invoice.number


def _book(
    connection: Connection[Any], invoice: Invoice, closed: ClosedMonths, notification_id: int
) -> None:
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
    entry = document_entry(invoice, sessions, before)
    connection.execute(_ISSUED, row)
    if invoice.credits is None:
        connection.execute(_INVOICED, (number, *billed))
        connection.execute(_DONE, billed)
    else:
        connection.execute(_CREDITED, (number, *billed))
        connection.execute(_CORRECTED, (invoice.session_ids,))
    store_entries(connection, [closed.booked(entry, notification_id)] if entry else [])
    append_decision(
        connection,
        DeskDecision.ISSUED,
        subject=document.number,
        revision=FIRST_REVISION,
        sha256=invoice.sha256,
    )


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


def _due(
    connection: Connection[Any], declarations: Declarations, up_to: datetime
) -> Iterator[DueDocument]:
    """Yield each cause that has no invoice yet, with its sessions, in a settled order."""
    for single in connection.execute(_SINGLES).fetchall():
        session = SessionRevision(*single)
        yield DueDocument(cause_of_session(session), None, rated_sessions(connection, [session]))
    # A month may be over in Kiritimati and not yet in UTC; `_due_months` looks exactly.
    until = f"{up_to + _FURTHEST_AHEAD:%Y-%m}"
    rows = connection.execute(_MONTHS, (until,)).fetchall()
    waiting: dict[_Group, dict[str, list[SessionRevision]]]
    waiting = defaultdict(lambda: defaultdict(list))
    for legal_entity, customer, currency, month, *session in rows:
        group = _Group(legal_entity, customer, currency)
        waiting[group][month].append(SessionRevision(*session))
    for group, months in waiting.items():
        running = _running_month(declarations, group.legal_entity, up_to)
        for cause, sessions in _due_months(connection, group, months, running):
            yield DueDocument(cause, None, rated_sessions(connection, sessions))


def _due_months(
    connection: Connection[Any],
    group: _Group,
    months: Mapping[str, Sequence[SessionRevision]],
    running: str,
) -> Iterator[tuple[str, Sequence[SessionRevision]]]:
    """Yield the closed months without invoice; what missed its own month's goes on the next."""
    pending: list[SessionRevision] = []
    for month in _months(min(months), running):
        pending += months.get(month, ())
        cause = cause_of_month(**group._asdict(), month=month)
        # An issued invoice takes no more: what missed it goes on with the next month.
        if pending and not _is_booked(connection, cause):
            yield cause, pending
            pending = []


def _is_booked(connection: Connection[Any], cause: str) -> bool:
    query = "SELECT FROM issued_invoice WHERE cause = %s"
    return connection.execute(query, (cause,)).rowcount > 0


def _running_month(declarations: Declarations, legal_entity: str, up_to: datetime) -> str:
    """Return the month that is not settled yet, in the legal entity's calendar."""
    settled = up_to - timedelta(seconds=declarations.policy(up_to).wait_s)
    seller = declarations.legal_entity(legal_entity, up_to)
    calendar = zone(seller.time_zone) if seller else UTC
    return f"{settled.astimezone(calendar):%Y-%m}"


def _months(first: str, end: str) -> Iterator[str]:
    """Yield the months from *first* until before *end* ("2026-11")."""
    month = first
    while month < end:
        yield month
        year, number = int(month[:4]), int(month[5:])
        month = f"{year + 1}-01" if number == _DECEMBER else f"{year:04d}-{number + 1:02d}"
