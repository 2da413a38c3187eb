"""Sessions that were billed on their readings, and whose stop came afterwards: and was billed."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, LiteralString

import msgspec
from psycopg import Connection
from psycopg.rows import class_row

from ledger.facts.flags import Flag
from ledger.rating.decisions import SessionRated
from ledger.rating.stored import unpack_decision

_BILLED_BEFORE_THEIR_STOP: LiteralString = """
SELECT session.session_id, first.number AS invoice, issued_on, last_fact_at AS stop_came_at,
       credited.number AS credit_note, again.number AS invoice_again
FROM session_decision AS released JOIN session USING (session_id)
JOIN invoiced_session AS first
    ON first.session_id = session.session_id AND first.revision = released.revision
JOIN issued_invoice ON issued_invoice.number = first.number
LEFT JOIN credited_session AS credited
    ON credited.session_id = session.session_id AND credited.revision = released.revision
LEFT JOIN invoiced_session AS again
    ON again.session_id = session.session_id AND again.revision = session.revision
    AND session.revision > released.revision
WHERE kind = 'released' AND %s = ANY(flags) ORDER BY session.session_id
"""


class LateStop(msgspec.Struct, frozen=True, kw_only=True):
    """A session that a person released, the invoice that it was on, and when its stop came.

    `credit_note` and `invoice_again` are what became of it then: null where its customer is billed
    with the next month.
    """

    session_id: str
    invoice: str
    issued_on: date
    stop_came_at: datetime
    credit_note: str | None
    invoice_again: str | None


class Corrections(msgspec.Struct, frozen=True, kw_only=True):
    """How many sessions were priced again, and by how many Wh those bills differ now."""

    count: int
    energy_wh: Decimal
    energy_wh_by_session: dict[str, Decimal]


def find_late_stops(connection: Connection[Any]) -> tuple[LateStop, ...]:
    """Return every session whose stop came after it was billed."""
    with connection.cursor(row_factory=class_row(LateStop)) as cursor:
        return tuple(cursor.execute(_BILLED_BEFORE_THEIR_STOP, (Flag.LATE_FACT,)))


def find_corrections(connection: Connection[Any]) -> Corrections:
    """Return what was corrected in all."""
    query = "SELECT body FROM session_decision WHERE kind = 'corrected' ORDER BY session_id"
    decisions = [unpack_decision(body) for (body,) in connection.execute(query)]
    moved = {
        each.session_id: each.energy_wh - each.corrects.energy_wh
        for each in decisions
        if isinstance(each, SessionRated) and each.corrects
    }
    return Corrections(
        count=len(decisions),
        energy_wh=sum(moved.values(), Decimal(0)),
        energy_wh_by_session=moved,
    )
