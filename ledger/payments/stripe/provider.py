"""The port's provider over Stripe's API.

Source: Stripe's API reference; which fields, `ledger.payments.stripe.reading`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, TypeVar

from ledger.payments.movement import STRIPE
from ledger.payments.provider import (
    BalanceLine,
    DeclinedError,
    EventNotice,
    IntentState,
    IntentStatus,
    PaymentObjectKind,
    PaymentWay,
    PayoutState,
    ProviderObject,
    RefundState,
    RefusedRequestError,
    SetupState,
    UnansweredError,
    WantedIntent,
)
from ledger.payments.stripe.amounts import stripe_minor
from ledger.payments.stripe.calls import (
    STRIPE_URL,
    ProviderOutcome,
    StripeAnswer,
    StripeCalls,
    declined_object,
    is_object_id,
    is_replayed_error,
)
from ledger.payments.stripe.connections import ANSWER_SECONDS, KeptConnections
from ledger.payments.stripe.notices import EVENT_TYPES, read_notice
from ledger.payments.stripe.reading import (
    KEY_FIELD,
    read_balance_line,
    read_dispute,
    read_intent,
    read_payout,
    read_refund,
    read_setup,
)

_T = TypeVar("_T")
_LOGGER: Final = logging.getLogger(__name__)
_INTENTS: Final = "/v1/payment_intents"
_LINES: Final = "/v1/balance_transactions"
_MISSING: Final = "resource_missing"
_CLOCKS_APART: Final = timedelta(days=1)
"""What bears our key may be dated before we asked: a clock of ours may be wrong by its time zone.

Who finds nothing asks again, and charges twice: a few more pages are read rather than that.
"""


class _Place(NamedTuple):
    """Where objects of a kind are, how they are read, and whether our requests make them."""

    path: str
    read: Callable[[Mapping[str, Any]], ProviderObject]
    is_ours: bool
    along: tuple[str, ...] = ()
    """What is asked for along with one of them."""


_PLACES: Final[Mapping[PaymentObjectKind, _Place]] = {
    PaymentObjectKind.INTENT: _Place(_INTENTS, read_intent, is_ours=True),
    PaymentObjectKind.SETUP: _Place("/v1/setup_intents", read_setup, is_ours=True),
    PaymentObjectKind.REFUND: _Place(
        "/v1/refunds", read_refund, is_ours=True, along=("balance_transaction",)
    ),
    PaymentObjectKind.DISPUTE: _Place("/v1/disputes", read_dispute, is_ours=False),
    PaymentObjectKind.PAYOUT: _Place("/v1/payouts", read_payout, is_ours=False),
}


class StripeProvider:
    """Payments by Stripe; as `ledger.payments.provider.PaymentProvider` says.

    Any number of threads may ask at once. Amounts are refused, not rounded, where Stripe has no
    such amount (`ledger.payments.stripe.amounts`).
    """

    def __init__(self, key: str, *, url: str = "", answer_seconds: float = ANSWER_SECONDS) -> None:
        at = url.rstrip("/") or STRIPE_URL
        self._connections = KeptConnections(at, answer_seconds=answer_seconds)
        self._calls = StripeCalls(key, self._connections, at)

    @property
    def name(self) -> str:
        """What sources and accounts call it."""
        return STRIPE

    def outcomes(self) -> Mapping[ProviderOutcome, int]:
        """Return how many calls came out how, since it was made."""
        return self._calls.outcomes()

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()

    def add_customer(self, key: str, customer: str) -> str:
        """Make a customer for the subject id *customer*; return its id there."""
        metadata = {KEY_FIELD: key, "wattledger_customer": customer}
        made = self._calls.post("/v1/customers", key, metadata=metadata).data.get("id")
        if not isinstance(made, str) or not is_object_id(made):
            message = "what Stripe says is no customer"
            raise UnansweredError(reason="unreadable", said=message)
        return made

    def set_up(
        self, key: str, customer_id: str, way: PaymentWay, method_id: str | None
    ) -> SetupState:
        """Ask a customer for leave to be charged while away; by *method_id*: at once.

        A direct debit that is agreed to elsewhere, on paper or by a form of ours, is an offline
        mandate for Stripe.
        """
        # Its use is off_session if not said otherwise; `usage` is a word of the library's own.
        wanted: dict[str, object] = {
            "customer": customer_id,
            "payment_method_types": [way.value],
            "metadata": {KEY_FIELD: key},
        }
        if method_id is not None:
            wanted |= {"payment_method": method_id, "confirm": True}
            if way is PaymentWay.SEPA_DEBIT:
                wanted["mandate_data"] = {"customer_acceptance": {"type": "offline"}}
        try:
            answer = self._calls.post("/v1/setup_intents", key, **wanted)
        except DeclinedError as error:
            found = declined_object(error.__cause__, "setup_intent")
            if found is None:
                raise
            if is_replayed_error(error.__cause__) and is_object_id(str(found.get("id"))):
                found = self._calls.get(f"/v1/setup_intents/{found['id']}")
            # Its own state says how it stands: the leave may yet be given by another method.
            state = read_setup(found)
            return state if state.is_ready else state._replace(reason=error.reason)
        return read_setup(self._newest(PaymentObjectKind.SETUP, answer))

    def take(self, wanted: WantedIntent) -> IntentState:
        """Begin a payment."""
        asked: dict[str, object] = {
            "amount": stripe_minor(wanted.amount_minor, wanted.currency),
            "currency": wanted.currency.lower(),
            "description": wanted.description,
            "payment_method_types": [each.value for each in _ways(wanted)],
            "metadata": {KEY_FIELD: wanted.key},
        }
        if wanted.customer_id is not None:
            asked["customer"] = wanted.customer_id
        if wanted.holds:
            asked["capture_method"] = "manual"
            more = {"request_incremental_authorization": "if_available"}
            asked["payment_method_options"] = {"card": more}
        if wanted.method_id is not None:
            asked |= {"payment_method": wanted.method_id, "confirm": True, "off_session": True}
        return self._intent(_INTENTS, wanted.key, **asked)

    def capture(self, key: str, intent_id: str, amount_minor: int) -> IntentState:
        """Take so much of what is held, and let go of the rest.

        What was captured before, whoever did it, is returned as it is.
        """
        before = self._known(intent_id)
        if before.status is IntentStatus.TAKEN:
            return before
        amount = stripe_minor(amount_minor, before.currency)
        return self._intent(f"{_INTENTS}/{intent_id}/capture", key, amount_to_capture=amount)

    def raise_hold(self, key: str, intent_id: str, amount_minor: int) -> IntentState:
        """Have as much held in all; where the bank says no, what was held stays held.

        Raises:
            RefusedRequestError: If the bank, or Stripe for this card, does not.
        """
        before = self._known(intent_id)
        if before.status is IntentStatus.HELD and before.held_minor >= amount_minor:
            return before
        amount = stripe_minor(amount_minor, before.currency)
        path = f"{_INTENTS}/{intent_id}/increment_authorization"
        try:
            return self._intent(path, key, amount=amount)
        except DeclinedError as error:
            raise RefusedRequestError(error.reason, str(error)) from error

    def cancel(self, key: str, intent_id: str) -> IntentState:
        """Let go of all that is held, or end a payment that was not taken.

        What was canceled before, or expired, is returned as it is.
        """
        before = self._known(intent_id)
        if before.status is IntentStatus.CANCELED:
            return before
        return self._intent(f"{_INTENTS}/{intent_id}/cancel", key)

    def refund(self, key: str, intent_id: str, amount_minor: int) -> RefundState:
        """Give back so much of what was taken."""
        amount = stripe_minor(amount_minor, self._known(intent_id).currency)
        answer = self._calls.post(
            "/v1/refunds",
            key,
            payment_intent=intent_id,
            amount=amount,
            metadata={KEY_FIELD: key},
        )
        return read_refund(self._newest(PaymentObjectKind.REFUND, answer))

    def look_up(self, kind: PaymentObjectKind, object_id: str) -> ProviderObject | None:
        """Return an object as it is now; None where there is none of that id."""
        if not is_object_id(object_id):
            return None
        place = _PLACES[kind]
        try:
            along = {"expand": [*place.along]} if place.along else {}
            return place.read(self._calls.get(f"{place.path}/{object_id}", **along))
        except RefusedRequestError as error:
            if error.reason == _MISSING:
                return None
            raise

    def find(self, kind: PaymentObjectKind, key: str, since: datetime) -> ProviderObject | None:
        """Return what came of the request *key*, made at or after *since*; None: nothing did.

        It pages through all that was made since then: Stripe's search would be quicker, and knows
        new objects only after a while.
        """
        place = _PLACES[kind]
        if not place.is_ours:
            return None
        for each in self._calls.pages(place.path, created=_from(since - _CLOCKS_APART)):
            metadata = each.get("metadata") if isinstance(each, dict) else None
            if isinstance(metadata, dict) and metadata.get(KEY_FIELD) == key:
                return place.read(each)
        return None

    def intent_of_charge(self, charge_id: str) -> str | None:
        """Return the payment that a charge belongs to."""
        if not is_object_id(charge_id):
            return None
        try:
            found = self._calls.get(f"/v1/charges/{charge_id}").get("payment_intent")
        except RefusedRequestError as error:
            if error.reason == _MISSING:
                return None
            raise
        return found if isinstance(found, str) else None

    def payouts(self, since: datetime) -> Iterator[PayoutState]:
        """Yield the payouts made since then, the newest first."""
        return _readable(read_payout, self._calls.pages("/v1/payouts", created=_from(since)))

    def balance_lines(self, payout_id: str) -> Iterator[BalanceLine]:
        """Yield what a payout consists of, the payout's own line among them."""
        lines = self._calls.pages(_LINES, payout=payout_id, expand=["data.source"])
        return map(read_balance_line, lines)

    def balance_lines_since(self, since: datetime) -> Iterator[BalanceLine]:
        """Yield all lines of our balance made since then, of whatever payout, the newest first."""
        lines = self._calls.pages(_LINES, created=_from(since), expand=["data.source"])
        return map(read_balance_line, lines)

    def events(self, since: datetime) -> Iterator[EventNotice]:
        """Yield what happened since then, the newest first: what webhooks should have told.

        Stripe keeps events for 30 days.
        """
        pages = self._calls.pages("/v1/events", created=_from(since), types=list(EVENT_TYPES))
        return _readable(read_notice, pages)

    def _known(self, intent_id: str) -> IntentState:
        found = self.look_up(PaymentObjectKind.INTENT, intent_id)
        if not isinstance(found, IntentState):
            message = f"Stripe has no payment {intent_id}"
            raise RefusedRequestError(_MISSING, message)
        return found

    def _intent(self, path: str, key: str, **asked: object) -> IntentState:
        try:
            answer = self._calls.post(path, key, **asked)
        except DeclinedError as error:
            raise self._declined(error) from error.__cause__
        return read_intent(self._newest(PaymentObjectKind.INTENT, answer))

    def _declined(self, error: DeclinedError) -> DeclinedError:
        """Return *error* with the payment as it is now: a kept error has it as it was then."""
        found = declined_object(error.__cause__, "payment_intent")
        if found is None:
            return error
        state = read_intent(found)
        if is_replayed_error(error.__cause__):
            state = self._known(state.id)
        return DeclinedError(error.reason, str(error), state)

    def _newest(self, kind: PaymentObjectKind, answer: StripeAnswer) -> Mapping[str, Any]:
        """Return an object as it is now: an answer that was kept has it as it was then."""
        made = answer.data.get("id")
        if answer.is_replayed and isinstance(made, str) and is_object_id(made):
            return self._calls.get(f"{_PLACES[kind].path}/{made}")
        return answer.data


def _readable(
    read: Callable[[Mapping[str, Any]], _T], found: Iterable[Mapping[str, Any]]
) -> Iterator[_T]:
    """Yield what can be read of a list: one that cannot keeps nobody from hearing of the others."""
    for each in found:
        try:
            yield read(each)
        except UnansweredError as error:
            _LOGGER.warning("it is left out: %s", error)


def _from(since: datetime) -> dict[str, int]:
    return {"gte": int(since.timestamp())}


def _ways(wanted: WantedIntent) -> list[PaymentWay]:
    """Return by what it may be paid. Only cards hold money; only euros are debited (SEPA)."""
    if wanted.way is not None:
        return [wanted.way]
    if wanted.holds or wanted.currency != "EUR":
        return [PaymentWay.CARD]
    return [PaymentWay.CARD, PaymentWay.SEPA_DEBIT]
