"""What the interface has of payments: how Stripe's events are verified, where a key is set."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Self

from deploy.settings import Settings
from ingest.clock import Clock
from projections.quiet_log import QuietLog

if TYPE_CHECKING:
    from ledger.payments.stripe.webhooks import StripeWebhooks

_LOGGER: Final = logging.getLogger("wattledger.payments")
AT_ONCE_MAX: Final = 128
"""Events that are being read or kept: what memory strangers can have of us."""


class Room:
    """How many are inside; one more only where there is room."""

    def __init__(self, most: int = AT_ONCE_MAX) -> None:
        self._most, self._inside = most, 0

    def may_enter(self) -> bool:
        """Say whether there is room for one more."""
        return self._inside < self._most

    def __enter__(self) -> Self:
        self._inside += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._inside -= 1


class PaymentSide:
    """What routes of payments ask for. `webhooks`: None where no secret is set: nobody is heard."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings, self.clock, self.room = settings, clock, Room()
        self.quiet_log = QuietLog(_LOGGER)
        self.webhooks = _webhooks(settings)


def _webhooks(settings: Settings) -> StripeWebhooks | None:
    if not (settings.stripe_key and settings.stripe_webhook_secret):
        return None
    from ledger.payments.stripe.webhooks import StripeWebhooks  # noqa: PLC0415 - only with a key

    return StripeWebhooks(settings.stripe_key, settings.stripe_webhook_secrets)
