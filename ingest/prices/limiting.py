"""Stopping transactions that have reached what their assignment lets them cost, charge or last.

Or that use up what their payer has for them. A station of OCPP 2.1 is told the limits and stops
itself. Of one of 1.6 and 2.0.1 the price so far, the energy and the time are looked at here, and it
is told to stop:

    5.01 EUR so far, max_cost 5.00        -> RemoteStopTransaction (1.6), RequestStopTransaction
    it says Accepted                      -> nothing more, whatever it does
    Rejected, an error, no answer         -> again after 10, 30, 60 and 300 s, while it goes on
    the station connects again meanwhile  -> the plan goes on where it was, in whichever process
    and says nothing of the transaction   -> the same: the books know that it goes on
    held if it ended now: no price        -> energy and time count all the same

    4.90 EUR so far, 5.00 left, 5.02 if it goes on as it does until the stop is obeyed -> the same
    9.50 EUR left by now, for its payer paid                                -> it goes on
    a silent station, which as it does will have used it up in 80 seconds   -> looked at then
    the books are behind, or away, and those are over                       -> told to stop

What is left changes while it charges: by other sessions of its payer, and by what is paid. So one
at a station that knows limits is looked at, too: it is told the new limit, and to stop where it has
passed it. What was charged is billed: a limit is no price. Where no assignment names a limit and
nobody pays in advance, nobody is asked.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import psycopg

from ingest.answers.answering import AnsweringParts
from ingest.answers.terms import told_limits
from ingest.directory import PriceTerms
from ingest.errors import IngestError
from ingest.prices.price import (
    PriceQuestion,
    Prices,
    RunningTransaction,
    Stops,
    WantedStop,
    taken,
)
from ingest.prices.words import Stage, TransactionNews
from ingest.rpc.fields import PayloadFields
from ledger.log.authorization import Authorization
from ledger.log.event_log import Position
from ledger.master_data.assignments import NO_LIMITS
from ledger.payments.topping_up.credit import MoneySoFar

LOOK_EVERY_SECONDS: Final = 5.0
"""How often a transaction that has limits is looked at, at most."""
BEHIND_SECONDS: Final = 30.0
"""After how long it is looked at again where the worker was behind."""
TAKEN_SECONDS: Final = 5.0
DAY_SECONDS: Final = 86_400.0
"""A time limit that lies farther away is looked at each day."""
MONEY_SECONDS: Final = 300.0
"""How much is left is looked at so often at least, though its station says nothing."""
PAUSES: tuple[float, ...] = (10.0, 30.0, 60.0, 300.0)
"""After how long a station that did not say that it stops is told to again."""
WATCHED_MAX: Final = 64
NOTHING_CHOSEN: Final = PayloadFields(b"{}")
_LOGGER: Final = logging.getLogger(__name__)


class _Watched:
    """A transaction that goes on: its last line, and from when on it is looked at again.

    `is_settled`: it has no limits, or was told to stop. `is_funded`: its payer has only so much for
    it; None: not asked yet. `subject` is its token's, where this connection heard it. `limits` are
    all that it has by that, `chosen` those of its driver. `spent_at`: when `session` uses up what
    was left, if it goes on as it did when it was looked at last.
    """

    __slots__ = (
        "chosen",
        "due_at",
        "is_funded",
        "is_settled",
        "limits",
        "line",
        "looked_at",
        "session",
        "spent_at",
        "subject",
        "told",
    )

    def __init__(self, line: PriceQuestion) -> None:
        self.line, self.is_settled = line, False
        self.is_funded: bool | None = None
        self.subject: str | None = None
        self.chosen, self.limits = NOTHING_CHOSEN, NO_LIMITS
        self.told: Mapping[str, Decimal | int] = {}
        self.looked_at, self.due_at = -math.inf, math.inf
        self.session, self.spent_at = "", math.inf


class LimitWatch:
    """Watches the transactions of one connection; *terms* are as they are now."""

    def __init__(
        self,
        parts: AnsweringParts,
        protocol: str,
        prices: Prices,
        stops: Stops,
        terms: Callable[[], Awaitable[PriceTerms]],
        *,
        knows_limits: bool = False,
    ) -> None:
        self._clock, self._protocol, self._terms = parts.clock, protocol, terms
        self._prices, self._stops, self._knows_limits = prices, stops, knows_limits
        self._directory, self._station_id = parts.directory, parts.station_id
        self._loop = asyncio.get_running_loop()
        self._watched: OrderedDict[str, _Watched] = OrderedDict()
        self._news = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._watching: asyncio.Task[None] | None = None

    def resume(self, at: Position) -> None:
        """Watch what goes on at a station that came back by the line *at*, though it says nothing.

        Who watched it before, another connection or a process that ended, does no more.
        """
        self._begin(self._look_up(at))

    def follow(
        self, news: TransactionNews, line: PriceQuestion, found: Authorization | None = None
    ) -> None:
        """Look how far a transaction is of which *line* says something.

        *found* is what the token in it was found to be: nothing is asked about one that nobody pays
        for in advance.
        """
        if news.stage is Stage.ENDED:
            ended = self._watched.pop(news.reference, None)
            self._news.set()
            if ended is not None and ended.is_funded:
                self._begin(self._note_end(line))
            return
        watched = self._watched.get(news.reference)
        if watched is None:
            watched = self._watched[news.reference] = _Watched(line)
            if len(self._watched) > WATCHED_MAX:
                self._watched.popitem(last=False)
        watched.chosen = news.chosen or watched.chosen
        if found is not None and watched.subject is None:
            watched.subject = found.subject
            if not watched.is_funded:
                # The cable had begun it: when it was asked who pays, nobody had said who charges.
                watched.is_funded, watched.is_settled = None, False
        if watched.is_settled:
            return
        watched.line = line
        watched.due_at = min(watched.due_at, watched.looked_at + LOOK_EVERY_SECONDS)
        self._news.set()
        if self._watching is None or self._watching.done():
            self._watching = self._begin(self._watch())

    def to_tell(self, news: TransactionNews) -> Mapping[str, Decimal | int]:
        """Return how far a transaction may go by what is left; nothing where that was told."""
        watched = self._watched.get(news.reference)
        if watched is None or watched.limits.max_cost is None:
            return {}
        limits = told_limits(watched.limits, news.chosen or watched.chosen)
        told, watched.told = watched.told, limits
        return {} if limits == told else limits

    async def close(self) -> None:
        """End what is under way; a plan goes on once the station is back."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._watching = None  # it holds this in turn

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(_guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _look_up(self, at: Position) -> None:
        terms = await self._terms()
        if not (terms.has_funds or (terms.is_limited and not self._knows_limits)):
            return
        for reference, heard_at in await self._prices.going_on(self._station_id, at.partition):
            if reference not in self._watched:
                line = PriceQuestion(self._station_id, reference, at, heard_at)
                self.follow(TransactionNews(reference, Stage.RUNNING), line)

    async def _watch(self) -> None:
        while self._watched:
            self._news.clear()
            watched = min(self._watched.values(), key=lambda each: each.due_at)
            pause = watched.due_at - self._loop.time()
            if pause <= 0:
                await self._look(watched)
                continue
            try:
                async with asyncio.timeout(None if math.isinf(pause) else pause):
                    await self._news.wait()
            except TimeoutError:
                pass

    async def _look(self, watched: _Watched) -> None:
        """Look how far a transaction is, and when to look again without news of it."""
        watched.looked_at, watched.due_at = self._loop.time(), math.inf
        terms, line = await self._terms(), watched.line
        is_limited = terms.is_limited and not self._knows_limits
        if not (is_limited or (terms.has_funds and watched.is_funded is not False)):
            return
        try:
            async with asyncio.timeout(TAKEN_SECONDS):
                if terms.has_funds and watched.subject is not None:
                    await self._ask_funds(watched)
                if not (is_limited or (terms.has_funds and watched.is_funded is not False)):
                    return
                await taken(self._prices, line)
                if terms.has_funds:
                    await self._ask_funds(watched)
        except (TimeoutError, psycopg.Error):
            self._not_known(watched)
            return
        if not (is_limited or watched.is_funded):
            return
        found = await self._prices.so_far(line)
        if found is not None:
            self._found(watched, found)
        else:
            # Who prices had no time: a limit may be reached meanwhile.
            self._again(watched, LOOK_EVERY_SECONDS if watched.is_funded else BEHIND_SECONDS)

    def _not_known(self, watched: _Watched) -> None:
        """Go by what was known, where the books do not say how far a transaction is."""
        left = watched.spent_at - self._loop.time()
        if left > 0:
            self._again(watched, min(left, BEHIND_SECONDS))
            return
        watched.is_settled = True
        _LOGGER.warning("the books are behind: %s is stopped as it went on", watched.session)
        self._begin(self._stop(watched, watched.session, "money"))

    async def _ask_funds(self, watched: _Watched) -> None:
        """Ask, once, whether the payer of a transaction has only so much for it."""
        if watched.is_funded is None:
            named = watched.line.station_id, watched.line.transaction_ref
            watched.is_funded = await self._directory.is_funded(*named, watched.subject)

    def _found(self, watched: _Watched, found: RunningTransaction) -> None:
        """Stop a transaction that was looked at, or say when to look at it again."""
        now, money = self._clock.now(), found.money
        if money is not None:
            costs = (max(money.limit, Decimal(0)), found.limits.max_cost)
            least = min(cost for cost in costs if cost is not None)
            watched.limits = found.limits._replace(max_cost=least)
        if self._knows_limits:
            found = found._replace(limits=NO_LIMITS)
        if found.limits == NO_LIMITS and money is None:
            watched.is_settled = not watched.is_funded
        elif (why := reached(found, now, knows_limits=self._knows_limits)) is not None:
            watched.is_settled = True
            self._begin(self._stop(watched, found.session, why))
            return
        if found.limits.max_time_s is not None:
            left = (ends_at(found) - now).total_seconds()
            self._again(watched, min(left, DAY_SECONDS))
        if watched.is_funded:
            self._again(watched, MONEY_SECONDS if money is None else seconds_left(money))
        watched.session, watched.spent_at = found.session, math.inf
        if money is not None and money.per_second > 0 and not self._knows_limits:
            left_s = min(int((money.limit - money.ahead) / money.per_second), DAY_SECONDS)
            watched.spent_at = self._loop.time() + left_s

    def _again(self, watched: _Watched, seconds: float) -> None:
        watched.due_at = min(watched.due_at, self._loop.time() + seconds)

    async def _note_end(self, line: PriceQuestion) -> None:
        """Have noted what a transaction cost that ended and is not rated: others share the rest."""
        async with asyncio.timeout(BEHIND_SECONDS):
            found = await taken(self._prices, line)
        if found.price is None:
            await self._prices.so_far(line)

    async def _stop(self, watched: _Watched, session: str, why: str) -> None:
        line = watched.line
        for attempt, pause in enumerate((*PAUSES, 0.0)):
            if self._watched.get(line.transaction_ref) is not watched:
                return
            wanted = WantedStop(
                line.station_id, self._protocol, line.transaction_ref, session, why, attempt
            )
            try:
                if await self._stops.stop(wanted):
                    return
            except (psycopg.Error, IngestError) as error:
                _LOGGER.warning("%s is not told to stop: %s", line.station_id, error)
            await asyncio.sleep(pause)
        _LOGGER.warning("%s does not stop %s", line.station_id, session)


def reached(found: RunningTransaction, now: datetime, *, knows_limits: bool = False) -> str | None:
    """Return which limit a transaction has reached, if it has.

    A station that *knows_limits* was told what is left, and stops by itself: it has passed it only
    where that became less meanwhile.
    """
    limits, price, money = found.limits, found.price, found.money
    if money is not None and (money.cost if knows_limits else money.ahead) >= money.limit:
        return "money"
    if limits.max_cost is not None and price is not None and price.gross >= limits.max_cost:
        return "cost"
    energy = found.energy_wh
    if limits.max_energy_wh is not None and energy is not None and energy >= limits.max_energy_wh:
        return "energy"
    return "time" if limits.max_time_s is not None and now >= ends_at(found) else None


def seconds_left(money: MoneySoFar) -> float:
    """Return in how many seconds a transaction uses up what is left if it goes on as it does."""
    if money.per_second <= 0:
        return MONEY_SECONDS
    left = (money.limit - money.ahead) / money.per_second
    return min(max(int(left), LOOK_EVERY_SECONDS), MONEY_SECONDS)


def ends_at(found: RunningTransaction) -> datetime:
    """Return when the time of a transaction is over; far away where that is no limit."""
    try:
        return found.started_at + timedelta(seconds=found.limits.max_time_s or math.inf)
    except OverflowError:
        return datetime.max.replace(tzinfo=found.started_at.tzinfo)


async def _guarded(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except (psycopg.Error, IngestError, TimeoutError) as error:
        _LOGGER.warning("a transaction is not looked at for its limits: %s", error)
