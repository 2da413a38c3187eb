"""Stations as they are registered, connected, and as they last told of themselves: by pages.

Nothing here reads the log: what stations told stands in rows that the worker keeps.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, LiteralString, NamedTuple

import msgspec
from msgspec.structs import replace
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


# What was heard of last: a heartbeat is not logged, a reading moves its open session.
_STATES: LiteralString = """
SELECT known.station_id, vendor, model, serial, firmware, booted_at, greatest(
    booted_at,
    (SELECT max(received_at) FROM (
        SELECT received_at FROM connector_state AS each WHERE each.station_id = known.station_id
        LIMIT 1000) AS told),
    (SELECT max(heard_at) FROM unfinished_session AS each
     WHERE each.station_id = known.station_id),
    (SELECT last_fact_at FROM session AS each WHERE each.station_id = known.station_id
     ORDER BY station_id, coalesce(started_at, first_fact_at) DESC, session_id LIMIT 1))
FROM unnest(%s::text[]) AS known (station_id) LEFT JOIN station_state USING (station_id)
"""
_CONNECTORS: LiteralString = """
SELECT station_id, evse_id, connector_id, status, error, problem, coalesce(told_at, received_at)
FROM unnest(%s::text[]) AS known (station) CROSS JOIN LATERAL (
    SELECT * FROM connector_state WHERE station_id = station
    ORDER BY evse_id, connector_id LIMIT 1000
) AS told ORDER BY station_id, evse_id, connector_id
"""
"""A station may tell of any number of connectors that it does not have: of so many at most."""


class RegisteredConnector(msgspec.Struct, frozen=True, kw_only=True):
    """A connector as it is declared, or only told, and its state in OCPP's words.

    Its power in W, null where only the station's is. `error` is null where the station named none;
    `problem` is what its vendor says of one; `since`: as of when it told its state.
    """

    evse: int
    connector: int
    max_power_w: Decimal | None
    is_declared: bool = True
    status: str | None = None
    error: str | None = None
    problem: str | None = None
    since: datetime | None = None

    @property
    def is_faulted(self) -> bool:
        """Whether the station said that something is wrong with it."""
        return self.status == "Faulted" or self.error is not None


class StationLink(msgspec.Struct, frozen=True, kw_only=True):
    """The connection that a station has now."""

    protocol: str
    since: datetime


class RegisteredStation(msgspec.Struct, frozen=True, kw_only=True):
    """A station of the registry, its connection (null: none) and the sessions that run there.

    `vendor` to `booted_at` are as it said when it booted last; `last_frame_at` is when the last
    frame was logged that told something. `status` and `error` are of the station as a whole.
    """

    id: str
    site: str
    vendor: str | None
    model: str | None
    serial: str | None
    firmware: str | None
    booted_at: datetime | None
    last_frame_at: datetime | None
    status: str | None
    error: str | None
    connectors: list[RegisteredConnector]
    max_power_w: Decimal | None
    connection: StationLink | None
    running: list[str]


# What holds now of each, by its id; what was withdrawn has the body null.
_DECLARED: LiteralString = """
SELECT key, body FROM (
    SELECT DISTINCT ON (key) key, body FROM declaration
    WHERE kind = 'station' AND valid_from <= %(at)s
      AND (%(among)s::text[] IS NULL OR key = ANY (%(among)s))
      AND (%(only)s::text IS NULL OR lower(key) = %(only)s)
      AND (%(after)s::text IS NULL OR key > %(after)s)
    ORDER BY key, valid_from DESC, version DESC
) AS declared
WHERE body <> 'null' AND (%(site)s::text IS NULL OR body::json ->> 'site' = %(site)s)
  AND (%(is_connected)s::boolean IS NULL OR %(is_connected)s = EXISTS (
      SELECT FROM connected_station WHERE station_id = key))
ORDER BY key LIMIT %(limit)s
"""

_SPELT: LiteralString = """
SELECT key FROM declaration WHERE kind = 'station' AND key = %(id)s
UNION ALL SELECT key FROM declaration WHERE kind = 'station' AND lower(key) = %(canonical)s
LIMIT 1
"""


def read_stations(
    connection: Connection[Any],
    *,
    at: datetime,
    site: str | None = None,
    is_connected: bool | None = None,
    only: str | None = None,
    among: Sequence[str] | None = None,
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
        among: Only these, spelt as they are declared.
        after: Only those after this id.
        limit: At most so many.
    """
    asked = {
        "at": at,
        "site": site,
        "is_connected": is_connected,
        "only": None if only is None else canonical(only),
        "among": None if among is None else list(among),
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
    told = {key: _Told(*row) for key, *row in connection.execute(_STATES, (list(declared),))}
    states: defaultdict[str, list[_ConnectorState]] = defaultdict(list)
    for key, *row in connection.execute(_CONNECTORS, (list(declared),)):
        states[key].append(_ConnectorState(*row))
    return [
        _registered(key, station, told[key], states[key], links.get(key), running.get(key, []))
        for key, station in declared.items()
        if isinstance(station, Station)
    ]


class _Told(NamedTuple):
    """A row of _STATES."""

    vendor: str | None
    model: str | None
    serial: str | None
    firmware: str | None
    booted_at: datetime | None
    heard_at: datetime | None


class _ConnectorState(NamedTuple):
    """A row of _CONNECTORS."""

    evse_id: int
    connector_id: int
    status: str | None
    error: str | None
    problem: str | None
    since: datetime


def _registered(
    key: str,
    station: Station,
    told: _Told,
    states: list[_ConnectorState],
    link: StationLink | None,
    running: list[str],
) -> RegisteredStation:
    whole = next((each for each in states if (each.evse_id, each.connector_id) == (0, 0)), None)
    return RegisteredStation(
        id=key,
        site=station.site,
        vendor=told.vendor,
        model=told.model,
        serial=told.serial,
        firmware=told.firmware,
        booted_at=told.booted_at,
        last_frame_at=told.heard_at,
        status=whole.status if whole else None,
        error=whole.error if whole else None,
        connectors=_connectors(station, [each for each in states if each is not whole]),
        max_power_w=station.max_power_w,
        connection=link,
        running=running,
    )


def _connectors(station: Station, states: list[_ConnectorState]) -> list[RegisteredConnector]:
    """Return the declared connectors with the state of each, then those that were only told."""
    left = {(each.evse_id, each.connector_id): each for each in states}
    found = []
    for declared in station.connectors:
        place = declared.evse_id, declared.connector_id
        if place not in left and sum(c.evse_id == place[0] for c in station.connectors) == 1:
            # Where no EVSEs are known, a connector's number stands for both.
            place = declared.evse_id, declared.evse_id
        told = left.pop(place, None)
        connector = RegisteredConnector(
            evse=declared.evse_id,
            connector=declared.connector_id,
            max_power_w=declared.max_power_w,
        )
        found.append(connector if told is None else _with_state(connector, told))
    for place, told in left.items():
        evse, connector_id = place
        only_told = RegisteredConnector(
            evse=evse, connector=connector_id, max_power_w=None, is_declared=False
        )
        found.append(_with_state(only_told, told))
    return found


def _with_state(connector: RegisteredConnector, told: _ConnectorState) -> RegisteredConnector:
    return replace(
        connector, status=told.status, error=told.error, problem=told.problem, since=told.since
    )


def read_station(
    connection: Connection[Any], station_id: str, *, at: datetime
) -> RegisteredStation | None:
    """Return one station, however its id is spelt; None if it is not declared."""
    return next(iter(read_stations(connection, at=at, only=station_id, limit=1)), None)


def declared_id(connection: Connection[Any], station_id: str) -> str:
    """Return a station's id as it is declared, however *station_id* spells it."""
    asked = {"id": station_id, "canonical": canonical(station_id)}
    found = connection.execute(_SPELT, asked).fetchone()
    return station_id if found is None else str(found[0])
