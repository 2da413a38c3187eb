"""What of an invoice is chosen about, and the choices that say so: shared by both commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from cyclopts import Parameter

from deploy.errors import DeployError
from deploy.output import say
from deploy.progress_bar import progress_bar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection

    from deploy.settings import Settings
    from ledger.books.document_taxes import DocumentTaxes
    from ledger.desk.crediting.billed_parts import BilledPart
    from ledger.log.envelope import Choice, ChoiceKind
    from ledger.log.event_log import EventLog

Reason = Annotated[str, Parameter(help="Why; it is kept with the decision, on no document.")]


class LineOfNoSessionError(DeployError):
    """The line by which an invoice's lines add up to it is nobody's charge."""

    def __init__(self, number: str, line: int) -> None:
        super().__init__(
            f"line {line} of invoice {number} is its rounding, which no session is behind: it is "
            "credited with the lines that it belongs to"
        )


class CreditNoteGivenError(DeployError):
    """A credit note is no invoice."""

    def __init__(self, number: str, invoice: str) -> None:
        super().__init__(f"{number} is a credit note; name the invoice, {invoice}, or a line of it")


class CreditedSession(msgspec.Struct, frozen=True, kw_only=True):
    """What of a session on an invoice is meant; `lines` are those of the rating there."""

    session_id: str
    revision: int
    lines: tuple[int, ...]
    is_done: bool


def parts_of(connection: Connection[Any], number: str, line: int | None) -> list[BilledPart]:
    """Return what of invoice *number*, or of its *line* alone, can be chosen about."""
    from ledger.desk.crediting.billed_parts import LineOnInvoice, billed_parts
    from projections.audit.trail import show_invoice
    from projections.errors import UnknownLineError

    document = show_invoice(connection, number)
    if document.credits is not None:
        raise CreditNoteGivenError(number, document.credits.number)
    if line is None:
        return billed_parts(connection, number)
    named = [each for each in document.lines if each.line == line]
    if not named:
        raise UnknownLineError(number, line, len(document.lines))
    if named[0].is_rounding:
        raise LineOfNoSessionError(number, line)
    on_invoice = LineOnInvoice(line, named[0].session_id, named[0].rated_line)
    return billed_parts(connection, number, on_invoice)


def choices_of(parts: Sequence[BilledPart], kind: ChoiceKind, by: str, reason: str) -> list[Choice]:
    """Return what somebody chose about *parts*, as lines of the log."""
    from deploy.clock import SystemClock
    from ledger.log.envelope import Choice

    now = SystemClock().now()
    return [
        Choice(
            received_at=now,
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


def record_all(
    connection: Connection[Any],
    log: EventLog,
    settings: Settings,
    choices: Sequence[Choice],
    *,
    is_shown: bool,
) -> None:
    """Record *choices*; return once the worker has taken them."""
    from deploy.running.owner import is_up
    from deploy.running.turns import work_off
    from ledger.desk.corrections import correct_all

    turn = None if is_up(settings) else work_off
    with progress_bar("recording", is_shown=is_shown) as told:
        correct_all(connection, choices, log=log, work_off=turn, told=told)


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


def say_amount(owed: DocumentTaxes, currency: str, *, is_done: bool) -> None:
    """Say what a credit note comes to."""
    from projections.invoice_list import amount

    net, tax, due = (
        amount(minor, currency) for minor in (owed.net_minor, owed.tax_minor, owed.due_minor)
    )
    said = "are owed no more" if is_done else "would be owed no more"
    say(f"{due} {said}: net {net}, tax {tax}.")
