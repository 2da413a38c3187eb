"""Tells partners what changed of our places and prices, by the link of each, one beside the other.

A partner that does not answer is asked again later, and delays nobody; what it refuses is told
again once it is otherwise. Partners may ask for everything at the same time (`location_sender`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, LiteralString
from urllib.parse import quote
from zlib import crc32

from psycopg import AsyncConnection

from roaming_ocpi.client.answers import (
    ForbiddenAddressError,
    PartnerRefusedError,
    PartnerUnreachableError,
)
from roaming_ocpi.client.partner_tasks import PartnerTasks
from roaming_ocpi.places.ours.evse_status import StationSaid
from roaming_ocpi.places.ours.last_looks import PartnerLook, SaidLately, by_station
from roaming_ocpi.places.ours.our_locations import our_locations
from roaming_ocpi.places.ours.our_tariffs import our_tariffs
from roaming_ocpi.places.ours.publication import Publication
from roaming_ocpi.places.ours.wanted import (
    PartnerTelling,
    Told,
    ToldKey,
    ToldKind,
    changed_evses,
    evse_key,
    tellings,
)
from roaming_ocpi.registration.link import Link, LinkState
from roaming_ocpi.registration.links import links
from roaming_ocpi.server.resources import Resources
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId

LOOK_SECONDS: Final = 5.0
AT_ONCE: Final = 4
"""Partners that are told at the same time."""
TURN_SECONDS: Final = 60.0
"""After which a slow one lets others go first."""
_PAUSE_MAX: Final = timedelta(minutes=15)
_DOUBLINGS_MAX: Final = 10
_LOGGER: Final = logging.getLogger("wattledger.roaming")

_LOCK: LiteralString = "SELECT pg_try_advisory_lock(hashtextextended('place_told ' || %s, 0))"
_UNLOCK: LiteralString = "SELECT pg_advisory_unlock(hashtextextended('place_told ' || %s, 0))"
_TOLD: LiteralString = "SELECT kind, key, sha256 FROM place_told WHERE partner = %s"
_TOLD_OF: LiteralString = """
SELECT kind, key, sha256 FROM place_told WHERE partner = %s AND kind = 'evse' AND key = ANY (%s)
"""
_KNOWN: LiteralString = """
INSERT INTO place_told (partner, kind, key, sha256, told_at, trouble)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (partner, kind, key) DO UPDATE SET sha256 = excluded.sha256,
    told_at = excluded.told_at, trouble = excluded.trouble
"""
_FORGOTTEN: LiteralString = "DELETE FROM place_told WHERE partner = %s AND kind = %s AND key = %s"


class PartnerTeller:
    """Keeps every partner with a link up to date; the part `roaming` runs it."""

    def __init__(self, resources: Resources, *, look_seconds: float = LOOK_SECONDS) -> None:
        self.resources, self._look_seconds = resources, look_seconds
        self._tariffs = Publication(resources, our_tariffs)
        self._locations = Publication(resources, our_locations)
        self._waits: dict[str, tuple[int, datetime]] = {}
        self._looks: dict[str, PartnerLook] = {}
        self._said: dict[str, StationSaid] = {}
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._tasks = PartnerTasks("telling places and prices")

    async def run(self, stop: asyncio.Event) -> None:
        """Look for changes until *stop* is set."""
        await self._tasks.run(stop, self._look, every_s=self._look_seconds)

    async def _look(self) -> None:
        said = SaidLately(self._said)
        for link in await links(self.resources.database):
            if link.state is LinkState.REGISTERED and self._is_due(link):
                self._tasks.begin(link.partner, partial(self.tell, link, said))

    async def tell(self, link: Link, said: SaidLately | None = None) -> int:
        """Tell the partner of *link* what it does not know yet; return how many requests."""
        async with self._at_once, self.resources.database.connection() as connection:
            rows = await connection.execute(_LOCK, (link.partner,))
            [(is_free,)] = await rows.fetchall()
            if not is_free:  # another process tells it
                return 0
            try:
                return await self._tell(link, connection, said or SaidLately(self._said))
            except (PartnerUnreachableError, ForbiddenAddressError):
                self._wait(link)
                return 0
            except Exception:
                self._wait(link)
                raise
            finally:
                await connection.execute(_UNLOCK, (link.partner,))

    async def _tell(self, link: Link, connection: AsyncConnection[Any], said: SaidLately) -> int:
        now, count, until = self.resources.now(), 0, time.monotonic() + TURN_SECONDS
        look = await self._looked(link, connection, said, now)
        # Until all of this is known to be told, the next look is at everything.
        last = self._looks.pop(link.partner, None)
        changed = None if last is None else last.changed_until(look)
        if last is None or changed is None:
            told = await _read_told(connection, _TOLD, link.partner)
            look = look._replace(evses=by_station(look.locations or (), link.version))
            locations = None if look.locations is None else (look.locations, look.said)
            due = tellings(told, look.tariffs, locations, link.version, now)
        else:
            look = look._replace(all_at=last.all_at, evses=last.evses)
            evses = [each for station in changed for each in look.evses.get(station, ())]
            keys = [evse_key(location, tree).key for location, _, tree in evses]
            told = await _read_told(connection, _TOLD_OF, link.partner, keys) if keys else {}
            due = changed_evses(told, evses, look.said, link.version)
        for telling in due:
            trouble = await self._send(link, telling)
            for key, digest in telling.known.items():
                values = (link.partner, key.kind, key.key, digest, now, trouble)
                await connection.execute(_KNOWN, values)
            for key in telling.forgotten:
                await connection.execute(_FORGOTTEN, (link.partner, key.kind, key.key))
            count += 1
            if time.monotonic() > until:
                break  # the rest next time: others that wait go first
        else:
            self._looks[link.partner] = look
        self._waits.pop(link.partner, None)
        return count

    async def _looked(
        self, link: Link, connection: AsyncConnection[Any], said: SaidLately, now: datetime
    ) -> PartnerLook:
        """Return what there is to tell a partner now."""
        tariffs = locations = None
        stations: Mapping[str, StationSaid] = {}
        who = (link.partner, link.our_party, connection, now)
        if _endpoint(link, ModuleId.TARIFFS) is not None:
            tariffs = await self._tariffs.to(*who) or ()
        if _endpoint(link, ModuleId.LOCATIONS) is not None:
            published = await self._locations.to(*who)
            locations = published.locations if published is not None else ()
            stations = await said.of(connection, locations)
        return PartnerLook(link, tariffs, locations, stations, time.monotonic(), {})

    async def _send(self, link: Link, telling: PartnerTelling) -> str | None:
        """Send one request; return why the partner refuses it, None where it took it."""
        endpoint = _endpoint(link, telling.key.module) or ""
        place = "/".join(quote(each, safe="") for each in _path(link, telling.key))
        url = f"{endpoint.rstrip('/')}/{place}"
        try:
            await self.resources.client.ask(link, telling.method, url, body=telling.body)
        except PartnerRefusedError as error:
            return f"HTTP {error.answer.http}, status {error.answer.status_code}"
        return None

    def _is_due(self, link: Link) -> bool:
        _, next_at = self._waits.get(link.partner, (0, None))
        return next_at is None or next_at <= self.resources.now()

    def _wait(self, link: Link) -> None:
        """Try a partner again later, each time twice as late, and not all at one moment."""
        failures = self._waits.get(link.partner, (0, None))[0] + 1
        pause = timedelta(seconds=self._look_seconds) * 2 ** min(failures, _DOUBLINGS_MAX)
        share = 100 + crc32(f"{link.partner} {failures}".encode()) % 50
        pause = min(pause, _PAUSE_MAX) * share / 100
        self._waits[link.partner] = failures, self.resources.now() + pause


async def _read_told(
    connection: AsyncConnection[Any], query: LiteralString, *asked: str | list[str]
) -> Told:
    rows = await connection.execute(query, asked)
    found = await rows.fetchall()
    return {ToldKey(ToldKind(kind), key): bytes(digest) for kind, key, digest in found}


def _endpoint(link: Link, module: ModuleId) -> str | None:
    endpoints: Mapping[tuple[ModuleId, InterfaceRole], str] = link.endpoints
    return endpoints.get((module, InterfaceRole.RECEIVER))


def _path(link: Link, key: ToldKey) -> list[str]:
    country, party_id = link.our_party.split("-")
    return [country, party_id, *key.key.split("/", 1)]
