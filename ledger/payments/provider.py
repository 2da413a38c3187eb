"""What a payment provider is asked for, and what it says: the port, in no provider's words.

Each call may raise: `UnansweredError` where nobody knows whether it took effect (the same key is
asked again), `ThrottledError` where it did not, `DeclinedError` where the payer's bank said no,
`RefusedRequestError` where the question was wrong. Nobody asks within a database transaction.

Amounts are in minor units of the currency. No card number is in any of it, and no name.
`ledger.payments.stripe` implements it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from ledger.errors import LedgerError


class PaymentWay(StrEnum):
    """How a customer's money comes."""

    CARD = "card"
    SEPA_DEBIT = "sepa_debit"


class IntentStatus(StrEnum):
    """How far a payment is."""

    NEEDS_METHOD = "needs_method"
    """Nothing to take it from yet, or what there was said no: `reason`."""
    NEEDS_ACTION = "needs_action"
    """The payer must agree (3-D Secure)."""
    PROCESSING = "processing"
    """A direct debit is on its way: days."""
    HELD = "held"
    """The money is put aside, and can be taken."""
    TAKEN = "taken"
    CANCELED = "canceled"


class IntentState(NamedTuple):
    """A payment at the provider. `request_key`: the request of ours that it came from.

    `taken_minor` is what we got of it, `held_minor` what can still be taken. `client_secret` lets
    the payer's own device go on with it, and stands in no log and no table. `charge_id` names it
    on balances and disputes.
    """

    id: str
    status: IntentStatus
    amount_minor: int
    currency: str
    created_at: datetime
    taken_minor: int = 0
    held_minor: int = 0
    request_key: str = ""
    customer_id: str | None = None
    method_id: str | None = None
    way: PaymentWay | None = None
    charge_id: str | None = None
    reason: str = ""
    client_secret: str = ""

    def __repr__(self) -> str:
        return f"IntentState({self.id}, {self.status}, {self.amount_minor} {self.currency})"


class SetupState(NamedTuple):
    """A customer's leave to be charged while away; `is_ready` once it holds."""

    id: str
    is_ready: bool
    customer_id: str | None
    method_id: str | None = None
    way: PaymentWay | None = None
    request_key: str = ""
    reason: str = ""
    client_secret: str = ""

    def __repr__(self) -> str:
        return f"SetupState({self.id}, is_ready={self.is_ready})"


class RefundStatus(StrEnum):
    """How far a refund is; until it FAILED the money has left us."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"


class RefundState(NamedTuple):
    """A refund of a payment. `moves_money` False: it only shows what was let go of a hold."""

    id: str
    intent_id: str
    status: RefundStatus
    amount_minor: int
    currency: str
    created_at: datetime
    request_key: str = ""
    reason: str = ""
    moves_money: bool = True


class DisputeStatus(StrEnum):
    """How a dispute stands. An inquiry moves no money yet."""

    INQUIRY = "inquiry"
    OPEN = "open"
    WON = "won"
    LOST = "lost"


class DisputeState(NamedTuple):
    """A payer's bank takes a payment back. `taken_minor`: what was withdrawn from our balance.

    `fee_minor`: what the provider takes for it; `given_back_minor` what came back of both.
    """

    id: str
    intent_id: str
    status: DisputeStatus
    amount_minor: int
    currency: str
    created_at: datetime
    taken_minor: int = 0
    fee_minor: int = 0
    given_back_minor: int = 0
    reason: str = ""


class PayoutStatus(StrEnum):
    """How far a payout is."""

    ON_ITS_WAY = "on_its_way"
    PAID = "paid"
    FAILED = "failed"


class PayoutState(NamedTuple):
    """Money on its way from the provider to our bank. `arrives_on`: when the bank has it."""

    id: str
    status: PayoutStatus
    amount_minor: int
    currency: str
    created_at: datetime
    arrives_on: date | None = None
    reason: str = ""


class BalanceLine(NamedTuple):
    """A line of our balance with the provider: `amount - fee = net`, signed.

    `kind` as the provider says it: charge, payment, refund, adjustment, payout, stripe_fee.
    `source_id`: the charge, refund, dispute or payout. `charge_id`: of a refund, its charge, where
    the provider says so along. Of a capture of less than was held a line has all of that, and one
    of kind PARTIAL_CAPTURE_REVERSAL takes the rest back.
    """

    id: str
    kind: str
    amount_minor: int
    fee_minor: int
    net_minor: int
    currency: str
    created_at: datetime
    source_id: str | None = None
    charge_id: str | None = None


PARTIAL_CAPTURE_REVERSAL: Final = "partial_capture_reversal"


class PaymentObjectKind(StrEnum):
    """What can become something at a provider, of which it tells."""

    INTENT = "intent"
    SETUP = "setup"
    REFUND = "refund"
    DISPUTE = "dispute"
    PAYOUT = "payout"


ProviderObject = IntentState | SetupState | RefundState | DisputeState | PayoutState


class EventNotice(NamedTuple):
    """That something became of an object, which itself says what. `kind` None: of none of ours."""

    event_id: str
    kind: PaymentObjectKind | None
    object_id: str
    created_at: datetime


class WantedIntent(NamedTuple):
    """A payment to be taken; with `holds` only put aside, to be taken later.

    `method_id`: taken at once, while the customer is away; None: the payer's own device goes on
    with the `client_secret`. `description` is what the provider shows of it: no names.
    """

    key: str
    amount_minor: int
    currency: str
    description: str
    customer_id: str | None = None
    method_id: str | None = None
    way: PaymentWay | None = None
    holds: bool = False


class PaymentProvider(Protocol):
    """A provider, blocking. `name` as in sources ("stripe")."""

    @property
    def name(self) -> str:
        """What sources and accounts call it."""

    def add_customer(self, key: str, customer: str) -> str:
        """Make a customer for the subject id *customer*; return its id there."""

    def set_up(
        self, key: str, customer_id: str, way: PaymentWay, method_id: str | None
    ) -> SetupState:
        """Ask a customer for leave to be charged while away; by *method_id*: at once."""

    def take(self, wanted: WantedIntent) -> IntentState:
        """Begin a payment."""

    def capture(self, key: str, intent_id: str, amount_minor: int) -> IntentState:
        """Take so much of what is held, and let go of the rest."""

    def raise_hold(self, key: str, intent_id: str, amount_minor: int) -> IntentState:
        """Have as much held in all."""

    def cancel(self, key: str, intent_id: str) -> IntentState:
        """Let go of all that is held, or end a payment that was not taken."""

    def refund(self, key: str, intent_id: str, amount_minor: int) -> RefundState:
        """Give back so much of what was taken."""

    def look_up(self, kind: PaymentObjectKind, object_id: str) -> ProviderObject | None:
        """Return an object as it is now; None where there is none of that id."""

    def find(self, kind: PaymentObjectKind, key: str, since: datetime) -> ProviderObject | None:
        """Return what came of the request *key*, made at or after *since*; None: nothing did.

        For requests that are older than the provider's memory of keys: slow, and exact.
        """

    def intent_of_charge(self, charge_id: str) -> str | None:
        """Return the payment that a charge belongs to."""

    def payouts(self, since: datetime) -> Iterator[PayoutState]:
        """Yield the payouts made since then, the newest first."""

    def balance_lines(self, payout_id: str) -> Iterator[BalanceLine]:
        """Yield what a payout consists of, the payout's own line among them."""

    def balance_lines_since(self, since: datetime) -> Iterator[BalanceLine]:
        """Yield all lines of our balance made since then, of whatever payout, the newest first."""

    def events(self, since: datetime) -> Iterator[EventNotice]:
        """Yield what happened since then, the newest first: what webhooks should have told."""


class ProviderError(LedgerError):
    """A provider did not do what it was asked; `reason` is a code."""

    def __init__(self, reason: str, said: str) -> None:
        super().__init__(said)
        self.reason = reason


class UnansweredError(ProviderError):
    """Nobody knows whether it took effect: the same key is asked again."""


class ThrottledError(ProviderError):
    """It took no effect, for we ask too much, or with a key that is not taken: later again."""


class RefusedRequestError(ProviderError):
    """The question was wrong, or what it is about is gone: asking again changes nothing."""


class DeclinedError(ProviderError):
    """The payer's bank said no: `state` is how the payment stands, None where there is none."""

    def __init__(self, reason: str, said: str, state: IntentState | None) -> None:
        super().__init__(reason, said)
        self.state = state
