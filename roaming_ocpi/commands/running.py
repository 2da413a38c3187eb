"""Carries out what partners commanded, and posts what came of it: a loop over the rows.

Any number of processes may run it: a row is one's at a time. Commands of one partner, or results
for one that does not take them, never hold up another's: of each a few are under way at once.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

import psycopg
from psycopg_pool import PoolTimeout

from ledger.errors import LedgerError
from ledger.partners.station_calls import CalledStation, StationCalls
from roaming_ocpi.client.answers import (
    ForbiddenAddressError,
    PartnerRefusedError,
    PartnerUnreachableError,
)
from roaming_ocpi.client.asking import PartnerClient
from roaming_ocpi.commands.kept import (
    OwedCommand,
    Pool,
    claim,
    note_again,
    note_dropped,
    note_posted,
    note_result,
    prune,
    release,
)
from roaming_ocpi.commands.orders import CommandOrder, wanted_of
from roaming_ocpi.commands.results import result_body
from roaming_ocpi.errors import RoamingError
from roaming_ocpi.registration.link import Link, LinkState
from roaming_ocpi.wire.walls import encoded
from tariffs.ocpi.versions import OcpiVersion

ANSWER_SECONDS: Final = 30.0
"""So long a station may think."""
POST_SECONDS: Final = 20.0
LOOK_SECONDS: Final = 0.5
"""A driver waits for it."""
AT_ONCE: Final = 64
AT_ONCE_EACH: Final = 8
KEPT_DAYS: Final = 30
_PRUNE_EVERY: Final = 7_200
_FIRST_WAIT: Final = 2.0
_WAIT_MAX: Final = 120.0
_LOGGER: Final = logging.getLogger(__name__)


class CommandParts(NamedTuple):
    """What running works with; `links` as in `roaming_ocpi.registration.links.link_of`."""

    database: Pool
    client: PartnerClient
    links: Callable[[str], Awaitable[Link | None]]
    calls: StationCalls


class CommandRunner:
    """Runs commands until it is told to stop."""

    def __init__(self, parts: CommandParts) -> None:
        self._parts = parts
        self._tasks: dict[asyncio.Task[None], OwedCommand] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Carry commands out until *stop* is set; what is under way is found again by the next."""
        stopping = asyncio.create_task(stop.wait())
        looks = 0
        try:
            while not stop.is_set():
                try:
                    if looks % _PRUNE_EVERY == 0:
                        await prune(self._parts.database, KEPT_DAYS)
                    await self._look()
                except (psycopg.OperationalError, PoolTimeout) as error:
                    _LOGGER.warning("commands of partners wait: %s", type(error).__name__)
                looks += 1
                await asyncio.wait({stopping}, timeout=LOOK_SECONDS)
        finally:
            stopping.cancel()
            await self._let_go()

    async def _let_go(self) -> None:
        """Leave what is under way to others, at once where the database hears it."""
        under_way = [owed.id for task, owed in self._tasks.items() if not task.done()]
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            await release(self._parts.database, under_way)
        except (psycopg.Error, PoolTimeout) as error:
            _LOGGER.warning("commands under way wait: %s", type(error).__name__)

    async def _look(self) -> None:
        """Begin with what is due, as far as there is room."""
        self._tasks = {task: owed for task, owed in self._tasks.items() if not task.done()}
        under_way = Counter(owed.party for owed in self._tasks.values())
        full = [party for party, count in under_way.items() if count >= AT_ONCE_EACH]
        room = AT_ONCE - len(self._tasks)
        if room <= 0:
            return
        found = await claim(self._parts.database, full=full, each=AT_ONCE_EACH, many=room)
        for owed in found:
            task = asyncio.create_task(self._guarded(owed))
            self._tasks[task] = owed

    async def _guarded(self, owed: OwedCommand) -> None:
        try:
            await self._carry_out(owed)
        except (psycopg.Error, PoolTimeout, LedgerError, RoamingError) as error:
            # It is claimed again once nobody has it any more.
            _LOGGER.warning("command %s waits: %s", owed.id, type(error).__name__)

    async def _carry_out(self, owed: OwedCommand) -> None:
        database = self._parts.database
        if owed.seconds <= 0:
            await note_dropped(database, owed.id, "nobody took the result in time")
            return
        if owed.order is None:
            await note_dropped(database, owed.id, "who is named in it was erased")
            return
        version, result = OcpiVersion(owed.version), owed.result
        if result is None:
            found = await self._called(owed, owed.order)
            result = result_body(owed.kind, version, found)
            await note_result(database, owed.id, result)
        await self._post(owed, owed.order.response_url, result)

    async def _called(self, owed: OwedCommand, order: CommandOrder) -> CalledStation:
        return await self._parts.calls.call(
            owed.id,
            owed.station_id,
            wanted_of(owed.kind, order),
            by=f"partner {owed.party}",
            seconds=ANSWER_SECONDS,
        )

    async def _post(self, owed: OwedCommand, url: str, result: object) -> None:
        """Post a result, once; what the partner did not take is tried again later."""
        database = self._parts.database
        link = await self._parts.links(owed.party)
        if link is None or link.state is LinkState.REVOKED:
            await note_dropped(database, owed.id, "the partner is not registered any more")
            return
        try:
            await self._parts.client.ask(
                link, "POST", url, body=encoded(result), timeout_s=POST_SECONDS
            )
        except PartnerUnreachableError as error:
            seconds = error.retry_after_s or _wait_after(owed.attempts)
            await note_again(database, owed.id, "no answer", min(seconds, _WAIT_MAX))
        except PartnerRefusedError:
            await note_dropped(database, owed.id, "the partner refused the result")
        except ForbiddenAddressError:
            await note_dropped(database, owed.id, "its response_url may not be asked")
        else:
            await note_posted(database, owed.id)


def _wait_after(attempts: int) -> float:
    """Return how long to wait: longer each time, and not in step with others."""
    longest: float = min(_WAIT_MAX, _FIRST_WAIT * 2 ** min(attempts, 10))
    return longest / 2 + longest / 2 * secrets.randbelow(1_000) / 1_000
