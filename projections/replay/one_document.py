"""One document made again from what is recorded: its bytes, and the ratings that it names.

    ratings     priced again by the facts up to their record, as master data was known then
    document    rendered again from its ratings as they are kept, and what was declared then

The whole log decides the same in `wattledger replay --check`; a correction, and what follows a
partner's CDR, is compared there alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any, LiteralString

import msgspec
from psycopg import Connection

from ledger.books.decisions_store import UnratedSessionError, rated_sessions
from ledger.declared.declarations import Declarations
from ledger.declared.store import load_declarations
from ledger.errors import LedgerError
from ledger.invoices.document import charged_by, read_document
from ledger.invoices.invoice import Invoice
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.order import Credited, cause_of_credit, order_of
from ledger.rating.decide import decide, release
from ledger.rating.decisions import SessionRated, encode_decision
from ledger.rating.entitlements import Entitlements
from ledger.rating.recorded import RecordedAllowances, RecordedDecisions, RecordedZones
from projections.energy.session_then import session_then
from projections.errors import UnknownInvoiceError
from projections.replay.comparison import Comparison
from projections.replay.invoices import CreditedAbout, credited_again, rendered_again

_CAUSE: LiteralString = "SELECT cause FROM issued_invoice WHERE number = %s"
_SHOWN: LiteralString = "SELECT validations FROM session WHERE session_id = %s"
_BOOKS: LiteralString = "books"


class NotComparedError(LedgerError):
    """A rating is compared by a replay of the whole log alone."""

    def __init__(self, decision: SessionRated) -> None:
        why = "a correction" if decision.corrects else "priced by a partner's CDR"
        super().__init__(f"{decision.session_id} is {why}: `wattledger replay --check` compares it")


def issued_as(connection: Connection[Any], issuer: InvoiceIssuer, number: str) -> Invoice:
    """Return the decision by which document *number* was issued.

    Raises:
        UnknownInvoiceError: If there is none.
    """
    row = connection.execute(_CAUSE, (number,)).fetchone()
    invoice = issuer.find(row[0]) if row else None
    if invoice is None:
        raise UnknownInvoiceError(number)
    return invoice


def document_again(connection: Connection[Any], issuer: InvoiceIssuer, number: str) -> Comparison:
    """Return the canonical document *number* as it was issued, beside what it is made to be now.

    Raises:
        UnknownInvoiceError: If there is none.
    """
    invoice = issued_as(connection, issuer, number)
    again = None
    try:
        sessions = rated_sessions(connection, invoice.sessions)
        declarations = load_declarations(connection, invoice.declared_version)
        order = order_of(
            invoice.cause,
            sessions,
            declarations,
            at=invoice.issued_at,
            credited=_credits(connection, issuer, invoice, sessions),
        )
        again = rendered_again(invoice, order)
    except (UnratedSessionError, ValueError, LookupError, msgspec.MsgspecError):
        pass  # what it is made of is not there any more: that is what is told
    return Comparison("invoice document", number, invoice.document, again)


def rating_again(
    connection: Connection[Any], decision: SessionRated, declarations: Declarations
) -> Comparison:
    """Return a rating as it is kept, beside what is decided by the same inputs now.

    *declarations* are those of its version.

    Raises:
        NotComparedError: If it is a correction, or follows a partner's CDR.
    """
    if decision.corrects is not None or decision.elsewhere is not None:
        raise NotComparedError(decision)
    session_id, moment = decision.session_id, decision.moment
    session = session_then(connection, declarations, decision)
    recorded = RecordedDecisions(connection, _BOOKS)
    shown = connection.execute(_SHOWN, (session_id,)).fetchone()
    entitled = Entitlements(
        validations=tuple(shown[0]) if shown else (),
        allowances=RecordedAllowances(recorded),
        zones=RecordedZones(recorded, session_id, moment.position),
    )
    again: object = None
    if session is not None and (chosen := decision.release) is not None:
        again = release(
            session,
            declarations,
            moment=moment,
            by=chosen.by,
            reason=chosen.reason,
            entitlements=entitled,
            revision=decision.revision,
        )
    elif session is not None:
        again = decide(
            session,
            declarations,
            moment=moment,
            entitlements=entitled,
            revision=decision.revision,
        )
    made = encode_decision(again).decode() if isinstance(again, SessionRated) else None
    return Comparison("decision", session_id, encode_decision(decision).decode(), made)


def ratings_again(
    connection: Connection[Any], decisions: Sequence[SessionRated]
) -> Iterator[Comparison | NotComparedError]:
    """Yield each of *decisions* beside what is decided now, or why it is not compared here."""
    declarations = None
    for decision in sorted(decisions, key=attrgetter("declared_version")):
        declarations = load_declarations(connection, decision.declared_version, known=declarations)
        try:
            yield rating_again(connection, decision, declarations)
        except NotComparedError as error:
            yield error


def _credits(
    connection: Connection[Any],
    issuer: InvoiceIssuer,
    note: Invoice,
    sessions: Sequence[SessionRated],
) -> Credited | None:
    number = note.credits
    if number is None:
        return None
    row = connection.execute(_CAUSE, (number,)).fetchone()
    invoice = issuer.find(row[0]) if row else None
    # "credit:<count>:<number>": those before it have the counts before it.
    count = int(note.cause.split(":", 2)[1])
    earlier: list[SessionRated] = []
    for each in range(1, count):
        before = issuer.find(cause_of_credit(number, each))
        if before is not None:
            document = read_document(before.document)
            earlier += charged_by(document, rated_sessions(connection, before.sessions))
    about = None if invoice is None else CreditedAbout(number, invoice.issued_on, invoice)
    return credited_again(
        connection, note, sessions, about, tuple(sorted(earlier, key=attrgetter("session_id")))
    )
