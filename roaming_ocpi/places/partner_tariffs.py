"""Tariffs of partners, kept as versions by receipt: what a session costs is decided by its start.

10:00 PUT 12 (0.40/kWh)     version 1
10:05 PUT 12 (the same)     nothing, also where it says that it was updated since
12:00 PUT 12 (0.45/kWh)     version 2
13:00 DELETE 12             version 3: none
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import AsyncConnection, Connection

from ledger.partners.bounds import Bound, TooMuchToldError
from ledger.partners.told_counts import ToldCounts
from roaming_ocpi.wire.differences import Tree
from roaming_ocpi.wire.walls import encoded
from tariffs.ocpi.documents import decode_json
from tariffs.ocpi.versions import OcpiVersion

TARIFF_ID_MAX: Final = 36
CHANGES_WITHIN: Final = timedelta(hours=24)
_UPDATED: Final = "last_updated"

# Two that write versions of one tariff at once would give both the same number.
_LOCK: LiteralString = "SELECT pg_advisory_xact_lock(hashtextextended('partner_tariff ' || %s, 0))"
_LAST: LiteralString = """
SELECT number, version, body, greatest(said.last_updated, again.last_updated), received_at
FROM partner_tariff AS said LEFT JOIN partner_tariff_again AS again USING (party, tariff_id)
WHERE party = %s AND tariff_id = %s ORDER BY number DESC LIMIT 1
"""
_RECEIVED: LiteralString = """
SELECT received_at FROM partner_tariff WHERE party = %s AND tariff_id = %s AND number = %s
"""
_AGAIN: LiteralString = """
INSERT INTO partner_tariff_again (party, tariff_id, last_updated) VALUES (%s, %s, %s)
ON CONFLICT (party, tariff_id) DO UPDATE SET last_updated = excluded.last_updated
"""
_NOT_AGAIN: LiteralString = "DELETE FROM partner_tariff_again WHERE party = %s AND tariff_id = %s"
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
    """The last version of a tariff; `body` None: the partner took it back.

    `last_updated` is what was said last, also where no version came of it.
    """

    number: int
    version: OcpiVersion
    body: bytes | None
    last_updated: datetime
    received_at: datetime


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
    number, version, body, last_updated, received_at = row
    return KeptTariff(number, OcpiVersion(version), body, last_updated, received_at)


async def keep_tariff(
    connection: AsyncConnection[Any],
    told: ToldCounts,
    key: tuple[str, str],
    last: KeptTariff | None,
    given: KeptTariff,
) -> None:
    """Keep what was *given* as the version after *last*, where it says something new.

    *key*: its party, and its id in lower case. The number of *given* is found here.

    Raises:
        TooMuchToldError: If the tariff changes too often, or the party has too much of them.
    """
    if last is not None and _says_the_same(last, given):
        if given.body is not None and given.last_updated > last.last_updated:
            await connection.execute(_AGAIN, (*key, given.last_updated))
        return
    kept = given._replace(number=1 if last is None else last.number + 1)
    await _check_changes(connection, told, key, kept)
    digest = None if kept.body is None else sha256(kept.body).digest()
    row = (kept.number, kept.received_at, kept.last_updated, kept.version.value, kept.body)
    await connection.execute(_ADD, (*key, *row, digest, kept.body is None))
    if kept.body is None:
        await connection.execute(_NOT_AGAIN, key)
    more = {
        Bound.TARIFFS: int(last is None),
        Bound.TARIFF_VERSIONS: 1,
        Bound.BYTES: len(kept.body or b""),
    }
    await told.add(connection, key[0], more, kept.received_at)


def given_tariff(
    body: Tree | None, version: OcpiVersion, *, last_updated: datetime, now: datetime
) -> KeptTariff:
    """Return a tariff as it was given *now*, None: it was taken back."""
    return KeptTariff(0, version, None if body is None else encoded(body), last_updated, now)


async def _check_changes(
    connection: AsyncConnection[Any], told: ToldCounts, key: tuple[str, str], kept: KeptTariff
) -> None:
    """Refuse the change after the last one that a tariff may have within 24 hours."""
    most = told.bounds.most(Bound.TARIFF_CHANGES)
    rows = await connection.execute(_RECEIVED, (*key, kept.number - most))
    found = await rows.fetchone()
    if found is not None and (free_at := found[0] + CHANGES_WITHIN) > kept.received_at:
        wait = free_at - kept.received_at
        raise TooMuchToldError(key[0], Bound.TARIFF_CHANGES, most, wait=wait)


def _says_the_same(last: KeptTariff, given: KeptTariff) -> bool:
    if last.version is not given.version or (last.body is None) != (given.body is None):
        return False
    if last.body == given.body:
        return True
    return _without_moment(last.body) == _without_moment(given.body)


def _without_moment(body: bytes | None) -> bytes:
    tree: Tree = decode_json(body or b"{}")
    return encoded({name: value for name, value in tree.items() if name != _UPDATED})
