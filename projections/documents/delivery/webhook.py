"""The way to a webhook: a signed POST of JSON, the document in it.

A receiver takes a `delivery` that it has already for done: so one that may have arrived is posted
again, with the same `delivery`, until it says 2xx. It checks the signature over the time and the
body, and refuses an old time. No redirect is followed.
"""

from __future__ import annotations

import base64
import hmac
import ssl
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from hashlib import sha256
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from socket import SHUT_RDWR, create_connection
from threading import Timer
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from msgspec.json import encode
from psycopg import Connection

from ledger.network import ForbiddenNetworkError, Network, NoAddressError, allowed_address
from projections.documents.delivery.parcel import NotDeliveredError, Parcel

SECONDS_MAX: Final = 20.0
SIGNATURE: Final = "Wattledger-Signature"
_ANSWER_MAX: Final = 65_536
_GONE: Final = 410


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Where documents are posted, what signs them, and which networks are allowed besides."""

    url: str
    secret: str
    networks: Sequence[Network] = ()


class WebhookWay:
    """Posts documents, each until it was taken."""

    def __init__(self, webhook: Webhook) -> None:
        self._webhook = webhook

    def deliver(
        self, _connection: Connection[Any], parcel: Parcel, _may_arrive: Callable[[], None], /
    ) -> None:
        """Post *parcel*.

        Raises:
            NotDeliveredError: If it was not taken, as far as anybody knows.
        """
        body = body_of(parcel)
        at = int(parcel.attempt.began_at.timestamp())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "wattledger",
            SIGNATURE: f"t={at},v1={signature(self._webhook.secret, at, body)}",
        }
        try:
            status = self._post(urlsplit(self._webhook.url), body, headers)
        except (OSError, HTTPException, ValueError) as error:
            why = f"the webhook cannot be reached: {type(error).__name__}"
            raise NotDeliveredError(why) from error
        if not 200 <= status < 300:  # noqa: PLR2004 - HTTP's own numbers
            why = f"HTTP {status}"
            raise NotDeliveredError(why, is_final=status == _GONE)

    def _post(self, url: SplitResult, body: bytes, headers: dict[str, str]) -> int:
        host, is_tls = url.hostname or "", url.scheme == "https"
        port = url.port or (443 if is_tls else 80)
        try:
            address = allowed_address(host, port, self._webhook.networks)
        except NoAddressError as error:
            why = "the webhook's name has no address"
            raise NotDeliveredError(why) from error
        except ForbiddenNetworkError as error:
            why = "the webhook leads into a network that is not allowed (webhook_networks)"
            raise NotDeliveredError(why) from error
        with closing(_Pinned(host, port, address, is_tls=is_tls)) as http:
            path = f"{url.path or '/'}{'?' + url.query if url.query else ''}"
            http.connect()
            # Each step has its limit; all of them together have this one.
            ending = Timer(SECONDS_MAX, http.end)
            ending.start()
            try:
                http.request("POST", path, body, headers)
                answer = http.getresponse()
                answer.read(_ANSWER_MAX)
            finally:
                ending.cancel()
            return answer.status


class _Pinned(HTTPConnection):
    """A connection to an address that was looked at, under the name that it was looked up by."""

    def __init__(self, host: str, port: int, address: str, *, is_tls: bool) -> None:
        super().__init__(host, port, timeout=SECONDS_MAX)
        self._address = address
        self._context = ssl.create_default_context() if is_tls else None
        # The port stands in the header `Host` unless it is the scheme's own.
        self.default_port = HTTPSConnection.default_port if is_tls else HTTPConnection.default_port

    def connect(self) -> None:
        """Connect to the address, whatever the name leads to by now."""
        sock = create_connection((self._address, self.port), self.timeout)
        if self._context is None:
            self.sock = sock
            return
        try:
            self.sock = self._context.wrap_socket(sock, server_hostname=self.host)
        except BaseException:
            sock.close()
            raise

    def end(self) -> None:
        """End the conversation, from any thread."""
        with suppress(OSError):
            self.sock.shutdown(SHUT_RDWR)


def body_of(parcel: Parcel) -> bytes:
    """Return what is posted: the same bytes at each attempt."""
    kept = parcel.kept
    reminder = {} if parcel.reminder is None else {"reminder": parcel.reminder.level}
    return encode(
        {
            "delivery": parcel.key,
            "number": kept.number,
            "kind": kept.kind,
            "language": kept.language,
            "sha256": kept.pdf_sha256,
            "pdf": base64.b64encode(kept.pdf).decode(),
            **reminder,
        }
    )


def signature(secret: str, at: int, body: bytes) -> str:
    """Return what signs *body*, sent *at* (in seconds): HMAC-SHA256 of "at.body", in hex."""
    return hmac.new(secret.encode(), f"{at}.".encode() + body, sha256).hexdigest()
