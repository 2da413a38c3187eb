"""Telling a connected station what its transactions cost.

The price is the kernel's, of the facts that the log has: the edge reckons nothing, it asks.

    Ended, rated 40 ms later             -> {"totalCost":4.76} in the answer
    Ended, the worker is far behind      -> {} after 300 ms; CostUpdated once it is rated
    Ended, held for a person             -> {}; CostUpdated if it is rated within ten minutes
    Ended, and its start never came      -> {"totalCost":4.10} of what was heard of it, and likewise
    Updated, not told lately             -> {} at once; CostUpdated if the price is another one
    Updated, told last a second ago      -> {} at once; the same once `price_every_s` is over
    StopTransaction (1.6)                -> {} at once; DataTransfer FinalCost once it is rated

No answer but that to the end waits, and that no longer than it may. What is told is in the log
before it leaves. After the end of a transaction no price so far is told any more. A station that
does not know the calls, or does not answer them, gets none until it connects again.

Each station has at most one price so far under way.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import Counter, OrderedDict
from collections.abc import Callable, Coroutine
from contextlib import suppress
from enum import StrEnum
from typing import Any, Final

import psycopg
from websockets.exceptions import ConnectionClosed

from ingest.answers.answering import AnsweringParts
from ingest.commands.command import CommandState, OutgoingCall
from ingest.commands.dispatching import CalledConnection
from ingest.directory import NO_PRICES, PriceTerms
from ingest.errors import IngestError
from ingest.prices.limiting import LimitWatch
from ingest.prices.price import LOOK_SECONDS, PriceQuestion, ShownPrice, taken
from ingest.prices.words import (
    WORDS,
    PriceCall,
    Stage,
    TransactionNews,
    tariff_words,
    with_cost,
    with_limits,
)
from ingest.rpc import codec
from ingest.rpc.codec import Call, CallResult, FrameError
from ingest.rpc.fields import PayloadFields
from ledger.log.authorization import Authorization
from ledger.log.event_log import LogError, Position

TERMS_SECONDS: Final = 1.0
"""How long a station is told prices by terms that may have changed."""
TAKEN_SECONDS: Final = 5.0
"""How long a price so far waits for the worker; then it is that of the line reached by then."""
CALL_SECONDS: Final = 10.0
FINAL_SECONDS: Final = 600.0
"""How long after its end a transaction's price is still told."""
FINAL_PAUSE_MAX: Final = 30.0
TRANSACTIONS_MAX: Final = 64
"""Transactions of a station that prices are kept in mind for, and ends that are still followed."""
_AWAY: Final = (psycopg.Error, IngestError, LogError, ConnectionClosed)
_UNKNOWN: Final = ("UnknownVendorId", "UnknownMessageId")
_LOGGER = logging.getLogger(__name__)


class HowTold(StrEnum):
    """How a price was told, for who watches: in the answer to an end, by a call after it or before.

    `TARIFF`: what it will cost, at its start.

    `LATE`: such an answer went without, as the price was not known in time or there was none.
    """

    TARIFF = "tariff"
    IN_ANSWER = "in_answer"
    LATE = "late"
    AFTER_END = "after_end"
    RUNNING = "running"


class _Running:
    """A transaction that goes on: what it cost when it was priced last, and was told last.

    `line` is its last one since then, `due_at` from when on it may be priced again.
    """

    __slots__ = ("due_at", "known", "line", "told")

    def __init__(self) -> None:
        self.due_at = 0.0
        self.line: PriceQuestion | None = None
        self.known: ShownPrice | None = None
        self.told: ShownPrice | None = None


class PriceTelling:
    """Tells one connected station; where the parts have no prices it does nothing."""

    def __init__(
        self, connection: CalledConnection, parts: AnsweringParts, counts: Counter[str]
    ) -> None:
        self._counts = counts
        self._connection, self._directory = connection, parts.directory
        self._prices, self._wait_seconds = parts.prices, parts.price_seconds
        self._words = WORDS.get(connection.protocol)
        self._loop = asyncio.get_running_loop()
        self._terms: PriceTerms | None = None
        self._looked_at = -TERMS_SECONDS
        self._looking: asyncio.Task[PriceTerms] | None = None
        self._running: OrderedDict[str, _Running] = OrderedDict()
        self._pricing: asyncio.Task[None] | None = None
        self._later: set[asyncio.Task[None]] = set()
        self._unknown: set[str] = set()
        self._unrated: set[str] = set()
        self._limits = None
        if self._words and self._prices and parts.stops:
            protocol, knows = connection.protocol, self._words.knows_limits
            self._limits = LimitWatch(
                parts, protocol, self._prices, parts.stops, self._known_terms, knows_limits=knows
            )

    def resume(self, at: Position) -> None:
        """Look at what goes on at its station, which came back by the line *at*."""
        if self._limits is not None:
            self._limits.resume(at)

    def news(self, call: Call, answer: bytes) -> TransactionNews | None:
        """Return what *call* says of a transaction whose price matters; else None."""
        if self._prices is None or self._words is None:
            return None
        read = self._words.news.get(call.action)
        if read is None:
            return None
        # What is not known yet, the end of a transaction waits for.
        self._look()
        if self._terms is not None and not (self._tells(self._terms) or self._is_limited()):
            return None
        return read(PayloadFields(call.payload), PayloadFields(answer))

    def with_known(self, news: TransactionNews, answer: bytes) -> bytes:
        """Return *answer* with what the transaction cost when it was priced last.

        And with what it may cost by now, where its station knows limits.
        """
        if self._words is None or news.stage is not Stage.RUNNING:
            return answer
        if self._limits and self._words.knows_limits and (told := self._limits.to_tell(news)):
            answer = with_limits(answer, told)
        running = self._running.get(news.reference)
        price = running.known if running else None
        if price is None or news.stage not in self._words.in_answers:
            return answer
        return with_cost(answer, price.gross)

    async def at_end(
        self, news: TransactionNews, line: PriceQuestion, answer: bytes
    ) -> bytes | None:
        """Return *answer* with the price of *line*, which ends its transaction.

        None where there is none in time, or its station is not told in answers.
        """
        if news.stage is not Stage.ENDED:
            return None
        self._running.pop(news.reference, None)
        if self._words is None or news.stage not in self._words.in_answers:
            return None
        price = None
        try:
            async with asyncio.timeout(self._wait_seconds):
                price = await self._final(line) or await self._heard(line)
        except TimeoutError:
            pass
        except psycopg.Error as error:
            _LOGGER.warning("no price for the end of a transaction: %s", error)
        if self._terms is None or self._tells(self._terms):
            self._counts[HowTold.LATE if price is None else HowTold.IN_ANSWER] += 1
        return None if price is None else with_cost(answer, price.gross)

    def follow(
        self,
        news: TransactionNews,
        line: PriceQuestion,
        priced: bytes | None,
        found: Authorization | None,
    ) -> None:
        """Tell later what the answer to *line* did not; *found* is what its token was found to be.

        *priced* is that answer, if it told a price.
        """
        if self._limits is not None:
            self._limits.follow(news, line, found)
        if news.stage is Stage.ENDED:
            if priced is None or news.reference in self._unrated:
                self._unrated.discard(news.reference)
                self._begin(self._tell_final(line))
            return
        if news.token is not None and found is not None and found.status == "accepted":
            self._begin(self._tell_tariff(news.token, found))
        terms = self._terms
        if terms is not None and (terms.every_seconds is None or not self._tells(terms)):
            return
        running = self._running.get(news.reference)
        if running is None:
            running = self._running[news.reference] = _Running()
            if len(self._running) > TRANSACTIONS_MAX:
                self._running.popitem(last=False)
        running.line = line
        if self._pricing is None or self._pricing.done():
            self._pricing = asyncio.create_task(self._guarded(self._tell_running()))

    async def close(self) -> None:
        """End what is under way."""
        tasks = [*self._later, *filter(None, (self._pricing, self._looking))]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._limits is not None:
            await self._limits.close()
        # They hold this in turn: without them it is gone at once.
        self._limits = self._pricing = self._looking = None
        del self._connection

    def _is_limited(self) -> bool:
        terms, words = self._terms, self._words
        if self._limits is None or terms is None or words is None:
            return False
        return terms.has_funds or (terms.is_limited and not words.knows_limits)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        if len(self._later) >= TRANSACTIONS_MAX:
            work.close()
            return
        task = asyncio.create_task(self._guarded(work))
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    def _tells(self, terms: PriceTerms) -> bool:
        is_understood = self._words is not None and (
            terms.in_messages or not self._words.is_of_vendor
        )
        return terms.is_telling and is_understood

    def _look(self) -> asyncio.Task[PriceTerms] | None:
        """Begin to look at the terms if they may have changed; return a look that is under way."""
        is_looking = self._looking is not None and not self._looking.done()
        if not is_looking and self._loop.time() - self._looked_at >= TERMS_SECONDS:
            self._looked_at = self._loop.time()
            self._looking = asyncio.create_task(self._terms_now())
            self._looking.add_done_callback(_heard)
            return self._looking
        return self._looking if is_looking else None

    async def _terms_now(self) -> PriceTerms:
        self._terms = await self._directory.price_terms(self._connection.station_id)
        return self._terms

    async def _known_terms(self) -> PriceTerms:
        if self._terms is None and (looking := self._look()) is not None:
            await asyncio.shield(looking)
        return self._terms or NO_PRICES

    async def _final(self, line: PriceQuestion) -> ShownPrice | None:
        """Return the price of *line* once that was worked through."""
        assert self._prices is not None
        if not self._tells(await self._known_terms()):
            return None
        return (await taken(self._prices, line)).price

    async def _heard(self, line: PriceQuestion) -> ShownPrice | None:
        """Return what a transaction costs that ended and is not rated, if that may be said."""
        assert self._prices is not None
        if not self._tells(await self._known_terms()):
            return None
        found = await self._prices.so_far(line)
        if found is None or found.price is None:
            return None
        self._unrated.add(line.transaction_ref)
        return found.price

    async def _tell_final(self, line: PriceQuestion) -> None:
        """Tell what a transaction costs that ended, once it is rated."""
        assert self._prices is not None
        assert self._words is not None
        if not self._tells(await self._known_terms()):
            return
        until, pause = self._loop.time() + FINAL_SECONDS, LOOK_SECONDS
        while self._loop.time() < until:
            try:
                price = (await self._prices.final(line)).price
            except psycopg.OperationalError:
                price = None  # it is away, and asked again
            if price is not None:
                await self._tell(self._words.final(line.transaction_ref, price), HowTold.AFTER_END)
                return
            await asyncio.sleep(pause)
            pause = min(1.5 * pause, FINAL_PAUSE_MAX)

    async def _tell_tariff(self, token: str, found: Authorization) -> None:
        """Tell the bearer of a token what it will cost, in a version that has words for it."""
        if self._words is None or self._words.tariff is None:
            return
        if not self._tells(await self._known_terms()):
            return
        station_id = self._connection.station_id
        tariff = await self._directory.tariff_in_force(
            station_id, found.subject, partner=found.partner
        )
        words = None if tariff is None else tariff_words(tariff.version.tariff)
        if words is not None:
            await self._tell(self._words.tariff(token, words), HowTold.TARIFF)

    async def _tell_running(self) -> None:
        """Tell what those transactions cost so far that said something since they were told."""
        while waiting := [each for each in self._running.values() if each.line is not None]:
            running = min(waiting, key=lambda each: each.due_at)
            pause = running.due_at - self._loop.time()
            if pause > 0:
                # Others may come meanwhile, and this one may end.
                await asyncio.sleep(min(pause, TERMS_SECONDS))
                continue
            line, running.line = running.line, None
            if line is not None:
                await self._tell_so_far(line, running)

    async def _tell_so_far(self, line: PriceQuestion, running: _Running) -> None:
        """Tell what a transaction costs so far, if that is another price than was told last."""
        assert self._prices is not None
        assert self._words is not None
        terms = await self._known_terms()
        if not self._tells(terms) or terms.every_seconds is None:
            running.due_at = self._loop.time() + TERMS_SECONDS
            return
        running.due_at = self._loop.time() + terms.every_seconds
        with suppress(TimeoutError):
            async with asyncio.timeout(TAKEN_SECONDS):
                await taken(self._prices, line)
        found = await self._prices.so_far(line)
        if found is None or (price := found.price) is None:
            return
        running.known, reference = price, line.transaction_ref

        def goes_on() -> bool:
            return self._running.get(reference) is running

        if running.told is not None and price.gross == running.told.gross:
            return
        running.told = price
        await self._tell(self._words.running(reference, price), HowTold.RUNNING, goes_on)
        if terms.on_display and self._words.display is not None:
            await self._tell(self._words.display(reference, price), HowTold.RUNNING, goes_on)

    async def _tell(
        self, call: PriceCall, how: HowTold, goes_on: Callable[[], bool] = lambda: True
    ) -> None:
        """Send a call in its turn; a station that does not know it gets no further one."""
        connection = self._connection
        if call.kind in self._unknown:
            return
        async with connection.turn:
            if connection.is_fenced or call.kind in self._unknown or not goes_on():
                return
            message_id = str(uuid.uuid4())
            text = codec.encode_call(message_id, call.action, call.payload).decode()
            ended = await connection.exchange(OutgoingCall(message_id, text), seconds=CALL_SECONDS)
        if ended.state is not CommandState.ANSWERED or _is_unknown(ended.frame.reply):
            self._unknown.add(call.kind)
        else:
            self._counts[how] += 1

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except _AWAY as error:
            _LOGGER.warning("%s is told no price: %s", self._connection.station_id, error)


def _is_unknown(reply: str | None) -> bool:
    """Whether a station says that it does not know a vendor's message."""
    try:
        message = codec.parse((reply or "").encode())
    except FrameError:
        return True
    if not isinstance(message, CallResult):
        return True
    return PayloadFields(message.payload).text("status") in _UNKNOWN


def _heard(looked: asyncio.Task[PriceTerms]) -> None:
    """Hear of a look that nobody waited for, or asyncio complains at the end."""
    if not looked.cancelled():
        looked.exception()
