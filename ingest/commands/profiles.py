"""Charging profiles by name, to be put into calls; they are checked when they are sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, LiteralString, NamedTuple

import msgspec
import psycopg

from ingest.commands.schemas import BadPayloadError, compact_json
from ingest.errors import IngestError
from ingest.gathering import Connect, Gatherer

PROFILES_MAX: Final = 1_000
PROFILE_MAX: Final = 64 * 1024
"""Characters of a profile: one of a thousand periods has half of that."""
_LIST: LiteralString = "SELECT name, profile FROM charging_profile ORDER BY name"
_LOCK: LiteralString = "LOCK TABLE charging_profile IN SHARE ROW EXCLUSIVE MODE"
_PUT: LiteralString = """
INSERT INTO charging_profile (name, profile, put_by)
SELECT name, profile, put_by FROM (VALUES (%s, %s, %s)) AS given (name, profile, put_by)
WHERE (SELECT count(*) FROM charging_profile) < %s
   OR EXISTS (SELECT FROM charging_profile AS known WHERE known.name = given.name)
ON CONFLICT (name) DO UPDATE
SET profile = excluded.profile, put_by = excluded.put_by, put_at = clock_timestamp()
RETURNING true
"""


class NamedProfile(msgspec.Struct, frozen=True, kw_only=True):
    """A charging profile as it was given."""

    name: str
    profile: msgspec.Raw


class TooManyProfilesError(IngestError):
    """There is no room for another name."""

    def __init__(self) -> None:
        super().__init__(f"there are {PROFILES_MAX} charging profiles: put one of their names anew")


class _Put(NamedTuple):
    name: str
    profile: str
    by: str


class ChargingProfiles:
    """Charging profiles that all processes share."""

    def __init__(self, connect: Connect) -> None:
        self._lists: Gatherer[None, list[NamedProfile]] = Gatherer(connect, _list)
        self._puts: Gatherer[_Put, bool] = Gatherer(connect, _put)

    async def list(self) -> list[NamedProfile]:
        """Return all of them, by their names."""
        return await self._lists.ask(None)

    async def put(self, name: str, profile: str, *, by: str) -> NamedProfile:
        """Keep a *profile* (a JSON object) under a name, whatever had that name before.

        Raises:
            BadPayloadError: If it is no JSON object, or too large.
            TooManyProfilesError: If there is no room for another name.
        """
        if len(profile) > PROFILE_MAX:
            message = f"the profile has more than {PROFILE_MAX} characters"
            raise BadPayloadError(message)
        compact = compact_json(profile)
        if not await self._puts.ask(_Put(name, compact, by)):
            raise TooManyProfilesError
        return NamedProfile(name=name, profile=msgspec.Raw(compact.encode()))

    async def close(self) -> None:
        """Close the connections."""
        for each in (self._lists, self._puts):
            await each.close()


async def _list(
    connection: psycopg.AsyncConnection, asked: Sequence[None]
) -> Sequence[list[NamedProfile]]:
    rows = await (await connection.execute(_LIST)).fetchall()
    found = [NamedProfile(name=name, profile=msgspec.Raw(p.encode())) for name, p in rows]
    return [found] * len(asked)


async def _put(connection: psycopg.AsyncConnection, given: Sequence[_Put]) -> Sequence[bool]:
    await connection.execute(_LOCK)
    done = []
    for each in given:
        cursor = await connection.execute(_PUT, (*each, PROFILES_MAX))
        done.append(await cursor.fetchone() is not None)
    return done
