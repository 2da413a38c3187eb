"""Asking a customer for leave to be charged while away, and keeping by what that may be done.

A customer is made at the provider once, with the first of these. The provider gets its subject id
and nothing else of it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from psycopg import Connection

from ledger.payments.collecting.collections import wake_collections
from ledger.payments.collecting.methods import (
    PayingCustomer,
    customer_at_provider,
    keep_customer,
    say_method,
)
from ledger.payments.method_ids import check_method_id
from ledger.payments.provider import (
    PaymentProvider,
    PaymentWay,
    ProviderError,
    ProviderObject,
    SetupState,
)
from ledger.payments.requests import (
    ProviderRequest,
    RequestKind,
    RequestState,
    decide_request,
    requests_for,
)
from ledger.payments.taking import RequestOutcome, Taking

LOOKED_AGAIN: Final = timedelta(minutes=15)
"""A customer agrees within minutes, or never: the webhook tells, this is for one that is lost."""
LEFT_AFTER: Final = timedelta(days=2)
_UNDER_WAY: Final = frozenset({RequestState.NEW, RequestState.ASKED})


def decide_set_up(
    connection: Connection[Any],
    who: PayingCustomer,
    way: PaymentWay,
    method_id: str | None,
    *,
    by: str,
    at: datetime,
) -> str:
    """Decide that *who* is asked for leave, within the caller's transaction; return the key.

    One that is still on its way with the provider is the answer to this, too.

    Raises:
        NoMethodIdError: If *method_id* is no id.
    """
    check_method_id(method_id)
    before = [
        each
        for each in requests_for(connection, who.customer, RequestKind.SET_UP)
        if (each.provider, each.legal_entity) == who[:2]
    ]
    body = {
        "way": way.value,
        "method": method_id or "",
        "customer": customer_at_provider(connection, who) or "",
    }
    for each in before:
        is_same = (each.body["way"], each.body["method"]) == (way.value, method_id or "")
        if each.state in _UNDER_WAY and is_same:
            return each.key
    key = f"set_up:{who.legal_entity}:{who.customer}:{len(before) + 1}"
    decide_request(
        connection,
        ProviderRequest(
            key,
            who.provider,
            RequestKind.SET_UP,
            who.customer,
            who.legal_entity,
            "",
            0,
            body,
            at,
            by,
        ),
    )
    return key


class SetUpTaker:
    """Takes what becomes of asking for leave."""

    def ask(self, provider: PaymentProvider, request: ProviderRequest) -> ProviderObject:
        """Ask for it; who is new at the provider is made there first."""
        body, subject = request.body, request.subject
        key = f"customer:{request.legal_entity}:{subject}"
        customer = body["customer"] or provider.add_customer(key, subject)
        way = PaymentWay(body["way"])
        return provider.set_up(request.key, customer, way, body["method"] or None)

    def take(
        self, taking: Taking, request: ProviderRequest, found: ProviderObject
    ) -> RequestOutcome:
        """Keep by what the customer may be charged, and collect what waited for that."""
        assert isinstance(found, SetupState)
        who = PayingCustomer(taking.provider, request.legal_entity, request.subject)
        if found.customer_id is not None:
            keep_customer(taking.connection, who, found.customer_id)
        if not found.is_ready or found.method_id is None:
            return _unready(taking, request, found)
        if request.state is not RequestState.DONE:
            way = found.way or PaymentWay(request.body["way"])
            say_method(taking.connection, who, found.method_id, way, is_ready=True, at=taking.now)
            wake_collections(taking.connection, who.legal_entity, who.customer, taking.now)
        return RequestOutcome(RequestState.DONE)

    def fail(
        self, taking: Taking, request: ProviderRequest, error: ProviderError
    ) -> RequestOutcome:
        """Note why; nothing follows: whoever asked for it asks the customer."""
        assert taking.provider == request.provider
        return RequestOutcome(RequestState.FAILED, error.reason)


def _unready(taking: Taking, request: ProviderRequest, found: SetupState) -> RequestOutcome:
    if request.state is RequestState.DONE:
        return RequestOutcome(RequestState.DONE)
    if request.body["method"] and found.reason:
        return RequestOutcome(RequestState.FAILED, found.reason)
    if taking.now - request.decided_at > LEFT_AFTER:
        return RequestOutcome(RequestState.GIVEN_UP, found.reason or "not_agreed")
    return RequestOutcome(RequestState.OPEN, found.reason, taking.now + LOOKED_AGAIN)
