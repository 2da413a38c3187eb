"""One request for a file: its body and our answer, each at a pace that is bearable.

A client may be slow, and bytes may come in drops; but whoever takes longer than a slow mobile
connection would is cut off, so that nobody keeps a connection for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Final, Protocol

from litestar.types import HTTPScope, Receive, Send

from ingest.errors import IngestError

GRACE_SECONDS: Final = 60.0
RATE_MIN: Final = 1000
"""Bytes a second, from the request on, that a client moves at least, once the grace is over."""
LINGER_SECONDS: Final = 2.0
PORTION_BYTES: Final = 64 << 10


class ClientConnection(Protocol):
    """The connection that a request came on."""

    @property
    def is_gone(self) -> bool:
        """Whether nobody is there any more."""

    def abort(self) -> None:
        """Close it now, whatever is still to be sent."""


class ClientGoneError(IngestError):
    """The client closed its connection before it had sent or fetched all."""


class TooSlowError(IngestError):
    """The client moves next to nothing."""


class Exchange:
    """A request, and the answer to it."""

    def __init__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self.method, self.path = str(scope["method"]), scope["path"]
        self.headers: Mapping[str, str] = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        self._connection: ClientConnection = scope["state"]["connection"]
        self._loop = asyncio.get_running_loop()
        self._began, self._moved = self._loop.time(), 0
        self._is_read = self.method in ("GET", "HEAD")
        self.has_begun = False

    async def portions(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes.

        Raises:
            ClientGoneError, TooSlowError: If it does not come whole.
        """
        while not self._is_read:
            try:
                async with asyncio.timeout(self._seconds()):
                    message = await self._receive()
            except TimeoutError as error:
                raise TooSlowError from error
            if message["type"] != "http.request":
                raise ClientGoneError
            self._is_read = not message.get("more_body", False)
            portion = message.get("body", b"")
            self._moved += len(portion)
            yield portion

    async def answer(
        self, status: HTTPStatus, text: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        """Answer in a line; where the body was not read to its end, close the connection."""
        body = f"{text or status.phrase}\n".encode()
        more = {"content-type": "text/plain; charset=utf-8", **(headers or {})}
        if self._is_read:
            await self.begin(status, len(body), more)
            await self._say(body, is_last=True)
            return
        await self.begin(status, len(body), {**more, "connection": "close"})
        await self._say(body, is_last=False)
        await self._linger()
        await self._say(b"", is_last=True)

    async def begin(self, status: HTTPStatus, length: int, headers: Mapping[str, str]) -> None:
        """Begin an answer whose body has *length* bytes."""
        said = {
            "content-length": str(length),
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
            **headers,
        }
        self.has_begun = True
        encoded = [(name.encode(), value.encode()) for name, value in said.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": encoded})

    async def tell(self, portions: AsyncIterator[bytes]) -> None:
        """Send a body to its end.

        Raises:
            ClientGoneError, TooSlowError: If its client does not take it all.
        """
        async for portion in portions:
            for start in range(0, len(portion), PORTION_BYTES):
                if self._connection.is_gone:
                    raise ClientGoneError
                part = portion[start : start + PORTION_BYTES]
                await self._say(part, is_last=False)
                self._moved += len(part)
        await self._say(b"", is_last=True)

    async def cut_off(self) -> None:
        """Close the connection now, and return when it is closed."""
        self._connection.abort()
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _say(self, body: bytes, *, is_last: bool) -> None:
        try:
            async with asyncio.timeout(self._seconds()):
                await self._send(
                    {"type": "http.response.body", "body": body, "more_body": not is_last}
                )
        except TimeoutError as error:
            raise TooSlowError from error

    async def _linger(self) -> None:
        """Let what still comes come for a moment, unread: a reset would take our answer along."""
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                while (message := await self._receive())["type"] == "http.request":
                    if not message.get("more_body", False):
                        return
        except TimeoutError:
            pass

    def _seconds(self) -> float:
        """Return how long the client may take for its next step."""
        allowed = GRACE_SECONDS + self._moved / RATE_MIN
        return max(self._began + allowed - self._loop.time(), 0)
