"""How much a visit's session may cost: what is held, less what its other sessions cost.

A station that restarts while it charges begins another transaction with the same token, and whoever
read the token there may begin one beside it:

    29.00 held, one session at 20.00 so far, another begins     -> that may cost 9.00
    29.00 held, one ended at 20.00, another begins              -> the same
    the sessions are in other money than what is held           -> 0: it is stopped
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString, Protocol

from psycopg import Connection

from ledger.books.decisions_store import rated_sessions
from ledger.payments.visits.kept import visit_of_token
from ledger.payments.visits.visit import OVER, CardVisit
from ledger.rating.decisions import SessionRevision
from ledger.sessions.states import PRICED

_NOTE: LiteralString = """
INSERT INTO running_cost (session_id, customer, legal_entity, currency, cost_minor, noted_at)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (session_id) DO UPDATE SET customer = excluded.customer,
    legal_entity = excluded.legal_entity, currency = excluded.currency,
    cost_minor = excluded.cost_minor, noted_at = excluded.noted_at
"""
_OTHERS: LiteralString = """
SELECT session_id, revision, state, coalesce(cost_minor, 0)
FROM session LEFT JOIN running_cost USING (session_id)
WHERE token_uid = %s AND station_id = %s AND state NOT IN ('replaced', 'written_off')
    AND session_id <> ALL (%s)
ORDER BY session_id
"""
_FORGET: LiteralString = "DELETE FROM running_cost WHERE customer = %s"


class TokenSession(Protocol):
    """A session that goes on, by the subject id of its token, and what it costs so far."""

    @property
    def session_id(self) -> str:
        """Which it is."""

    @property
    def token_uid(self) -> str:
        """Whose it is."""

    @property
    def legal_entity(self) -> str:
        """At whom it is owed."""

    @property
    def currency(self) -> str:
        """In which money."""

    @property
    def cost_minor(self) -> int:
        """Taxes included."""


class VisitFund:
    """The amount that is put aside for a visit."""

    def limit_minor(
        self, connection: Connection[Any], session: TokenSession, now: datetime
    ) -> int | None:
        """Note what *session* costs by now, and return what it may cost; None: no visit's."""
        visit = visit_of_token(connection, session.token_uid)
        if visit is None:
            return None
        if visit.state in OVER or session.currency != visit.currency:
            return 0
        # Of the token, as no customer pays: its other sessions share what is held.
        owed = visit.token_uid, session.legal_entity, session.currency
        cost = max(session.cost_minor, 0)
        connection.execute(_NOTE, (session.session_id, *owed, cost, now))
        return visit.held_minor - others_minor(connection, visit, [session.session_id])


VISITS = VisitFund()


def others_minor(connection: Connection[Any], visit: CardVisit, besides: Sequence[str]) -> int:
    """Return what the sessions of *visit* cost *besides* these: rated, or when last looked at."""
    asked = visit.token_uid, visit.station_id, list(besides)
    rows = connection.execute(_OTHERS, asked).fetchall()
    priced = [SessionRevision(row[0], row[1]) for row in rows if row[2] in PRICED]
    costs = [each.gross_minor for each in rated_sessions(connection, priced)]
    costs += [cost for *_, state, cost in rows if state not in PRICED]
    return sum(costs)


def forget_costs(connection: Connection[Any], visit: CardVisit) -> None:
    """Forget what sessions of *visit* cost while they went on."""
    connection.execute(_FORGET, (visit.token_uid,))
