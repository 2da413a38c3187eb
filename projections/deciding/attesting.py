"""What a person says of a session's stop, held against what is known before anybody decides by it.

ended before it began, or in the future; a register that the readings refute -> refused
more energy than the connector can deliver in that time; below a reading     -> said twice
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.declared.declarations import Declarations
from ledger.facts.station_facts import StopAttested
from ledger.log.envelope import Attested, Choice
from ledger.sessions.attesting import doubts_of, is_by_word, stop_of
from ledger.sessions.session import ChargingSession
from ledger.sessions.states import SessionState
from projections.deciding.fold import folded_session
from projections.errors import ProjectionError
from projections.sessions import SessionSummary

_ROW: LiteralString = """
SELECT transaction_ref, evse_id, connector_id, ended_at, meter_stop_wh
FROM session WHERE session_id = %s
"""
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


def attested_of(
    connection: Connection[Any],
    session: SessionSummary,
    *,
    ended_at: datetime | None,
    meter_stop_wh: Decimal | None,
) -> Attested:
    """Return what is attested of *session*: what nobody says otherwise is as its station told.

    Raises:
        NothingAttestedError: If nobody says when it ended.
        WordRefutedError: If no meter shows such a register.
    """
    [(*_, known_at, known_wh)] = connection.execute(_ROW, (session.session_id,)).fetchall()
    at = ended_at or known_at
    if at is None:
        raise NothingAttestedError(session.session_id)
    wh = known_wh if meter_stop_wh is None else meter_stop_wh
    if wh is not None:
        is_number = wh.is_finite() and 0 <= wh < _REGISTER_MAX
        exponent = wh.normalize().as_tuple().exponent if is_number else 0
        if not is_number or (isinstance(exponent, int) and -exponent > _PLACES):
            raise WordRefutedError(session.session_id, "no meter shows such a register")
    of_held = session.state == SessionState.HELD
    return Attested(ended_at=at, meter_stop_wh=wh, of_held=of_held)


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
    session_id = session.session_id
    if session.started_at is None:
        raise WordRefutedError(session_id, "nobody knows when it began")
    if not session.started_at <= attested.ended_at:
        raise WordRefutedError(
            session_id, f"it began at {session.started_at:%Y-%m-%d %H:%M:%S} UTC"
        )
    if attested.ended_at > at:
        raise WordRefutedError(session_id, "that is in the future")
    before = folded_session(connection, declarations, session)
    fact = _fact(connection, session, attested, at)
    folded = folded_session(connection, declarations, session, fact)
    if before is None or folded is None or not is_by_word(folded, fact):
        register = None if before is None else before.meter_start_wh
        begun = "" if register is None else f"; it began at {register / 1000} kWh"
        raise WordRefutedError(session_id, f"what its station told contradicts it{begun}")
    return ByWord(folded, doubts_of(folded, before))


def _fact(
    connection: Connection[Any], session: SessionSummary, attested: Attested, at: datetime
) -> StopAttested:
    [(reference, evse, connector, *_)] = connection.execute(_ROW, (session.session_id,)).fetchall()
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
