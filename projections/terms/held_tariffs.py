"""Tariffs and their versions as they were declared, a page of them as of a moment."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.declared.declarations import Kind, decode_entity
from ledger.master_data.tariff_versions import TariffVersion
from tariffs.model.tariff import Tariff

ASSIGNED_MAX: Final = 100
"""Assignments of a tariff are counted up to here: beyond it a page says "100+"."""
_KEYS: LiteralString = """
SELECT DISTINCT key FROM declaration
WHERE kind = 'tariff' AND key > %(after)s
  AND (%(of)s::text[] IS NULL OR key = ANY (%(of)s)) AND position(%(part)s IN lower(key)) > 0
ORDER BY key LIMIT %(limit)s
"""
_KEYS_DOWN: LiteralString = """
SELECT DISTINCT key FROM declaration
WHERE kind = 'tariff' AND (%(after)s = '' OR key < %(after)s)
  AND (%(of)s::text[] IS NULL OR key = ANY (%(of)s)) AND position(%(part)s IN lower(key)) > 0
ORDER BY key DESC LIMIT %(limit)s
"""
_HELD: LiteralString = """
SELECT asked.key, held.valid_from, held.declared_at, held.declared_by, held.body,
    (SELECT min(valid_from) FROM declaration
     WHERE kind = 'tariff' AND key = asked.key AND valid_from > %(at)s),
    (SELECT count(*) FROM (
        SELECT FROM declaration AS one
        WHERE kind = 'assignment' AND body::jsonb ->> 'tariff' = asked.key AND valid_from <= %(at)s
          AND NOT EXISTS (
            SELECT FROM declaration AS newer
            WHERE newer.kind = 'assignment' AND newer.key = one.key AND newer.valid_from <= %(at)s
              AND (newer.valid_from, newer.version) > (one.valid_from, one.version))
        LIMIT %(assigned_max)s) AS counted)
FROM unnest(%(keys)s::text[]) AS asked (key)
LEFT JOIN LATERAL (
    SELECT valid_from, declared_at, declared_by, body FROM declaration
    WHERE kind = 'tariff' AND key = asked.key AND valid_from <= %(at)s
    ORDER BY valid_from DESC, version DESC LIMIT 1
) AS held ON true
ORDER BY asked.key
"""
_VERSIONS: LiteralString = """
SELECT valid_from, declared_at, declared_by, body FROM declaration
WHERE kind = 'tariff' AND key = %s ORDER BY valid_from DESC, version DESC LIMIT %s
"""
VERSIONS_MAX: Final = 200


class DeclaredTariff(NamedTuple):
    """One declaration of a tariff: what it says (None: it was retired), from when, by whom."""

    valid_from: datetime
    declared_at: datetime
    declared_by: str
    version: TariffVersion | None

    @property
    def sha256(self) -> str:
        """Return the hash of what it says, "" where it says that nothing holds."""
        return self.version.sha256 if self.version else ""

    @property
    def tariff(self) -> Tariff | None:
        """Return what it says."""
        return self.version.tariff if self.version else None


class HeldTariff(NamedTuple):
    """A tariff as of a moment: what holds (None: nothing yet), when that changes next.

    `assigned`: how many assignments name it then, at most `ASSIGNED_MAX` + 1.
    """

    tariff_id: str
    held: DeclaredTariff | None
    next_from: datetime | None
    assigned: int


def held_tariffs(
    connection: Connection[Any],
    *,
    at: datetime,
    of: Collection[str] | None = None,
    part: str = "",
    after: str = "",
    limit: int = 50,
    is_down: bool = False,
) -> Sequence[HeldTariff]:
    """Return tariffs by id, as of a moment.

    Args:
        connection: To the books.
        at: As of when.
        of: Only of these ids; None: of all.
        part: What stands in the id, in any case.
        after: The last id of the page before.
        limit: How many at most.
        is_down: From the last id.
    """
    given = {
        "of": None if of is None else sorted(of),
        "part": part.lower(),
        "after": after,
        "limit": limit,
    }
    keys = [key for (key,) in connection.execute(_KEYS_DOWN if is_down else _KEYS, given)]
    asked = {"keys": keys, "at": at, "assigned_max": ASSIGNED_MAX + 1}
    found = [_held(*row) for row in connection.execute(_HELD, asked)] if keys else []
    return found[::-1] if is_down else found


def declared_versions(connection: Connection[Any], tariff_id: str) -> Sequence[DeclaredTariff]:
    """Return what was declared of a tariff, what holds last first; at most `VERSIONS_MAX`."""
    rows = connection.execute(_VERSIONS, (tariff_id, VERSIONS_MAX))
    return [_declared(*row) for row in rows]


def held_at(versions: Sequence[DeclaredTariff], at: datetime) -> DeclaredTariff | None:
    """Return which of `declared_versions` holds at a moment."""
    return next((each for each in versions if each.valid_from <= at), None)


def _held(
    key: str,
    valid_from: datetime | None,
    declared_at: datetime,
    declared_by: str,
    body: str,
    next_from: datetime | None,
    assigned: int,
) -> HeldTariff:
    held = None
    if valid_from is not None:
        held = _declared(valid_from, declared_at, declared_by, body)
    return HeldTariff(key, held, next_from, assigned)


def _declared(
    valid_from: datetime, declared_at: datetime, declared_by: str, body: str
) -> DeclaredTariff:
    entity = decode_entity(Kind.TARIFF, body)
    version = entity if isinstance(entity, TariffVersion) else None
    return DeclaredTariff(valid_from, declared_at, declared_by, version)
