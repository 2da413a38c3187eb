"""A movement with all that is known of it: postings, what asked for it, what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final, LiteralString

import msgspec
from psycopg import Connection
from psycopg.rows import class_row

from ledger.payments.bank.details import LineDetails
from ledger.payments.bank.lines import details_of_lines, find_line
from ledger.payments.movement import BANK, MoneyMovement
from ledger.payments.open_items import OpenItem, open_item
from ledger.payments.recording import movements
from ledger.payments.requests import (
    ProviderRequest,
    RequestKind,
    find_request,
    requests_for,
    requests_of_object,
)
from projections.payments.movement_list import ListedMovement, listed

RELATED_MAX: Final = 50
"""A movement has no more of anything that is told of it."""
_DIGITS_MAX: Final = 19
_NAMED: LiteralString = """
SELECT number FROM movement WHERE reference = %(named)s
UNION SELECT number FROM movement WHERE about = %(named)s AND about <> ''
UNION SELECT number FROM allotment WHERE document = %(named)s AND document <> ''
UNION SELECT number FROM movement WHERE kind = %(kind)s AND source = %(source)s
    AND reference = %(reference)s
UNION SELECT number FROM movement WHERE number = %(number)s
ORDER BY number LIMIT %(limit)s
"""
_POSTINGS: LiteralString = """
SELECT account, party, currency, amount_minor FROM posting WHERE entry_id = %s ORDER BY posting
"""
_PAYOUTS: LiteralString = """
SELECT payout_id, line_id, line.amount_minor, fee_minor, net_minor, currency, arrives_on::text
FROM payout_line AS line JOIN payout USING (provider, payout_id)
WHERE movement = %s ORDER BY payout_id, line_id LIMIT %s
"""
_DISPUTES: LiteralString = """
SELECT dispute_id, intent_id, status, currency, amount_minor, reason, created_at FROM dispute
WHERE provider = %(source)s AND (intent_id = ANY (%(named)s) OR dispute_id = ANY (%(named)s))
ORDER BY created_at, dispute_id LIMIT %(limit)s
"""
_RELATED: LiteralString = """
SELECT number FROM movement WHERE number <> %(number)s AND source = %(source)s
    AND (about = ANY (%(named)s) AND about <> '' OR reference = ANY (%(named)s))
ORDER BY number LIMIT %(limit)s
"""


class PostedLeg(msgspec.Struct, frozen=True, kw_only=True):
    """A leg of a movement's entry: a debit is positive. `party` as a subject id or a partner."""

    account: str
    party: str
    currency: str
    amount_minor: int


class AskedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked of a provider, under a key of ours, and how it goes with that."""

    key: str
    kind: str
    subject: str
    state: str
    attempts: int
    amount_minor: int
    currency: str
    decided_at: datetime
    decided_by: str
    object_id: str | None
    reason: str


class PayoutShare(msgspec.Struct, frozen=True, kw_only=True):
    """The line of a payout by which a movement's money left the provider."""

    payout_id: str
    line_id: str
    amount_minor: int
    fee_minor: int
    net_minor: int
    currency: str
    arrives_on: str | None


class DisputeOf(msgspec.Struct, frozen=True, kw_only=True):
    """A dispute about a payment."""

    dispute_id: str
    intent_id: str
    status: str
    currency: str
    amount_minor: int
    reason: str
    created_at: datetime


class ShownBankLine(msgspec.Struct, frozen=True, kw_only=True):
    """The line of a bank's statement behind a movement, and what of it nobody has matched yet.

    `written`: who paid and what it wrote; None once that was erased.
    """

    line: str
    booked_on: date
    value_on: date
    amount_minor: int
    currency: str
    unmatched_minor: int
    reason: str
    written: LineDetails | None


class MovementDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A movement, its `entry` in the journal, what it follows from and what follows from it."""

    movement: ListedMovement
    entry: str
    postings: tuple[PostedLeg, ...]
    requests: tuple[AskedRequest, ...]
    payouts: tuple[PayoutShare, ...]
    disputes: tuple[DisputeOf, ...]
    bank_line: ShownBankLine | None
    related: tuple[ListedMovement, ...]


class PaymentsFound(msgspec.Struct, frozen=True, kw_only=True):
    """What was found under a name: movements, a request without one, how an invoice stands."""

    movements: tuple[MovementDetail, ...]
    requests: tuple[AskedRequest, ...]
    invoice: OpenItem | None


def find_payments(connection: Connection[Any], named: str) -> PaymentsFound:
    """Return what *named* names.

    Args:
        connection: With the tables of the books.
        named: A movement's number, a reference of its source, an entry of the journal, the key of a
            request or the id of an object at the provider, or a document.
    """
    kind, _, rest = named.partition(":")
    source, _, reference = rest.partition("/")
    asked = {
        "named": named,
        "kind": kind,
        "source": source,
        "reference": reference,
        "number": int(named) if named.isdecimal() and len(named) < _DIGITS_MAX else None,
        "limit": RELATED_MAX,
    }
    numbers = [number for (number,) in connection.execute(_NAMED, asked)]
    request = find_request(connection, named)
    return PaymentsFound(
        movements=tuple(_detail(connection, each) for each in movements(connection, numbers)),
        requests=() if request is None else (_asked(request),),
        invoice=open_item(connection, named),
    )


def movement_detail(connection: Connection[Any], number: int) -> MovementDetail | None:
    """Return the movement of a number with all that is known of it; None where there is none."""
    found = movements(connection, [number])
    return _detail(connection, found[0]) if found else None


def _detail(connection: Connection[Any], movement: MoneyMovement) -> MovementDetail:
    named, requests = _named(connection, movement)
    with connection.cursor(row_factory=class_row(PostedLeg)) as cursor:
        postings = cursor.execute(_POSTINGS, (movement.entry_id,)).fetchall()
    with connection.cursor(row_factory=class_row(PayoutShare)) as cursor:
        payouts = cursor.execute(_PAYOUTS, (movement.number, RELATED_MAX)).fetchall()
    asked = movement._asdict() | {"named": sorted(named), "limit": RELATED_MAX}
    disputes = _disputes(connection, asked)
    asked["named"] = sorted(named | {each.dispute_id for each in disputes})
    related = [number for (number,) in connection.execute(_RELATED, asked)]
    [shown] = listed(connection, [movement])
    return MovementDetail(
        movement=shown,
        entry=movement.entry_id,
        postings=tuple(postings),
        requests=tuple(map(_asked, requests)),
        payouts=tuple(payouts),
        disputes=tuple(disputes),
        bank_line=_bank_line(connection, movement),
        related=tuple(listed(connection, movements(connection, related))),
    )


def _named(
    connection: Connection[Any], movement: MoneyMovement
) -> tuple[set[str], list[ProviderRequest]]:
    """Return under which names a movement's payment is known, and what was asked about it.

    A charge, its payment, what refunds it, a dispute about it: each has a name of its own at the
    provider, and requests say which belong together.
    """
    named = {movement.reference, movement.about} - {""}
    asked = {"source": movement.source, "named": sorted(named), "limit": RELATED_MAX}
    objects = named | {each.intent_id for each in _disputes(connection, asked)}
    request = find_request(connection, movement.about) if movement.about else None
    if request is not None:
        told = request.object_id, request.body.get("intent")
        objects |= {str(each) for each in told if each}
    found = {} if request is None else {request.key: request}
    if request is not None:
        # What gives it back names the payment that it was.
        others = requests_for(connection, request.subject, RequestKind.REFUND)
        found |= {each.key: each for each in others if each.body.get("intent") in objects}
    for name in sorted(objects):
        found |= {r.key: r for r in requests_of_object(connection, movement.source, name)}
    return named | objects | {*found}, [*found.values()][:RELATED_MAX]


def _bank_line(connection: Connection[Any], movement: MoneyMovement) -> ShownBankLine | None:
    if not movement.source.startswith(BANK):
        return None
    found = find_line(connection, movement.reference) or find_line(connection, movement.about)
    if found is None:
        return None
    return ShownBankLine(
        line=found.line,
        booked_on=found.booked_on,
        value_on=found.value_on,
        amount_minor=found.amount_minor,
        currency=found.currency,
        unmatched_minor=found.left_minor,
        reason=found.reason,
        written=details_of_lines(connection, [found]).get(found.line),
    )


def _disputes(connection: Connection[Any], asked: Mapping[str, object]) -> list[DisputeOf]:
    with connection.cursor(row_factory=class_row(DisputeOf)) as cursor:
        return cursor.execute(_DISPUTES, asked).fetchall()


def _asked(request: ProviderRequest) -> AskedRequest:
    return AskedRequest(
        key=request.key,
        kind=request.kind.value,
        subject=request.subject,
        state=request.state.value,
        attempts=request.attempts,
        amount_minor=request.amount_minor,
        currency=request.currency,
        decided_at=request.decided_at,
        decided_by=request.decided_by,
        object_id=request.object_id,
        reason=request.reason,
    )
