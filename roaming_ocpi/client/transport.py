"""HTTP to who may be hostile: one address that was looked at, and bounds on everything else.

A connection goes to an address that the guard allowed, under the name that it was looked up by
(`Host`, SNI, the certificate); it is kept for the next request, so no second look-up can move it.
No proxy, no cookie, no redirect. A body is bounded as it comes and once more as it is unpacked.
"""

from __future__ import annotations

import asyncio
import ssl
import time
import zlib
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import h11
import httpx

from ledger.network import (
    ANY_NETWORK,
    ForbiddenNetworkError,
    Network,
    NoAddressError,
    allowed_address,
)
from roaming_ocpi.client.answers import (
    ForbiddenAddressError,
    PartnerUnreachableError,
    TooLargeAnswerError,
)
from roaming_ocpi.client.plain_http import plain_head, request_head

BODY_MAX: Final = 8 << 20
"""Bytes of an answer, as it comes and unpacked."""
HEADERS_MAX: Final = 64 << 10
IDLE_SECONDS_MAX: Final = 15.0
AGE_SECONDS_MAX: Final = 300.0
"""After which a name is looked up anew, also of a connection that is busy."""
IDLE_MAX: Final = 32
"""Connections that are kept for one server."""
RESOLVERS: Final = 16
"""Threads that ask for names: one whose server says nothing takes one of them for a while."""
_READ_BYTES: Final = 64 << 10
_ODD_BYTES: Final = 16 << 10
"""So much of an odd answer is worked on at once: it may be of pieces of a byte each."""
_AUTO: Final = zlib.MAX_WBITS | 32
"""Whether gzip or zlib, the content says."""
_PORTS: Final = {"http": 80, "https": 443}
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})


class WireCall(NamedTuple):
    """A request as it goes out; `headers` without those that follow from the rest."""

    method: str
    url: httpx.URL
    headers: Mapping[str, str]
    body: bytes = b""

    def head(self) -> h11.Request:
        """Return what goes before the body."""
        return h11.Request(
            method=self.method, target=self.url.raw_path, headers=self._all_headers()
        )

    def plain_head(self) -> bytes | None:
        """Return the same as it goes over the wire; None: it is not plain."""
        if self.method == "HEAD":  # whose answer has the length of a body that does not come
            return None
        return request_head(self.method, self.url.raw_path.decode("ascii"), self._all_headers())

    def _all_headers(self) -> list[tuple[str, str]]:
        headers = [("Host", self.url.netloc.decode("ascii")), *self.headers.items()]
        if self.body or self.method in _WITH_BODY:
            headers.append(("Content-Length", str(len(self.body))))
        return headers


class WireReply(NamedTuple):
    """An answer whose body is read and unpacked; names of `headers` in lower case, as they came."""

    http: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes

    def said(self, name: str) -> list[str]:
        """Return every value of a header, in order."""
        wanted = name.encode()
        return [value.decode("latin-1") for each, value in self.headers if each == wanted]

    def header(self, name: str) -> str | None:
        """Return the values of a header as one; None: there is none."""
        return ", ".join(found) if (found := self.said(name)) else None


class _Origin(NamedTuple):
    scheme: str
    host: str
    port: int


class _CountingReader(asyncio.StreamReader):
    """What comes over a connection; `came` counts its bytes, read or not."""

    came = 0

    def feed_data(self, data: Any) -> None:  # noqa: ANN401 - as the library has it
        """Take what came."""
        self.came += len(data)
        super().feed_data(data)


@dataclass(slots=True)
class _Connection:
    """A connection that is open, and since when nobody uses it."""

    reader: _CountingReader
    writer: asyncio.StreamWriter
    opened_at: float
    idle_since: float = 0.0
    is_done: bool = False
    """Whether the last answer came whole, and the next request may follow it."""
    read_bytes: int = 0

    async def read(self, size: int) -> bytes:
        """Return what came, at most *size* bytes."""
        data = await self.reader.read(size)
        self.read_bytes += len(data)
        return data

    async def read_exactly(self, size: int) -> bytes:
        """Return the next *size* bytes."""
        data = await self.reader.readexactly(size)
        self.read_bytes += size
        return data

    def is_alive(self, now: float) -> bool:
        """Say whether the next request may go over it: its server has not ended it.

        Nor has it said anything unasked, which would be taken for the next answer: a second answer,
        or that a request did not come in time.
        """
        is_open = not (self.reader.at_eof() or self.writer.is_closing())
        is_quiet = self.reader.came == self.read_bytes
        is_recent = now - self.idle_since < IDLE_SECONDS_MAX
        return is_open and is_quiet and is_recent and now - self.opened_at < AGE_SECONDS_MAX


class GuardedTransport:
    """Sends one request and reads its answer whole, within bounds; time is the caller's to bound.

    Args:
        allow_private: Whether partners may live where nobody outside can reach: in tests.
        tls: By what certificates are checked; None: as the machine does.
        body_max: Bytes of an answer, as it comes and unpacked.
    """

    def __init__(
        self,
        *,
        allow_private: bool,
        tls: ssl.SSLContext | None = None,
        body_max: int = BODY_MAX,
    ) -> None:
        self._body_max = body_max
        self._networks: Sequence[Network] = ANY_NETWORK if allow_private else ()
        self._tls = tls or ssl.create_default_context()
        self._idle: defaultdict[_Origin, deque[_Connection]] = defaultdict(deque)
        self._resolvers = ThreadPoolExecutor(RESOLVERS, thread_name_prefix="partner-names")

    async def send(self, call: WireCall) -> WireReply:
        """Return the answer to *call*, its body read and unpacked.

        Raises:
            ForbiddenAddressError: If its host leads where nobody may be sent.
            PartnerUnreachableError: If there is no answer, or none that can be read.
        """
        url = call.url
        # As it goes over the wire: the resolver would make other letters of what httpx shows.
        host = url.raw_host.decode("ascii")
        origin = _Origin(url.scheme, host, url.port or _PORTS[url.scheme])
        connection = self._kept(origin) or await self._connect(origin)
        try:
            reply = await _exchange(connection, call, self._body_max)
        except BaseException as error:
            connection.writer.close()
            if isinstance(error, OSError | h11.ProtocolError):
                raise _unreachable(type(error).__name__) from error
            raise
        self._keep(origin, connection)
        return reply

    async def close(self) -> None:
        """End every connection."""
        for kept in self._idle.values():
            for each in kept:
                each.writer.close()
        self._idle.clear()
        self._resolvers.shutdown(wait=False, cancel_futures=True)

    async def _connect(self, origin: _Origin) -> _Connection:
        loop = asyncio.get_running_loop()
        try:
            address = await loop.run_in_executor(
                self._resolvers, allowed_address, origin.host, origin.port, self._networks
            )
            tls: dict[str, Any] = {}
            if origin.scheme == "https":
                tls = {"ssl": self._tls, "server_hostname": origin.host}
            # As asyncio.open_connection does, with a reader of ours.
            reader = _CountingReader(loop=loop)
            protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
            transport, _ = await loop.create_connection(
                lambda: protocol, address, origin.port, **tls
            )
            writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        except ForbiddenNetworkError as error:
            why = (
                "the partner's address leads into a private network: nothing is sent there "
                "(roaming_private_networks allows it, for tests)"
            )
            raise ForbiddenAddressError(why) from error
        except NoAddressError as error:
            why = "its name has no address"
            raise _unreachable(why) from error
        except (OSError, ValueError) as error:  # of TLS too, and a name that it does not take
            raise _unreachable(type(error).__name__) from error
        return _Connection(reader, writer, time.monotonic())

    def _kept(self, origin: _Origin) -> _Connection | None:
        now, idle = time.monotonic(), self._idle[origin]
        while idle:
            connection = idle.pop()
            if connection.is_alive(now):
                return connection
            connection.writer.close()
        return None

    def _keep(self, origin: _Origin, connection: _Connection) -> None:
        idle = self._idle[origin]
        if not connection.is_done:
            connection.writer.close()
            return
        connection.idle_since = time.monotonic()
        idle.append(connection)
        if len(idle) > IDLE_MAX:
            idle.popleft().writer.close()


async def _exchange(connection: _Connection, call: WireCall, body_max: int) -> WireReply:
    writer = connection.writer
    connection.is_done = False
    head = call.plain_head()
    if head is None:
        return await _by_h11(connection, call, None, body_max)
    writer.write(head + call.body)
    await writer.drain()
    came = await connection.read(_READ_BYTES)
    plain = plain_head(came, size_max=body_max)
    if plain is None:
        return await _by_h11(connection, call, came, body_max)
    if len(came) < plain.ends_at:
        try:
            came += await connection.read_exactly(plain.ends_at - len(came))
        except asyncio.IncompleteReadError as error:
            why = "its answer is cut off"
            raise _unreachable(why) from error
    reply = WireReply(plain.http, plain.headers, came[plain.body_at :])
    connection.is_done = True
    return _opened(reply, body_max)


async def _by_h11(
    connection: _Connection, call: WireCall, came: bytes | None, body_max: int
) -> WireReply:
    """Return the answer to *call*, of which this *came*; None: it is not even sent."""
    writer = connection.writer
    http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEADERS_MAX)
    # What h11 returns for these is bytes; for a connection that is closing alone it is None.
    parts = [http.send(call.head()), http.send(h11.Data(call.body)), http.send(h11.EndOfMessage())]
    if came is None:
        writer.write(b"".join(part or b"" for part in parts))
        await writer.drain()
    else:
        http.receive_data(came)
    reply, body = WireReply(0, (), b""), bytearray()
    # Of pieces so small that most of what comes is their lengths there is no end.
    left = 2 * body_max + HEADERS_MAX
    while True:
        event = http.next_event()
        match event:
            case h11.Response():
                reply = WireReply(event.status_code, list(event.headers), b"")
                _check_size(int(reply.header("content-length") or "0"), body_max)
            case h11.Data():
                body += event.data
                _check_size(len(body), body_max)
            case h11.EndOfMessage():
                is_over = (http.our_state, http.their_state) == (h11.DONE, h11.DONE)
                # What comes behind an answer is none to what is asked next.
                connection.is_done = is_over and http.trailing_data == (b"", False)
                return _opened(reply._replace(body=bytes(body)), body_max)
            case h11.ConnectionClosed():
                why = "it ended the connection without an answer"
                raise _unreachable(why)
            case h11.NEED_DATA:
                data = await connection.read(_ODD_BYTES)
                left -= len(data)
                if left < 0:
                    _check_size(body_max + 1, body_max)
                http.receive_data(data)
                await asyncio.sleep(0)  # what is there already is read without waiting
            case _:  # a notice before the answer (1xx)
                continue


def _opened(reply: WireReply, body_max: int) -> WireReply:
    """Return *reply*, its body unpacked."""
    packed = reply.header("content-encoding")
    return reply if packed is None else reply._replace(body=_unpacked(reply.body, packed, body_max))


def _unpacked(body: bytes, encoding: str, body_max: int) -> bytes:
    """Return *body* as it was before it was packed, if that is within bounds."""
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip" | "deflate":
            if not body:
                return body
            unpacking = zlib.decompressobj(_AUTO)
            try:
                content = unpacking.decompress(body, body_max + 1)
            except zlib.error as error:
                why = "its answer does not unpack"
                raise _unreachable(why) from error
            _check_size(len(content), body_max)
            if not unpacking.eof:
                why = "its answer is cut off"
                raise _unreachable(why)
            return content
        case _:
            why = "its answer is packed in a way that was not asked for"
            raise _unreachable(why)


def _check_size(size: int, body_max: int) -> None:
    if size > body_max:
        why = f"the partner cannot be reached: its answer is larger than {body_max:,} bytes"
        raise TooLargeAnswerError(why)


def _unreachable(why: str) -> PartnerUnreachableError:
    return PartnerUnreachableError(f"the partner cannot be reached: {why}")
