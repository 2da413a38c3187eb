"""What payment terminals said of payments for a session; nothing here is booked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, LiteralString

import msgspec
from psycopg import Connection

from ledger.facts.receipts import receipt_id, receipt_number
from ledger.facts.station_facts import PaymentReported
from ledger.facts.stored import unpack_facts
from ledger.sessions.session import ChargingSession

_FACTS: LiteralString = """
SELECT facts FROM fact
WHERE station_id = %s AND transaction_ref = %s AND received_until >= %s ORDER BY position
"""
_RECEIPT: LiteralString = """
SELECT station_id, transaction_ref, given_at FROM receipt WHERE number = %s
"""
_SESSIONS: LiteralString = """
SELECT session_id FROM session
WHERE station_id = %s AND transaction_ref = %s AND state <> 'replaced'
ORDER BY coalesce(started_at, first_fact_at) DESC, session_id LIMIT 100
"""


_EVER: Final = datetime(1900, 1, 1, tzinfo=UTC)
_APART: Final = timedelta(hours=1)
"""The number is given before its line is received, by another clock."""


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """What a terminal said became of a payment; `amount` in major units."""

    psp_ref: str | None
    status: str | None
    amount: Decimal | None
    settled_at: datetime | None
    receipt_id: str | None


class ReceiptedPayment(msgspec.Struct, frozen=True, kw_only=True):
    """A payment that we gave a receipt, and the sessions of its transaction, the newest first.

    `payment` is null until the worker has taken the line that tells it.
    """

    receipt_id: str
    station: str
    transaction_id: str | None
    given_at: datetime
    sessions: list[str]
    payment: Payment | None


def payment_of_receipt(connection: Connection[Any], receipt: str) -> ReceiptedPayment | None:
    """Return the payment whose receipt has the id *receipt*; None where it is none of ours."""
    number = receipt_number(receipt)
    row = connection.execute(_RECEIPT, (number,)).fetchone()
    if number is None or row is None:
        return None
    station, reference, given_at = row
    known = connection.execute(_SESSIONS, (station, reference)).fetchall() if reference else []
    # Of payments for no transaction a station may have told without end.
    told = _payments(connection, station, reference, given_at - _APART)
    return ReceiptedPayment(
        receipt_id=receipt_id(number),
        station=station,
        transaction_id=reference or None,
        given_at=given_at,
        sessions=[session_id for (session_id,) in known],
        payment=next((each for each in told if each.receipt_id == receipt_id(number)), None),
    )


def payments_for(
    connection: Connection[Any], session: ChargingSession | None
) -> tuple[Payment, ...]:
    """Return what was told of a session's payments, each once, whenever it came.

    Most often that is after the decision, which it does not change.
    """
    if session is None or not session.transaction_ref:
        return ()
    return tuple(dict.fromkeys(_payments(connection, session.station_id, session.transaction_ref)))


def _payments(
    connection: Connection[Any], station_id: str, reference: str, since: datetime = _EVER
) -> Iterator[Payment]:
    for (packed,) in connection.execute(_FACTS, (station_id, reference, since)):
        for fact in unpack_facts(packed):
            if isinstance(fact, PaymentReported):
                yield Payment(
                    psp_ref=fact.psp_ref,
                    status=fact.status,
                    amount=fact.amount,
                    settled_at=fact.settled_at,
                    receipt_id=fact.receipt_id,
                )
