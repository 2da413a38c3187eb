"""Calls of ours that answers give rise to, on one connection: one after the other.

A station gets one call at a time, and other calls to it wait meanwhile: a stop at a limit must not
wait for all that an outage made us ask. So one of these waits for its turn at a time, and who does
not answer one question about a transaction is not asked those that wait behind it: the upkeep asks
about what stays open (`ingest.upkeep.gap_questions`).

    six transactions of an outage, all answered    -> six questions, other calls between them
    the first is not answered                      -> one; a later end is asked about again
    the connection ends                            -> the same: what waits stands in no log
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from ingest.answers.answering import Question
from ingest.errors import StationGoneError

QUESTIONS_MAX: Final = 256
"""Questions that wait for their turn: a station that ends transactions without end adds no more."""
ANSWER_SECONDS: Final = 30.0
ABOUT_TRANSACTIONS: Final = "GetTransactionStatus"


class Questions:
    """What is still to be asked; *call* sends a call, and raises where no answer comes."""

    def __init__(self, call: Callable[..., Awaitable[object]]) -> None:
        self._call, self._turn = call, asyncio.Lock()
        self._waiting: set[asyncio.Task[None]] = set()
        self._silences = 0

    def add(self, question: Question) -> None:
        """Ask *question* in its turn, unless too many wait."""
        if len(self._waiting) >= QUESTIONS_MAX:
            return
        task = asyncio.create_task(self._ask(question, self._silences))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def end(self) -> None:
        """Return when the last one is over; the connection is."""
        await asyncio.gather(*self._waiting, return_exceptions=True)
        del self._call  # it holds this in turn

    async def _ask(self, question: Question, silences: int) -> None:  # the log has the answer
        await asyncio.sleep(question.after_seconds)
        async with self._turn:
            is_asking = question.action == ABOUT_TRANSACTIONS
            if is_asking and silences < self._silences:
                return
            try:
                await self._call(question.action, question.payload, seconds=ANSWER_SECONDS)
            except StationGoneError:
                self._silences += is_asking
