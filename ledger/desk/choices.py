"""A person's choice about a session: into the log, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from shlex import quote
from typing import Any, Final

from psycopg import Connection

from ledger.desk.recording import WorkOff, record
from ledger.errors import LedgerError
from ledger.log.envelope import Choice, ChoiceKind
from ledger.log.event_log import EventLog, Position
from ledger.partners.elsewhere import STATIONS
from ledger.sessions.states import CHOSEN_IN


class UnknownSessionError(LedgerError):
    """There is no session of that id."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        super().__init__(f"there is no session {session_id}: `wattledger sessions` lists them")


class AtPartnerError(LedgerError):
    """What was charged at a partner's station follows that one's CDR: no choice is about it."""

    def __init__(self, party: str, cdr_id: str, what: str) -> None:
        self.party, self.cdr_id = party, cdr_id
        super().__init__(
            f"{what} was charged at a station of partner {party}, and follows its CDR: "
            f"`wattledger cdr dispute {quote(cdr_id)} --party {party} --reason WHY` takes back what"
            " was charged on, `wattledger cdr accept` charges it again. As a goodwill, the partner"
            " being paid all the same, do so once its month is agreed (`wattledger partner settle`)"
        )


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


class NotAttestedError(LedgerError):
    """Only of a session that is held or has a price a person says when it ended."""

    def __init__(self, session_id: str, state: str) -> None:
        self.session_id, self.state = session_id, state
        super().__init__(
            f"session {session_id} is {state}: when it ended is attested of one that is held or "
            "rated; one that was written off is taken back first"
        )


class NotTakenBackError(LedgerError):
    """Only a release or a write-off that nothing followed is taken back."""

    def __init__(self, session_id: str, state: str) -> None:
        self.session_id, self.state = session_id, state
        super().__init__(
            f"session {session_id} is {state}, neither released nor written off: what was billed "
            "of it is given back with `wattledger credit`"
        )


_REFUSED: Final[Mapping[ChoiceKind, type[NotHeldError | NotTakenBackError | NotAttestedError]]] = {
    "release": NotHeldError,
    "write_off": NotHeldError,
    "take_back": NotTakenBackError,
    "attest": NotAttestedError,
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
    beside: Callable[[], None] = lambda: None,
) -> Chosen:
    """Record *choice* in *log* and return what it led to.

    Where no system is up, *work_off* takes the worker's turn. *beside* writes what belongs to the
    choice in the transaction in which it is said.

    Raises:
        UnknownSessionError: If there is no such session.
        AtPartnerError: If it was at a partner's station.
        NotHeldError: If it is not held.
        NotPricedError: If it is to be corrected, and was never priced.
        NotAttestedError: If a stop is attested of what is neither held nor priced.
        NotTakenBackError: If it was neither released nor written off.
    """
    check_choice(connection, session_id, choice.choice)
    at = record(connection, choice, log=log, work_off=work_off, beside=beside)
    state, reasons = _state_of(connection, session_id)
    return Chosen(session_id=session_id, state=state, reasons=tuple(reasons), at=at)


def check_choice(connection: Connection[Any], session_id: str, kind: ChoiceKind) -> None:
    """See that a session is in a state in which that is chosen about it.

    Raises:
        LedgerError: As `choose` does.
    """
    state, _ = _state_of(connection, session_id)
    if state not in CHOSEN_IN[kind]:
        refused = _REFUSED.get(kind, NotPricedError)
        raise refused(session_id, state)


def not_found(session_id: str) -> UnknownSessionError | AtPartnerError:
    """Return why no session has that id: there is none, or it is told by a partner's CDR alone."""
    if not session_id.startswith(STATIONS):
        return UnknownSessionError(session_id)
    party, _, folded = session_id.removeprefix(STATIONS).partition("/")
    cdr_id = folded.replace("%2F", "/").replace("%25", "%")
    return AtPartnerError(party, cdr_id, f"session {session_id}")


def _state_of(connection: Connection[Any], session_id: str) -> tuple[str, list[str]]:
    query = "SELECT state, reasons FROM session WHERE session_id = %s"
    row = connection.execute(query, (session_id,)).fetchone()
    if row is None:
        raise not_found(session_id)
    return row[0], row[1]
