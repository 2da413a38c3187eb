"""The relay: one process at a time sends what waits in the outbox, a task for each partner.

    claim some, one a lane -> make what is sent -> send -> a line of the log each -> note
                           ^ killed here: nothing was sent, and the next relay begins again
                                                        ^ or here: it sends the same once more

A partner that is slow, away or paused holds up its own task. What is in memory is one claim a
partner, whatever waits; what a look costs hangs on what is to be done, not on what was.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal
from time import monotonic
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import psycopg
from psycopg import Connection

from ledger.database import connect
from ledger.leases import Lease, LeaseLostError, hold_lease, leave, take_lease
from ledger.log.envelope import encode_line
from ledger.log.event_log import LineWriter, LogError, partition_of
from roaming_ocpi.client.asking import PartnerClient
from roaming_ocpi.registration.link import Link
from roaming_ocpi.relay.claiming import (
    LEASE,
    LEASE_SECONDS,
    ClaimNotes,
    MessageClaim,
    Noted,
    busy_parties,
    claim,
    note,
)
from roaming_ocpi.relay.logged import lines_of
from roaming_ocpi.relay.messages import MessageMaker, Prepared, made_messages
from roaming_ocpi.relay.outcomes import Arrival, AttemptOutcome, pause_after
from roaming_ocpi.relay.outgoing import MessageKind, Outgoing
from roaming_ocpi.relay.sending import SentMessage, exchange
from roaming_ocpi.relay.standing import gives_up, standing_after

CLAIMED_AT_ONCE: Final = 64
IN_FLIGHT: Final = 8
"""Messages of one partner that are under way at once, each of another lane."""
HOLD_SECONDS: Final = 2.0
LOOK_SECONDS: Final = 0.5
RETRY_SECONDS: Final = 2.0
TROUBLE_SECONDS: Final = 30.0
"""How long a partner is left alone whose task failed for a reason of ours."""
END_SECONDS: Final = 5.0
"""How long what is under way may take when the relay is to end."""
_LOGGER: Final = logging.getLogger(__name__)

Given = ParamSpec("Given")
Found = TypeVar("Found")


def by_chance() -> Decimal:
    """Return a number from 0 to 1."""
    return Decimal(secrets.randbelow(1_000_001)) / 1_000_000


class Relay:
    """Sends for one process, while it holds the lease.

    Args:
        dsn: The database.
        holder: What this process is called; no two that run at once have the same name.
        client: The way to partners.
        log: Where what was said goes.
        routes: By party the link over which it is reached, of those that are to be sent to now.
        makers: By kind who makes what is sent.
        now: The product's clock.
        chance: Of how much shorter a pause is, from 0 to 1.
    """

    def __init__(
        self,
        dsn: str,
        *,
        holder: str,
        client: PartnerClient,
        log: LineWriter,
        routes: Callable[[], Awaitable[Mapping[str, Link]]],
        makers: Mapping[MessageKind, MessageMaker],
        now: Callable[[], datetime],
        chance: Callable[[], Decimal] = by_chance,
    ) -> None:
        self._dsn, self._holder, self._client, self._log = dsn, holder, client, log
        self._read_routes, self._makers, self._now, self._chance = routes, makers, now, chance
        self._routes: Mapping[str, Link] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._left_alone: dict[str, float] = {}
        self._is_ending = False

    async def run(self, stop: asyncio.Event) -> None:
        """Send until *stop* is set. A database that is away is tried again."""
        while not stop.is_set():
            desk = _Desk(self._dsn, self._holder)
            try:
                await desk.open()
                await self._lead(desk, stop)
            except (psycopg.OperationalError, LeaseLostError) as error:
                _LOGGER.warning("nothing is sent to partners for now: %s", error)
                await _pause(stop, RETRY_SECONDS)
            finally:
                await self._end_tasks()
                await desk.close()

    async def run_once(self) -> None:
        """Send what is due now, unless another process sends; return once it came to something."""
        desk = _Desk(self._dsn, self._holder)
        try:
            await desk.open()
            self._is_ending = False
            await self._look(desk)
            if self._tasks:
                await asyncio.wait(self._tasks.values())
            self._reap()
        finally:
            await self._end_tasks()
            await desk.close()

    async def _lead(self, desk: _Desk, stop: asyncio.Event) -> None:
        self._is_ending = False
        while not stop.is_set():
            await self._look(desk)
            await _pause(stop, LOOK_SECONDS)
        self._is_ending = True
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=END_SECONDS)

    async def _look(self, desk: _Desk) -> None:
        """Begin to send to each partner for whom something is due, if this process is the one."""
        if not await desk.leads():
            return
        self._routes = await self._read_routes()
        self._reap()
        free = [each for each in self._routes if self._is_free(each)]
        now = self._now()
        for party in await desk.do(busy_parties, free, now) if free else ():
            self._tasks[party] = asyncio.create_task(self._serve(desk, party))

    def _is_free(self, party: str) -> bool:
        return party not in self._tasks and self._left_alone.get(party, 0) <= monotonic()

    def _reap(self) -> None:
        """Let go of tasks that ended; one that failed leaves its partner alone for a while."""
        for party, task in list(self._tasks.items()):
            if not task.done():
                continue
            del self._tasks[party]
            error = task.exception()
            if isinstance(error, psycopg.OperationalError | LeaseLostError):
                raise error
            if error is not None:
                _LOGGER.error("sending to %s failed", party, exc_info=_without_values(error))
                self._left_alone[party] = monotonic() + TROUBLE_SECONDS

    async def _end_tasks(self) -> None:
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, desk: _Desk, party: str) -> None:
        """Send what is due to *party*, until nothing is, or it does not take it."""
        while not self._is_ending and (link := self._routes.get(party)) is not None:
            now, lease = self._now(), desk.lease
            claimed = await desk.do(claim, lease, party, now=now, limit=CLAIMED_AT_ONCE)
            if not claimed.messages:
                return
            made = await desk.do(made_messages, self._makers, claimed.messages, link)
            sent = await self._send(claimed, link, made)
            if not await self._tell(desk, party, list(sent.values())):
                return
            notes = self._notes(claimed, sent)
            await desk.do(note, lease, party, notes, now=self._now())
            if notes.standing.pause:
                return

    async def _send(
        self, claimed: MessageClaim, link: Link, made: Mapping[int, Prepared | AttemptOutcome]
    ) -> dict[int, SentMessage]:
        """Return by its id what came of each message that was tried.

        Where the link ends, is paused or gets another token meanwhile, the rest waits for that.
        """
        came: dict[int, SentMessage] = {}
        waiting: deque[tuple[Outgoing, Prepared]] = deque()
        for message in claimed.messages:
            form = made[message.id]
            if isinstance(form, Prepared):
                waiting.append((message, form))
            else:
                came[message.id] = SentMessage(form)
        tried: list[AttemptOutcome] = []

        async def work() -> None:
            while (
                waiting
                and self._routes.get(link.partner) == link
                and not gives_up(claimed, tried, failures_max=IN_FLIGHT)
            ):
                message, form = waiting.popleft()
                came[message.id] = done = await exchange(self._client, link, message, form)
                tried.append(done.outcome)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(IN_FLIGHT, len(waiting))):
                group.create_task(work())
        return came

    async def _tell(self, desk: _Desk, party: str, exchanges: list[SentMessage]) -> bool:
        """Append what was said to the log; say whether it is there.

        If it is not, nothing is noted either: it is said again.
        """
        lines = await desk.do(lines_of, party, exchanges, at=self._now())
        partition = partition_of(party, partitions=self._log.partitions)
        try:
            await asyncio.gather(
                *(self._log.append(partition, encode_line(line)) for line in lines)
            )
        except LogError as error:
            _LOGGER.warning(
                "what was sent to %s is not in the log, and is sent again: %s", party, error
            )
            self._left_alone[party] = monotonic() + RETRY_SECONDS
            return False
        return True

    def _notes(self, claimed: MessageClaim, sent: Mapping[int, SentMessage]) -> ClaimNotes:
        at = self._now()
        attempts = []
        for message in claimed.messages:
            if (done := sent.get(message.id)) is not None:
                outcome = done.outcome
                noted = Noted(message, outcome, at)
                if outcome.came_of_it is Arrival.FAILED:
                    pause = pause_after(message.failures + 1, self._chance(), outcome.retry_after)
                    noted = noted._replace(pause=pause)
                attempts.append(noted)
        outcomes = [each.outcome for each in attempts]
        untouched = [each for each in claimed.messages if each.id not in sent]
        return ClaimNotes(attempts, untouched, standing_after(claimed, outcomes, self._chance()))


class _Desk:
    """The relay's one connection and its lease, in a thread of their own: calls go one by one."""

    def __init__(self, dsn: str, holder: str) -> None:
        self._dsn, self._holder = dsn, holder
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="relay")
        self._connection: Connection[Any] | None = None
        self._lease: Lease | None = None
        self._held_at = 0.0

    @property
    def lease(self) -> Lease:
        assert self._lease is not None, "only who leads sends"
        return self._lease

    async def open(self) -> None:
        """Connect."""
        self._connection = await self._in_thread(connect, self._dsn)

    async def close(self) -> None:
        """Let another process send at once."""
        await self._in_thread(leave, self._connection, self._lease)
        self._thread.shutdown()

    async def leads(self) -> bool:
        """Hold the lease on, or try to take it; say whether this process is the one."""
        return await self.do(self._leads)

    async def do(
        self,
        function: Callable[Concatenate[Connection[Any], Given], Found],
        *args: Given.args,
        **kwargs: Given.kwargs,
    ) -> Found:
        """Call *function* with the connection."""
        assert self._connection is not None, "opened first"
        return await self._in_thread(function, self._connection, *args, **kwargs)

    async def _in_thread(
        self, function: Callable[Given, Found], *args: Given.args, **kwargs: Given.kwargs
    ) -> Found:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: function(*args, **kwargs))

    def _leads(self, connection: Connection[Any]) -> bool:
        if self._lease is None:
            self._lease = take_lease(connection, LEASE, holder=self._holder, seconds=LEASE_SECONDS)
            self._held_at = monotonic()
        elif monotonic() - self._held_at > HOLD_SECONDS:
            with connection.transaction():
                hold_lease(connection, self._lease, seconds=LEASE_SECONDS)
            self._held_at = monotonic()
        return self._lease is not None


def _without_values(error: BaseException) -> BaseException:
    """Return *error* as it may be logged: a database's words tell values of rows."""
    if isinstance(error, psycopg.Error):
        return type(error)(f"SQLSTATE {error.sqlstate}").with_traceback(error.__traceback__)
    return error


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait, at most until *stop* is set."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass
