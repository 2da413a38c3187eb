"""How much energy of rated sessions stands on invoices: as the revision says that stands there."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, LiteralString

from psycopg import Connection

from ledger.books.decisions_store import rated_sessions
from ledger.rating.decisions import SessionRated, SessionRevision
from ledger.rating.reconciling.giving_back import billed_wh_without

_STANDING: LiteralString = """
SELECT DISTINCT ON (session_id) session_id, revision, ARRAY(
    SELECT line FROM credited_line AS gone
    WHERE gone.session_id = invoiced.session_id AND gone.revision = invoiced.revision
)
FROM invoiced_session AS invoiced
WHERE session_id = ANY (%s) AND NOT EXISTS (
    SELECT FROM credited_session AS credited
    WHERE credited.session_id = invoiced.session_id AND credited.revision = invoiced.revision
    AND credited.is_rest
)
ORDER BY session_id, revision DESC
"""


def documented_wh(
    connection: Connection[Any], rated: Mapping[str, SessionRated]
) -> dict[str, Decimal]:
    """Return what of *rated* sessions stands on invoices that were not credited, in Wh.

    A correction that charges the same has no document of its own: that of before stands for it. Of
    one whose lines were credited in part, the rest stands.
    """
    rows = connection.execute(_STANDING, (list(rated),)).fetchall()
    gone = {session_id: lines for session_id, _, lines in rows}
    stands = {session_id: revision for session_id, revision, _ in rows}
    known = [rated[each] for each in stands if rated[each].revision == stands[each]]
    others = [
        SessionRevision(each, revision)
        for each, revision in stands.items()
        if rated[each].revision != revision
    ]
    return {
        each.session_id: billed_wh_without(each, gone[each.session_id])
        for each in [*known, *rated_sessions(connection, others)]
    }
