"""Our calls on one connection that wait for their answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum

from websockets.exceptions import ConnectionClosed

from ingest.rpc import codec
from ingest.rpc.codec import CallError, CallResult, FrameError

Answered = tuple[CallResult | CallError, str]
"""A station's answer, and its text."""


class Silence(Enum):
    """Why no answer came."""

    TOO_LATE = "too late"
    GONE = "connection closed"


class WaitingCalls:
    """Who waits for which answer; an answer settles one call, once."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, asyncio.Future[Answered | FrameError | Silence]] = {}

    async def ask(
        self, message_id: str, send: Callable[[], Awaitable[None]], *, seconds: float
    ) -> Answered | FrameError | Silence:
        """Send a call and return its answer, or why that cannot be read or did not come."""
        key = codec.encode(message_id)
        answer: asyncio.Future[Answered | FrameError | Silence]
        answer = self._waiting[key] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(seconds):
                await send()
                return await answer
        except TimeoutError:
            return Silence.TOO_LATE
        except ConnectionClosed:
            return Silence.GONE
        finally:
            del self._waiting[key]

    def settle(self, message_id: bytes, answer: Answered | FrameError) -> bool:
        """Hand an answer to who waits for it; False if nobody does."""
        waiting = self._waiting.get(message_id)
        if waiting is None or waiting.done():
            return False
        waiting.set_result(answer)
        return True

    def end(self) -> None:
        """Tell all who wait that no answer will come."""
        for each in self._waiting.values():
            if not each.done():
                each.set_result(Silence.GONE)
