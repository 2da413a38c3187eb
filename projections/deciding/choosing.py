"""A person's choice about one session, made or proposed: the same from a page and a command."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from psycopg import Connection

from ledger.declared.declarations import Declarations
from ledger.desk.choices import Chosen, choose, station_of
from ledger.desk.recording import WorkOff
from ledger.desk.second_person import ProposedChoice, choose_or_propose
from ledger.log.envelope import Attested, Choice, ChoiceKind
from ledger.log.event_log import EventLog
from projections.deciding.attesting import NothingAttestedError, WordDoubtedError
from projections.deciding.preview import possible_choices, preview
from projections.errors import ProjectionError
from projections.sessions import list_sessions


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
    found = list_sessions(connection, session_id=wish.session_id, limit=1)
    session = found[0] if found else None
    choice = Choice(
        received_at=at,
        station=station_of(connection, wish.session_id),
        session_id=wish.session_id,
        choice=wish.choice,
        by=wish.by,
        reason=wish.reason,
        revision=session.revision if session else None,
        lines=tuple(wish.lines),
        attested=wish.attested,
    )
    if session is None or wish.choice not in possible_choices(session):
        # It says what stands in the way.
        return choose(connection, wish.session_id, choice=choice, log=log, work_off=work_off)
    if wish.choice == "attest" and wish.attested is None:
        raise NothingAttestedError(wish.session_id)
    would = preview(
        connection,
        declarations,
        session,
        wish.choice,
        wish.lines,
        at=at,
        attested=wish.attested,
    )
    if would.doubts and not wish.is_sure:
        raise WordDoubtedError(wish.session_id, would.doubts)
    if wish.looked_at not in (None, would.moved.shown):
        raise MovesOtherwiseError(wish.session_id, str(wish.looked_at), would.moved.shown)
    return choose_or_propose(connection, choice, would.moved, log=log, work_off=work_off)
