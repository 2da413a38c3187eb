"""HTTP/1.1 as far as the provider speaks it: requests with a length, kept connections.

Its own, so that it can also break off where a server should not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Final, NamedTuple

_HEAD_MAX: Final = 1 << 16
_BODY_MAX: Final = 1 << 20
_MALFORMED: Final = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class HttpRequest(NamedTuple):
    """A request; header names in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


class ProviderReply(NamedTuple):
    """An answer, JSON."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}


Handler = Callable[[HttpRequest], Awaitable[ProviderReply | None]]
"""Answers a request; None: the connection is cut instead."""


async def serve_connection(
    handle: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answer what comes over a connection until it ends."""
    try:
        while (request := await _read(reader)) is not None:
            reply = await handle(request)
            if reply is None:
                writer.transport.abort()
                return
            writer.write(_written(reply))
            await writer.drain()
    except (ValueError, asyncio.LimitOverrunError):
        writer.write(_MALFORMED)
    except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
        pass
    finally:
        writer.close()


async def _read(reader: asyncio.StreamReader) -> HttpRequest | None:
    """Return the next request, None where there is none.

    Raises:
        ValueError: If that is no request, or too long.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    length = int(headers.get("content-length") or 0)
    if len(head) > _HEAD_MAX or not 0 <= length <= _BODY_MAX:
        raise ValueError(length)
    if headers.get("expect", "").lower() == "100-continue" or "transfer-encoding" in headers:
        raise ValueError(first)
    body = await reader.readexactly(length) if length else b""
    path, _, query = target.partition("?")
    return HttpRequest(method, path, query, headers, body)


def _written(reply: ProviderReply) -> bytes:
    lines = [
        f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}",
        "Content-Type: application/json",
        f"Content-Length: {len(reply.body)}",
        *(f"{name}: {value}" for name, value in reply.headers.items()),
    ]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + reply.body
