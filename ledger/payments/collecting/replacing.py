"""Corrected invoices of drivers without a contract: what was paid goes on to what replaces them.

    paid 4.76, the session is corrected to 5.20   -> a credit note, an invoice of 5.20: 4.76 of it
                                                     are paid, 0.44 open
    corrected to 4.00                             -> 4.00 go on, 0.76 are given back

To give all back and ask anew would lose it: nobody's card is on file. So what is credited is not
given back while the session's next revision waits for its invoice.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, LiteralString

from psycopg import Connection

from ledger.declared.declarations import Declarations
from ledger.payments.movement import Allotment, MoneyKind, MoneyMovement
from ledger.payments.open_items import OpenItem, open_item
from ledger.payments.recording import record_movement
from ledger.payments.taking import Taking

BY: Final = "replacing"
_AWAITS: LiteralString = """
SELECT EXISTS (
    SELECT FROM issued_invoice AS invoice JOIN invoiced_session AS stood USING (number)
    JOIN uninvoiced_session AS later ON later.session_id = stood.session_id
        AND later.revision > stood.revision
    WHERE invoice.number = %s AND invoice.customer IS NULL
)
"""
# The invoices on which earlier revisions of new ones' sessions stood.
_REPLACED: LiteralString = """
SELECT DISTINCT before.number
FROM issued_invoice AS invoice JOIN invoiced_session AS stands ON stands.number = invoice.number
JOIN invoiced_session AS before ON before.session_id = stands.session_id
    AND before.revision < stands.revision AND before.number <> invoice.number
WHERE invoice.number = ANY (%s) AND invoice.customer IS NULL
ORDER BY before.number
"""
_SUCCESSORS: LiteralString = """
SELECT DISTINCT later.number
FROM issued_invoice AS invoice JOIN invoiced_session AS stood ON stood.number = invoice.number
JOIN invoiced_session AS later ON later.session_id = stood.session_id
    AND later.revision > stood.revision AND later.number <> invoice.number
WHERE invoice.number = %s AND invoice.customer IS NULL
ORDER BY later.number
"""
_PAID_BY: LiteralString = """
SELECT about, sum(minor)::bigint FROM allotment JOIN movement USING (number)
WHERE document = %s AND document <> '' AND source = %s AND kind IN ('received', 'matched')
GROUP BY about HAVING sum(minor) > 0 ORDER BY about
"""


def awaits_replacement(connection: Connection[Any], number: str) -> bool:
    """Whether another invoice is to take the place of invoice *number*, of no customer."""
    [(found,)] = connection.execute(_AWAITS, (number,)).fetchall()
    return bool(found)


def replaced_by(connection: Connection[Any], issued: Sequence[str]) -> list[str]:
    """Return the invoices whose place *issued* ones, of no customer, have taken."""
    return [number for (number,) in connection.execute(_REPLACED, (list(issued),)).fetchall()]


def carry_over(
    connection: Connection[Any], declared: Declarations, provider: str, number: str, now: datetime
) -> None:
    """Let what was paid too much for invoice *number* count for those that have taken its place.

    Within the caller's transaction, under the books' lock. It is told again without effect.
    """
    for (later,) in connection.execute(_SUCCESSORS, (number,)).fetchall():
        old, new = open_item(connection, number), open_item(connection, later)
        if old is None or new is None or old.account is None or new.account is None:
            continue
        left = min(-old.open_minor, new.open_minor)
        for about, paid in connection.execute(_PAID_BY, (number, provider)).fetchall():
            part = min(left, paid)
            if part > 0:
                calendar = Taking(connection, declared, provider, now).calendar(new.legal_entity)
                record_movement(connection, _moved(old, new, provider, about, part, now), calendar)
                left -= part


def _moved(
    old: OpenItem, new: OpenItem, provider: str, about: str, minor: int, now: datetime
) -> MoneyMovement:
    assert old.account is not None
    assert new.account is not None
    return MoneyMovement(
        kind=MoneyKind.MATCHED,
        source=provider,
        reference=f"{new.number}<{old.number}<{about}"[:100],
        legal_entity=new.legal_entity,
        currency=new.currency,
        amount_minor=0,
        allotments=(
            Allotment(old.account, -minor, old.party or "", old.number),
            Allotment(new.account, minor, new.party or "", new.number),
        ),
        happened_at=now,
        recorded_by=BY,
        about=about,
    )
