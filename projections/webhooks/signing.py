"""How a webhook's message is signed: HMAC-SHA256 over "id.timestamp.body".

Source: the Standard Webhooks specification (webhook-id, webhook-timestamp, webhook-signature).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Final

SECRET_BYTES: Final = 32
_BEGINS: Final = "whsec_"


def new_secret() -> str:
    """Return a secret that nobody has, as it is shown once."""
    return _BEGINS + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def headers_of(secret: str, event: str, at: int, body: bytes) -> dict[str, str]:
    """Return the headers of the message *event* with its *body*, sent *at* (in seconds)."""
    return {
        "Content-Type": "application/json",
        "User-Agent": "wattledger",
        "webhook-id": event,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{signature(secret, event, at, body)}",
    }


def signature(secret: str, event: str, at: int, body: bytes) -> str:
    """Return what signs a message, in base64."""
    key = base64.b64decode(secret.removeprefix(_BEGINS))
    signed = f"{event}.{at}.".encode() + body
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
