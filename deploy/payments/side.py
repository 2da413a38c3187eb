"""What the interface has of payments: how Stripe's events are verified, where a key is set."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Final, Self

from deploy.settings import Settings
from ingest.clock import Clock

if TYPE_CHECKING:
    from ledger.payments.stripe.webhooks import StripeWebhooks

QUIET_SECONDS: Final = 10.0
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


class QuietLog:
    """Says in the log what was refused, and no more often than strangers may fill it."""

    def __init__(self, log: logging.Logger, *, clock: Callable[[], float] = monotonic) -> None:
        self._log, self._clock = log, clock
        self._said_at, self._unsaid = -QUIET_SECONDS, 0

    def say(self, why: str) -> None:
        """Say *why*, or count it until something is said again."""
        now = self._clock()
        if now - self._said_at < QUIET_SECONDS:
            self._unsaid += 1
            return
        more = f"; {self._unsaid} more since the last time" if self._unsaid else ""
        self._log.warning("%s%s", why, more)
        self._said_at, self._unsaid = now, 0


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
