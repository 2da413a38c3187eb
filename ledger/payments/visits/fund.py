"""How much a visit's session may cost: what is held for it (`topping_up.credit.Fund`)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from psycopg import Connection

from ledger.payments.visits.kept import visit_of_token
from ledger.payments.visits.visit import OVER


class TokenSession(Protocol):
    """A session that goes on, by the subject id of its token."""

    @property
    def token_uid(self) -> str:
        """Whose it is."""


class VisitFund:
    """The amount that is put aside for a visit."""

    def limit_minor(
        self,
        connection: Connection[Any],
        session: TokenSession,
        now: datetime,  # noqa: ARG002 - of the port
    ) -> int | None:
        """Return what *session* may cost in all, 0 once it is over; None: no visit's."""
        visit = visit_of_token(connection, session.token_uid)
        if visit is None:
            return None
        return 0 if visit.state in OVER else visit.held_minor


VISITS = VisitFund()
