"""Reservations over HTTP."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Controller, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, QueryParameter
from psycopg_pool import ConnectionPool

from deploy.api.conventions.within import Asked, reach_in
from deploy.interface.access import Scope
from deploy.interface.books import READ, Pool, Sight, Text
from deploy.interface.paging import LIMIT, Cursor, Limit, cut, key_of
from projections.stations.registered import declared_id
from projections.stations.reservations import (
    Reservation,
    ReservationState,
    ReservedSince,
    is_asked,
    read_reservations,
)

Status = Annotated[ReservationState | None, QueryParameter(description="Only those")]
NUMBER_MAX = 2**63 - 1
LOOKS = 40
LOOK_SECONDS = 0.025


class ReservationPage(msgspec.Struct, frozen=True):
    """Some reservations, and where the next ones begin; null: there are none."""

    items: list[Reservation]
    next: str | None


class ReservationsController(Controller):
    """Reservations that stations accepted."""

    tags = ("reservations",)

    @get("/reservations", opt=READ, sync_to_thread=True)
    def listed(
        self,
        request: Asked,
        pool: Pool,
        sight: Sight,
        station: Text = None,
        status: Status = None,
        limit: Limit = LIMIT,
        cursor: Cursor = None,
    ) -> ReservationPage:
        """Return reservations, the latest first.

        A station that was asked for one just now is waited for, a second at most: who does not
        wait for its answer would take an older one for that.
        """
        if station is not None:
            station = _answered(pool, station)
        since = None if cursor is None else ReservedSince(*key_of(cursor, tuple[datetime, UUID]))
        with pool.connection() as connection:
            found = read_reservations(
                connection,
                at=datetime.now(UTC),
                station_id=station,
                among=sight.among(connection, reach_in(request, Scope.READ)),
                status=status,
                since=since,
                limit=limit + 1,
            )
        shown, more = cut(found, limit, lambda each: each.since)
        return ReservationPage([each.reservation for each in shown], more)

    @get("/reservations/{number:int}", opt=READ, sync_to_thread=True)
    def one(self, request: Asked, pool: Pool, sight: Sight, number: FromPath[int]) -> Reservation:
        """Return one reservation by its number: the latest, where it was given again."""
        found = []
        if abs(number) <= NUMBER_MAX:
            with pool.connection() as connection:
                among = sight.among(connection, reach_in(request, Scope.READ))
                found = read_reservations(
                    connection, at=datetime.now(UTC), number=number, among=among, limit=1
                )
        if not found:
            message = f"there is no reservation {number}"
            raise NotFoundException(message)
        return found[0].reservation


def _answered(pool: ConnectionPool[Any], station: str) -> str:
    """Return a station as it is declared, once it answered or a second passed."""
    with pool.connection() as connection:
        station = declared_id(connection, station)
    for _ in range(LOOKS):
        with pool.connection() as connection:
            if not is_asked(connection, station):
                break
        time.sleep(LOOK_SECONDS)
    return station
