"""Locations of partners as they stand, in the model's words; a row each, whatever its size."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final, LiteralString

from psycopg import AsyncConnection, Connection

from ledger.partners.bounds import Bound
from ledger.partners.told_counts import ToldCounts
from roaming_ocpi.places.taken import updated_at
from roaming_ocpi.wire.differences import Tree
from roaming_ocpi.wire.walls import encoded
from tariffs.ocpi.documents import OcpiError, decode_json
from tariffs.zones import zone_names

LOCATION_ID_MAX: Final = 39
"""As of 2.1.1; newer versions have 36."""
BODY_MAX: Final = 4_000_000

_LOCK: LiteralString = (
    "SELECT pg_advisory_xact_lock(hashtextextended('partner_location ' || %s, 0))"
)
_READ: LiteralString = "SELECT body FROM partner_location WHERE party = %s AND location_id = %s"
_KEEP: LiteralString = """
INSERT INTO partner_location (party, location_id, received_at, last_updated, time_zone, body)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (party, location_id) DO UPDATE SET received_at = excluded.received_at,
    last_updated = excluded.last_updated, time_zone = excluded.time_zone, body = excluded.body
"""
_ZONES: LiteralString = """
SELECT location_id, time_zone FROM partner_location
WHERE party = %s AND location_id = ANY (%s) AND time_zone IS NOT NULL
"""


async def lock_location(connection: AsyncConnection[Any], party: str, location_id: str) -> None:
    """Wait for whoever changes the same Location, within the caller's transaction."""
    await connection.execute(_LOCK, (f"{party} {location_id}",))


async def read_location(
    connection: AsyncConnection[Any], party: str, location_id: str
) -> Tree | None:
    """Return a Location of *party*; *location_id* in lower case."""
    rows = await connection.execute(_READ, (party, location_id))
    row = await rows.fetchone()
    if row is None:
        return None
    location: Tree = decode_json(row[0])
    return location


async def keep_location(
    connection: AsyncConnection[Any],
    told: ToldCounts,
    key: tuple[str, str],
    location: Tree,
    *,
    before: Tree | None,
    at: datetime,
) -> None:
    """Keep a Location that was received at the moment *at* in place of what was there *before*.

    *key*: its party, and its id in lower case.

    Raises:
        OcpiError: If all of its EVSEs together are too much.
        TooMuchToldError: If all of the party's Locations are.
    """
    party, location_id = key
    body = encoded(location)
    if len(body) > BODY_MAX:
        spot = "evses"
        raise OcpiError(spot, f"make a Location of more than {BODY_MAX:,} bytes")
    zone = location.get("time_zone")
    known = zone if isinstance(zone, str) and zone in zone_names() else None
    moment = updated_at(location)
    await connection.execute(_KEEP, (party, location_id, at, moment, known, body))
    more = _counted(location, len(body))
    if before is not None:
        less = _counted(before, len(encoded(before)))
        more = {each: more[each] - less[each] for each in more}
    await told.add(connection, party, more, at)


def _counted(location: Tree, size: int) -> dict[Bound, int]:
    """Return what a checked Location counts for."""
    evses = location.get("evses") or ()
    return {
        Bound.LOCATIONS: 1,
        Bound.EVSES: len(evses),
        Bound.CONNECTORS: sum(len(each.get("connectors") or ()) for each in evses),
        Bound.LOCATION_BYTES: size,
    }


def partner_zones(
    connection: Connection[Any], party: str, locations: Collection[str]
) -> Mapping[str, str]:
    """Return the time zones of those Locations of *party* that say one that there is."""
    rows = connection.execute(_ZONES, (party, [each.lower() for each in locations])).fetchall()
    zones = dict(rows)
    return {each: zones[each.lower()] for each in locations if each.lower() in zones}
