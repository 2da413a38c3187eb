"""A POST to an address that somebody else chose: the way out of documents and of webhooks.

The name is looked up once, every address that it has is looked at, and the connection goes to one
of those. No redirect is followed. All of it together has its time, `SECONDS_MAX`: nothing is sent
after that, however slow the resolver was, or byte by byte the other side.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from socket import SHUT_RDWR, create_connection, socket
from threading import Timer
from typing import Final
from urllib.parse import SplitResult, urlsplit

from ledger.network import ForbiddenNetworkError, Network, NoAddressError, allowed_address
from projections.errors import ProjectionError

SECONDS_MAX: Final = 20.0
_ANSWER_MAX: Final = 65_536
_TLS_PORT, _PORT = 443, 80


class NotPostedError(ProjectionError):
    """Nothing came back, or it must not go there; `why` names no address."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(f"the webhook {why}")


def post_guarded(
    url: str, body: bytes, headers: Mapping[str, str], networks: Sequence[Network] = ()
) -> int:
    """Post *body* to *url*, and return the status that comes back.

    Args:
        url: Where.
        body: What.
        headers: Of the request.
        networks: That are allowed beside the public internet.

    Raises:
        NotPostedError: If no status came back, as far as anybody knows.
    """
    try:
        return _post(urlsplit(url), body, headers, networks)
    except NoAddressError as error:
        why = "has a name without an address"
        raise NotPostedError(why) from error
    except ForbiddenNetworkError as error:
        why = "leads into a network that is not allowed (webhook_networks)"
        raise NotPostedError(why) from error
    except (OSError, HTTPException, ValueError) as error:
        why = f"cannot be reached: {type(error).__name__}"
        raise NotPostedError(why) from error


def _post(
    url: SplitResult, body: bytes, headers: Mapping[str, str], networks: Sequence[Network]
) -> int:
    host, is_tls = url.hostname or "", url.scheme == "https"
    port = url.port or (_TLS_PORT if is_tls else _PORT)
    until = time.monotonic() + SECONDS_MAX
    address = allowed_address(host, port, networks)
    with closing(_Pinned(host, port, address, until, is_tls=is_tls)) as http:
        path = f"{url.path or '/'}{'?' + url.query if url.query else ''}"
        http.connect()
        # Each step has its limit; all of them together have this one.
        ending = Timer(_left(until), http.end)
        ending.start()
        try:
            http.shake_hands()
            http.request("POST", path, body, dict(headers))
            answer = http.getresponse()
            answer.read(_ANSWER_MAX)
        finally:
            ending.cancel()
        return answer.status


def _left(until: float) -> float:
    """Return how many seconds are left.

    Raises:
        TimeoutError: If none are.
    """
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class _Pinned(HTTPConnection):
    """A connection to an address that was looked at, under the name that it was looked up by."""

    def __init__(self, host: str, port: int, address: str, until: float, *, is_tls: bool) -> None:
        super().__init__(host, port, timeout=_left(until))
        self._address = address
        self._context = ssl.create_default_context() if is_tls else None
        # The port stands in the header `Host` unless it is the scheme's own.
        self.default_port = HTTPSConnection.default_port if is_tls else HTTPConnection.default_port

    def connect(self) -> None:
        """Connect to the address, whatever the name leads to by now; without a handshake."""
        sock = create_connection((self._address, self.port), self.timeout)
        if self._context is None:
            self.sock = sock
            return
        try:
            self.sock = self._context.wrap_socket(
                sock, server_hostname=self.host, do_handshake_on_connect=False
            )
        except BaseException:
            sock.close()
            raise

    def shake_hands(self) -> None:
        """Have the other side show who it is, where it is to."""
        if isinstance(self.sock, ssl.SSLSocket):
            self.sock.do_handshake()

    def end(self) -> None:
        """End the conversation, from any thread."""
        with suppress(OSError):
            # The socket's own: that of TLS forgets its keys under the thread that uses them.
            socket.shutdown(self.sock, SHUT_RDWR)
