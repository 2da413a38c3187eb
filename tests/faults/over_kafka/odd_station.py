"""A station that says what no station should, within the load: its neighbours must not notice."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable
from typing import Final

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import WebSocketException

from tests.faults.load_station import ANSWER_SECONDS_MAX, CALL, RETRY_SECONDS, Exchange, Identity

PAUSE_SECONDS: Final = 0.2
ODD: Final = (
    "this is no JSON",
    '[2,"ID","NoSuchAction",{}]',
    '[2,"ID","MeterValues",{"connectorId":"one","meterValue":[]}]',
    '[2,"ID","MeterValues",{"connectorId":1,"meterValue":[{"timestamp":"2026-10-01T08:00:00Z"}]}]',
    '[2,"ID","MeterValues",{"connectorId":1,"meterValue":[{"sampledValue":[{"value":"NaN"}]}]}]',
    '[2,"ID","StatusNotification",{"connectorId":-7,"errorCode":"\\u0000","status":"Odd"}]',
)
"""Frames of which no session comes; each is to be answered all the same."""


class OddStation:
    """Sends odd frames one after the other; `acknowledged` is what was answered."""

    def __init__(self, identity: Identity, url: Callable[[], str]) -> None:
        self._who, self._url = identity, url
        self._socket: ClientConnection | None = None
        self.acknowledged: list[Exchange] = []

    async def run(self, stop: asyncio.Event) -> None:
        """Go on until *stop*."""
        for number, odd in enumerate(itertools.cycle(ODD)):
            if stop.is_set():
                break
            frame = odd.replace("ID", str(number))
            try:
                reply = await self._ask(frame)
            except (OSError, TimeoutError, WebSocketException):
                await self._hang_up()
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self.acknowledged.append(Exchange(self._who.name, frame, reply))
                await asyncio.sleep(PAUSE_SECONDS)
        await self._hang_up()

    async def _ask(self, frame: str) -> str:
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            if self._socket is None:
                self._socket = await self._who.connected(self._url())
            await self._socket.send(frame)
            while json.loads(reply := str(await self._socket.recv()))[0] == CALL:
                pass
            return reply

    async def _hang_up(self) -> None:
        socket, self._socket = self._socket, None
        if socket is not None:
            await socket.close()
