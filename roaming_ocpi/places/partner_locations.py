"""Locations of partners as they stand, in the model's words: a row each, and one for each EVSE.

What one EVSE says costs the same in a Location of any size: its own row is read and written, and of
the Location's the moment and the sums. Who changes one has locked it (`lock_location`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import AsyncConnection

from ledger.partners.bounds import Bound
from ledger.partners.told_counts import ToldCounts
from roaming_ocpi.places.location_parts import check_room, parts_of
from roaming_ocpi.places.taken import updated_at
from roaming_ocpi.wire.differences import Tree
from roaming_ocpi.wire.forms import ObjectKind
from roaming_ocpi.wire.walls import encoded
from tariffs.ocpi.documents import OcpiError, decode_json
from tariffs.zones import zone_names

LOCATION_ID_MAX: Final = 39
"""As of 2.1.1; newer versions have 36."""
LOCATION_BYTES_MAX: Final = 16_000_000
"""Of a Location with all of its EVSEs: it is given back as one."""
EVSE_BYTES_MAX: Final = 250_000

_LOCK: LiteralString = (
    "SELECT pg_advisory_xact_lock(hashtextextended('partner_location ' || %s, 0))"
)
_SUMS: LiteralString = """
SELECT last_updated, updated, evses, connectors, bytes FROM partner_location
WHERE party = %s AND location_id = %s
"""
_READ_HEAD: LiteralString = """
SELECT body, updated, evses FROM partner_location WHERE party = %s AND location_id = %s
"""
_READ: LiteralString = """
SELECT body, updated, evses, ARRAY(
    SELECT evse.body FROM partner_evse AS evse
    WHERE (evse.party, evse.location_id) = (place.party, place.location_id) ORDER BY number
) FROM partner_location AS place WHERE party = %s AND location_id = %s
"""
_READ_EVSE: LiteralString = """
SELECT body, number, connectors FROM partner_evse
WHERE party = %s AND location_id = %s AND evse_uid = %s
"""
_KEEP: LiteralString = """
INSERT INTO partner_location (party, location_id, received_at, time_zone, body, last_updated,
    updated, evses, connectors, bytes)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (party, location_id) DO UPDATE SET received_at = excluded.received_at,
    time_zone = excluded.time_zone, body = excluded.body, last_updated = excluded.last_updated,
    updated = excluded.updated, evses = excluded.evses, connectors = excluded.connectors,
    bytes = excluded.bytes
"""
_MOVE: LiteralString = """
UPDATE partner_location SET received_at = %s, last_updated = %s, updated = %s, evses = %s,
    connectors = %s, bytes = %s
WHERE party = %s AND location_id = %s
"""
_KEEP_EVSE: LiteralString = """
INSERT INTO partner_evse (party, location_id, evse_uid, number, connectors, body)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (party, location_id, evse_uid) DO UPDATE SET connectors = excluded.connectors,
    body = excluded.body
"""
# What is told again as it was is not written.
_KEEP_EVSES: LiteralString = """
WITH told AS (
    SELECT * FROM unnest(%(uids)s::text[], %(numbers)s::integer[], %(connectors)s::integer[],
        %(bodies)s::bytea[]) AS each (evse_uid, number, connectors, body)
), gone AS (
    DELETE FROM partner_evse WHERE party = %(party)s AND location_id = %(location_id)s
        AND evse_uid NOT IN (SELECT evse_uid FROM told)
)
INSERT INTO partner_evse (party, location_id, evse_uid, number, connectors, body)
SELECT %(party)s, %(location_id)s, told.* FROM told LEFT JOIN partner_evse AS known
    ON (known.party, known.location_id, known.evse_uid)
        = (%(party)s, %(location_id)s, told.evse_uid)
WHERE (told.number, told.body) IS DISTINCT FROM (known.number, known.body)
ON CONFLICT (party, location_id, evse_uid) DO UPDATE SET number = excluded.number,
    connectors = excluded.connectors, body = excluded.body
"""


class LocationSums(NamedTuple):
    """A Location that is kept: when it was updated, as moment and as said, and how much it is."""

    last_updated: datetime
    updated: str
    evses: int
    connectors: int
    size: int

    def moved(self, part: Tree) -> LocationSums:
        """Return it as updated when a part of it was, if that is later."""
        moment = updated_at(part)
        if moment <= self.last_updated:
            return self
        return self._replace(last_updated=moment, updated=part["last_updated"])

    def counted(self) -> Mapping[Bound, int]:
        """Return what it counts for."""
        return {
            Bound.LOCATIONS: 1,
            Bound.EVSES: self.evses,
            Bound.CONNECTORS: self.connectors,
            Bound.LOCATION_BYTES: self.size,
        }


class KeptEvse(NamedTuple):
    """An EVSE that is kept, and its place in its Location."""

    tree: Tree
    number: int
    connectors: int
    size: int


class LockedLocation(NamedTuple):
    """A Location of a party, by its id in lower case, in a transaction that has locked it."""

    connection: AsyncConnection[Any]
    told: ToldCounts
    party: str
    location_id: str

    async def keep(
        self, location: Tree, *, before: LocationSums | None, at: datetime, only_head: bool = False
    ) -> None:
        """Keep it as *location* says in place of what was there *before*.

        *only_head*: its EVSEs stay as they are.

        Raises:
            OcpiError: If it is too much.
            TooMuchToldError: If all of the party's Locations are.
        """
        evses = [] if only_head else parts_of(ObjectKind.LOCATION, location)
        bodies = [_evse_body(each, f"evses[{index}]") for index, each in enumerate(evses)]
        connectors = [len(parts_of(ObjectKind.EVSE, each)) for each in evses]
        head = encoded(_head(location))
        size = len(head) + sum(map(len, bodies))
        sums = LocationSums(
            updated_at(location), location["last_updated"], len(evses), sum(connectors), size
        )
        if only_head and before is not None:
            known, _ = await _read_row(self.connection, self.party, self.location_id)
            size += before.size - len(known)
            sums = sums._replace(evses=before.evses, connectors=before.connectors, size=size)
        _check_size(sums)
        zone = location.get("time_zone")
        known_zone = zone if isinstance(zone, str) and zone in zone_names() else None
        values = (self.party, self.location_id, at, known_zone, head, *sums)
        await self.connection.execute(_KEEP, values)
        if not only_head:
            await self._keep_evses(evses, connectors, bodies)
        await self._count(before, sums, at)

    async def _keep_evses(
        self, evses: Iterable[Tree], connectors: list[int], bodies: list[bytes]
    ) -> None:
        uids = [evse_key(each) for each in evses]
        values = {
            "party": self.party,
            "location_id": self.location_id,
            "uids": uids,
            "numbers": list(range(1, len(uids) + 1)),
            "connectors": connectors,
            "bodies": bodies,
        }
        await self.connection.execute(_KEEP_EVSES, values)

    async def keep_evse(
        self, evse: Tree, *, known: KeptEvse | None, before: LocationSums, at: datetime
    ) -> None:
        """Keep one EVSE of it in place of the *known* one; None: it is new.

        Raises:
            OcpiError: If it is too much, or one too many.
            TooMuchToldError: If all of the party's Locations are.
        """
        body, connectors = _evse_body(evse, ""), len(parts_of(ObjectKind.EVSE, evse))
        last = known or KeptEvse({}, before.evses + 1, 0, 0)
        sums = before.moved(evse)._replace(
            evses=before.evses + (known is None),
            connectors=before.connectors + connectors - last.connectors,
            size=before.size + len(body) - last.size,
        )
        check_room(ObjectKind.LOCATION, sums.evses)
        if sums.size > before.size:
            _check_size(sums)
        key = (self.party, self.location_id)
        values = (*key, evse_key(evse), last.number, connectors, body)
        await self.connection.execute(_KEEP_EVSE, values)
        await self.connection.execute(_MOVE, (at, *sums, *key))
        await self._count(before, sums, at)

    async def _count(self, before: LocationSums | None, sums: LocationSums, at: datetime) -> None:
        more = sums.counted()
        if before is not None:
            less = before.counted()
            more = {each: count - less[each] for each, count in more.items()}
        await self.told.add(self.connection, self.party, more, at)


async def lock_location(
    connection: AsyncConnection[Any], party: str, location_id: str
) -> LocationSums | None:
    """Wait for whoever changes the same Location, within the caller's transaction.

    Return how it stands, None: it is not there.
    """
    await connection.execute(_LOCK, (f"{party} {location_id}",))
    rows = await connection.execute(_SUMS, (party, location_id))
    row = await rows.fetchone()
    return None if row is None else LocationSums(*row)


async def read_location(
    connection: AsyncConnection[Any], party: str, location_id: str
) -> Tree | None:
    """Return a Location of *party*; *location_id* in lower case."""
    rows = await connection.execute(_READ, (party, location_id))
    row = await rows.fetchone()
    if row is None:
        return None
    body, updated, evses, bodies = row
    location = _located(body, updated, evses)
    if bodies:
        location["evses"] = [decode_json(each) for each in bodies]
    return location


async def read_head(connection: AsyncConnection[Any], party: str, location_id: str) -> Tree:
    """Return a Location that is kept, without its EVSEs: an empty list where it has some."""
    body, (updated, evses) = await _read_row(connection, party, location_id)
    return _located(body, updated, evses)


async def read_evse(
    connection: AsyncConnection[Any], party: str, location_id: str, uid: str
) -> KeptEvse | None:
    """Return an EVSE of a Location; ids in lower case."""
    rows = await connection.execute(_READ_EVSE, (party, location_id, uid))
    row = await rows.fetchone()
    if row is None:
        return None
    body, number, connectors = row
    return KeptEvse(decode_json(body), number, connectors, len(body))


def evse_key(evse: Tree) -> str:
    """Return the uid of a checked EVSE as it is looked up."""
    return str(evse["uid"]).lower()


async def _read_row(
    connection: AsyncConnection[Any], party: str, location_id: str
) -> tuple[bytes, tuple[str, int]]:
    rows = await connection.execute(_READ_HEAD, (party, location_id))
    row = await rows.fetchone()
    assert row is not None, "who asks has found it"
    body, updated, evses = row
    return body, (updated, evses)


def _located(body: bytes, updated: str, evses: int) -> Tree:
    location: Tree = decode_json(body)
    location["last_updated"] = updated
    if evses and not location.get("evses"):
        location["evses"] = []
    return location


def _head(location: Tree) -> Tree:
    if isinstance(location.get("evses"), list | dict):
        return location | {"evses": []}
    return location


def _evse_body(evse: Tree, spot: str) -> bytes:
    body = encoded(evse)
    if len(body) > EVSE_BYTES_MAX:
        raise OcpiError(spot, f"an EVSE of more than {EVSE_BYTES_MAX:,} bytes")
    return body


def _check_size(sums: LocationSums) -> None:
    if sums.size > LOCATION_BYTES_MAX:
        spot = "evses"
        raise OcpiError(spot, f"make a Location of more than {LOCATION_BYTES_MAX:,} bytes")
