"""Held sessions: what waits for a person, with the reasons in words."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from psycopg import Connection

from ledger.decisions import Reason, SessionHeld, decode_decision
from ledger.errors import LedgerError


class HeldSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session that is held now: when it was held, what it drew, and every reason."""

    session_id: str
    station_id: str
    partition: int
    held_at: datetime
    started_at: datetime | None
    energy_wh: Decimal | None
    reasons: tuple[Reason, ...]


def held_sessions(
    connection: Connection[Any], *, session_id: str | None = None
) -> tuple[HeldSession, ...]:
    """Return every session whose last decision is that it is held, the oldest first."""
    rows = connection.execute(
        "SELECT partition, body FROM ("
        " SELECT DISTINCT ON (session_id) session_id, partition, position, kind, decided_at, body"
        " FROM session_decision WHERE %(session_id)s::text IS NULL OR session_id = %(session_id)s"
        " ORDER BY session_id, position DESC"
        ") AS last WHERE kind = 'held' ORDER BY decided_at, session_id",
        {"session_id": session_id},
    )
    return tuple(_held(partition, body) for partition, body in rows)


def held_session(connection: Connection[Any], session_id: str) -> HeldSession:
    """Return the held session *session_id*, for a person's choice.

    Raises:
        NotHeldError: If it is not held (any more): there is nothing to choose.
    """
    found = held_sessions(connection, session_id=session_id)
    if not found:
        raise NotHeldError(session_id)
    return found[0]


def _held(partition: int, body: str) -> HeldSession:
    decision = decode_decision(body)
    if not isinstance(decision, SessionHeld):
        raise NotHeldError(decision.session_id)
    return HeldSession(
        session_id=decision.session_id,
        station_id=decision.station_id,
        partition=partition,
        held_at=decision.moment.at,
        started_at=decision.started_at,
        energy_wh=decision.energy_wh,
        reasons=decision.reasons,
    )


class NotHeldError(LedgerError):
    """A choice was asked for a session that is not held."""

    def __init__(self, session_id: str) -> None:
        super().__init__(f"session {session_id} is not held: there is nothing to decide")
        self.session_id = session_id
