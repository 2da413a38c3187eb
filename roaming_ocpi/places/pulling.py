"""Reads the lists of partners that have stations: once all of it, then what changed, each day.

Partners push what changes; who does not, or was not heard, is read here. Of hubs it reads also who
is reached through them, more often, for what we send hangs on it. One object that cannot be kept
costs no other: the first such is noted with how many there were.
Source: OCPI 2.2.1, mod_locations, mod_tariffs and mod_hub_client_info, Sender interfaces, GET.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import AsyncConnection

from ledger.master_data.partners import Partner, PartnerRole
from ledger.partners.bounds import TooMuchToldError
from ledger.partners.party import BadPartyError, party_named
from ledger.partners.told_counts import ToldCounts, note_one_refused
from roaming_ocpi.client.answers import (
    ForbiddenAddressError,
    PartnerRefusedError,
    PartnerUnreachableError,
    TooLargeAnswerError,
)
from roaming_ocpi.client.partner_tasks import PartnerTasks
from roaming_ocpi.client.pulls import parties_of
from roaming_ocpi.places.hub_clients import keep_client
from roaming_ocpi.places.location_parts import NOT_KEPT, check_part, check_room
from roaming_ocpi.places.partner_locations import (
    LOCATION_ID_MAX,
    LockedLocation,
    lock_location,
)
from roaming_ocpi.places.partner_tariffs import (
    TARIFF_ID_MAX,
    given_tariff,
    keep_tariff,
    last_tariff,
    lock_tariff,
)
from roaming_ocpi.places.taken import updated_at
from roaming_ocpi.places.tariff_receiver import check_tariff_object
from roaming_ocpi.registration.link import Link, LinkState
from roaming_ocpi.registration.links import links
from roaming_ocpi.server.resources import Resources
from roaming_ocpi.wire.differences import Tree
from roaming_ocpi.wire.forms import ObjectKind, from_wire
from roaming_ocpi.wire.merging import is_late
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId
from roaming_ocpi.wire.moments import wire_moment
from roaming_ocpi.wire.walls import check_tree
from tariffs.ocpi.documents import OcpiError
from tariffs.ocpi.fields import JsonFields

LOOK_SECONDS: Final = 60.0
EVERY: Final = timedelta(days=1)
EVERY_CLIENTS: Final = timedelta(minutes=15)
OVERLAP: Final = timedelta(minutes=10)
"""What is read again: the partner's clock may be behind ours."""
PAGES: Final = (100, 10, 1)
"""So many objects of a page we ask for: of fewer where those are more than an answer may have."""
PASSED_OVER_MAX: Final = 100
"""Objects of a list that are larger than an answer may be: who ignores `offset` has no end."""
_ALONE_TOO_LARGE: Final = "larger than an answer may be: no page of one object can be read"
AT_ONCE: Final = 16
"""Partners that are read at the same time."""
_RETRY: Final = timedelta(minutes=15)
_TROUBLE_MAX: Final = 200
_BROKEN_OFF: Final = (
    PartnerUnreachableError,
    PartnerRefusedError,
    ForbiddenAddressError,
    TooMuchToldError,
)
"""After these a list is read again from where it began."""
_LOGGER: Final = logging.getLogger("wattledger.roaming")

_SINCE: LiteralString = "SELECT pulled_at FROM place_pulled WHERE partner = %s AND module = %s"
_PULLED: LiteralString = """
INSERT INTO place_pulled (partner, module, pulled_at, refused, trouble) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (partner, module) DO UPDATE SET pulled_at = excluded.pulled_at,
    refused = excluded.refused, trouble = excluded.trouble
"""


class ReadList(NamedTuple):
    """What came of reading a list: how many were taken, how many not, and why the first was not."""

    taken: int = 0
    refused: int = 0
    trouble: str | None = None

    def plus(self, error: str | None) -> ReadList:
        """Return it with one object more."""
        if error is None:
            return self._replace(taken=self.taken + 1)
        return ReadList(self.taken, self.refused + 1, self.trouble or error[:_TROUBLE_MAX])


class PartnerListReader:
    """Reads partners' places and prices; the part `roaming` runs it."""

    def __init__(self, resources: Resources, *, look_seconds: float = LOOK_SECONDS) -> None:
        self._resources, self._look_seconds = resources, look_seconds
        self._next: dict[str, datetime] = {}
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._tasks = PartnerTasks("places and prices")

    async def run(self, stop: asyncio.Event) -> None:
        """Read what is due until *stop* is set."""
        await self._tasks.run(stop, self._look, every_s=self._look_seconds)

    async def _look(self) -> None:
        for link in await links(self._resources.database):
            if link.state is LinkState.REGISTERED:
                self._tasks.begin(link.partner, partial(self.read, link))

    async def read(self, link: Link) -> Mapping[ModuleId, ReadList]:
        """Read the lists of one partner that are due."""
        now, declared = self._resources.now(), await self._resources.declared()
        partner = declared.partner(link.partner, now)
        if partner is None or not {PartnerRole.CPO, PartnerRole.HUB} & set(partner.roles):
            return {}
        if self._next.get(link.partner, now) > now:
            return {}
        self._next[link.partner] = now + _RETRY
        parties = parties_of(declared, link.partner, now)
        async with self._at_once:
            return await self._read_due(link, _wanted(partner), parties)

    async def _read_due(
        self, link: Link, wanted: Mapping[ModuleId, _Taking], parties: frozenset[str]
    ) -> Mapping[ModuleId, ReadList]:
        found = {}
        for module, taking in wanted.items():
            url = link.endpoints.get((module, InterfaceRole.SENDER))
            if url is None:
                continue
            try:
                read = await self._read_pages(link, module, url, taking, parties)
            except _BROKEN_OFF as error:
                _LOGGER.warning("%s of %s: %s", module, link.partner, type(error).__name__)
                continue
            if read is not None:
                found[module] = read
        return found

    async def _read_pages(
        self, link: Link, module: ModuleId, url: str, taking: _Taking, parties: frozenset[str]
    ) -> ReadList | None:
        """Read one list in pages that are as large as they may be; None: it is not due."""
        *larger, smallest = PAGES
        for limit in larger:
            try:
                return await self._read(link, (module, url), taking, parties, limit=limit)
            except TooLargeAnswerError:
                _LOGGER.info("%s of %s: fewer on a page than %d", module, link.partner, limit)
        return await self._read(link, (module, url), taking, parties, limit=smallest)

    async def _read(
        self,
        link: Link,
        of: tuple[ModuleId, str],
        taking: _Taking,
        parties: frozenset[str],
        *,
        limit: int,
    ) -> ReadList | None:
        """Read one list (*of*: its module and address), from where it was read last."""
        module, url = of
        database, now = self._resources.database, self._resources.now()
        async with database.connection() as connection:
            rows = await connection.execute(_SINCE, (link.partner, module))
            row = await rows.fetchone()
        if row is not None and row[0] + taking.every > now:
            return None
        query = {"limit": str(limit)}
        if row is not None:
            query["date_from"] = wire_moment(row[0] - OVERLAP)
        read, reading = ReadList(), _Reading(link, self._resources.told, parties, now)
        async for page in self._pages(link, url, query):
            if page is None:
                read = read.plus(_ALONE_TOO_LARGE)
                continue
            async with database.connection() as connection:
                for each in page:
                    read = read.plus(await _taken(connection, reading, each, taking))
        values = (link.partner, module, now, read.refused, read.trouble)
        async with database.connection() as connection:
            await connection.execute(_PULLED, values)
        return read

    async def _pages(
        self, link: Link, url: str, query: Mapping[str, str]
    ) -> AsyncIterator[Sequence[Any] | None]:
        """Yield the pages of a list; None for an object that is passed over, too large alone.

        Raises:
            TooLargeAnswerError: If several together are, or too many.
        """
        offset = passed = 0
        while True:
            at = {"offset": str(offset)} if passed else {}
            try:
                async for page in self._resources.client.pages(link, url, query={**query, **at}):
                    offset += len(page)
                    yield page
            except TooLargeAnswerError:
                if query["limit"] != str(PAGES[-1]) or passed == PASSED_OVER_MAX:
                    raise
                offset, passed = offset + 1, passed + 1
                yield None
            else:
                return


class _Reading(NamedTuple):
    """Whose list is read, within which bounds, of which parties it may tell, and when."""

    link: Link
    told: ToldCounts
    parties: frozenset[str]
    now: datetime


_Take = Callable[[AsyncConnection[Any], _Reading, str, Tree], Awaitable[None]]


class _Taking(NamedTuple):
    """How a list is read: `is_of_others`, whoever they are, or of the partner's own parties."""

    take: _Take
    every: timedelta = EVERY
    is_of_others: bool = False


async def _taken(
    connection: AsyncConnection[Any], reading: _Reading, value: object, taking: _Taking
) -> str | None:
    """Take one object; return what is wrong with it.

    Raises:
        TooMuchToldError: If the partner has to wait: the list is read again then.
    """
    try:
        _check_listed(value)
        tree = dict(JsonFields(value, "", []).value)
        party = reading.link.partner
        if "country_code" in tree or "party_id" in tree:
            country, party_id = tree.get("country_code"), tree.get("party_id")
            party = party_named(str(country), str(party_id))
        if not taking.is_of_others and party not in reading.parties:
            return f"{party} is not the partner's"
        async with connection.transaction():
            await taking.take(connection, reading, party, tree)
    except (OcpiError, BadPartyError) as error:
        return str(error)
    except TooMuchToldError as error:
        await note_one_refused(connection, error.party, error.bound, reading.now)
        if error.wait is not None:
            raise
        return str(error)
    return None


def _check_listed(value: object) -> None:
    """Check an object of a list for what is not kept; a Location, which may be large, by its EVSEs.

    Raises:
        OcpiError: If it has some.
    """
    # What says a field twice is no plain dict.
    if type(value) is not dict or not isinstance(value.get("evses"), list):
        check_tree(value)
        return
    evses = value["evses"]
    check_room(ObjectKind.LOCATION, len(evses))
    check_tree(value | {"evses": []})
    for each in evses:
        check_tree(each)


async def _take_tariff(
    connection: AsyncConnection[Any], reading: _Reading, party: str, tree: Tree
) -> None:
    check_tariff_object(tree)
    key, updated = _id(tree, TARIFF_ID_MAX), updated_at(tree)
    await lock_tariff(connection, party, key)
    last = await last_tariff(connection, party, key)
    is_there = last is not None and last.body is not None
    if last is not None and is_there and is_late(last.last_updated, updated, reading.now):
        return
    given = given_tariff(tree, reading.link.version, last_updated=updated, now=reading.now)
    await keep_tariff(connection, reading.told, (party, key), last, given)


async def _take_location(
    connection: AsyncConnection[Any], reading: _Reading, party: str, tree: Tree
) -> None:
    location, _ = from_wire(ObjectKind.LOCATION, tree, reading.link.version)
    location.pop(NOT_KEPT, None)
    check_part(ObjectKind.LOCATION, location)
    country, party_id = party.split("-")
    location |= {"country_code": country, "party_id": party_id}
    key = _id(location, LOCATION_ID_MAX)
    known = await lock_location(connection, party, key)
    if known is None or not is_late(known.last_updated, updated_at(location), reading.now):
        place = LockedLocation(connection, reading.told, party, key)
        await place.keep(location, before=known, at=reading.now)


async def _take_client(
    connection: AsyncConnection[Any], reading: _Reading, party: str, tree: Tree
) -> None:
    await keep_client(connection, reading.link.partner, party, tree, now=reading.now)


_TAKINGS: Final[Mapping[ModuleId, _Taking]] = {
    ModuleId.TARIFFS: _Taking(_take_tariff),
    ModuleId.LOCATIONS: _Taking(_take_location),
}
_OF_HUBS: Final = {
    ModuleId.HUB_CLIENT_INFO: _Taking(_take_client, EVERY_CLIENTS, is_of_others=True),
}


def _wanted(partner: Partner) -> Mapping[ModuleId, _Taking]:
    """Return what is read of *partner*."""
    return {**_TAKINGS, **_OF_HUBS} if PartnerRole.HUB in partner.roles else _TAKINGS


def _id(tree: Tree, length: int) -> str:
    text = JsonFields(tree, "", []).text("id", required=True) or ""
    if not 0 < len(text) <= length:
        spot = "id"
        raise OcpiError(spot, f"has 1 to {length} characters")
    return text.lower()
