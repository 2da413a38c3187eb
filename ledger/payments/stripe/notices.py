"""Stripe's events: of which object each tells. What became of it, the object itself says.

Their bodies are read for that and not kept: persons stand in them, in the shapes of whatever API
version the account has. Of what kind an object is, it says by its own name, so that a type of
event that is new to us tells of it too.

Source: Stripe's API reference, "Events", "Types of events".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import msgspec

from ledger.payments.provider import EventNotice, PaymentObjectKind, UnansweredError

EVENT_TYPES: Final = (
    "payment_intent.amount_capturable_updated",
    "payment_intent.canceled",
    "payment_intent.payment_failed",
    "payment_intent.processing",
    "payment_intent.succeeded",
    "setup_intent.canceled",
    "setup_intent.setup_failed",
    "setup_intent.succeeded",
    "refund.created",
    "refund.failed",
    "refund.updated",
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.dispute.funds_reinstated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.updated",
    "payout.canceled",
    "payout.created",
    "payout.failed",
    "payout.paid",
)
"""What a webhook is to be told of, and what is asked for: Stripe lists at most twenty types."""
_KINDS: Final[Mapping[str, PaymentObjectKind]] = {
    "payment_intent": PaymentObjectKind.INTENT,
    "setup_intent": PaymentObjectKind.SETUP,
    "refund": PaymentObjectKind.REFUND,
    "dispute": PaymentObjectKind.DISPUTE,
    "payout": PaymentObjectKind.PAYOUT,
}
_Id = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_]{1,100}\Z")]


class _Object(msgspec.Struct):
    object: str
    id: str | None = None


class _Data(msgspec.Struct):
    object: _Object


class StripeEvent(msgspec.Struct):
    """What is read of an event. `account`: whose, where it is one connected to ours."""

    id: _Id
    object: Literal["event"]
    type: str
    created: Annotated[int, msgspec.Meta(ge=0, le=4_102_444_800)]
    livemode: bool
    data: _Data
    account: str | None = None

    def notice(self) -> EventNotice:
        """Return of what it tells."""
        about = self.data.object
        kind, object_id = _KINDS.get(about.object), about.id or ""
        try:
            msgspec.convert(object_id, _Id)
        except msgspec.ValidationError:
            kind, object_id = None, ""
        return EventNotice(self.id, kind, object_id, datetime.fromtimestamp(self.created, UTC))


def read_notice(data: Mapping[str, Any]) -> EventNotice:
    """Return of what an event tells.

    Raises:
        UnansweredError: If it is none.
    """
    try:
        return msgspec.convert(data, StripeEvent).notice()
    except msgspec.ValidationError as error:
        message = f"what Stripe says is no event: {error}"
        raise UnansweredError(reason="unreadable", said=message) from error
