"""How much energy of rated sessions stands on invoices: as the revision says that stands there."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, LiteralString

from psycopg import Connection

from ledger.books.decisions_store import rated_sessions
from ledger.rating.decisions import SessionRated, SessionRevision

_STANDING: LiteralString = """
SELECT session_id, max(revision) FROM invoiced_session AS invoiced
WHERE session_id = ANY (%s) AND NOT EXISTS (
    SELECT FROM credited_session AS credited
    WHERE credited.session_id = invoiced.session_id AND credited.revision = invoiced.revision
)
GROUP BY session_id
"""


def documented_wh(
    connection: Connection[Any], rated: Mapping[str, SessionRated]
) -> dict[str, Decimal]:
    """Return what of *rated* sessions stands on invoices that were not credited, in Wh.

    A correction that charges the same has no document of its own: that of before stands for it.
    """
    rows = connection.execute(_STANDING, (list(rated),)).fetchall()
    found = {
        session_id: rated[session_id].billed_wh
        for session_id, revision in rows
        if rated[session_id].revision == revision
    }
    others = [SessionRevision(*row) for row in rows if row[0] not in found]
    found |= {each.session_id: each.billed_wh for each in rated_sessions(connection, others)}
    return found
