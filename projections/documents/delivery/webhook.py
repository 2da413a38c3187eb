"""The way to a webhook: a signed POST of JSON, the document in it.

A receiver takes a `delivery` that it has already for done: so one that may have arrived is posted
again, with the same `delivery`, until it says 2xx. It checks the signature over the time and the
body, and refuses an old time. No redirect is followed.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from msgspec.json import encode
from psycopg import Connection

from ledger.network import Network
from projections.documents.delivery.parcel import NotDeliveredError, Parcel
from projections.posting.guarded import NotPostedError, post_guarded

SIGNATURE: Final = "Wattledger-Signature"
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
            status = post_guarded(self._webhook.url, body, headers, self._webhook.networks)
        except NotPostedError as error:
            raise NotDeliveredError(str(error), is_away=True) from error
        if not 200 <= status < 300:  # noqa: PLR2004 - HTTP's own numbers
            why = f"HTTP {status}"
            raise NotDeliveredError(why, is_final=status == _GONE)


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
