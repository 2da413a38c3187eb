"""What of an invoice is chosen about, and the choices that say so: for every way of choosing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from psycopg import Connection

from ledger.desk.crediting.billed_parts import (
    BilledPart,
    LineOnInvoice,
    billed_parts,
    with_what_goes_along,
)
from ledger.invoices.shown import ShownInvoice
from ledger.log.envelope import Choice, ChoiceKind
from projections.audit.shown_documents import show_invoice
from projections.errors import ProjectionError, UnknownLineError


class LineOfNoSessionError(ProjectionError):
    """The line by which an invoice's lines add up to it is nobody's charge."""

    def __init__(self, number: str, line: int) -> None:
        super().__init__(
            f"line {line} of invoice {number} is its rounding, which no session is behind: it is "
            "credited with the lines that it belongs to"
        )


class CreditNoteGivenError(ProjectionError):
    """A credit note is no invoice."""

    def __init__(self, number: str, invoice: str) -> None:
        super().__init__(f"{number} is a credit note; name the invoice, {invoice}, or a line of it")


class NotOnInvoiceError(ProjectionError):
    """No session of that id stands on the invoice, or nothing of it does any more."""

    def __init__(self, number: str, session_id: str) -> None:
        super().__init__(f"session {session_id} is not owed by invoice {number}, or no more")


class OtherTotalError(ProjectionError):
    """What is to be given back comes to another amount than who asks for it was shown."""

    def __init__(self, number: str, expected: str, due: str) -> None:
        super().__init__(
            f"giving that back of invoice {number} comes to {due}, not to {expected}: look again"
        )
        self.number, self.expected, self.due = number, expected, due


class CreditedSession(msgspec.Struct, frozen=True, kw_only=True):
    """What of a session on an invoice is meant; `lines` are those of the rating there."""

    session_id: str
    revision: int
    lines: tuple[int, ...]
    is_done: bool


def parts_of(
    connection: Connection[Any],
    number: str,
    lines: Sequence[int] = (),
    sessions: Sequence[str] = (),
) -> list[BilledPart]:
    """Return what of invoice *number* can be chosen about: these lines and sessions, or all of it.

    Raises:
        UnknownInvoiceError: If there is no such invoice.
        CreditNoteGivenError: If it is a credit note.
        UnknownLineError: If it has no such line.
        LineOfNoSessionError: If a line is its rounding.
        NotOnInvoiceError: If a session is not, or no more, owed by it.
        LedgerError: As `billed_parts` does.
    """
    document = show_invoice(connection, number)
    if document.credits is not None:
        raise CreditNoteGivenError(number, document.credits.number)
    if not lines and not sessions:
        return billed_parts(connection, number)
    found = _of_sessions(connection, number, sessions) if sessions else {}
    for line in dict.fromkeys(lines):
        on_invoice = _on_invoice(document, line)
        if on_invoice.session_id in sessions:
            continue
        for part in billed_parts(connection, number, on_invoice):
            before = found.get(on_invoice.session_id)
            found[on_invoice.session_id] = part if before is None else _both(before, part)
    return [with_what_goes_along(part) for part in found.values()]


def _of_sessions(
    connection: Connection[Any], number: str, sessions: Sequence[str]
) -> dict[str, BilledPart]:
    standing = {each.was.session_id: each for each in billed_parts(connection, number)}
    for session_id in sessions:
        if session_id not in standing:
            raise NotOnInvoiceError(number, session_id)
    return {session_id: standing[session_id] for session_id in sessions}


def _on_invoice(document: ShownInvoice, line: int) -> LineOnInvoice:
    for each in document.lines:
        if each.line == line and each.is_rounding:
            raise LineOfNoSessionError(document.number, line)
        if each.line == line:
            return LineOnInvoice(line, each.session_id, each.rated_line)
    raise UnknownLineError(document.number, line, len(document.lines))


def _both(first: BilledPart, second: BilledPart) -> BilledPart:
    """Return one part of a session in place of two: its choice is one, and names all lines."""
    return first._replace(
        lines=tuple(sorted({*first.lines, *second.lines})),
        chosen=tuple(sorted({*first.chosen, *second.chosen})),
    )


def choices_of(
    parts: Sequence[BilledPart], kind: ChoiceKind, by: str, reason: str, at: datetime
) -> list[Choice]:
    """Return what somebody chose about *parts*, as lines of the log."""
    return [
        Choice(
            received_at=at,
            station=part.now.station_id,
            session_id=part.now.session_id,
            choice=kind,
            by=by,
            reason=reason,
            revision=part.now.revision,
            lines=part.chosen,
        )
        for part in parts
    ]


def credited_sessions(
    connection: Connection[Any], parts: Sequence[BilledPart]
) -> list[CreditedSession]:
    """Return what is meant of each session, and whether a further revision says so by now."""
    query = "SELECT session_id, revision FROM session WHERE session_id = ANY(%s)"
    ids = [part.now.session_id for part in parts]
    revisions = dict(connection.execute(query, (ids,)).fetchall())
    return [
        CreditedSession(
            session_id=part.now.session_id,
            revision=part.now.revision,
            lines=part.lines,
            is_done=revisions.get(part.now.session_id, 0) > part.now.revision,
        )
        for part in parts
    ]
