"""Webhooks: whether Stripe sent it, lately, to us; and of which object it tells.

The signature is checked by the library, in constant time; how old it may be is ours to say, in both
directions. While a secret is changed there are two of them, and each is tried.

Source: Stripe's documentation, "Verify webhook signatures"; the header `Stripe-Signature`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
import stripe

from ledger.payments.hearing.events import RefusedEventError
from ledger.payments.provider import EventNotice
from ledger.payments.stripe.calls import is_live
from ledger.payments.stripe.notices import StripeEvent

BODY_BYTES_MAX: Final = 256 << 10
AGE_SECONDS_MAX: Final = 300
_HEADER_MAX: Final = 4096
_DIGITS_MAX: Final = 12


class StripeWebhooks:
    """What Stripe signs with one of some secrets, for the mode that our key is of."""

    def __init__(self, key: str, secrets: Sequence[str]) -> None:
        self._is_live, self._secrets = is_live(key), tuple(secrets)

    def check_age(self, signature: str, now: datetime) -> None:
        """Refuse, by its header alone, what was signed too long ago, or will be.

        Raises:
            RefusedEventError: If it was, or if the header is none.
        """
        stamps = [each[2:] for each in signature.split(",") if each.startswith("t=")]
        # The library reads the first one: so it is the one that is signed.
        if len(signature) > _HEADER_MAX or not signature.isascii() or not stamps:
            raise RefusedEventError(reason="no_signature")
        if not stamps[0].isdecimal() or len(stamps[0]) > _DIGITS_MAX:
            raise RefusedEventError(reason="no_signature")
        if abs(now.timestamp() - int(stamps[0])) > AGE_SECONDS_MAX:
            raise RefusedEventError(reason="too_old_or_too_new")

    def read(self, body: bytes, signature: str, now: datetime) -> EventNotice:
        """Return of what an event tells.

        Args:
            body: As it came, byte for byte.
            signature: The header `Stripe-Signature`.
            now: The time.

        Raises:
            RefusedEventError: If it is not from Stripe, not for us, or no event.
        """
        if len(body) > BODY_BYTES_MAX:
            raise RefusedEventError(reason="too_large")
        self.check_age(signature, now)
        if not any(_is_signed(body, signature, secret) for secret in self._secrets):
            raise RefusedEventError(reason="not_signed")
        try:
            event = msgspec.json.decode(body, type=StripeEvent)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            raise RefusedEventError(reason="no_event") from error
        if event.account is not None:
            raise RefusedEventError(reason="other_account")
        if event.livemode != self._is_live:
            raise RefusedEventError(reason="other_mode")
        return event.notice()


def _is_signed(body: bytes, signature: str, secret: str) -> bool:
    try:
        stripe.WebhookSignature.verify_header(body, signature, secret, tolerance=None)
    except (stripe.SignatureVerificationError, UnicodeDecodeError):
        return False
    return True
