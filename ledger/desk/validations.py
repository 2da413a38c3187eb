"""Validating a session: a voucher, a coupon or a hotel stay reaches it before it is rated."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString, NamedTuple

from psycopg import Connection

from ledger.declared.store import load_declarations
from ledger.desk.choices import not_found
from ledger.desk.recording import WorkOff, record
from ledger.errors import LedgerError
from ledger.log.envelope import Validation
from ledger.log.event_log import EventLog, Position
from ledger.partners.tokens import LOOK_UP, asked_about
from ledger.persons.holders import token_holder
from ledger.persons.store import find
from ledger.sessions.states import UNDECIDED
from tariffs.adjustments.adjustment import ValidationGrant
from tariffs.adjustments.shared import CouponGrant

_NAMED: LiteralString = """
SELECT session_id, station_id, state, token_uid, started_at, first_fact_at, validations
FROM session WHERE session_id = %s
"""
_UNDER_WAY: LiteralString = """
SELECT session_id, station_id, state, token_uid, started_at, first_fact_at, validations
FROM unfinished_session WHERE station_id = %s AND token_uid = %s
ORDER BY first_fact_at DESC, session_id DESC LIMIT 1
"""


class TooLateError(LedgerError):
    """The session is decided: a code does not change a price any more."""

    def __init__(self, session_id: str, state: str) -> None:
        self.session_id, self.state = session_id, state
        super().__init__(
            f"session {session_id} is {state}: a code has to be shown before a session is rated"
        )


class UnknownCodeError(LedgerError):
    """The tariff of the session gives nothing for this code."""

    def __init__(self, code: str, tariff_id: str) -> None:
        self.code, self.tariff_id = code, tariff_id
        super().__init__(f"tariff {tariff_id}, which prices the session, knows no code {code!r}")


class NoSessionOfTokenError(LedgerError):
    """No session of this token is under way at the station."""

    def __init__(self, token: str, station_id: str) -> None:
        self.token, self.station_id = token, station_id
        super().__init__(f"no session of token {token} is under way at station {station_id}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Validated:
    """The codes that a session has now; the last one stands in the log at `at`."""

    session_id: str
    state: str
    codes: tuple[str, ...]
    at: Position


class _Session(NamedTuple):
    session_id: str
    station_id: str
    state: str
    token_uid: str | None
    started_at: datetime | None
    first_fact_at: datetime
    codes: list[str]


def session_of_token(connection: Connection[Any], station_id: str, token: str) -> str:
    """Return the session of *token* that is under way at a station.

    Raises:
        NoSessionOfTokenError: If there is none.
    """
    holder = token_holder(token)
    subjects = list(find(connection, [holder] if holder else []).values())
    row = None
    if subjects:
        row = connection.execute(_UNDER_WAY, (station_id, subjects[0].id)).fetchone()
    if row is None:
        raise NoSessionOfTokenError(token, station_id)
    return str(row[0])


def validate(
    connection: Connection[Any],
    session_id: str,
    *,
    code: str,
    by: str,
    at: datetime,
    log: EventLog,
    work_off: WorkOff | None,
) -> Validated:
    """Record in *log* that *code* was shown for a session, and return what it has then.

    Raises:
        UnknownSessionError: If there is no such session.
        AtPartnerError: If it was at a partner's station.
        TooLateError: If it is rated or written off.
        UnknownCodeError: If the tariff that will price it knows no such code.
    """
    code = code.strip()
    session = _session(connection, session_id)
    _refuse_if_late(session)
    _refuse_unknown(connection, session, code)
    line = Validation(
        received_at=at, station=session.station_id, session_id=session_id, code=code, by=by
    )
    position = record(connection, line, log=log, work_off=work_off)
    session = _session(connection, session_id)
    if code not in session.codes:
        _refuse_if_late(session)
    return Validated(
        session_id=session_id, state=session.state, codes=tuple(session.codes), at=position
    )


def _session(connection: Connection[Any], session_id: str) -> _Session:
    row = connection.execute(_NAMED, (session_id,)).fetchone()
    if row is None:
        raise not_found(session_id)
    return _Session(*row)


def _refuse_if_late(session: _Session) -> None:
    if session.state not in UNDECIDED:
        raise TooLateError(session.session_id, session.state)


def _refuse_unknown(connection: Connection[Any], session: _Session, code: str) -> None:
    """Refuse a code that is misspelt; where no tariff holds yet, nobody knows."""
    at = session.started_at or session.first_fact_at
    declarations, token = load_declarations(connection), session.token_uid
    # Which partner answered for the token stands in the log; any that ever told it may have.
    told = connection.execute(LOOK_UP, asked_about(token)).fetchall() if token else []
    found = [
        declarations.tariff_for(session.station_id, token, at, partner=partner)
        for partner in (*(party for party, *_ in told), None)
    ]
    tariffs = [each.version.tariff for each in found if each is not None]
    codes = {
        each.code
        for tariff in tariffs
        for each in tariff.adjustments
        if isinstance(each, ValidationGrant | CouponGrant)
    }
    if tariffs and code not in codes:
        raise UnknownCodeError(code, tariffs[0].id)
