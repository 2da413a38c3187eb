"""Stations as they are registered, and whether they are connected: a page at a time."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, LiteralString

import msgspec
from psycopg import Connection

from ledger.declared.declarations import Kind, decode_entity
from ledger.declared.identities import canonical
from ledger.master_data.stations import Station

_CONNECTED: LiteralString = """
SELECT station_id, protocol, opened_at FROM connected_station WHERE station_id = ANY (%s)
"""
_RUNNING: LiteralString = """
SELECT station_id, array_agg(session_id ORDER BY started_at, session_id) FROM unfinished_session
WHERE station_id = ANY (%s) AND state = 'open' GROUP BY station_id
"""


class RegisteredConnector(msgspec.Struct, frozen=True, kw_only=True):
    """A connector as it is declared; its power in W, null where only the station's is."""

    evse: int
    connector: int
    max_power_w: Decimal | None


class StationLink(msgspec.Struct, frozen=True, kw_only=True):
    """The connection that a station has now."""

    protocol: str
    since: datetime


class RegisteredStation(msgspec.Struct, frozen=True, kw_only=True):
    """A station of the registry, its connection (null: none) and the sessions that run there."""

    id: str
    site: str
    connectors: list[RegisteredConnector]
    max_power_w: Decimal | None
    connection: StationLink | None
    running: list[str]


# What holds now of each, by its id; what was withdrawn has the body null.
_DECLARED: LiteralString = """
SELECT key, body FROM (
    SELECT DISTINCT ON (key) key, body FROM declaration
    WHERE kind = 'station' AND valid_from <= %(at)s
      AND (%(only)s::text IS NULL OR lower(key) = %(only)s)
      AND (%(after)s::text IS NULL OR key > %(after)s)
    ORDER BY key, valid_from DESC, version DESC
) AS declared
WHERE body <> 'null' AND (%(site)s::text IS NULL OR body::json ->> 'site' = %(site)s)
  AND (%(is_connected)s::boolean IS NULL OR %(is_connected)s = EXISTS (
      SELECT FROM connected_station WHERE station_id = key))
ORDER BY key LIMIT %(limit)s
"""


def read_stations(
    connection: Connection[Any],
    *,
    at: datetime,
    site: str | None = None,
    is_connected: bool | None = None,
    only: str | None = None,
    after: str | None = None,
    limit: int,
) -> list[RegisteredStation]:
    """Return stations by their ids.

    Args:
        connection: To the books.
        at: As of when they are declared.
        site: Only those of this site.
        is_connected: Only those that are connected now, or only those that are not.
        only: One alone, however its id is spelt.
        after: Only those after this id.
        limit: At most so many.
    """
    asked = {
        "at": at,
        "site": site,
        "is_connected": is_connected,
        "only": None if only is None else canonical(only),
        "after": after,
        "limit": limit,
    }
    declared = {
        key: decode_entity(Kind.STATION, body)
        for key, body in connection.execute(_DECLARED, asked).fetchall()
    }
    links = {
        station_id: StationLink(protocol=protocol, since=opened_at)
        for station_id, protocol, opened_at in connection.execute(_CONNECTED, (list(declared),))
    }
    running = dict(connection.execute(_RUNNING, (list(declared),)).fetchall())
    return [
        _registered(key, station, links.get(key), running.get(key, []))
        for key, station in declared.items()
        if isinstance(station, Station)
    ]


def _registered(
    key: str, station: Station, link: StationLink | None, running: list[str]
) -> RegisteredStation:
    return RegisteredStation(
        id=key,
        site=station.site,
        connectors=[
            RegisteredConnector(
                evse=each.evse_id, connector=each.connector_id, max_power_w=each.max_power_w
            )
            for each in station.connectors
        ],
        max_power_w=station.max_power_w,
        connection=link,
        running=running,
    )


def read_station(
    connection: Connection[Any], station_id: str, *, at: datetime
) -> RegisteredStation | None:
    """Return one station, however its id is spelt; None if it is not declared."""
    return next(iter(read_stations(connection, at=at, only=station_id, limit=1)), None)
