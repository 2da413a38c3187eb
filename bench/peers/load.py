"""Simulated stations that cost next to nothing, so that the server is what gets measured."""

from __future__ import annotations

import asyncio
import base64
import ssl
import struct
from collections.abc import Sequence
from typing import Final, cast

PASSWORD: Final = "benchmark-password"  # noqa: S105 - guards nothing
_HEADER_END: Final = b"\r\n\r\n"
_SMALL, _MEDIUM = 126, 1 << 16


def wire_frame(text: str) -> bytes:
    """Return *text* as a client's WebSocket frame; its mask is zero, so nothing is to be masked."""
    payload = text.encode()
    if len(payload) < _SMALL:
        head = struct.pack("!BB", 0x81, 0x80 | len(payload))
    else:
        assert len(payload) < _MEDIUM
        head = struct.pack("!BBH", 0x81, 0x80 | 126, len(payload))
    return head + bytes(4) + payload


class LoadStation(asyncio.Protocol):
    """Sends a call, waits for its answer, sends the next, until stopped."""

    def __init__(self, name: str, calls: Sequence[bytes], password: str = PASSWORD) -> None:
        self._name, self._calls, self._password = name, calls, password
        self.answered = 0
        self.is_open = asyncio.get_running_loop().create_future()
        self._is_running = False
        self._waits = False
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's has another base
        key = base64.b64encode(bytes(16)).decode()
        basic = base64.b64encode(f"{self._name}:{self._password}".encode()).decode()
        lines = (
            f"GET /{self._name} HTTP/1.1",
            "Host: localhost",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Protocol: ocpp1.6",
            f"Authorization: Basic {basic}",
        )
        self._transport.write("\r\n".join(lines).encode() + _HEADER_END)

    def connection_lost(self, error: Exception | None) -> None:
        """Fail who waits for the upgrade."""
        if not self.is_open.done():
            self.is_open.set_exception(error or ConnectionError("refused"))

    def data_received(self, data: bytes) -> None:
        """Count answers; each lets the next call go."""
        self._buffer += data
        if not self.is_open.done():
            head, end, rest = self._buffer.partition(_HEADER_END)
            if not end:
                return
            if b" 101 " not in head.partition(b"\r\n")[0]:
                self.is_open.set_exception(ConnectionError(head.decode()))
                return
            self._buffer = rest
            self.is_open.set_result(None)
        while len(self._buffer) > 1 and len(self._buffer) >= (size := 2 + self._buffer[1]):
            assert size < _SMALL, "answers to MeterValues are short"
            is_text = self._buffer[0] == 0x81  # noqa: PLR2004 - FIN and TEXT
            payload, self._buffer = self._buffer[2:size], self._buffer[size:]
            if is_text:
                self.take(payload)

    def take(self, payload: bytes) -> None:
        """Count an answer, and send the next call."""
        del payload
        self.answered += 1
        self._waits = False
        self._send()

    def start(self) -> None:
        """Begin to send."""
        self._is_running = True
        self._send()

    def stop(self) -> None:
        """Send no more; the last answer still comes."""
        self._is_running = False

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Be cut off: no word of it."""
        if self._transport is not None:
            self._transport.abort()

    def write(self, frame: bytes) -> None:
        """Send *frame* at once."""
        if self._transport is not None:
            self._transport.write(frame)

    def _send(self) -> None:
        if self._is_running and not self._waits and self._transport is not None:
            self._waits = True
            self._transport.write(self._calls[self.answered % len(self._calls)])


async def connect(
    port: int,
    name: str,
    calls: Sequence[bytes],
    *,
    tls: ssl.SSLContext | None = None,
    password: str = PASSWORD,
) -> LoadStation:
    """Return a connected station."""
    loop = asyncio.get_running_loop()
    _, station = await loop.create_connection(
        lambda: LoadStation(name, calls, password), "127.0.0.1", port, ssl=tls
    )
    await station.is_open
    return station
