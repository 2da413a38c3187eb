"""A person's choice about one session, made or proposed: the same from a page and a command."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.declared.declarations import Declarations
from ledger.desk.choices import Chosen, check_choice
from ledger.desk.recording import WorkOff
from ledger.desk.second_person import NOTHING, ProposedChoice, choose_or_propose
from ledger.log.envelope import Attested, Choice, ChoiceKind
from ledger.log.event_log import EventLog
from projections.deciding.attesting import NothingAttestedError, WordDoubtedError
from projections.deciding.preview import possible_choices, preview
from projections.errors import ProjectionError
from projections.sessions import SessionSummary, list_sessions

_BY_FACTS: Final = frozenset({"release", "write_off", "correct", "attest", "take_back"})
"""What these come to hangs on what was told of the session, whatever revision it is."""
_STANDING: LiteralString = """
SELECT state, revision, last_fact_at FROM session WHERE session_id = %s
"""


class MovesOtherwiseError(ProjectionError):
    """What a choice would come to is not what was looked at any more."""

    def __init__(self, session_id: str, looked_at: str, now: str) -> None:
        super().__init__(
            f"what this would come to for session {session_id} has changed meanwhile, from "
            f"{looked_at or 'nothing'} to {now}, in minor units: look at it again"
        )
        self.session_id, self.looked_at, self.now = session_id, looked_at, now


class ChoiceWish(NamedTuple):
    """Who chooses what about a session, and why; `lines` of its rating, none: all of it.

    `attested`: what is said of its stop, `is_sure` also where that is doubtful.
    `looked_at`: what it was shown to move, as `Moved.shown`; None: nobody was shown anything.
    """

    session_id: str
    choice: ChoiceKind
    by: str
    reason: str
    lines: Sequence[int] = ()
    looked_at: str | None = None
    attested: Attested | None = None
    is_sure: bool = False


def make_choice(
    connection: Connection[Any],
    declarations: Declarations,
    wish: ChoiceWish,
    *,
    at: datetime,
    log: EventLog,
    work_off: WorkOff | None,
) -> Chosen | ProposedChoice:
    """Make a choice; or propose it, where what it would move takes a second person.

    Raises:
        NothingAttestedError: If nothing is said of its stop where that is the choice.
        WordRefutedError: If what is said of its stop cannot be.
        WordDoubtedError: If that is hardly so, and nobody says that it is sure.
        MovesOtherwiseError: If it does not move what was looked at.
        LedgerError: As `choose` and `choose_or_propose` do.
    """
    # Before all else: what comes while it is looked at was not seen.
    standing = _standing(connection, wish)
    found = list_sessions(connection, session_id=wish.session_id, limit=1)
    session = found[0] if found else None
    if session is None or wish.choice not in possible_choices(session):
        # It says what stands in the way; what nobody looked at is not chosen, if it can be by now.
        check_choice(connection, wish.session_id, wish.choice)
        raise MovesOtherwiseError(wish.session_id, wish.looked_at or "", NOTHING.shown)
    if wish.choice == "attest" and wish.attested is None:
        raise NothingAttestedError(wish.session_id)
    looking = partial(
        preview,
        connection,
        declarations,
        session,
        wish.choice,
        wish.lines,
        at=at,
        attested=wish.attested,
    )
    would = looking()
    if would.doubts and not wish.is_sure:
        raise WordDoubtedError(wish.session_id, would.doubts)
    if wish.looked_at not in (None, would.moved.shown):
        raise MovesOtherwiseError(wish.session_id, str(wish.looked_at), would.moved.shown)
    choice = _choice(wish, session, standing, at)
    done = choose_or_propose(connection, choice, would.moved, log=log, work_off=work_off)
    if isinstance(done, Chosen) and standing and _is_overtaken(connection, wish, standing):
        raise MovesOtherwiseError(wish.session_id, would.moved.shown, looking().moved.shown)
    return done


class _Standing(NamedTuple):
    """How a session stands, and when the last fact of it came."""

    state: str
    revision: int
    last_fact_at: datetime


def _choice(
    wish: ChoiceWish, session: SessionSummary, standing: _Standing | None, at: datetime
) -> Choice:
    """Return what is wished about *session*, as it was looked at, as a line of the log."""
    return Choice(
        received_at=at,
        station=session.station_id,
        session_id=wish.session_id,
        choice=wish.choice,
        by=wish.by,
        reason=wish.reason,
        revision=session.revision,
        lines=tuple(wish.lines),
        attested=wish.attested,
        facts_until=standing.last_fact_at if standing else None,
    )


def _standing(connection: Connection[Any], wish: ChoiceWish) -> _Standing | None:
    """Return how it stands; None: there is no such session, or its facts do not matter here."""
    if wish.choice not in _BY_FACTS:
        return None
    row = connection.execute(_STANDING, (wish.session_id,)).fetchone()
    if row is None:
        return None
    state, revision, last_fact_at = row
    return _Standing(state, revision, last_fact_at.astimezone(UTC))


def _is_overtaken(connection: Connection[Any], wish: ChoiceWish, before: _Standing) -> bool:
    """Say whether a fact came before the choice, which did nothing then."""
    now = _standing(connection, wish)
    is_same = now is not None and now[:2] == before[:2]
    return now is not None and is_same and now.last_fact_at > before.last_fact_at
