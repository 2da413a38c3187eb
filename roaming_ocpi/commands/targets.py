"""What a command is about among what is ours, and whether who commands may.

Everything here asks the database, and runs where that may take its time (`TokenBook`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString, NamedTuple
from uuid import UUID

from psycopg import Connection

from ledger.declared.declarations import Declarations, Kind
from ledger.partners.tokens import BY_DEFAULT, LOOK_UP, add_partner_tokens, asked_about, told_token
from ledger.partners.told_counts import ToldCounts
from ledger.persons.store import find_or_make
from roaming_ocpi.commands.evses import NamedEvse, named_evse
from roaming_ocpi.commands.orders import CommandOrder, NewCommand, profile_number
from roaming_ocpi.commands.requests import PROFILE_KINDS, CommandKind, PartnerRequest
from roaming_ocpi.server.calls import Caller, OcpiRefusedError
from roaming_ocpi.tokens.reading import ReadToken, owner_named, read_token
from roaming_ocpi.wire.ids import wire_session_id
from roaming_ocpi.wire.status import Status
from roaming_ocpi.wire.walls import encoded
from tariffs.ocpi.documents import OcpiError
from tariffs.ocpi.versions import OcpiVersion

JUST_ENDED: Final = timedelta(hours=1)
"""So long after a session its party may still have the plug let go of."""
RESERVED_MAX: Final = timedelta(days=2)
_OPEN: LiteralString = """
SELECT session_id, station_id, transaction_ref, evse_id, token_uid
FROM unfinished_session WHERE token_uid IS NOT NULL AND state = 'open'
"""
_LAST_AT: LiteralString = """
SELECT session_id, token_uid, ended_at FROM session
WHERE station_id = %s AND evse_id = %s AND started_at IS NOT NULL AND NOT is_refused
ORDER BY coalesce(started_at, first_fact_at) DESC, session_id DESC LIMIT 1
"""
_COMMANDED: LiteralString = """
SELECT party FROM partner_command
WHERE kind = 'START_SESSION' AND subject = %s AND station_id = %s
ORDER BY asked_at DESC LIMIT 1
"""
_TOLD_TO: LiteralString = """
SELECT party FROM roaming_session WHERE party = ANY (%s) AND session_id = %s
ORDER BY last_updated DESC, party LIMIT 1
"""
_RESERVED: LiteralString = """
SELECT station_id, number FROM partner_reservation WHERE party = %s AND reservation_id = %s
"""
_NUMBER: LiteralString = "SELECT nextval('reservation_number')"


class Commander(NamedTuple):
    """Who commands, in which version, when; and what is declared then."""

    caller: Caller
    version: OcpiVersion
    now: datetime
    declared: Declarations
    told: ToldCounts = BY_DEFAULT


class NotDoneError(Exception):
    """A command that is answered with something else than ACCEPTED: `result`, and why."""

    def __init__(self, *, result: str, why: str) -> None:
        super().__init__(why)
        self.result, self.why = result, why


def new_command(
    id_: UUID, request: PartnerRequest, by: Commander, connection: Connection[Any]
) -> NewCommand:
    """Return the command that a *request* is, with all that its station must be told.

    Raises:
        NotDoneError: If it is answered otherwise: not theirs, not known, not to be done.
        OcpiRefusedError: If it says what cannot be.
    """
    match request.kind:
        case CommandKind.START_SESSION | CommandKind.RESERVE_NOW:
            return _for_token(id_, request, by, connection)
        case CommandKind.UNLOCK_CONNECTOR:
            return _unlock(id_, request, by, connection)
        case CommandKind.CANCEL_RESERVATION:
            return _release(id_, request, by, connection)
        case _:
            return _for_session(id_, request, by, connection)


def _for_token(
    id_: UUID, request: PartnerRequest, by: Commander, connection: Connection[Any]
) -> NewCommand:
    party, read = _token(request, by)
    named = _place(request, by)
    number = 0
    if request.kind is CommandKind.RESERVE_NOW:
        until = request.expiry_date
        if until is None or not by.now < until <= by.now + RESERVED_MAX:
            raise _rejected(why=f"expiry_date must lie within {RESERVED_MAX.days} days from now")
        number = _number(request, by, named.station_id, connection)
    # The station asks about it next: it is known then, whatever list was told.
    add_partner_tokens(connection, party, [read.token], at=by.now, told=by.told)
    (subject,) = find_or_make(connection, [read.holder]).values()
    order = CommandOrder(
        response_url=request.response_url,
        uid=read.token.uid,
        evse=named.evse,
        number=number,
        until=request.expiry_date,
    )
    return NewCommand(
        id_,
        by.caller.partner,
        by.version,
        request.kind,
        named.station_id,
        named.evse,
        order,
        subject=subject.id,
        reference=_reference(request, read),
        reservation_id=request.reservation_id,
    )


def _for_session(
    id_: UUID, request: PartnerRequest, by: Commander, connection: Connection[Any]
) -> NewCommand:
    """Return a command about a session that runs, and is the caller's."""
    wanted, parties = (request.session_id or "").casefold(), by.caller.parties
    for session_id, station_id, transaction_ref, evse, token in connection.execute(_OPEN):
        if wire_session_id(session_id).casefold() != wanted:
            continue
        if _owner_of_session(connection, by, session_id, token, station_id) not in parties:
            break  # as if there were none: whose it is, is nobody else's matter
        order = CommandOrder(
            response_url=request.response_url,
            evse=evse,
            transaction_ref=transaction_ref,
            number=profile_number(session_id) if request.kind in PROFILE_KINDS else 0,
            profile=encoded(request.profile).decode() if request.profile else "",
            seconds=request.seconds or 0,
        )
        party = by.caller.partner
        return NewCommand(id_, party, by.version, request.kind, station_id, evse, order, token)
    raise NotDoneError(result="UNKNOWN_SESSION", why="no session of yours that runs has that id")


def _unlock(
    id_: UUID, request: PartnerRequest, by: Commander, connection: Connection[Any]
) -> NewCommand:
    named = _place(request, by)
    row = connection.execute(_LAST_AT, named).fetchone()
    session_id, token, ended_at = row if row is not None else ("", None, None)
    is_late = token is None or (ended_at is not None and by.now - ended_at > JUST_ENDED)
    if is_late or (
        _owner_of_session(connection, by, session_id, token, named.station_id)
        not in by.caller.parties
    ):
        raise _rejected(why="no session of yours is there, or was lately")
    text = request.connector_id or ""
    if not (text.isascii() and text.isdigit()) or len(text) > len("999"):
        raise _rejected(why="that EVSE has no such connector")
    order = CommandOrder(response_url=request.response_url, evse=named.evse, connector=int(text))
    party = by.caller.partner
    station_id, evse = named
    return NewCommand(id_, party, by.version, request.kind, station_id, evse, order)


def _release(
    id_: UUID, request: PartnerRequest, by: Commander, connection: Connection[Any]
) -> NewCommand:
    asked = (by.caller.partner, request.reservation_id)
    row = connection.execute(_RESERVED, asked).fetchone()
    if row is None:
        raise _rejected(why="no reservation of yours has that id")
    station_id, number = row
    order = CommandOrder(response_url=request.response_url, number=number)
    return NewCommand(id_, by.caller.partner, by.version, request.kind, station_id, None, order)


def _owner_of_session(
    connection: Connection[Any], by: Commander, session_id: str, token: str | None, station_id: str
) -> str | None:
    """Return the party whose driver's session it is: it was told of it since that began.

    Whoever else has a token of that name by now, or commanded one there, has no say about it.
    """
    asked = list(by.declared.keys(Kind.PARTNER)), session_id
    row = connection.execute(_TOLD_TO, asked).fetchone()
    return owner_of(connection, by, token, station_id) if row is None else str(row[0])


def owner_of(
    connection: Connection[Any], by: Commander, token: str | None, station_id: str
) -> str | None:
    """Return the party whose token it is: as declared, as told, or as it had itself started."""
    if token is None:
        return None
    declared = by.declared.token(token, by.now)
    if declared is not None:
        return declared.partner
    row = connection.execute(_COMMANDED, (token, station_id)).fetchone()
    if row is not None:
        return str(row[0])
    told = told_token(connection.execute(LOOK_UP, asked_about(token)).fetchall(), by.now)
    return None if told is None else told.party


def _token(request: PartnerRequest, by: Commander) -> tuple[str, ReadToken]:
    """Return the token of a command, which must be one of the caller's, and whose it is."""
    token: Mapping[str, Any] = request.token or {}
    party = by.caller.partner
    if by.version is not OcpiVersion.V2_1_1:
        party = owner_named(token) or party
        if party not in by.caller.parties:
            message = "the token is another party's"
            raise OcpiRefusedError.forbidden(message)
    try:
        read = read_token(token, by.version, party)
    except OcpiError as error:
        message = f"token.{error}"
        raise OcpiRefusedError.invalid(message) from None
    if not read.token.is_valid:
        raise _rejected(why="the token is not valid")
    return party, read


def _place(request: PartnerRequest, by: Commander) -> NamedEvse:
    named = named_evse(
        by.declared, by.caller.partner, request.location_id or "", request.evse_uid, by.now
    )
    if named is None:
        message = "no such location or EVSE is open to you; without an EVSE, name one"
        raise OcpiRefusedError.not_found(message, Status.UNKNOWN_LOCATION)
    return named


def _number(
    request: PartnerRequest, by: Commander, station_id: str, connection: Connection[Any]
) -> int:
    """Return the number of a reservation: its own where it is asked for again there."""
    asked = (by.caller.partner, request.reservation_id)
    row = connection.execute(_RESERVED, asked).fetchone()
    if row is not None and row[0] == station_id:
        return int(row[1])
    ((number,),) = connection.execute(_NUMBER).fetchall()
    return int(number)


def _reference(request: PartnerRequest, read: ReadToken) -> str | None:
    """Return the partner's name for its permission, unless that tells who somebody is."""
    text = request.reference
    names = (read.token.uid.casefold(), read.token.contract_id.casefold())
    return None if text is None or any(each in text.casefold() for each in names) else text


def _rejected(*, why: str) -> NotDoneError:
    return NotDoneError(result="REJECTED", why=why)
