"""What payment terminals said of payments for a session; nothing here is booked."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, LiteralString

import msgspec
from psycopg import Connection

from ledger.facts.station_facts import PaymentReported
from ledger.facts.stored import unpack_facts
from ledger.sessions.session import ChargingSession

_FACTS: LiteralString = """
SELECT facts FROM fact WHERE station_id = %s AND transaction_ref = %s ORDER BY position
"""


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """What a terminal said became of a payment; `amount` in major units."""

    psp_ref: str | None
    status: str | None
    amount: Decimal | None
    settled_at: datetime | None
    receipt_id: str | None


def payments_for(
    connection: Connection[Any], session: ChargingSession | None
) -> tuple[Payment, ...]:
    """Return what was told of a session's payments, each once, whenever it came.

    Most often that is after the decision, which it does not change.
    """
    if session is None or not session.transaction_ref:
        return ()
    key = (session.station_id, session.transaction_ref)
    told = [
        Payment(
            psp_ref=fact.psp_ref,
            status=fact.status,
            amount=fact.amount,
            settled_at=fact.settled_at,
            receipt_id=fact.receipt_id,
        )
        for (packed,) in connection.execute(_FACTS, key).fetchall()
        for fact in unpack_facts(packed)
        if isinstance(fact, PaymentReported)
    ]
    return tuple(dict.fromkeys(told))
