"""Events as Stripe posts them: a body and the header that signs it."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import datetime

SECRET = "whsec_Kq3v9w2y5x8z1a4b7c0d"


def sign(body: bytes, at: datetime, *secrets: str) -> str:
    """Return the header that signs *body* with each of *secrets*, as Stripe documents it."""
    stamp = int(at.timestamp())
    signed = [
        hmac.new(each.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        for each in secrets or (SECRET,)
    ]
    return ",".join([f"t={stamp}", *(f"v1={each}" for each in signed), "v0=0"])


def event(number: int = 1, **fields: object) -> dict[str, object]:
    """Return an event that tells of a payment, with more in it than anybody should keep."""
    about = {
        "id": "pi_1",
        "object": "payment_intent",
        "receipt_email": "ada@example.org",
        "metadata": {"wattledger_key": "collect:2026-1:1"},
    }
    return {
        "id": f"evt_{number}",
        "object": "event",
        "api_version": "2019-02-19",
        "type": "payment_intent.succeeded",
        "created": 1774951200,
        "livemode": False,
        "data": {"object": about},
    } | fields


def body_of(found: object) -> bytes:
    """Return an event as it is posted."""
    return json.dumps(found, indent=2).encode()
