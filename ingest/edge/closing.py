"""How a connection ends: never later than it may, and with words for the log."""

from __future__ import annotations

import asyncio

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode


async def hang_up(socket: ServerConnection, code: int, why: str, *, seconds: float) -> None:
    """Close *socket*, at the latest after *seconds*.

    A close frame waits behind what was not read: to who never reads it would wait for ever.
    """
    try:
        async with asyncio.timeout(seconds):
            await socket.close(code, why)
    except TimeoutError:
        socket.transport.abort()


def why_closed(closed: ConnectionClosed) -> str:
    """Return why a connection is over, as the log has it."""
    if closed.rcvd is not None:
        return "closed"
    if closed.sent is None:
        return "lost"
    why = f"closed with {closed.sent.code}"
    # A frame that is too large to be read stands nowhere else.
    is_too_big = closed.sent.code == CloseCode.MESSAGE_TOO_BIG
    return f"{why}: {closed.sent.reason}" if is_too_big else why
