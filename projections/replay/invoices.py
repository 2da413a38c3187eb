"""Invoices in a replay: rendered again from the decisions made again, with the recorded choices."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from hashlib import sha256
from operator import attrgetter
from typing import Any, NamedTuple, Self

import msgspec
import psycopg
from psycopg import Connection, sql

from ledger.books.decisions_store import UnratedSessionError, rated_sessions
from ledger.books.journal import JournalEntry
from ledger.books.periods import ClosedMonths, MarkAct, MonthMark
from ledger.declared.declarations import Declarations
from ledger.declared.store import load_declarations
from ledger.invoices.booking import document_entry
from ledger.invoices.crediting import credited_part
from ledger.invoices.document import (
    DOCUMENT_SCHEMA,
    lines_before,
    read_document,
    render_invoice,
)
from ledger.invoices.invoice import Invoice
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.order import Credited, InvoiceOrder, order_of
from ledger.periods.periods import AccountingPeriods
from ledger.rating.decisions import SessionRated, SessionRevision
from projections.replay.comparison import Comparison
from projections.replay.prepayments import PrepaidComparison

ISSUED = """
SELECT customer, currency, issued_on::text, issued_at::text, net_minor, tax_minor, gross_minor,
       rounding_minor, due_minor, sha256, legal_entity, cause, credits, place,
       (SELECT sha256 FROM books.feed_entry WHERE kind = 'issued' AND subject = issued.number)
FROM books.issued_invoice AS issued WHERE number = %s
"""
NUMBERED = """
SELECT partition::text, count(number), coalesce(max(number), 0), next_number - 1
FROM books.feed_head LEFT JOIN books.feed_entry USING (partition) GROUP BY partition
"""
POSTED = """
SELECT entry_id, posting, account, party, currency, amount_minor FROM books.posting
WHERE entry_id = %s ORDER BY posting
"""


BOOKED_IN = """
SELECT period, original_period FROM books.journal_entry WHERE entry_id = %s
"""
MARKS = """
SELECT legal_entity, number, month, act, position FROM books.period_mark
WHERE partition = -1 ORDER BY legal_entity, number
"""


class InvoiceComparison:
    """Compares every issued invoice: document, row, postings and number in the feed."""

    def __init__(self, dsn: str, schema: str) -> None:
        self._connection: Connection[Any] = psycopg.connect(dsn, autocommit=True)
        path = sql.SQL("SET search_path = {}, inputs").format(sql.Identifier(schema))
        self._connection.execute(path)
        self._issuer = InvoiceIssuer(dsn)
        self._declarations = Declarations()
        # Between which documents months were closed is recorded with those who closed them.
        with AccountingPeriods(dsn) as periods:
            self._marks = periods.document_marks()
        self._closed = ClosedMonths(self._marks)
        # What credit notes credited of each invoice, and its date and cause, as they came.
        self._credited: defaultdict[str, list[SessionRated]] = defaultdict(list)
        self._issued: dict[str, tuple[date, str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._issuer.close()
        self._connection.close()

    def compare(self) -> Iterator[Comparison]:
        """Yield what was kept of every invoice beside what it should be."""
        # First: what is booked meanwhile is among the known ones, and left out of this.
        prepaid = PrepaidComparison(self._connection, self._closed)
        known = {number for (number,) in self._connection.execute(
            "SELECT number FROM books.issued_invoice"
        )}  # fmt: skip
        for notification_id, invoice in self._issuer.invoices():
            number = invoice.number or ""
            order = self._order(invoice)
            again = None
            if order is not None:
                again = rendered_again(invoice, order)
            self._issued[number] = invoice.issued_on, invoice.cause
            yield Comparison("invoice document", number, invoice.document, again)
            hashed = None if again is None else sha256(again.encode()).hexdigest()
            yield Comparison("invoice hash", number, invoice.sha256, hashed)
            if number in known:
                known.discard(number)
                yield self._row(invoice, order, again)
                entry = _entry(invoice, order)
                yield from self._postings(invoice, entry, notification_id)
                customer = order.payer.customer if order else None
                place = notification_id, number
                yield from prepaid.document(*place, entry, customer, invoice.credits)
            if invoice.credits is not None and order is not None:
                self._credited[invoice.credits] += order.charged
        yield from prepaid.rest()
        # Booked, and no invoice was issued under that number.
        for number in sorted(known):
            yield Comparison("invoice document", number, "booked", None)
        yield Comparison("period mark", "documents", self._kept_marks(), _text(self._marks))
        for partition, count, last, given in self._connection.execute(NUMBERED):
            yield Comparison("feed", partition, f"{count} of {last}", f"{given} of {given}")

    def _order(self, invoice: Invoice) -> InvoiceOrder | None:
        """Return what the document is made of, None where its sessions were not rated again."""
        if self._declarations.version != invoice.declared_version:
            self._declarations = load_declarations(self._connection, invoice.declared_version)
        try:
            sessions = rated_sessions(self._connection, invoice.sessions)
        except UnratedSessionError:
            return None
        credited = None
        if invoice.credits is not None:
            try:
                credited = self._credits(invoice, invoice.credits, sessions)
            except (UnratedSessionError, ValueError, LookupError, msgspec.MsgspecError):
                return None  # what it says that it credits is not there, or no document at all
        return order_of(
            invoice.cause, sessions, self._declarations, at=invoice.issued_at, credited=credited
        )

    def _credits(
        self, note: Invoice, number: str, sessions: Sequence[SessionRated]
    ) -> Credited | None:
        """Return what a credit note is about: the lines that it names, and what follows from that.

        Which lines, and which revision held by then, was found out when it was issued.
        """
        issued_on, cause = self._issued[number]
        invoice = self._issuer.find(cause)
        earlier = tuple(sorted(self._credited[number], key=attrgetter("session_id")))
        about = None if invoice is None else CreditedAbout(number, issued_on, invoice)
        return credited_again(self._connection, note, sessions, about, earlier)

    def _row(self, invoice: Invoice, order: InvoiceOrder | None, again: str | None) -> Comparison:
        kept = self._connection.execute(ISSUED, (invoice.number,)).fetchone()
        expected = None
        if again is not None and order is not None:
            document, first = read_document(again), order.sessions[0]
            moment = self._connection.execute("SELECT %s::text", (invoice.issued_at,)).fetchone()
            expected = (
                first.payer.customer, document.currency, str(document.issued_on),
                moment[0] if moment else None, document.net_minor, document.vat_minor,
                document.gross_minor, document.rounding_minor, document.due_minor,
                invoice.sha256, first.legal_entity, invoice.cause, invoice.credits,
                invoice.place, invoice.sha256,
            )  # fmt: skip
        return Comparison("invoice row", invoice.number or "", str(kept), str(expected))

    def _postings(
        self, invoice: Invoice, entry: JournalEntry | None, notification_id: int
    ) -> Iterator[Comparison]:
        number = invoice.number or ""
        what = "invoice" if invoice.credits is None else "credit"
        kept = self._connection.execute(POSTED, (f"{what}:{number}",)).fetchall()
        yield Comparison("invoice postings", number, str(kept), str(_legs(entry)))
        booked = self._closed.booked(entry, notification_id) if entry else None
        month = booked and (booked.period or booked.original_period, booked.original_period)
        found = self._connection.execute(BOOKED_IN, (f"{what}:{number}",)).fetchone()
        yield Comparison("invoice period", number, str(found), str(month))

    def _kept_marks(self) -> str:
        rows = self._connection.execute(MARKS).fetchall()
        return _text(
            MonthMark(entity, number, month, MarkAct(act), position)
            for entity, number, month, act, position in rows
        )


class CreditedAbout(NamedTuple):
    """Which invoice a note is about, when it was issued, and as it was."""

    number: str
    issued_on: date
    invoice: Invoice


def credited_again(
    connection: Connection[Any],
    note: Invoice,
    sessions: Sequence[SessionRated],
    about: CreditedAbout | None,
    before: tuple[SessionRated, ...],
) -> Credited | None:
    """Return what *note* credits, by the lines and revisions that it names; None: it names none.

    *before*: what earlier notes over the same invoice credited, by session id.
    """
    parts = {s.session_id: s.credited for s in read_document(note.document).sessions}
    named = [parts[each.session_id] for each in sessions]
    if about is None or None in named:
        return None
    known = [part for part in named if part is not None]
    replaced_by = [
        SessionRevision(each.session_id, part.replaced_by)
        for each, part in zip(sessions, known, strict=True)
    ]
    first = lines_before(read_document(about.invoice.document))
    again = {
        was.session_id: credited_part(was, part.rated_lines, now, first[was.decides])
        for was, part, now in zip(
            sessions, known, rated_sessions(connection, replaced_by), strict=True
        )
    }
    return Credited(number=about.number, issued_on=about.issued_on, parts=again, before=before)


def rendered_again(invoice: Invoice, order: InvoiceOrder) -> str:
    """Return the document as it should be, in the schema that the issued one says it has."""
    try:
        schema = read_document(invoice.document).schema
    except msgspec.MsgspecError:  # it was tampered with: to be seen, it is compared with today's
        schema = DOCUMENT_SCHEMA
    schema = min(max(schema, 1), DOCUMENT_SCHEMA)
    number = order.number(invoice.place, invoice.issued_on)
    return render_invoice(order, number=number, issued_on=invoice.issued_on, schema=schema).decode()


def _text(marks: Iterable[MonthMark]) -> str:
    return "\n".join(map(str, marks))


def _entry(invoice: Invoice, order: InvoiceOrder | None) -> JournalEntry | None:
    """Return what issuing *invoice* posts, None where that is nothing or not known."""
    if order is None:
        return None
    before = order.credits.before if order.credits else None
    return document_entry(invoice, order.charged, before)


def _legs(entry: JournalEntry | None) -> list[tuple[object, ...]]:
    return [
        (entry.entry_id, number, leg.account, leg.party, leg.currency, leg.amount_minor)
        for entry in ([entry] if entry else [])
        for number, leg in enumerate(entry.postings, 1)
    ]
