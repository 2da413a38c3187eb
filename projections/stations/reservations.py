"""Reservations, and what became of them: a page at a time, the latest first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

import msgspec
from psycopg import Connection

# A station knows a reservation by its number: a later one of that number has taken its place.
_LIST: LiteralString = """
SELECT id, station_id, evse, expires_at, shown, asked_at, command_id
FROM reservation AS made
CROSS JOIN LATERAL (
    SELECT CASE WHEN status = 'ACCEPTED' AND expires_at <= %(at)s THEN 'EXPIRED' ELSE status END
) AS state (shown)
WHERE status <> 'ASKED'
AND (%(station_id)s::text IS NULL OR station_id = %(station_id)s)
AND (%(among)s::text[] IS NULL OR station_id = ANY (%(among)s))
AND (%(number)s::bigint IS NULL OR id = %(number)s)
AND (%(status)s::text IS NULL OR shown = %(status)s)
AND (%(asked_at)s::timestamptz IS NULL
     OR (asked_at, command_id) < (%(asked_at)s, %(command_id)s::uuid))
AND NOT EXISTS (
    SELECT FROM reservation AS later
    WHERE later.id = made.id AND later.station_id = made.station_id AND later.status <> 'ASKED'
      AND (later.asked_at, later.command_id) > (made.asked_at, made.command_id))
ORDER BY asked_at DESC, command_id DESC LIMIT %(limit)s
"""

_ASKED: LiteralString = """
SELECT EXISTS (
    SELECT FROM reservation JOIN station_command ON station_command.id = command_id
    WHERE reservation.station_id = %s AND reservation.asked_at > clock_timestamp() - interval '1 s'
      AND status = 'ASKED' AND ended_at IS NULL
)
"""


class ReservationState(StrEnum):
    """What became of a reservation."""

    ACCEPTED = "ACCEPTED"
    CANCELLED = "CANCELLED"
    USED = "USED"
    EXPIRED = "EXPIRED"


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    """A place that a station keeps free; `evse` null or 0 is any of the station's."""

    id: int
    station: str
    status: ReservationState
    evse: int | None
    expires_at: datetime | None


class ReservedSince(NamedTuple):
    """Where a list goes on: behind the reservation that this call asked for, then."""

    asked_at: datetime
    command_id: UUID


class ListedReservation(NamedTuple):
    """A reservation, and where the list goes on behind it."""

    reservation: Reservation
    since: ReservedSince


def read_reservations(
    connection: Connection[Any],
    *,
    at: datetime,
    station_id: str | None = None,
    among: Sequence[str] | None = None,
    number: int | None = None,
    status: ReservationState | None = None,
    since: ReservedSince | None = None,
    limit: int,
) -> list[ListedReservation]:
    """Return reservations that were accepted, the latest first.

    Args:
        connection: To the tables of calls.
        at: As of when they have expired.
        station_id: Only those of this station.
        among: Only those of these stations.
        number: Only those of this number.
        status: Only those that are so.
        since: Only those behind this one.
        limit: At most so many.
    """
    asked_at, command_id = since or (None, None)
    asked = {
        "at": at,
        "station_id": station_id,
        "among": None if among is None else list(among),
        "number": number,
        "status": status,
        "asked_at": asked_at,
        "command_id": command_id,
        "limit": limit,
    }
    return [
        ListedReservation(
            Reservation(
                id=id_,
                station=station,
                status=ReservationState(shown),
                evse=evse,
                expires_at=expires_at,
            ),
            ReservedSince(asked_at, command_id),
        )
        for id_, station, evse, expires_at, shown, asked_at, command_id in connection.execute(
            _LIST, asked
        )
    ]


def is_asked(connection: Connection[Any], station_id: str) -> bool:
    """Say whether a station was asked for a reservation just now, and may still answer."""
    (found,) = connection.execute(_ASKED, (station_id,)).fetchone() or (False,)
    return bool(found)
