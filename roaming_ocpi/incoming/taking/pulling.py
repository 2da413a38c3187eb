"""Lists of CDRs and sessions that we ask partners' CPOs for, beside what they push.

An object of a list goes the way of a pushed one, so what is known already makes no line. A page at
a time is held. What was updated since the newest object of the last list that came to its end is
asked for, and a while before, for partners commit late. A list that breaks off is asked for again
from where the last one began: what it brought is known by then.

Two processes that pull at once do no harm, and the reader of the log drops what came twice.

Source: OCPI 2.2.1, mod_cdrs and mod_sessions, pull model; OCPI 2.1.1, mod_cdrs 10.1.1.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, LiteralString, NamedTuple

import msgspec
import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from ledger.declared.declarations import Declarations
from ledger.errors import LedgerError
from ledger.partners.bounds import TooMuchToldError
from ledger.partners.messages import UnfitMessageError
from ledger.partners.told_counts import note_one_refused
from roaming_ocpi.client.asking import PartnerClient
from roaming_ocpi.client.partner_tasks import PartnerTasks
from roaming_ocpi.client.pulls import asked_since, parties_of, problem_of
from roaming_ocpi.errors import RoamingError
from roaming_ocpi.incoming.taking.intake import GivenObject, PartnerIntake
from roaming_ocpi.incoming.told import CDRS, SESSIONS
from roaming_ocpi.registration.link import Link, LinkState
from roaming_ocpi.server.calls import Caller, OcpiRefusedError
from roaming_ocpi.server.ownership import own_party
from roaming_ocpi.wire.merging import moment_of
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId
from roaming_ocpi.wire.walls import check_tree, encoded
from tariffs.errors import TariffError
from tariffs.ocpi.documents import OcpiError
from tariffs.ocpi.versions import OcpiVersion
from tariffs.phrases.phrase import bounded

EVERY: Final = timedelta(minutes=30)
"""So often a partner is asked for its lists."""
OVERLAP: Final = timedelta(hours=1)
"""So long before the newest object that we have a list begins."""
HELD: Final = timedelta(days=1)
"""So long an object that could not be taken is asked for again: its partner may mend it."""
SESSIONS_SINCE: Final = timedelta(days=7)
"""How old sessions may be that are asked for the first time: a CDR follows soon."""
PAGE: Final = 100
AT_ONCE: Final = 8
LOOK_SECONDS: Final = 30.0
_UNSAID: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Before all that is asked for: the list begins no later for it."""
_LISTS: Final = {CDRS: ModuleId.CDRS, SESSIONS: ModuleId.SESSIONS}
_LOGGER: Final = logging.getLogger(__name__)
_STATE: LiteralString = (
    "SELECT date_from, tried_at FROM partner_pull WHERE party = %s AND module = %s"
)
_NOTE: LiteralString = """
INSERT INTO partner_pull (party, module, date_from, tried_at, taken, refused, problem)
VALUES (%s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (party, module) DO UPDATE SET date_from = excluded.date_from,
    tried_at = excluded.tried_at, taken = excluded.taken, refused = excluded.refused,
    problem = excluded.problem
"""
_UNFIT: Final = (
    TariffError,
    OcpiRefusedError,
    RoamingError,
    UnfitMessageError,
    msgspec.MsgspecError,
    psycopg.DataError,
)
"""What is wrong with one object, and with no other."""
Links = Callable[[], Awaitable[Sequence[Link]]]


class PulledList(NamedTuple):
    """What a list had: objects that were taken, and that could not be; the newest one's moment.

    `why` the first of those could not be, in words that quote nobody.
    """

    taken: int = 0
    refused: int = 0
    newest: datetime | None = None
    why: str | None = None


class IncomingPuller:
    """Asks every partner that offers lists of CDRs or sessions for them, in time."""

    def __init__(
        self,
        intake: PartnerIntake,
        *,
        database: AsyncConnectionPool[AsyncConnection[Any]],
        client: PartnerClient,
        links: Links,
        declared: Callable[[], Awaitable[Declarations]],
        now: Callable[[], datetime],
    ) -> None:
        self._intake, self._database, self._client = intake, database, client
        self._links, self._declared, self._now = links, declared, now
        self._tasks = PartnerTasks("lists")

    async def run(self, stop: asyncio.Event) -> None:
        """Ask until *stop* is set; one partner's list never waits for another's."""
        await self._tasks.run(stop, self._look, every_s=LOOK_SECONDS)

    async def pull(self, link: Link, what: str) -> PulledList:
        """Ask one partner for its list of *what* ("cdrs", "sessions") now.

        Raises:
            RoamingError, LedgerError: If the list came to no end; that is noted, too.
        """
        now, state = self._now(), await self._state(link.partner, what)
        date_from = state[0] if state else None
        if date_from is None and what == SESSIONS:
            date_from = now - SESSIONS_SINCE
        query = {"limit": str(PAGE)} | ({"date_from": asked_since(date_from)} if date_from else {})
        caller = await self._speaker(link)
        found = PulledList()
        try:
            url = link.endpoints[_LISTS[what], InterfaceRole.SENDER]
            async for page in self._client.pages(link, url, query=query):
                found = await self._take_page(page, link, caller, what, found)
        except (RoamingError, LedgerError, psycopg.Error) as error:
            row = (link.partner, what, date_from, now, found.taken, found.refused)
            await self._note(*row, problem_of(error))
            raise
        if found.newest is not None:
            since = min(found.newest, now) - OVERLAP
            if found.refused:
                since = min(since, now - HELD)
            date_from = since if date_from is None else max(date_from, since)
        row = (link.partner, what, date_from, now, found.taken, found.refused)
        await self._note(*row, found.why)
        return found

    async def _look(self) -> None:
        now = self._now()
        for link in await self._links():
            if link.state is not LinkState.REGISTERED or link.partner in self._tasks:
                continue
            due = []
            for what, module in _LISTS.items():
                if (module, InterfaceRole.SENDER) in link.endpoints:
                    state = await self._state(link.partner, what)
                    if state is None or now - state[1] >= EVERY:
                        due.append(what)
            if due:
                self._tasks.begin(link.partner, partial(self._guarded, link, due))

    async def _guarded(self, link: Link, due: Sequence[str]) -> None:
        for what in due:
            try:
                await self.pull(link, what)
            except (RoamingError, LedgerError, psycopg.Error) as error:
                # Not its words: they may quote what a partner said of a person.
                _LOGGER.warning("%s of %s: %s", what, link.partner, problem_of(error))

    async def _take_page(
        self, page: Sequence[Any], link: Link, caller: Caller, what: str, found: PulledList
    ) -> PulledList:
        """Take the objects of a page, some at once; one that cannot be taken costs no other."""
        for index in range(0, len(page), AT_ONCE):
            some = page[index : index + AT_ONCE]
            came = await asyncio.gather(*(self._take(value, link, caller, what) for value in some))
            known = [each for each in came if isinstance(each, datetime)]
            whys = [each for each in came if isinstance(each, str)]
            newest = max([*known, *([found.newest] if found.newest else [])], default=None)
            found = PulledList(
                found.taken + len(known),
                found.refused + len(whys),
                newest,
                next(iter([*([found.why] if found.why else []), *whys]), None),
            )
        return found

    async def _take(self, value: object, link: Link, caller: Caller, what: str) -> datetime | str:
        """Take one object; return when it was updated, or why it cannot be taken.

        Raises:
            TooMuchToldError: If the partner has to wait: the list is asked for again then.
        """
        try:
            if not isinstance(value, dict):
                return "something that is no object"
            check_tree(value)
            named = value.get("country_code"), value.get("party_id")
            is_old = link.version is OcpiVersion.V2_1_1 and named == (None, None)
            party = link.partner if is_old else own_party(caller, *named)
            updated = _updated(value, what)
            given = GivenObject(party, value, encoded(value).decode(), self._now())
            if what == CDRS:
                await self._intake.take_cdr(given)
            else:
                await self._intake.put_session(given)
        except TooMuchToldError as error:
            async with self._database.connection() as connection:
                await note_one_refused(connection, error.party, error.bound, self._now())
            if error.wait is not None:
                raise
            return problem_of(error)
        except _UNFIT as error:
            _LOGGER.warning("one of the %s of %s: %s", what, link.partner, type(error).__name__)
            return _why_of(value, error)
        return updated

    async def _speaker(self, link: Link) -> Caller:
        """Return for which parties a partner's list may speak: a hub's for those behind it."""
        parties = parties_of(await self._declared(), link.partner, self._now())
        return Caller(link.partner, parties, link.our_party)

    async def _state(self, party: str, what: str) -> tuple[datetime | None, datetime] | None:
        async with self._database.connection() as connection:
            found = await (await connection.execute(_STATE, (party, what))).fetchone()
        return None if found is None else (found[0], found[1])

    async def _note(self, *row: object) -> None:
        async with self._database.connection() as connection:
            await connection.execute(_NOTE, row)


def _updated(value: object, what: str) -> datetime:
    """Return when an object was updated. A CDR that does not say so is owed all the same.

    Raises:
        OcpiError: If a session does not say so: which of two is newer, nobody could tell.
    """
    try:
        return moment_of(value)
    except OcpiError:
        if what != CDRS:
            raise
        return _UNSAID


def _why_of(value: object, error: Exception) -> str:
    """Return why an object was not taken: which, and where in it; what stands there is not said."""
    said = value.get("id") if isinstance(value, dict) else None
    named = bounded(said) if isinstance(said, str) and said else "one without an id"
    if isinstance(error, RoamingError):
        return f"{named}: {error}"
    spot = getattr(error, "spot", "")
    return f"{named}: it cannot be read{f', at {bounded(spot)}' if spot else ''}"
