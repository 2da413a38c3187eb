"""What a person says of a session's stop, held against what is known before anybody decides by it.

ended before it began, or in the future; a register that the readings refute   -> refused
ended when the next one had begun there, or above the register with which it did -> refused
more energy than the connector can deliver in that time; below a reading       -> said twice
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.declared.declarations import Declarations
from ledger.facts.station_facts import StopAttested
from ledger.log.envelope import Attested, Choice
from ledger.sessions.attested.word import doubts_of, is_by_word, stop_of
from ledger.sessions.session import ChargingSession
from ledger.sessions.states import SessionState
from ledger.worker.judging.room_left import leaves_room
from ledger.worker.stored.session_store import load_after, load_sessions
from projections.deciding.fold import folded_session
from projections.errors import ProjectionError
from projections.sessions import SessionSummary

_ROW: LiteralString = """
SELECT transaction_ref, evse_id, connector_id FROM session WHERE session_id = %s
"""
_STATE: LiteralString = "SELECT state, ended_at, meter_stop_wh FROM session WHERE session_id = %s"
NO_REGISTER: Final = "no meter shows such a register"
NO_START: Final = "nobody knows when it began"
NOT_BEGUN: Final = "it had not begun"
FUTURE: Final = "that is in the future"
NEXT_ONE: Final = "by then the next session there had begun, or with a lower register"
CONTRADICTED: Final = "what its station told contradicts it"
REFUSALS: Final = (NO_REGISTER, NO_START, NOT_BEGUN, FUTURE, NEXT_ONE, CONTRADICTED)
"""Why what is said of a stop cannot be."""
_REGISTER_MAX: Final = Decimal(10) ** 12
"""In Wh: what no meter shows."""
_PLACES: Final = 3
_BEHIND_ALL: Final = 2**62
"""Where nothing stands yet: behind all that was told."""


class NothingAttestedError(ProjectionError):
    """Nobody says when a session ended, neither its station nor who attests."""

    def __init__(self, session_id: str) -> None:
        super().__init__(f"say when session {session_id} ended: its station did not")
        self.session_id = session_id


class NoMomentError(ProjectionError):
    """A time without its offset may be two moments."""

    def __init__(self, session_id: str) -> None:
        super().__init__(
            f"say when session {session_id} ended with its offset: 2026-03-31T14:05:00+02:00"
        )
        self.session_id = session_id


class WordRefutedError(ProjectionError):
    """What a person says of a stop cannot be, by what is known of the session."""

    def __init__(self, session_id: str, why: str) -> None:
        super().__init__(f"session {session_id} did not end so: {why}")
        self.session_id, self.why = session_id, why


class WordDoubtedError(ProjectionError):
    """What a person says of a stop is hardly so: it takes saying that one is sure."""

    def __init__(self, session_id: str, doubts: tuple[str, ...]) -> None:
        said = ", ".join(doubts)
        super().__init__(
            f"what is said of session {session_id} is doubtful ({said}): say that you are sure"
        )
        self.session_id, self.doubts = session_id, doubts


class ByWord(NamedTuple):
    """A session as it is by a person's word, and what is doubtful about it that was not before.

    None: by all that is known there is no such session.
    """

    session: ChargingSession | None
    doubts: tuple[str, ...]


def stop_said_of(
    connection: Connection[Any],
    session_id: str,
    *,
    ended_at: datetime | None,
    meter_stop_wh: Decimal | None,
) -> Attested | None:
    """Return what is attested of a session: what nobody says otherwise is as its station told.

    None: there is no such session.

    Raises:
        NothingAttestedError: If nobody says when it ended.
        NoMomentError: If what is said to be when has no offset.
    """
    if ended_at is not None and ended_at.tzinfo is None:
        raise NoMomentError(session_id)
    row = connection.execute(_STATE, (session_id,)).fetchone()
    if row is None:
        return None
    state, known_at, known_wh = row
    at = ended_at or known_at
    if at is None:
        raise NothingAttestedError(session_id)
    wh = known_wh if meter_stop_wh is None else meter_stop_wh
    return Attested(
        ended_at=at.astimezone(UTC), meter_stop_wh=wh, of_held=state == SessionState.HELD
    )


def by_word(
    connection: Connection[Any],
    declarations: Declarations,
    session: SessionSummary,
    attested: Attested,
    at: datetime,
) -> ByWord:
    """Return *session* as it would be by what is *attested* of its stop, looked at *at* a moment.

    Raises:
        WordRefutedError: If that cannot be.
    """
    session_id, wh = session.session_id, attested.meter_stop_wh
    if wh is not None and not _is_shown(wh):
        raise WordRefutedError(session_id, NO_REGISTER)
    if session.started_at is None:
        raise WordRefutedError(session_id, NO_START)
    if attested.ended_at < session.started_at:
        raise WordRefutedError(session_id, NOT_BEGUN)
    if attested.ended_at > at:
        raise WordRefutedError(session_id, FUTURE)
    [row] = load_sessions(connection, [session_id])
    if not leaves_room(row, attested, load_after(connection, row)):
        raise WordRefutedError(session_id, NEXT_ONE)
    before = folded_session(connection, declarations, session)
    fact = _fact(connection, session, attested, at)
    folded = folded_session(connection, declarations, session, fact)
    if before is None or folded is None or not is_by_word(folded, fact):
        raise WordRefutedError(session_id, CONTRADICTED)
    return ByWord(folded, doubts_of(folded, before))


def _is_shown(wh: Decimal) -> bool:
    """Whether a meter may show *wh*: to the thousandth of a Wh, not below 0."""
    if not wh.is_finite() or not 0 <= wh < _REGISTER_MAX:
        return False
    return wh == round(wh, _PLACES)


def _fact(
    connection: Connection[Any], session: SessionSummary, attested: Attested, at: datetime
) -> StopAttested:
    [(reference, evse, connector)] = connection.execute(_ROW, (session.session_id,)).fetchall()
    choice = Choice(
        received_at=at,
        station=session.station_id,
        session_id=session.session_id,
        choice="attest",
        by="",
        reason="",
        attested=attested,
    )
    return stop_of(choice, (reference, evse, connector), (_BEHIND_ALL, 0))
