"""Raising a prepaid balance by the method that a customer agreed to.

key topup:CUSTOMER:REFERENCE -> decided once, asked under one key for ever
taken   RECEIVED from the provider, allotted to `cash:clearing`, and the prepayment out of it, in
        one transaction: the balance is the journal's, and rises with the money
a direct debit               -> the balance rises once the money is there, days later
a "no"                       -> nothing is booked; the request says why
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple

from psycopg import Connection

from ledger.books.prepayments import PrepaidAccount, Prepayment, amount_text, record_prepayment
from ledger.errors import LedgerError
from ledger.payments.collecting.charges import ask_charge, charged, give_up_method, take_charge
from ledger.payments.collecting.methods import PayingCustomer, ready_methods
from ledger.payments.movement import CLEARING, Allotment
from ledger.payments.provider import (
    IntentState,
    PaymentProvider,
    ProviderError,
    ProviderObject,
)
from ledger.payments.recording import record_movement
from ledger.payments.requests import (
    ProviderRequest,
    RequestKind,
    RequestState,
    decide_request,
    find_request,
)
from ledger.payments.taking import RequestOutcome, Taking

DESCRIPTION: Final = "prepaid balance"


class WantedTopUp(NamedTuple):
    """Which balance is to rise, by how much, and what names that; `amount_minor` is above 0.

    `is_automatic`: nobody said so, and no reference of a person's is its own.
    """

    who: PayingCustomer
    currency: str
    amount_minor: int
    reference: str
    is_automatic: bool = False

    @property
    def key(self) -> str:
        """Under which key it is asked for."""
        prefix = "topup.auto" if self.is_automatic else "topup"
        return f"{prefix}:{self.who.customer}:{self.reference}"

    @property
    def pay_back_key(self) -> str:
        """Under which key so much goes back in place of coming."""
        return pay_back_key(self.who.customer, self.reference)

    @property
    def account(self) -> PrepaidAccount:
        """Which balance it is."""
        return PrepaidAccount(self.who.customer, self.who.legal_entity, self.currency)


def pay_back_key(customer: str, reference: str) -> str:
    """Return under which key something goes back to a customer."""
    return f"payback:{customer}:{reference}"


def decide_top_up(
    connection: Connection[Any], wanted: WantedTopUp, *, by: str, at: datetime
) -> ProviderRequest:
    """Decide that *wanted* is asked for, within the caller's transaction; return the request.

    Whoever says the same again gets the request as it stands.

    Raises:
        OtherTopUpError: If the reference names another one.
        NoMethodError: If there is nothing to take it from.
    """
    known = find_request(connection, wanted.key)
    if known is None:
        method = ready_methods(connection, [wanted.who], wanted.currency).get(wanted.who)
        if method is None:
            raise NoMethodError(wanted.who)
        request = ProviderRequest(
            key=wanted.key,
            provider=wanted.who.provider,
            kind=RequestKind.TOP_UP,
            subject=wanted.who.customer,
            legal_entity=wanted.who.legal_entity,
            currency=wanted.currency,
            amount_minor=wanted.amount_minor,
            body={
                "customer": method.provider_customer,
                "method": method.method_id,
                "way": method.way.value,
            },
            decided_at=at,
            decided_by=by,
        )
        decide_request(connection, request)
        # Who decided the same at the same moment was first: theirs is what holds.
        known = find_request(connection, wanted.key)
    assert known is not None
    asked = known.legal_entity, known.currency, known.amount_minor
    if asked != (wanted.who.legal_entity, wanted.currency, wanted.amount_minor):
        raise OtherTopUpError(wanted.reference, known)
    return known


class TopUpTaker:
    """Takes what becomes of raising a balance."""

    def ask(self, provider: PaymentProvider, request: ProviderRequest) -> ProviderObject:
        """Ask for the money."""
        return ask_charge(provider, request, DESCRIPTION)

    def take(
        self, taking: Taking, request: ProviderRequest, found: ProviderObject
    ) -> RequestOutcome:
        """Raise the balance by what was taken, or note why nothing was."""
        return take_charge(taking, request, found, _book, _declined)

    def fail(
        self, taking: Taking, request: ProviderRequest, error: ProviderError
    ) -> RequestOutcome:
        """Note a "no"."""
        return _declined(taking, request, error.reason)


def _book(taking: Taking, request: ProviderRequest, found: IntentState) -> None:
    """Record the money and the prepayment, both or neither."""
    movement = charged(taking, request, found, Allotment(CLEARING, found.taken_minor))
    calendar = taking.calendar(request.legal_entity)
    with taking.connection.transaction():
        received, _ = record_movement(taking.connection, movement, calendar)
        prepayment = Prepayment(
            legal_entity=request.legal_entity,
            reference=f"{taking.provider}/{found.id}",
            customer=request.subject,
            currency=found.currency,
            amount_minor=found.taken_minor,
            received_at=received.happened_at,
            recorded_by=request.decided_by,
        )
        record_prepayment(taking.connection, prepayment, calendar)


def _declined(taking: Taking, request: ProviderRequest, reason: str) -> RequestOutcome:
    if request.state is RequestState.FAILED:  # heard again
        return RequestOutcome(request.state, request.reason)
    give_up_method(taking, request, request.subject, reason)
    return RequestOutcome(RequestState.FAILED, reason)


class NoMethodError(LedgerError):
    """A customer has no method that may be charged."""

    def __init__(self, who: PayingCustomer) -> None:
        super().__init__(
            f"{who.customer} has no card or account on file at {who.legal_entity} that may be "
            "charged: `wattledger payments method` asks the customer for one"
        )
        self.who = who


class OtherTopUpError(LedgerError):
    """A reference names a top-up of another amount, currency or legal entity."""

    def __init__(self, reference: str, known: ProviderRequest) -> None:
        asked = amount_text(known.amount_minor, known.currency)
        super().__init__(
            f"reference {reference} is that of another top-up, of {asked} at "
            f"{known.legal_entity}: each has a reference of its own"
        )
        self.known = known
