"""What becomes of requests and of a provider's objects: the seams at which each room plugs in.

The runner (`ledger.payments.runner`) asks what was decided, looks at objects of which the provider
told, and hands what it found to whoever takes that kind. Whether it comes as the answer to a call,
by a webhook, or by looking for it after a kill, is the same to a taker: it gets the object as it is
now, in any order and any number of times, and books each thing once (`record_movement`).
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Any, NamedTuple, Protocol

from psycopg import Connection

from ledger.declared.declarations import Declarations
from ledger.payments.provider import (
    IntentState,
    PaymentProvider,
    ProviderError,
    ProviderObject,
    RefundState,
    SetupState,
)
from ledger.payments.requests import ProviderRequest, RequestState
from tariffs.zones import zone


class Taking(NamedTuple):
    """Within which transaction something is taken, what is declared then, and when that is."""

    connection: Connection[Any]
    declared: Declarations
    provider: str
    now: datetime

    def calendar(self, legal_entity: str) -> tzinfo:
        """Return in whose days and months *legal_entity* books."""
        seller = self.declared.legal_entity(legal_entity, self.now)
        return zone(seller.time_zone) if seller else UTC

    def happened(self, said: datetime) -> datetime:
        """Return when something happened of which the provider says *said*: never later than now.

        What is booked ahead holds back whatever is booked after it.
        """
        return min(said, self.now)


def is_of(request: ProviderRequest, found: ProviderObject) -> bool:
    """Say whether *found*, which bears the key of *request*, can have come of it.

    Books that were restored from a backup decide anew, under keys that the provider knows from
    before: what came of those may be another customer's money, or of another payment. How much of
    a customer's money was taken is what it is.
    """
    body, currency = request.body, request.currency
    match found:
        case IntentState():
            if "intent" in body:
                return bool(found.id == body["intent"])
            return found.currency == currency and _is_same(body.get("customer"), found.customer_id)
        case RefundState():
            asked = body.get("intent"), request.amount_minor, currency
            return asked == (found.intent_id, found.amount_minor, found.currency)
        case SetupState():
            return _is_same(body.get("customer"), found.customer_id)
        case _:
            return True


def _is_same(wanted: str | None, said: str | None) -> bool:
    return not wanted or not said or wanted == said


class RequestOutcome(NamedTuple):
    """How it goes with a request after something was taken; `next_at`: when it is looked at again.

    None: never, unless the provider tells of it.
    """

    state: RequestState
    reason: str = ""
    next_at: datetime | None = None


class RequestTaker(Protocol):
    """Who knows what requests of a kind ask for, and what follows from the answer."""

    def ask(self, provider: PaymentProvider, request: ProviderRequest) -> ProviderObject:
        """Ask the provider, in no transaction. It may raise what the port says."""

    def take(
        self, taking: Taking, request: ProviderRequest, found: ProviderObject
    ) -> RequestOutcome:
        """Book what follows from *found*, which came of *request*."""

    def fail(
        self, taking: Taking, request: ProviderRequest, error: ProviderError
    ) -> RequestOutcome:
        """Decide what follows from an answer that is final: declined, or refused."""


class ObjectTaker(Protocol):
    """Who takes objects that no request of ours made: disputes, payouts."""

    def gather(self, provider: PaymentProvider, found: ProviderObject) -> object:
        """Ask the provider for what else is needed, in no transaction."""

    def take(self, taking: Taking, found: ProviderObject, gathered: object) -> None:
        """Book what follows from *found*, which `gather` completed."""
