"""How Stripe is reached: a kept connection for each thread, with an end to all waiting.

The library brings clients on top of `requests` and others; each costs more than all the rest of a
call, reads proxies and `.netrc` of whoever runs it, and bounds no answer. This one does one thing.
"""

from __future__ import annotations

import io
import select
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any, ClassVar, Final, NamedTuple, cast
from urllib.parse import urlsplit

import stripe

from ledger.errors import LedgerError

CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 60.0
"""A bank that is asked for a payment may take its time."""
ANSWER_BYTES_MAX: Final = 16 << 20
_CHUNK: Final = 64 << 10
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class UnfitAddressError(LedgerError):
    """An address at which Stripe cannot be asked, or not without showing our key to others."""

    def __init__(self, url: str) -> None:
        super().__init__(
            f"{url!r} is no address for Stripe: `https://HOST`, or on this machine `http://HOST:PORT`"
        )


def check_address(url: str) -> None:
    """Refuse an address that is none, or over which our key would go in the clear.

    Raises:
        UnfitAddressError: If it is such.
    """
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise UnfitAddressError(url) from error
    is_secret = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not (is_whole and is_secret) or parts.username or parts.path or parts.query:
        raise UnfitAddressError(url)


class KeptConnections(stripe.HTTPClient):
    """Asks one host over connections that are kept, one for each thread that asks."""

    name: ClassVar[str] = "wattledger"

    def __init__(self, url: str, *, answer_seconds: float = ANSWER_SECONDS) -> None:
        super().__init__()
        check_address(url)
        self._url, self._parts = url, urlsplit(url)
        self._seconds = answer_seconds
        self._tls = None
        if self._parts.scheme == "https":
            self._tls = ssl.create_default_context(cafile=stripe.ca_bundle_path)
        self._lock = threading.Lock()
        self._open: set[HTTPConnection] = set()
        self._mine = threading.local()

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: str | None = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        """Return body, status and headers of the answer.

        Raises:
            stripe.APIConnectionError: If there is none, or too much of it.
        """
        connection = self._connection()
        ends_at = time.monotonic() + self._seconds
        try:
            if connection.sock is None:
                connection.connect()
            connection.sock.settimeout(self._seconds)
            timed = partial(_timed_response, ends_at)
            connection.response_class = timed  # type: ignore[assignment]  # it is only called
            body = None if post_data is None else post_data.encode()
            connection.request(
                method.upper(), url.removeprefix(self._url), body, {**(headers or {})}
            )
            response = connection.getresponse()
            text = _body(response).decode()
            return text, response.status, cast("Mapping[str, str]", response.headers)
        except (OSError, HTTPException, ValueError) as error:
            connection.close()
            # Its type alone: what else it says may quote an answer.
            message = f"no answer from {self._parts.netloc}: {type(error).__name__}"
            raise stripe.APIConnectionError(message) from error  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for each in self._open:
                each.close()
            self._open.clear()
        self._mine = threading.local()

    def _connection(self) -> HTTPConnection:
        kept: HTTPConnection | None = getattr(self._mine, "connection", None)
        if kept is None:
            kept = self._new()
            with self._lock:
                self._open.add(kept)
            self._mine.connection = kept
        elif kept.sock is not None and _has_ended(kept):
            kept.close()
        return kept

    def _new(self) -> HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._tls is None:
            return HTTPConnection(host, port, timeout=CONNECT_SECONDS)
        return HTTPSConnection(host, port, timeout=CONNECT_SECONDS, context=self._tls)


def _has_ended(connection: HTTPConnection) -> bool:
    """Say whether the other side closed meanwhile: between answers it has nothing to say."""
    looking = select.poll()
    looking.register(connection.sock, select.POLLIN)
    return bool(looking.poll(0))


def _body(response: HTTPResponse) -> bytes:
    """Return the answer's body.

    Raises:
        OSError: If it is too long, or cut off.
    """
    found = bytearray()
    while chunk := response.read1(_CHUNK):
        found += chunk
        if len(found) > ANSWER_BYTES_MAX:
            message = "too long"
            raise OSError(message)
    if response.length:
        message = "cut off"
        raise OSError(message)
    response.close()
    return bytes(found)


def _timed_response(ends_at: float, sock: socket.socket, *, method: str | None) -> HTTPResponse:
    return HTTPResponse(cast("socket.socket", _TimedSocket(sock, ends_at)), method=method)


class _TimedSocket(NamedTuple):
    """What an answer is read from until a moment, however slowly it comes."""

    sock: socket.socket
    ends_at: float

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return the one file that an answer asks for."""
        return io.BufferedReader(_TimedReader(self.sock, self.ends_at))


class _TimedReader(io.RawIOBase):
    """Each read waits for what is left of the time, not for all of it anew."""

    def __init__(self, sock: socket.socket, ends_at: float) -> None:
        self._sock, self._ends_at = sock, ends_at
        # It keeps the socket open after its connection let go of it.
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        """Say that it is for reading."""
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401 - io's own
        """Read what there is.

        Raises:
            TimeoutError: If nothing comes in time.
        """
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        """Let go of the socket."""
        self._raw.close()
        super().close()
