"""The store of decisions: append them with their lines, journal entries and turn in the queue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, LiteralString

from psycopg import Connection

from ledger.books.accounts import entry_for
from ledger.books.journal import store_entries
from ledger.errors import LedgerError
from ledger.master_data.customers import Invoicing
from ledger.rating.allowances import store_uses
from ledger.rating.decisions import (
    Decision,
    SessionRated,
    decode_decision,
    encode_decision,
    hash_decision,
    kind_of,
)

_DECISION_COPY: LiteralString = (
    "COPY session_decision"
    " (session_id, partition, position, kind, station_id, decided_at, body, sha256) FROM STDIN"
)
_LINE_COPY: LiteralString = (
    "COPY rated_line (session_id, line, component, dimension, starts_at, ends_at, volume,"
    " billed_volume, unit_price, tax_percent, currency, net_minor, tax_minor) FROM STDIN"
)
_QUEUE_COPY: LiteralString = (
    "COPY uninvoiced_session"
    " (session_id, legal_entity, customer, currency, billing_month, invoicing) FROM STDIN"
)


def store_decisions(connection: Connection[Any], decisions: Sequence[Decision]) -> None:
    """Append *decisions* and all that follows from them, within the caller's transaction.

    The database refuses a second final decision about a session, a second line for the same
    component and period, and an entry that does not balance.
    """
    if not decisions:
        return
    rated = [decision for decision in decisions if isinstance(decision, SessionRated)]
    _copy(connection, _DECISION_COPY, (_decision_row(decision) for decision in decisions))
    _copy(connection, _LINE_COPY, (row for decision in rated for row in _line_rows(decision)))
    store_uses(connection, rated)
    _copy(connection, _QUEUE_COPY, (_queue_row(d) for d in rated if is_to_be_invoiced(d)))
    entries = [entry for decision in decisions if (entry := entry_for(decision))]
    store_entries(connection, entries)


def is_to_be_invoiced(decision: SessionRated) -> bool:
    """Whether a rated session belongs on an invoice.

    Not where it is settled with a partner, and not where it alone would make an invoice of 0.
    A monthly invoice lists what was free as well.
    """
    match decision.payer.invoicing:
        case None:
            return False
        case Invoicing.PER_SESSION:
            return decision.gross_minor != 0 or decision.net_minor != 0
        case Invoicing.PER_MONTH:
            return True


def rated_sessions(
    connection: Connection[Any], session_ids: Sequence[str]
) -> tuple[SessionRated, ...]:
    """Return the final ratings of *session_ids*, in that order.

    Raises:
        UnratedSessionError: If one of them was never rated.
    """
    rows = connection.execute(
        "SELECT session_id, body FROM session_decision"
        " WHERE session_id = ANY(%s) AND kind IN ('rated', 'released')",
        (list(session_ids),),
    )
    bodies: dict[str, str] = dict(rows.fetchall())
    return tuple(_rated(session_id, bodies.get(session_id)) for session_id in session_ids)


def _rated(session_id: str, body: str | None) -> SessionRated:
    decision = decode_decision(body) if body else None
    if not isinstance(decision, SessionRated):
        raise UnratedSessionError(session_id)
    return decision


def _copy(
    connection: Connection[Any], statement: LiteralString, rows: Iterable[tuple[object, ...]]
) -> None:
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def _decision_row(decision: Decision) -> tuple[object, ...]:
    body, moment = encode_decision(decision), decision.moment
    return (
        decision.session_id,
        moment.partition,
        moment.position,
        kind_of(decision).value,
        decision.station_id,
        moment.at,
        body.decode(),
        hash_decision(body),
    )


def _line_rows(decision: SessionRated) -> Iterator[tuple[object, ...]]:
    for line in decision.lines:
        yield (
            decision.session_id,
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
        decision.legal_entity,
        payer.customer,
        decision.currency,
        decision.billing_month,
        payer.invoicing.value if payer.invoicing else None,
    )


class UnratedSessionError(LedgerError):
    """An invoice was asked for a session without a rating."""

    def __init__(self, session_id: str) -> None:
        super().__init__(f"session {session_id} was never rated")
        self.session_id = session_id
