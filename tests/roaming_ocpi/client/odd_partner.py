"""A partner's server of bytes: it says what a test tells it to, however odd, over real sockets."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from roaming_ocpi.client.audit import CallRecord
from roaming_ocpi.client.http import HttpPartnerClient
from roaming_ocpi.client.transport import BODY_MAX
from roaming_ocpi.registration.link import Link, LinkState
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId
from tariffs.ocpi.versions import OcpiVersion
from tests.fakes import NOON

TOKEN = "secret-token-of-TNM"
Say = Callable[["Request", asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Request:
    """A request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class OddPartner:
    """What was asked; `url` is where it listens."""

    url: str = ""
    asked: list[Request] = field(default_factory=list)
    connections: int = 0


def enveloped(data: object = None, *, code: object = 1000, message: str | None = None) -> bytes:
    envelope = {"data": data, "status_code": code, "status_message": message}
    return json.dumps({**envelope, "timestamp": "2026-03-02T12:00:00Z"}).encode()


def answer(body: bytes = b"", *, status: str = "200 OK", headers: Sequence[str] = ()) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def saying(raw: bytes) -> Say:
    async def say(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()

    return say


@asynccontextmanager
async def odd_partner(say: Say, tls: ssl.SSLContext | None = None) -> AsyncIterator[OddPartner]:
    partner = OddPartner()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        partner.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode().strip().split("\r\n")
                headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                method, target, _ = first.split(" ")
                request = Request(method, target, headers, body)
                partner.asked.append(request)
                await say(request, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls, limit=1 << 20)
    port = server.sockets[0].getsockname()[1]
    partner.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    try:
        yield partner
    finally:
        server.close()


@asynccontextmanager
async def client_of(
    heard: list[CallRecord] | None = None,
    *,
    allow_private: bool = True,
    tls: ssl.SSLContext | None = None,
    answer_bytes_max: int = BODY_MAX,
) -> AsyncIterator[HttpPartnerClient]:
    records: list[CallRecord] = [] if heard is None else heard
    client = HttpPartnerClient(
        allow_private=allow_private,
        now=lambda: NOON,
        heard=records.append,
        tls=tls,
        answer_bytes_max=answer_bytes_max,
    )
    try:
        yield client
    finally:
        await client.close()


def link_to(url: str, *, version: OcpiVersion = OcpiVersion.V2_2_1, plain: bool = False) -> Link:
    return Link(
        partner="NL-TNM",
        our_party="DE-HBC",
        state=LinkState.REGISTERED,
        version=version,
        token=TOKEN,
        endpoints={
            (ModuleId.CDRS, InterfaceRole.RECEIVER): f"{url}/emsp/cdrs",
            (ModuleId.CREDENTIALS, InterfaceRole.SENDER): f"{url}/credentials",
        },
        is_plain=plain,
    )
