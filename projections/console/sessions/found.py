"""One session for a page: found within the reach of who asks, or there is none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString, NamedTuple

from litestar.exceptions import NotFoundException
from psycopg import Connection

from ledger.books.decisions_store import rated_sessions
from ledger.rating.decisions import (
    Release,
    SessionHeld,
    SessionRated,
    SessionRevision,
    SessionWrittenOff,
)
from ledger.rating.stored import unpack_decision
from ledger.sessions.states import PRICED
from ledger.users.roles import Permission
from projections.console.page import ConsolePage
from projections.console.parts.within import WithinReach, within
from projections.sessions import SessionSummary, list_sessions
from tariffs.phrases.phrase import Phrase

_DECISIONS: LiteralString = """
SELECT kind, revision, decided_at, partition, position, body FROM session_decision
WHERE session_id = %s ORDER BY position DESC LIMIT %s
"""
DECISIONS_MAX = 50
"""A session that is held again and again has more: its last ones are shown."""


class FoundSession(NamedTuple):
    """A session within reach."""

    inside: WithinReach
    session: SessionSummary


class PastDecision(NamedTuple):
    """What was decided about a session; `spot`: the record of the log (partition/record)."""

    kind: str
    revision: int
    decided_at: datetime
    spot: str
    by: str
    reason: str
    reasons: tuple[Phrase, ...]
    rated: SessionRated | None


def find_session(
    page: ConsolePage,
    connection: Connection[Any],
    session_id: str,
    permission: Permission = Permission.SEE_BOOKS,
) -> FoundSession:
    """Return a session that who asks may see, or do something with.

    Raises:
        NotFoundException: If there is none within reach.
    """
    inside = within(page, connection, permission)
    found = list_sessions(connection, session_id=session_id, limit=1)
    if not found or not inside.has_session(found[0].station_id, found[0].begun_at):
        message = f"there is no session {session_id}"
        raise NotFoundException(message)
    return FoundSession(inside, found[0])


def rating_of(connection: Connection[Any], session: SessionSummary) -> SessionRated | None:
    """Return the rating that holds of a session, None where none does."""
    if session.state not in PRICED:
        return None
    [rated] = rated_sessions(connection, [SessionRevision(session.session_id, session.revision)])
    return rated


def decisions_of(connection: Connection[Any], session_id: str) -> Sequence[PastDecision]:
    """Return what was decided about a session, the last first."""
    rows = connection.execute(_DECISIONS, (session_id, DECISIONS_MAX))
    return [_past(*row) for row in rows]


def _past(
    kind: str, revision: int, decided_at: datetime, partition: int, position: int, body: bytes
) -> PastDecision:
    decision = unpack_decision(body)
    chosen = _chosen(decision)
    return PastDecision(
        kind=kind,
        revision=revision,
        decided_at=decided_at,
        spot=f"{partition}/{position}",
        by=chosen.by,
        reason=chosen.reason,
        reasons=decision.reasons if isinstance(decision, SessionHeld) else (),
        rated=decision if isinstance(decision, SessionRated) else None,
    )


def _chosen(decision: object) -> Release:
    match decision:
        case SessionWrittenOff(by=by, reason=reason):
            return Release(by=by, reason=reason)
        case SessionRated(corrects=corrects) if corrects is not None and corrects.by:
            return Release(by=corrects.by, reason=corrects.reason or "")
        case SessionRated(release=release) if release is not None:
            return release
        case _:
            return Release(by="", reason="")
