"""Tariffs of partners, kept as versions by receipt: what a session costs is decided by its start.

10:00 PUT 12 (0.40/kWh)     version 1
10:05 PUT 12 (the same)     nothing
12:00 PUT 12 (0.45/kWh)     version 2
13:00 DELETE 12             version 3: none
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import AsyncConnection, Connection

from tariffs.ocpi.versions import OcpiVersion

TARIFF_ID_MAX: Final = 36

# Two that write versions of one tariff at once would give both the same number.
_LOCK: LiteralString = "SELECT pg_advisory_xact_lock(hashtextextended('partner_tariff ' || %s, 0))"
_LAST: LiteralString = """
SELECT number, version, body, sha256, last_updated, received_at FROM partner_tariff
WHERE party = %s AND tariff_id = %s ORDER BY number DESC LIMIT 1
"""
_ADD: LiteralString = """
INSERT INTO partner_tariff
    (party, tariff_id, number, received_at, last_updated, version, body, sha256, deleted)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_AT: LiteralString = """
SELECT asked.tariff_id, asked.at, found.body
FROM unnest(%s::text[], %s::timestamptz[]) AS asked (tariff_id, at), LATERAL (
    SELECT body FROM partner_tariff AS each
    WHERE each.party = %s AND each.tariff_id = asked.tariff_id AND each.received_at <= asked.at
    ORDER BY each.number DESC LIMIT 1
) AS found
WHERE found.body IS NOT NULL
"""


class KeptTariff(NamedTuple):
    """The last version of a tariff; `body` None: the partner took it back."""

    number: int
    version: OcpiVersion
    body: bytes | None
    digest: bytes | None
    last_updated: datetime
    received_at: datetime


def partner_tariff_at(
    connection: Connection[Any], party: str, tariff_id: str, at: datetime
) -> bytes | None:
    """Return the JSON of a tariff of *party* as we had it at the moment *at*, None if none."""
    return partner_tariffs_at(connection, party, [(tariff_id, at)]).get((tariff_id, at))


def partner_tariffs_at(
    connection: Connection[Any], party: str, asked: Collection[tuple[str, datetime]]
) -> Mapping[tuple[str, datetime], bytes]:
    """Return those of the tariffs (id, moment) that we had then, in one query.

    `tariffs.ocpi.tariff_reader.read_ocpi_tariff` reads them.
    """
    spelt: dict[tuple[str, datetime], list[tuple[str, datetime]]] = {}
    for tariff_id, at in asked:
        spelt.setdefault((tariff_id.lower(), at), []).append((tariff_id, at))
    ids, moments = [key[0] for key in spelt], [key[1] for key in spelt]
    rows = connection.execute(_AT, (ids, moments, party)).fetchall()
    return {each: bytes(body) for key, at, body in rows for each in spelt[key, at]}


async def lock_tariff(connection: AsyncConnection[Any], party: str, tariff_id: str) -> None:
    """Wait for whoever writes the same tariff, within the caller's transaction."""
    await connection.execute(_LOCK, (f"{party} {tariff_id}",))


async def last_tariff(
    connection: AsyncConnection[Any], party: str, tariff_id: str
) -> KeptTariff | None:
    """Return the last version of a tariff; *tariff_id* in lower case."""
    rows = await connection.execute(_LAST, (party, tariff_id))
    row = await rows.fetchone()
    if row is None:
        return None
    number, version, body, digest, last_updated, received_at = row
    return KeptTariff(number, OcpiVersion(version), body, digest, last_updated, received_at)


async def add_tariff(
    connection: AsyncConnection[Any], party: str, tariff_id: str, kept: KeptTariff
) -> None:
    """Add *kept*, whose number is the next one."""
    await connection.execute(
        _ADD,
        (
            party,
            tariff_id,
            kept.number,
            kept.received_at,
            kept.last_updated,
            kept.version.value,
            kept.body,
            kept.digest,
            kept.body is None,
        ),
    )


def next_version(
    last: KeptTariff | None,
    body: bytes | None,
    version: OcpiVersion,
    *,
    last_updated: datetime,
    now: datetime,
) -> KeptTariff | None:
    """Return the version that *body* makes after *last*, None where it says the same."""
    digest = None if body is None else sha256(body).digest()
    if last is not None and last.digest == digest and last.version is version:
        return None
    number = 1 if last is None else last.number + 1
    return KeptTariff(number, version, body, digest, last_updated, now)
