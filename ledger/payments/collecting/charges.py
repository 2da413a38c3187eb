"""A method on file that is charged, for whatever: how it is asked, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from ledger.payments.collecting.declines import ends_method
from ledger.payments.collecting.methods import PayingCustomer, say_method
from ledger.payments.movement import Allotment, MoneyKind, MoneyMovement
from ledger.payments.provider import (
    IntentState,
    IntentStatus,
    PaymentProvider,
    PaymentWay,
    ProviderObject,
    WantedIntent,
)
from ledger.payments.requests import ProviderRequest, RequestState
from ledger.payments.taking import RequestOutcome, Taking

LOOKED_AGAIN: Final = timedelta(days=1)
"""How often a payment on its way is looked at where no webhook tells of it."""
Declined = Callable[[Taking, ProviderRequest, str], RequestOutcome]
"""Decides what follows where nothing was taken, for a reason."""


def ask_charge(
    provider: PaymentProvider, request: ProviderRequest, description: str
) -> ProviderObject:
    """Ask for the money of a request by the method that it names."""
    body = request.body
    return provider.take(
        WantedIntent(
            key=request.key,
            amount_minor=request.amount_minor,
            currency=request.currency,
            description=description,
            customer_id=body["customer"],
            method_id=body["method"],
            way=PaymentWay(body["way"]),
        )
    )


def take_charge(
    taking: Taking,
    request: ProviderRequest,
    found: ProviderObject,
    book: Callable[[Taking, ProviderRequest, IntentState], None],
    declined: Declined,
) -> RequestOutcome:
    """Book what was taken, or decide what follows where nothing was."""
    assert isinstance(found, IntentState)
    match found.status:
        case IntentStatus.TAKEN:
            book(taking, request, found)
            return RequestOutcome(RequestState.DONE)
        case _ if request.state is RequestState.DONE:
            return RequestOutcome(RequestState.DONE)
        case IntentStatus.PROCESSING | IntentStatus.HELD:
            return RequestOutcome(RequestState.OPEN, next_at=taking.now + LOOKED_AGAIN)
        case IntentStatus.NEEDS_ACTION:
            return declined(taking, request, "authentication_required")
        case IntentStatus.NEEDS_METHOD | IntentStatus.CANCELED:
            return declined(taking, request, found.reason or found.status.value)


def charged(
    taking: Taking, request: ProviderRequest, found: IntentState, whose: Allotment
) -> MoneyMovement:
    """Return the movement by which what was taken came, all of it for one thing."""
    # A card's money came when it was asked for, a debit's when we hear of it.
    is_debit = request.body["way"] == PaymentWay.SEPA_DEBIT
    return MoneyMovement(
        kind=MoneyKind.RECEIVED,
        source=taking.provider,
        reference=found.charge_id or found.id,
        legal_entity=request.legal_entity,
        currency=found.currency,
        amount_minor=found.taken_minor,
        allotments=(whose,),
        happened_at=taking.now if is_debit else taking.happened(found.created_at),
        recorded_by=request.decided_by,
        about=request.key,
    )


def give_up_method(taking: Taking, request: ProviderRequest, customer: str, reason: str) -> None:
    """Charge a customer's method no more where *reason* says that it will never do."""
    if not ends_method(reason):
        return
    who = PayingCustomer(taking.provider, request.legal_entity, customer)
    method, way = request.body["method"], PaymentWay(request.body["way"])
    say_method(taking.connection, who, method, way, is_ready=False, at=taking.now, reason=reason)
