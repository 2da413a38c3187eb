"""Which stations somebody may see or call: those that stand now where their role holds.

A route that names a station in its path is let through by that alone; lists are cut to them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from litestar.connection import ASGIConnection
from psycopg import Connection
from psycopg_pool import ConnectionPool

from deploy.interface.access import Bearer, Scope
from ledger.declared.store import NewestDeclarations
from ledger.users.roles import Reach
from projections.stations.registered import declared_id
from projections.stations.within import stations_within

STATION: Final = "station_id"
"""What a path calls the station that it is about."""


class StationReach:
    """Says how far somebody reaches among stations. *newest* declarations are asked by *pool*."""

    def __init__(self, pool: ConnectionPool[Any], newest: NewestDeclarations) -> None:
        self._pool, self._newest = pool, newest

    def among(self, connection: Connection[Any], reach: Reach) -> Sequence[str] | None:
        """Return the stations that *reach* covers now, by their ids; None: all."""
        if reach.is_everywhere:
            return None
        return sorted(stations_within(self._newest.of(connection), reach, datetime.now(UTC)))

    async def sees(
        self, connection: ASGIConnection[Any, Bearer, Any, Any], scope: str, station_id: str
    ) -> bool:
        """Say whether who asks reaches a station with *scope*, however its id is spelt."""
        reach = connection.user.reach(Scope(scope))
        return reach.is_everywhere or await asyncio.to_thread(self._covers, reach, station_id)

    def _covers(self, reach: Reach, station_id: str) -> bool:
        at = datetime.now(UTC)
        with self._pool.connection() as connection:
            declared = self._newest.of(connection)
            station = declared.station(declared_id(connection, station_id), at)
        site = declared.site(station.site, at) if station is not None else None
        if station is None or site is None:
            return False
        return reach.covers(site.legal_entity, station.site)
