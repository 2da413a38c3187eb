"""Reservations: who asked for one, whether the station made it, and what became of it.

    ReserveNow is asked for      a row, with a number of ours where none was given; nobody sees it
    ... answered Accepted        it is a reservation: ACCEPTED
    ... refused                  the row goes; unanswered, or neither, it stays unseen
    CancelReservation accepted   CANCELLED
    a start names its number     USED, even before the answer to ReserveNow was noted
    the station says it ended    EXPIRED, or CANCELLED where it was removed
    its expiry passes            shown as EXPIRED; nobody writes that

A station knows a reservation by its number alone; where somebody gives a number again, the last
one given counts. Source: OCPP 1.6 edition 2, 5.13 and 5.3; OCPP 2.0.1 and 2.1 part 2, block H.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, LiteralString, NamedTuple
from uuid import UUID

import msgspec
import psycopg

from ingest.commands.answered import AnsweredCall
from ingest.commands.command import CommandState
from ingest.rpc.fields import PayloadFields

RESERVE: Final = "ReserveNow"
CANCEL: Final = "CancelReservation"
_OLD: Final = "ocpp1.6"
_OLD_NUMBER: Final = "reservationId"
_NUMBER: Final = "id"
_REFUSED: Final = ("Faulted", "Occupied", "Rejected", "Unavailable")
_WHOLE: Final = re.compile(r"-?[0-9]{1,18}")
_DRAW: LiteralString = """
SELECT number FROM (
    SELECT nextval('reservation_number') AS number FROM generate_series(1, %s)
) AS drawn
WHERE NOT EXISTS (SELECT FROM reservation WHERE id = number)
"""
_ASK: LiteralString = """
INSERT INTO reservation (command_id, station_id, id, evse, expires_at)
SELECT * FROM unnest(%s::uuid[], %s::text[], %s::bigint[], %s::bigint[], %s::timestamptz[])
ON CONFLICT (command_id) DO NOTHING
"""
_ACCEPT: LiteralString = """
UPDATE reservation SET status = 'ACCEPTED' WHERE command_id = ANY(%s) AND status = 'ASKED'
"""
_DROP: LiteralString = "DELETE FROM reservation WHERE command_id = ANY(%s) AND status = 'ASKED'"
# What a start names was there, whatever else was heard of it; a station that cancelled it did not
# charge under it.
END: LiteralString = """
UPDATE reservation SET status = ended.status
FROM (
    SELECT DISTINCT ON (command_id) command_id, told.status
    FROM unnest(%s::text[], %s::bigint[], %s::text[]) AS told (station_id, id, status)
    CROSS JOIN LATERAL (
        SELECT command_id, known.status FROM reservation AS known
        WHERE known.station_id = told.station_id AND known.id = told.id
        ORDER BY asked_at DESC, command_id DESC LIMIT 1
    ) AS latest
    WHERE latest.status IN ('ASKED', 'ACCEPTED')
       OR (latest.status = 'EXPIRED' AND told.status = 'USED')
    ORDER BY command_id, told.status DESC
) AS ended
WHERE reservation.command_id = ended.command_id
"""


class AskedReservation(NamedTuple):
    """A reservation that a call asks for; the moment is None where it says none."""

    number: int
    evse: int | None
    expires_at: datetime | None


class EndedReservation(NamedTuple):
    """What a station says became of a reservation."""

    station_id: str
    number: int
    status: str


def has_number(payload: str, protocol: str | None) -> bool:
    """Say whether the *payload* of a ReserveNow names the reservation's number.

    Where the version is not known yet (None), the payload's own words tell it.
    """
    return _number_name(payload, protocol) in _members(payload)


def with_number(payload: str, protocol: str | None, number: int) -> str:
    """Return the *payload* (compact) of a ReserveNow with its *number* as the last member."""
    comma = "," if _members(payload) else ""
    return f'{payload[:-1]}{comma}"{_number_name(payload, protocol)}":{number}}}'


def asked_reservation(payload: str, protocol: str | None) -> AskedReservation | None:
    """Return what a ReserveNow asks for, None where its number is no number."""
    fields = PayloadFields(payload.encode())
    number = whole(fields.text(_number_name(payload, protocol)))
    if number is None:
        return None
    place = whole(fields.text("evseId") or fields.text("connectorId"))
    until = fields.text("expiryDateTime") or fields.text("expiryDate") or ""
    return AskedReservation(number, place, _moment(until))


def whole(text: str | None) -> int | None:
    """Return a whole number that a column holds, None for anything else."""
    if text is None or not _WHOLE.fullmatch(text.strip()):
        return None
    return int(text)


async def draw_numbers(connection: psycopg.AsyncConnection, asked: Sequence[None]) -> Sequence[int]:
    """Return a number for each of *asked* that no reservation has or had."""
    found: list[int] = []
    while len(found) < len(asked):
        cursor = await connection.execute(_DRAW, (len(asked) - len(found),))
        found += [number for (number,) in await cursor.fetchall()]
    return found


async def note_asked(
    connection: psycopg.AsyncConnection,
    asked: Iterable[tuple[UUID, str, AskedReservation]],
) -> None:
    """Note reservations that calls of stations ask for, in the transaction of the calls."""
    rows = [(id_, station_id, *reservation) for id_, station_id, reservation in asked]
    if rows:
        await connection.execute(_ASK, [list(column) for column in zip(*rows, strict=True)])


async def note_answered(connection: psycopg.AsyncConnection, ended: Sequence[AnsweredCall]) -> None:
    """Note what came of calls that make and cancel reservations, in their transaction."""
    reserved = [each for each in ended if each.action == RESERVE]
    if accepted := [each.id for each in reserved if each.is_accepted]:
        await connection.execute(_ACCEPT, (accepted,))
    if refused := [each.id for each in reserved if _is_refused(each)]:
        await connection.execute(_DROP, (refused,))
    cancelled = [
        EndedReservation(each.station_id, number, "CANCELLED")
        for each in ended
        if each.action == CANCEL and each.is_accepted
        if (number := whole(each.payload.text(_OLD_NUMBER))) is not None
    ]
    await end_reservations(connection, cancelled)


def _is_refused(each: AnsweredCall) -> bool:
    """Say whether a station makes no reservation; a word that no version has says neither."""
    return each.state is CommandState.ERROR or each.answer.text("status") in _REFUSED


async def end_reservations(
    connection: psycopg.AsyncConnection, ended: Sequence[EndedReservation]
) -> Sequence[None]:
    """Note what became of reservations; of those that nobody made nothing is noted."""
    if ended:
        await connection.execute(END, [list(column) for column in zip(*sorted(ended), strict=True)])
    return [None] * len(ended)


def _number_name(payload: str, protocol: str | None) -> str:
    """Return what the number is called in a version, or in the one *payload* is written in."""
    if protocol is None:
        is_old = not {"idToken", "expiryDateTime"} & _members(payload).keys()
    else:
        is_old = protocol == _OLD
    return _OLD_NUMBER if is_old else _NUMBER


def _members(payload: str) -> dict[str, Any]:
    return msgspec.json.decode(payload, type=dict[str, msgspec.Raw])


def _moment(text: str) -> datetime | None:
    """Return a moment in UTC, None where it says none that a table gives back."""
    try:
        moment = datetime.fromisoformat(text.strip())
        known = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return known.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
