"""Takers of payments and refunds that book what came, and ask no more: what payouts follow upon."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from psycopg import Connection

from ledger.books.accounts import RECEIVABLE
from ledger.payments.movement import STRIPE, Allotment, MoneyKind, MoneyMovement
from ledger.payments.provider import (
    IntentState,
    IntentStatus,
    PaymentProvider,
    ProviderError,
    ProviderObject,
    RefundState,
    RefundStatus,
    WantedIntent,
)
from ledger.payments.recording import record_movement
from ledger.payments.requests import (
    ProviderRequest,
    RequestKind,
    RequestState,
    decide_request,
)
from ledger.payments.taking import RequestOutcome, Taking

DONE = RequestOutcome(RequestState.DONE)


def wish(
    connection: Connection[Any],
    kind: RequestKind,
    minor: int,
    at: datetime,
    *,
    key: str,
    currency: str = "EUR",
    **body: str,
) -> None:
    """Decide to take, or to give back, so much."""
    decide_request(
        connection,
        ProviderRequest(key, STRIPE, kind, key, "depot", currency, minor, body, at, "a test"),
    )


class PlainPayments:
    """Books a payment to the receivable of the invoice that bears the name of its request."""

    def __init__(self, customer_id: str = "cus_1", method_id: str = "pm_1") -> None:
        self._from = customer_id, method_id

    def ask(self, provider: PaymentProvider, request: ProviderRequest) -> ProviderObject:
        wanted = (request.amount_minor, request.currency, "a payment", *self._from)
        return provider.take(WantedIntent(request.key, *wanted))

    def take(
        self, taking: Taking, request: ProviderRequest, found: ProviderObject
    ) -> RequestOutcome:
        assert isinstance(found, IntentState)
        if found.status is IntentStatus.TAKEN:
            to = Allotment(RECEIVABLE, found.taken_minor, "anna", request.key)
            named = found.charge_id or found.id
            _record(taking, request, MoneyKind.RECEIVED, named, found.currency, to)
        return DONE

    def fail(
        self, taking: Taking, request: ProviderRequest, error: ProviderError
    ) -> RequestOutcome:
        del taking, request
        return RequestOutcome(RequestState.FAILED, error.reason)


class PlainRefunds(PlainPayments):
    """Books a refund, and that it came back."""

    def ask(self, provider: PaymentProvider, request: ProviderRequest) -> ProviderObject:
        return provider.refund(request.key, request.body["intent"], request.amount_minor)

    def take(
        self, taking: Taking, request: ProviderRequest, found: ProviderObject
    ) -> RequestOutcome:
        assert isinstance(found, RefundState)
        of = request.body["invoice"]
        back = Allotment(RECEIVABLE, -found.amount_minor, "anna", of)
        _record(taking, request, MoneyKind.REFUNDED, found.id, found.currency, back)
        if found.status is RefundStatus.FAILED:
            again = back._replace(minor=found.amount_minor)
            _record(taking, request, MoneyKind.REFUND_FAILED, found.id, found.currency, again)
        return DONE


def _record(
    taking: Taking,
    request: ProviderRequest,
    kind: MoneyKind,
    reference: str,
    currency: str,
    to: Allotment,
) -> None:
    movement = MoneyMovement(
        kind=kind,
        source=taking.provider,
        reference=reference,
        legal_entity=request.legal_entity,
        currency=currency,
        amount_minor=to.minor,
        allotments=(to,),
        happened_at=taking.now,
        recorded_by="a test",
        about=request.key,
    )
    record_movement(taking.connection, movement)
