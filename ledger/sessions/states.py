"""How far a session is, and every move that it can make: one table, and nothing beside it.

docs/session-states.md is printed from here (`python -m ledger.sessions.states_page`).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from ledger.errors import LedgerError
from ledger.log.envelope import ChoiceKind


class SessionState(StrEnum):
    """How far a session is."""

    OPEN = "open"
    WAITING = "waiting"
    HELD = "held"
    RATED = "rated"
    RELEASED = "released"
    WRITTEN_OFF = "written_off"
    REPLACED = "replaced"


class SessionAct(StrEnum):
    """What moves a session: facts and time, through the worker, or a person."""

    END = "end"
    REOPEN = "reopen"
    RATE = "rate"
    HOLD = "hold"
    RELEASE = "release"
    WRITE_OFF = "write off"
    REPLACE = "replace"
    CORRECT = "correct"


MOVES: Final[Mapping[tuple[SessionState, SessionAct], SessionState]] = {
    (SessionState.OPEN, SessionAct.END): SessionState.WAITING,
    (SessionState.WAITING, SessionAct.REOPEN): SessionState.OPEN,
    (SessionState.WAITING, SessionAct.RATE): SessionState.RATED,
    # A lost stop is never told: an open session can be held without an end.
    (SessionState.OPEN, SessionAct.HOLD): SessionState.HELD,
    (SessionState.WAITING, SessionAct.HOLD): SessionState.HELD,
    # Held again: a fact came, or a person released it, and something else is still wrong.
    (SessionState.HELD, SessionAct.HOLD): SessionState.HELD,
    (SessionState.HELD, SessionAct.RATE): SessionState.RATED,
    (SessionState.HELD, SessionAct.RELEASE): SessionState.RELEASED,
    (SessionState.HELD, SessionAct.WRITE_OFF): SessionState.WRITTEN_OFF,
    (SessionState.HELD, SessionAct.REPLACE): SessionState.REPLACED,
    (SessionState.RATED, SessionAct.CORRECT): SessionState.RATED,
    (SessionState.RELEASED, SessionAct.CORRECT): SessionState.RATED,
    # A person takes the write-off back.
    (SessionState.WRITTEN_OFF, SessionAct.CORRECT): SessionState.RATED,
}
"""Every legal move."""

MEANINGS: Final[Mapping[SessionState, str]] = {
    SessionState.OPEN: "Under way: no stop is known yet.",
    SessionState.WAITING: "Ended; it is rated as soon as nothing is missing or doubtful.",
    SessionState.HELD: "Not billed until new facts or a person settle its reasons.",
    SessionState.RATED: "Priced and posted; it is invoiced or settled.",
    SessionState.RELEASED: "Priced and posted as it was, because a person said so.",
    SessionState.WRITTEN_OFF: "Not billed, because a person said so.",
    SessionState.REPLACED: "A late fact gave it another id; only that other one is listed.",
}
CAUSES: Final[Mapping[SessionAct, str]] = {
    SessionAct.END: "its stop came",
    SessionAct.REOPEN: "a further frame says that the stop belonged to another session",
    SessionAct.RATE: "nothing is missing or doubtful",
    SessionAct.HOLD: "the policy's time is over and something is still missing or doubtful",
    SessionAct.RELEASE: "a person: `wattledger sessions release`",
    SessionAct.WRITE_OFF: "a person: `wattledger sessions write-off`",
    SessionAct.REPLACE: "a late fact moved its start, of which its id is made",
    SessionAct.CORRECT: "a late fact, or a person, has what is owed changed: the next revision",
}

UNFINISHED: Final = frozenset({SessionState.OPEN, SessionState.WAITING})
"""Nothing is decided yet."""
UNDECIDED: Final = UNFINISHED | {SessionState.HELD}
"""No final decision: a code that is shown still counts."""
PRICED: Final = frozenset({SessionState.RATED, SessionState.RELEASED})
"""A price holds; a later fact corrects it."""
DECIDED: Final = PRICED | {SessionState.WRITTEN_OFF}
"""A final decision holds; a later fact flags the session."""


CHOSEN_IN: Final[Mapping[ChoiceKind, frozenset[SessionState]]] = {
    "release": frozenset({SessionState.HELD}),
    "write_off": frozenset({SessionState.HELD}),
    "correct": PRICED,
    "attest": PRICED | {SessionState.HELD},
    "credit": PRICED,
    "dispute": PRICED,
    "uphold": PRICED,
    "reject": PRICED,
    "take_back": frozenset({SessionState.RELEASED, SessionState.WRITTEN_OFF}),
}
"""In which states a session is, about which a person may choose so."""


def moved(state: SessionState, act: SessionAct) -> SessionState:
    """Return the state that *act* leads to.

    Raises:
        IllegalSessionMoveError: If a session in *state* cannot do that.
    """
    try:
        return MOVES[state, act]
    except KeyError:
        raise IllegalSessionMoveError(state, act) from None


class IllegalSessionMoveError(LedgerError):
    """A session cannot make this move from where it is."""

    def __init__(self, state: SessionState, act: SessionAct) -> None:
        self.state, self.act = state, act
        super().__init__(f"a session that is {state.replace('_', ' ')} cannot {act}")
