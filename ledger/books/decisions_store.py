"""The store of decisions: append them with their lines, journal entries and turn in the queue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, LiteralString

from psycopg import Connection

from ledger.books.accounts import entry_for, reversal_of
from ledger.books.journal import JournalEntry, store_entries
from ledger.books.periods import ClosedMonths
from ledger.database import copy_rows
from ledger.errors import LedgerError
from ledger.master_data.customers import Invoicing
from ledger.rating.allowances import store_uses
from ledger.rating.decisions import (
    FIRST_REVISION,
    CorrectionCause,
    Decision,
    PayerKind,
    RatedTotal,
    SessionHeld,
    SessionRated,
    SessionRevision,
    encode_decision,
    hash_decision,
    kind_of,
)
from ledger.rating.stored import PACKING, unpack_decision, unpack_total

_DECISION_COPY: LiteralString = (
    "COPY session_decision (session_id, revision, partition, position, number, kind, station_id,"
    " decided_at, body, sha256) FROM STDIN"
)
_LINE_COPY: LiteralString = (
    "COPY rated_line (session_id, revision, line, component, dimension, starts_at, ends_at,"
    " volume, billed_volume, unit_price, tax_percent, currency, net_minor, tax_minor) FROM STDIN"
)
_QUEUE_COPY: LiteralString = (
    "COPY uninvoiced_session (session_id, revision, legal_entity, customer, currency,"
    " billing_month, invoicing, gross_minor, decided_at, partner) FROM STDIN"
)
_CORRECTION_COPY: LiteralString = (
    "COPY correction_to_document (session_id, revision, corrects, decided_at,"
    " is_settled_with_partner) FROM STDIN"
)
_REPLACED: LiteralString = """
DELETE FROM uninvoiced_session AS earlier
USING unnest(%s::text[], %s::integer[]) AS later (session_id, revision)
WHERE earlier.session_id = later.session_id AND earlier.revision < later.revision
"""
_RATINGS: LiteralString = """
SELECT session_id, revision, body FROM session_decision
JOIN unnest(%s::text[], %s::integer[]) AS wanted (session_id, revision)
    USING (session_id, revision)
WHERE kind IN ('rated', 'released', 'corrected')
"""


def store_decisions(
    connection: Connection[Any],
    decisions: Sequence[Decision],
    *,
    first_number: int,
    closed: ClosedMonths,
) -> None:
    """Append *decisions* and all that follows from them, within the caller's transaction.

    The database refuses a second final decision about a revision of a session, a second line for
    the same component and period, and an entry that does not balance.

    Args:
        connection: In a transaction that holds the partition's position (`ledger.worker.worker`).
        decisions: Of one partition, whole records.
        first_number: Of the first of them in the partition's feed; the others follow.
        closed: Which months are closed in that partition, and from where on.
    """
    if not decisions:
        return
    # A decision's number hangs on the log alone: a record holds one about a session at most.
    ordered = sorted(decisions, key=lambda each: (each.moment.position, each.session_id))
    rows = (_decision_row(each, number) for number, each in enumerate(ordered, first_number))
    rated = [decision for decision in decisions if isinstance(decision, SessionRated)]
    copy_rows(connection, _DECISION_COPY, rows)
    copy_rows(connection, _LINE_COPY, (row for decision in rated for row in _line_rows(decision)))
    store_uses(connection, rated)
    _take_from_queue(connection, decisions)
    copy_rows(connection, _QUEUE_COPY, (_queue_row(d) for d in rated if is_to_be_invoiced(d)))
    # What was written off posted nothing, and stands on no invoice.
    corrections = [
        decision
        for decision in rated
        if decision.corrects and decision.corrects.cause is not CorrectionCause.WRITE_OFF_TAKEN_BACK
    ]
    entries = [
        *_reversals(connection, corrections),
        *((each, entry) for each in decisions if (entry := entry_for(each))),
    ]
    store_entries(connection, [closed.booked(entry, at.moment.position) for at, entry in entries])


def _reversals(
    connection: Connection[Any], corrections: Sequence[SessionRated]
) -> list[tuple[Decision, JournalEntry]]:
    """Return what takes back the ratings that *corrections* replace, each behind its correction.

    Notes that they are to be documented.
    """
    if not corrections:
        return []
    was = [
        SessionRevision(each.session_id, each.corrects.revision)
        for each in corrections
        if each.corrects
    ]
    replaced = rated_sessions(connection, was)
    rows = (
        (*now.decides, before.revision, now.moment.at, before.payer.invoicing is None)
        for now, before in zip(corrections, replaced, strict=True)
    )
    copy_rows(connection, _CORRECTION_COPY, rows)
    pairs = zip(replaced, corrections, strict=True)
    return [(now, entry) for before, now in pairs if (entry := reversal_of(before, now))]


def is_to_be_invoiced(decision: SessionRated) -> bool:
    """Whether a rated session belongs on an invoice.

    Not where it is settled with a partner, and not where it alone would make an invoice of 0.
    A monthly invoice lists what was free as well, but nothing that was taken back.
    """
    if decision.is_given_back:
        return False
    match decision.payer.invoicing:
        case None:
            return False
        case Invoicing.PER_SESSION:
            return decision.gross_minor != 0 or decision.net_minor != 0
        case Invoicing.PER_MONTH | Invoicing.ON_THRESHOLD:
            return True


def rated_sessions(
    connection: Connection[Any], sessions: Sequence[SessionRevision]
) -> tuple[SessionRated, ...]:
    """Return the final ratings of these revisions of sessions, in that order.

    Raises:
        UnratedSessionError: If one of them was never rated.
    """
    bodies = _bodies(connection, sessions)
    return tuple(_rated(each, bodies.get(each)) for each in sessions)


def rated_totals(
    connection: Connection[Any], sessions: Sequence[SessionRevision]
) -> tuple[RatedTotal, ...]:
    """Return what the final ratings of these revisions of sessions come to, in that order.

    Raises:
        UnratedSessionError: If one of them was never rated.
    """
    bodies = _bodies(connection, sessions)
    missing = [each for each in sessions if each not in bodies]
    if missing:
        raise UnratedSessionError(missing[0])
    return tuple(unpack_total(bodies[each]) for each in sessions)


def _bodies(
    connection: Connection[Any], sessions: Sequence[SessionRevision]
) -> dict[SessionRevision, bytes]:
    columns = [each.session_id for each in sessions], [each.revision for each in sessions]
    return {
        SessionRevision(session_id, revision): body
        for session_id, revision, body in connection.execute(_RATINGS, columns)
    }


def _rated(wanted: SessionRevision, body: bytes | None) -> SessionRated:
    decision = unpack_decision(body) if body else None
    if not isinstance(decision, SessionRated):
        raise UnratedSessionError(wanted)
    return decision


def _take_from_queue(connection: Connection[Any], decisions: Iterable[Decision]) -> None:
    """Take what a correction replaces from the queue: nobody is to be billed for both."""
    later = [
        each
        for each in decisions
        if each.revision > FIRST_REVISION and not isinstance(each, SessionHeld)
    ]
    if later:
        columns = [each.session_id for each in later], [each.revision for each in later]
        connection.execute(_REPLACED, columns)


def _decision_row(decision: Decision, number: int) -> tuple[object, ...]:
    body, moment = encode_decision(decision), decision.moment
    return (
        decision.session_id,
        decision.revision,
        moment.partition,
        moment.position,
        number,
        kind_of(decision).value,
        decision.station_id,
        moment.at,
        PACKING.pack(body),
        bytes.fromhex(hash_decision(body)),
    )


def _line_rows(decision: SessionRated) -> Iterator[tuple[object, ...]]:
    for line in decision.lines:
        yield (
            decision.session_id,
            decision.revision,
            line.line,
            line.component,
            line.dimension.value,
            line.starts_at,
            line.ends_at,
            line.volume,
            line.billed_volume,
            line.unit_price,
            line.tax_percent,
            decision.currency,
            line.net_minor,
            line.tax_minor,
        )


def _queue_row(decision: SessionRated) -> tuple[object, ...]:
    payer = decision.payer
    return (
        decision.session_id,
        decision.revision,
        decision.legal_entity,
        payer.customer,
        decision.currency,
        decision.billing_month,
        payer.invoicing.value if payer.invoicing else None,
        decision.gross_minor,
        decision.moment.at,
        payer.party if payer.kind is PayerKind.PARTNER else None,
    )


class UnratedSessionError(LedgerError):
    """An invoice was asked for a session without a rating."""

    def __init__(self, wanted: SessionRevision) -> None:
        super().__init__(
            f"session {wanted.session_id} was never rated as revision {wanted.revision}"
        )
        self.session_id, self.revision = wanted
