"""What a partner says of our CDRs: that it does not pay one, and, once decided, that it does."""

from __future__ import annotations

from datetime import datetime
from typing import Any, LiteralString

from psycopg import Connection

from ledger.books.periods import lock_documents
from ledger.desk.settling.refusals import ReasonlessDisputeError
from ledger.errors import LedgerError

_FIND: LiteralString = """
SELECT settled.number FROM roaming_cdr AS cdr
LEFT JOIN settled_cdr AS settled ON settled.side = 'sent' AND settled.party = cdr.party
    AND settled.cdr_key = lower(cdr.cdr_id)
WHERE cdr.party = %s AND lower(cdr.cdr_id) = lower(%s)
"""
_SAY: LiteralString = """
INSERT INTO contested_cdr (party, cdr_key, is_contested, said_at, recorded_by, reason)
VALUES (%s, lower(%s), %s, %s, %s, %s)
"""


def contest(
    connection: Connection[Any],
    party: str,
    cdr_id: str,
    *,
    is_contested: bool,
    by: str,
    at: datetime,
    reason: str,
) -> None:
    """Record that *party* contests a CDR of ours, or does so no longer; until then it waits.

    Raises:
        UnsentCdrError: If no such CDR was made for it.
        SettledCdrError: If it stands in a settlement.
        ReasonlessDisputeError: If no reason is given.
    """
    if not reason.strip():
        raise ReasonlessDisputeError(party)
    with connection.transaction():
        # No settlement is agreed meanwhile that would take it.
        lock_documents(connection)
        found = connection.execute(_FIND, (party, cdr_id)).fetchone()
        if found is None:
            raise UnsentCdrError(party, cdr_id)
        if found[0] is not None:
            raise SettledCdrError(cdr_id, found[0])
        connection.execute(_SAY, (party, cdr_id, is_contested, at, by, reason))


class UnsentCdrError(LedgerError):
    """No such CDR was made for a partner."""

    def __init__(self, party: str, cdr_id: str) -> None:
        super().__init__(
            f"no CDR {cdr_id[:40]!a} of ours went to {party}: `wattledger cdr list` has those"
        )
        self.party, self.cdr_id = party, cdr_id


class SettledCdrError(LedgerError):
    """What was agreed to is not contested; it is credited."""

    def __init__(self, cdr_id: str, number: str) -> None:
        super().__init__(
            f"CDR {cdr_id[:40]!a} stands in settlement {number}, which is agreed: what is wrong "
            "about it is corrected (`wattledger sessions correct`), and credited with the next one"
        )
        self.cdr_id, self.number = cdr_id, number
