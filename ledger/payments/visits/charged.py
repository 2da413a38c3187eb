"""What the books hold of the sessions that visits' tokens charged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.payments.visits.visit import CardVisit
from ledger.sessions.states import SessionState

# Its plug was said to be free after the last word of the session: the car is gone, and its stop, if
# it comes at all, is late. (A plug of 1.6 is an EVSE; plug 0 of an EVSE is the EVSE.)
IS_FREED: LiteralString = """
EXISTS (SELECT FROM connector_state AS plug
        WHERE plug.station_id = session.station_id AND plug.evse_id = session.evse_id
        AND plug.connector_id IN (0, coalesce(session.connector_id, 1))
        AND plug.status = 'Available' AND plug.received_at >= session.last_fact_at)
"""
# By the token, which nobody else has: what a station's clock says of the start is no matter.
_CHARGED: LiteralString = f"""
SELECT asked.number, session.session_id, session.state, session.transaction_ref, {IS_FREED},
    EXISTS (SELECT FROM uninvoiced_session AS due WHERE due.session_id = session.session_id)
    OR EXISTS (SELECT FROM correction_to_document AS due
               WHERE due.session_id = session.session_id),
    ARRAY(SELECT DISTINCT invoiced.number FROM invoiced_session AS invoiced
          WHERE invoiced.session_id = session.session_id ORDER BY invoiced.number)
FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS asked (number, station_id, token_uid)
JOIN session ON session.token_uid = asked.token_uid AND session.station_id = asked.station_id
    AND session.state <> 'replaced'
ORDER BY asked.number, session.session_id
"""  # noqa: S608 - a constant
_DECIDED: Final = frozenset({SessionState.RATED, SessionState.RELEASED, SessionState.WRITTEN_OFF})


class ChargedSession(NamedTuple):
    """A session of a visit; `waits`: for a document. `invoices` are what it stands on.

    `is_freed`: its plug is free again, though its stop never came.
    """

    session_id: str
    state: SessionState
    transaction_ref: str
    is_freed: bool
    waits: bool
    invoices: tuple[str, ...]

    @property
    def is_open(self) -> bool:
        """Whether it goes on."""
        return self.state is SessionState.OPEN and not self.is_freed

    @property
    def is_settled(self) -> bool:
        """Whether what it comes to is known, and stands on what it will stand on."""
        return self.state in _DECIDED and not self.waits


def charged_sessions(
    connection: Connection[Any], visits: Sequence[CardVisit]
) -> Mapping[int, Sequence[ChargedSession]]:
    """Return the sessions of each of *visits*, by its number."""
    found: defaultdict[int, list[ChargedSession]] = defaultdict(list)
    rows = [(each.number, each.station_id, each.token_uid) for each in visits]
    columns = [list(column) for column in zip(*rows, strict=True)]
    if columns:
        for number, session_id, state, *more in connection.execute(_CHARGED, columns):
            reference, is_freed, waits, invoices = more
            session = ChargedSession(
                session_id, SessionState(state), reference, is_freed, waits, tuple(invoices)
            )
            found[number].append(session)
    return found
