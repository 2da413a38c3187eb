"""Sessions that were billed on their readings, and whose stop came afterwards."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, LiteralString

import msgspec
from psycopg import Connection
from psycopg.rows import class_row

from ledger.facts.flags import Flag

_BILLED_BEFORE_THEIR_STOP: LiteralString = """
SELECT session_id, number AS invoice, issued_on, last_fact_at AS stop_came_at
FROM session JOIN invoiced_session USING (session_id, revision) JOIN issued_invoice USING (number)
WHERE state = 'released' AND %s = ANY(flags) ORDER BY session_id
"""


class LateStop(msgspec.Struct, frozen=True, kw_only=True):
    """A session that a person released, the invoice that it is on, and when its stop came."""

    session_id: str
    invoice: str
    issued_on: date
    stop_came_at: datetime


def find_late_stops(connection: Connection[Any]) -> tuple[LateStop, ...]:
    """Return every session whose stop came after it was billed."""
    with connection.cursor(row_factory=class_row(LateStop)) as cursor:
        return tuple(cursor.execute(_BILLED_BEFORE_THEIR_STOP, (Flag.LATE_FACT,)))
