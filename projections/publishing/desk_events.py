"""Decisions that are no session's as events: invoices, prepayments, what became of tariffs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, LiteralString, NamedTuple, assert_never

import msgspec
from psycopg import Connection
from psycopg.rows import class_row

from ledger.approvals.history import RecordedMove, TariffMove
from ledger.books.feed import FeedEntry
from ledger.books.prepayments import prepayments
from ledger.settlements.statement import Settlement, SettlementSide
from projections.publishing.event_types import (
    INVOICED_SESSIONS_MAX,
    CreditNoteBody,
    CreditNoteIssuedEvent,
    DecisionEvent,
    EventSide,
    EventTotal,
    InvoiceBody,
    InvoicedRevision,
    InvoiceIssuedEvent,
    PrepaymentBody,
    PrepaymentRecordedEvent,
    ReplacedBody,
    RetirementProposedEvent,
    RetirementRejectedEvent,
    SettlementAgreedEvent,
    SettlementBody,
    TariffAdoptedEvent,
    TariffApprovedEvent,
    TariffBody,
    TariffEndBody,
    TariffProposedEvent,
    TariffRejectedEvent,
    TariffReplacedEvent,
    TariffRetiredEvent,
    TariffStartBody,
)
from projections.publishing.making import Numbered, amount, in_utc, make_event, numeral

_MONTH: Final = "month:"
_INVOICES: LiteralString = """
SELECT number, issued_on, legal_entity, customer, cause, currency, net_minor, tax_minor,
    gross_minor, rounding_minor, due_minor, issued_at, credits,
    (SELECT count(*) FROM invoiced_session WHERE number = invoice.number)
    + (SELECT count(*) FROM credited_session WHERE number = invoice.number) AS session_count
FROM issued_invoice AS invoice WHERE number = ANY(%s)
"""
_SESSIONS: LiteralString = """
SELECT invoice.number, session_id, revision FROM unnest(%s::text[]) AS invoice (number),
LATERAL (
    SELECT session_id, revision FROM invoiced_session WHERE number = invoice.number
    UNION ALL SELECT session_id, revision FROM credited_session WHERE number = invoice.number
    LIMIT %s
) AS billed
"""
_SETTLEMENTS: LiteralString = """
SELECT number, period, agreed_at, body FROM partner_settlement WHERE number = ANY(%s)
"""
_SETTLEMENT: Final = msgspec.json.Decoder(Settlement)
_TYPES: Final[Mapping[TariffMove, type[DecisionEvent]]] = {
    TariffMove.PROPOSED: TariffProposedEvent,
    TariffMove.ADOPTED: TariffAdoptedEvent,
    TariffMove.APPROVED: TariffApprovedEvent,
    TariffMove.REJECTED: TariffRejectedEvent,
    TariffMove.REPLACED: TariffReplacedEvent,
    TariffMove.RETIREMENT_PROPOSED: RetirementProposedEvent,
    TariffMove.RETIREMENT_REJECTED: RetirementRejectedEvent,
    TariffMove.RETIRED: TariffRetiredEvent,
}


class _Invoice(NamedTuple):
    """A row of issued_invoice."""

    number: str
    issued_on: Any
    legal_entity: str
    customer: str | None
    cause: str
    currency: str
    net_minor: int
    tax_minor: int
    gross_minor: int
    rounding_minor: int
    due_minor: int
    issued_at: Any
    credits: str | None
    session_count: int


def invoice_events(
    connection: Connection[Any], entries: Sequence[FeedEntry], *, source: str
) -> list[DecisionEvent]:
    """Return the events that tell of *entries*, issued documents, in their order."""
    numbers = [entry.subject for entry in entries]
    with connection.cursor(row_factory=class_row(_Invoice)) as cursor:
        invoices = {row.number: row for row in cursor.execute(_INVOICES, (numbers,))}
    billed: defaultdict[str, list[InvoicedRevision]] = defaultdict(list)
    # With one more than an event names: then there are too many.
    limit = INVOICED_SESSIONS_MAX + 1
    for number, session_id, revision in connection.execute(_SESSIONS, (numbers, limit)):
        billed[number].append(InvoicedRevision(session_id=session_id, revision=revision))
    return [
        make_event(
            CreditNoteIssuedEvent if invoices[entry.subject].credits else InvoiceIssuedEvent,
            _document_body(invoices[entry.subject], billed[entry.subject]),
            numbered=Numbered(source, entry.number),
            key=entry.subject,
            decided_at=invoices[entry.subject].issued_at,
            sha256=entry.sha256,
        )
        for entry in entries
    ]


def prepayment_events(
    connection: Connection[Any], entries: Sequence[FeedEntry], *, source: str
) -> list[DecisionEvent]:
    """Return the events that tell of *entries*, prepayments, in their order."""
    numbers = [int(entry.subject) for entry in entries]
    rows = {paid.number: paid for paid in prepayments(connection, numbers)}
    return [
        make_event(
            PrepaymentRecordedEvent,
            PrepaymentBody(
                number=paid.number,
                legal_entity=paid.legal_entity,
                customer=paid.customer,
                currency=paid.currency,
                amount=amount(paid.amount_minor, paid.currency),
            ),
            numbered=Numbered(source, entry.number),
            key=paid.customer,
            decided_at=paid.received_at,
            sha256=entry.sha256,
        )
        for entry, paid in ((entry, rows[int(entry.subject)]) for entry in entries)
    ]


def settlement_events(
    connection: Connection[Any], entries: Sequence[FeedEntry], *, source: str
) -> list[DecisionEvent]:
    """Return the events that tell of *entries*, agreed settlements, in their order."""
    numbers = [entry.subject for entry in entries]
    rows = {number: row for number, *row in connection.execute(_SETTLEMENTS, (numbers,))}
    return [
        make_event(
            SettlementAgreedEvent,
            _settlement_body(entry.subject, period, _SETTLEMENT.decode(bytes(body))),
            numbered=Numbered(source, entry.number),
            key=entry.subject,
            decided_at=agreed_at,
            sha256=entry.sha256,
        )
        for entry in entries
        for period, agreed_at, body in [rows[entry.subject]]
    ]


def _settlement_body(number: str, period: str, agreed: Settlement) -> SettlementBody:
    terms = agreed.terms
    return SettlementBody(
        number=number,
        legal_entity=terms.legal_entity,
        partner=terms.party,
        month=terms.month,
        period=period,
        currency=terms.currency,
        sent=_side(agreed.sent, terms.currency),
        received=_side(agreed.received, terms.currency),
        due=amount(agreed.due_minor, terms.currency),
        excluded=len(agreed.excluded),
    )


def _side(side: SettlementSide, currency: str) -> EventSide:
    return EventSide(
        cdrs=side.count,
        energy_wh=numeral(side.energy_wh),
        net=amount(side.net_minor, currency),
        tax=amount(side.tax_minor, currency),
        gross=amount(side.gross_minor, currency),
    )


def _document_body(invoice: _Invoice, billed: Sequence[InvoicedRevision]) -> InvoiceBody:
    body = _invoice_body(invoice, billed)
    if invoice.credits is None:
        return body
    return CreditNoteBody(**msgspec.structs.asdict(body), credits=invoice.credits)


def _invoice_body(invoice: _Invoice, billed: Sequence[InvoicedRevision]) -> InvoiceBody:
    currency = invoice.currency
    is_named = len(billed) <= INVOICED_SESSIONS_MAX
    return InvoiceBody(
        number=invoice.number,
        issued_on=invoice.issued_on,
        legal_entity=invoice.legal_entity,
        customer=invoice.customer,
        month=invoice.cause.split(":")[1] if invoice.cause.startswith(_MONTH) else None,
        total=EventTotal(
            currency=currency,
            net=amount(invoice.net_minor, currency),
            tax=amount(invoice.tax_minor, currency),
            gross=amount(invoice.gross_minor, currency),
            rounding=amount(invoice.rounding_minor, currency),
            due=amount(invoice.due_minor, currency),
        ),
        session_count=invoice.session_count,
        sessions=tuple(sorted(billed, key=_by_id)) if is_named else None,
    )


def _by_id(billed: InvoicedRevision) -> tuple[str, int]:
    return billed.session_id, billed.revision


def tariff_event(recorded: RecordedMove, *, source: str) -> DecisionEvent | None:
    """Return the event that tells of a move; None if nobody decided anything."""
    if recorded.move is None:
        return None
    return make_event(
        _TYPES[recorded.move],
        _tariff_body(recorded, recorded.move),
        numbered=Numbered(source, recorded.number),
        key=recorded.record.tariff_id,
        decided_at=recorded.at,
        sha256=recorded.record.sha256,
    )


def _tariff_body(recorded: RecordedMove, move: TariffMove) -> msgspec.Struct:
    record = recorded.record
    tariff_id, version = record.tariff_id, record.number
    holds_from, holds_until = record.holds_from, record.holds_until
    match move:
        case TariffMove.PROPOSED | TariffMove.ADOPTED | TariffMove.APPROVED:
            since = None if holds_from is None else in_utc(holds_from)
            return TariffStartBody(tariff_id=tariff_id, version=version, holds_from=since)
        case TariffMove.RETIREMENT_PROPOSED | TariffMove.RETIRED:
            until = None if holds_until is None else in_utc(holds_until)
            return TariffEndBody(tariff_id=tariff_id, version=version, holds_until=until)
        case TariffMove.REJECTED | TariffMove.RETIREMENT_REJECTED:
            return TariffBody(tariff_id=tariff_id, version=version)
        case TariffMove.REPLACED:
            newer = record.replaced_by
            assert newer is not None
            return ReplacedBody(tariff_id=tariff_id, version=version, replaced_by=newer)
        case _:
            assert_never(move)
