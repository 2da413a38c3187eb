"""A statement of account: gathered from the journal, the documents and the ratings behind them.

What a customer owes is what its documents charged, less what it paid and was not given back: the
sum of the postings to its receivables and its prepaid account. Settling a document from the prepaid
account moves nothing between the customer and the seller, and so is no row of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Any, Final, LiteralString, NamedTuple

import msgspec
from psycopg import Connection

from ledger.books.accounts import PREPAYMENTS, RECEIVABLE
from ledger.books.decisions_store import rated_sessions
from ledger.declared.declarations import Declarations
from ledger.declared.store import load_declarations
from ledger.invoices.document import Party, SellerDetails, seller_details_of
from ledger.invoices.order import part_of
from ledger.master_data.customers import Customer, PersonDetails
from ledger.master_data.legal_entities import LegalEntity
from ledger.persons.store import read_blobs
from ledger.rating.decisions import SessionRated, SessionRevision
from projections.customers.account_sums import moved_until
from projections.errors import ProjectionError
from tariffs.zones import zone

SESSIONS_AT_ONCE: Final = 200
"""So many ratings are in memory at a time, however many a statement has."""

_MOVED: LiteralString = """
SELECT CASE WHEN invoice.credits IS NULL THEN 'invoice' ELSE 'credit_note' END AS kind,
       invoice.number AS reference, entry.booked_at, sum(leg.amount)::bigint AS minor
FROM issued_invoice AS invoice
JOIN journal_entry AS entry ON entry.entry_id =
    CASE WHEN invoice.credits IS NULL THEN 'invoice:' ELSE 'credit:' END || invoice.number
CROSS JOIN unnest(entry.accounts, entry.parties, entry.currencies, entry.amounts)
    AS leg (account, party, currency, amount)
WHERE invoice.customer = %(customer)s AND invoice.legal_entity = %(legal_entity)s
  AND invoice.currency = %(currency)s AND leg.account = %(receivable)s
  AND leg.party = %(customer)s AND leg.currency = %(currency)s
  AND invoice.issued_at >= %(since)s AND entry.booked_at >= %(since)s
  AND entry.booked_at < %(until)s
GROUP BY kind, reference, entry.booked_at
UNION ALL
SELECT 'payment', substr(entry_id, 9), booked_at, amounts[1]
FROM journal_entry
WHERE accounts[1] = 'prepayments' AND parties[1] = %(customer)s
  AND legal_entity = %(legal_entity)s AND currencies[1] = %(currency)s
  AND entry_id LIKE 'prepaid:%%' AND booked_at >= %(since)s AND booked_at < %(until)s
UNION ALL
SELECT CASE movement.kind WHEN 'refunded' THEN 'refund' WHEN 'refund_failed' THEN 'refund_failed'
       WHEN 'dispute_lost' THEN 'taken_back' ELSE 'payment' END,
       coalesce(nullif(document, ''), source || '/' || reference), happened_at,
       -sum(minor)::bigint
FROM allotment JOIN movement USING (number)
WHERE party = %(customer)s AND party <> '' AND account = %(receivable)s
  AND legal_entity = %(legal_entity)s AND currency = %(currency)s AND happened_at >= %(since)s
  AND happened_at < %(until)s
GROUP BY number, movement.kind, document, source, reference, happened_at
ORDER BY booked_at, kind, reference LIMIT %(limit)s
"""
# NULL: a document bills all lines of a session; a credit note takes those back that it names.
_SESSIONS: LiteralString = """
SELECT charged.session_id, charged.revision, charged.number, charged.credited
FROM (
    SELECT session_id, revision, number, NULL::integer[] AS credited
    FROM invoiced_session WHERE number = ANY (%(numbers)s)
    UNION ALL
    SELECT session_id, revision, number, array_agg(line)
    FROM credited_line WHERE number = ANY (%(numbers)s) GROUP BY session_id, revision, number
) AS charged LEFT JOIN session USING (session_id)
ORDER BY coalesce(session.started_at, (
    -- At a partner's station there is no session of ours: its lines say when it was.
    SELECT min(starts_at) FROM rated_line AS line
    WHERE line.session_id = charged.session_id AND line.revision = charged.revision
)), charged.session_id, charged.revision, charged.number
"""


class Wanted(NamedTuple):
    """Whose account, at whom, in which currency, and from which day to which (both included)."""

    customer: str
    legal_entity: str
    currency: str
    first_day: date
    last_day: date


class MovementKind(StrEnum):
    """What moves a balance."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"
    PAYMENT = "payment"
    REFUND = "refund"
    REFUND_FAILED = "refund_failed"
    TAKEN_BACK = "taken_back"

    @property
    def is_document(self) -> bool:
        """Whether it charges something: an invoice, or a note over one."""
        return self in {MovementKind.INVOICE, MovementKind.CREDIT_NOTE}


class Movement(msgspec.Struct, frozen=True, kw_only=True):
    """A row of a statement: above 0 the customer owes more. `day` is the seller's.

    `reference` is a document's number, also of the invoice that money was for; of what was paid in
    advance "LEGAL ENTITY/REFERENCE", of money for no document "SOURCE/REFERENCE".
    """

    day: date
    kind: MovementKind
    reference: str
    amount_minor: int
    balance_minor: int


class StatementSession(NamedTuple):
    """What document `number` charges for a session, or of a credit note takes back of it."""

    number: str
    decision: SessionRated
    is_credited: bool = False

    @property
    def gross_minor(self) -> int:
        """Return what it adds to what is owed."""
        return -self.decision.gross_minor if self.is_credited else self.decision.gross_minor


class ShownStatement(msgspec.Struct, frozen=True, kw_only=True):
    """A statement without its sessions, which are read when they are set. Amounts in minor units.

    A balance above 0 is owed by the customer, one below 0 to it.
    """

    wanted: Wanted
    language: str
    seller: Party
    seller_details: SellerDetails
    buyer: Party
    opening_minor: int
    closing_minor: int
    movements: tuple[Movement, ...]


class UnknownAccountError(ProjectionError):
    """There is no such legal entity or customer to make a statement of."""

    def __init__(self, key: str) -> None:
        super().__init__(f"{key} is not declared: no statement can be made")
        self.key = key


class LongStatementError(ProjectionError):
    """A statement has more rows than whoever asked takes at once."""

    def __init__(self, moves_max: int) -> None:
        super().__init__(
            f"this statement has more than {moves_max} movements: ask for fewer days at a time, "
            "each opens with what the one before closed with"
        )
        self.moves_max = moves_max


class StatementPeriodError(ProjectionError):
    """A statement ends before it begins."""

    def __init__(self, first_day: date, last_day: date) -> None:
        super().__init__(f"a statement cannot go from {first_day} to {last_day}")
        self.first_day, self.last_day = first_day, last_day


def statement_of(
    connection: Connection[Any],
    wanted: Wanted,
    *,
    moves_max: int | None = None,
    known: Declarations | None = None,
) -> ShownStatement:
    """Return the statement that is *wanted*, with who is who as declared by now.

    *moves_max*: so many movements at most; None: however many there are. *known*: a snapshot.

    Raises:
        UnknownAccountError: If the legal entity or the customer was never declared.
        StatementPeriodError: If its last day lies before its first.
        LongStatementError: If it has more movements than *moves_max*.
    """
    if wanted.last_day < wanted.first_day:
        raise StatementPeriodError(wanted.first_day, wanted.last_day)
    declarations = load_declarations(connection, known=known)
    seller, calendar = _seller(declarations, wanted)
    # Who came on its last day, or was withdrawn by then, has an account all the same.
    customer = declarations.last_customer(wanted.customer, _end(wanted, calendar))
    if customer is None:
        raise UnknownAccountError(wanted.customer)
    since = _begin(wanted.first_day, calendar)
    opening_minor = balance_minor = _opening(connection, wanted, since)
    movements: list[Movement] = []
    for kind, reference, booked_at, minor in _moved(connection, wanted, calendar, moves_max):
        balance_minor += minor
        movements.append(
            Movement(
                day=booked_at.astimezone(calendar).date(),
                kind=MovementKind(kind),
                reference=reference,
                amount_minor=minor,
                balance_minor=balance_minor,
            )
        )
    if moves_max is not None and len(movements) > moves_max:
        raise LongStatementError(moves_max)
    return ShownStatement(
        wanted=wanted,
        language=customer.language,
        seller=Party(name=seller.name, vat_id=seller.vat_id, address=seller.address),
        seller_details=seller_details_of(seller),
        buyer=_buyer(connection, wanted.customer, customer),
        opening_minor=opening_minor,
        closing_minor=balance_minor,
        movements=tuple(movements),
    )


def statement_sessions(
    connection: Connection[Any], statement: ShownStatement
) -> Iterator[StatementSession]:
    """Yield what a statement's documents charge and take back, by the sessions' start."""
    documents = [each for each in statement.movements if each.kind.is_document]
    asked = {"numbers": [each.reference for each in documents]}
    rows = connection.execute(_SESSIONS, asked).fetchall()
    for start in range(0, len(rows), SESSIONS_AT_ONCE):
        page = rows[start : start + SESSIONS_AT_ONCE]
        named = [SessionRevision(*row[:2]) for row in page]
        decisions = rated_sessions(connection, named)
        for (_, _, number, credited), decision in zip(page, decisions, strict=True):
            if credited is None:
                yield StatementSession(number, decision)
            else:
                yield StatementSession(number, part_of(decision, credited), is_credited=True)


def _opening(connection: Connection[Any], wanted: Wanted, since: datetime) -> int:
    """Return what was owed before *since*: what an invoice took of a prepaid balance is in both."""
    whose = (wanted.customer, wanted.legal_entity, wanted.currency)
    return sum(
        moved_until(connection, [wanted.customer], account, since).get(whose, 0)
        for account in (RECEIVABLE, PREPAYMENTS)
    )


def _moved(
    connection: Connection[Any], wanted: Wanted, calendar: tzinfo, moves_max: int | None
) -> list[tuple[str, str, datetime, int]]:
    asked = {
        "customer": wanted.customer,
        "legal_entity": wanted.legal_entity,
        "currency": wanted.currency,
        "receivable": RECEIVABLE,
        "since": _begin(wanted.first_day, calendar),
        "until": _end(wanted, calendar),
        "limit": None if moves_max is None else moves_max + 1,
    }
    return connection.execute(_MOVED, asked).fetchall()


def _seller(declarations: Declarations, wanted: Wanted) -> tuple[LegalEntity, tzinfo]:
    at = datetime.combine(wanted.last_day + timedelta(days=1), time(), zone("UTC"))
    seller = declarations.last_legal_entity(wanted.legal_entity, at)
    if seller is None:
        raise UnknownAccountError(wanted.legal_entity)
    return seller, zone(seller.time_zone)


def _begin(day: date, calendar: tzinfo) -> datetime:
    return datetime.combine(day, time(), calendar)


def _end(wanted: Wanted, calendar: tzinfo) -> datetime:
    return _begin(wanted.last_day + timedelta(days=1), calendar)


def _buyer(connection: Connection[Any], key: str, customer: Customer) -> Party:
    blob = read_blobs(connection, [customer.details]).get(customer.details)
    if blob is None:
        return Party(name=key, vat_id=customer.vat_id)
    person = msgspec.json.decode(blob, type=PersonDetails)
    return Party(
        name=person.name, vat_id=customer.vat_id, address=person.address, email=person.email
    )
