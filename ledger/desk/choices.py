"""A person's choice about a session: into the log, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from psycopg import Connection

from ledger.desk.recording import WorkOff, record
from ledger.errors import LedgerError
from ledger.log.envelope import Choice, ChoiceKind
from ledger.log.event_log import EventLog, Position
from ledger.sessions.states import CHOSEN_IN


class UnknownSessionError(LedgerError):
    """There is no session of that id."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        super().__init__(f"there is no session {session_id}: `wattledger sessions` lists them")


class NotPricedError(LedgerError):
    """Only a session that was priced can be priced again."""

    def __init__(self, session_id: str, state: str) -> None:
        self.session_id, self.state = session_id, state
        super().__init__(f"session {session_id} is {state}: only a rated one is corrected")


class NotHeldError(LedgerError):
    """Only a held session waits for a person's choice."""

    def __init__(self, session_id: str, state: str) -> None:
        self.session_id, self.state = session_id, state
        super().__init__(f"session {session_id} is {state}, not held: there is nothing to decide")


class NotTakenBackError(LedgerError):
    """Only a release or a write-off that nothing followed is taken back."""

    def __init__(self, session_id: str, state: str) -> None:
        self.session_id, self.state = session_id, state
        super().__init__(
            f"session {session_id} is {state}, neither released nor written off: what was billed "
            "of it is given back with `wattledger credit`"
        )


_REFUSED: Final[Mapping[ChoiceKind, type[NotHeldError | NotTakenBackError]]] = {
    "release": NotHeldError,
    "write_off": NotHeldError,
    "take_back": NotTakenBackError,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What became of a session after a person's choice; the choice stands in the log at `at`."""

    session_id: str
    state: str
    reasons: tuple[str, ...]
    at: Position


def choose(
    connection: Connection[Any],
    session_id: str,
    *,
    choice: Choice,
    log: EventLog,
    work_off: WorkOff | None,
) -> Chosen:
    """Record *choice* in *log* and return what it led to.

    Where no system is up, *work_off* takes the worker's turn.

    Raises:
        UnknownSessionError: If there is no such session.
        NotHeldError: If it is not held.
        NotPricedError: If it is to be corrected, and was never priced.
        NotTakenBackError: If it was neither released nor written off.
    """
    state, _ = _state_of(connection, session_id)
    if state not in CHOSEN_IN[choice.choice]:
        refused = _REFUSED.get(choice.choice, NotPricedError)
        raise refused(session_id, state)
    at = record(connection, choice, log=log, work_off=work_off)
    state, reasons = _state_of(connection, session_id)
    return Chosen(session_id=session_id, state=state, reasons=tuple(reasons), at=at)


def station_of(connection: Connection[Any], session_id: str) -> str:
    """Return the station of a session.

    Raises:
        UnknownSessionError: If there is no such session.
    """
    query = "SELECT station_id FROM session WHERE session_id = %s"
    row = connection.execute(query, (session_id,)).fetchone()
    if row is None:
        raise UnknownSessionError(session_id)
    return str(row[0])


def _state_of(connection: Connection[Any], session_id: str) -> tuple[str, list[str]]:
    query = "SELECT state, reasons FROM session WHERE session_id = %s"
    row = connection.execute(query, (session_id,)).fetchone()
    if row is None:
        raise UnknownSessionError(session_id)
    return row[0], row[1]
