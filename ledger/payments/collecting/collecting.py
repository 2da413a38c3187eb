"""Collecting an invoice: decided under the books' lock, asked by the runner, and what came of it.

    key collect:NUMBER:ATTEMPT -> an attempt is decided once, and asked under one key for ever

No second attempt is decided before it is known that the first one took nothing. What a direct debit
takes comes after days; until then it is under way.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from psycopg import Connection

from ledger.books.accounts import RECEIVABLE
from ledger.errors import LedgerError
from ledger.payments.collecting.charges import (
    ask_charge,
    charged,
    give_up_method,
    take_charge,
)
from ledger.payments.collecting.collections import (
    CollectionMove,
    CollectionStanding,
    CollectionState,
    WantedCollection,
    begin_collections,
    due_collections,
    end_collections,
    find_collection,
    is_any_due,
    move_collection,
    move_collections,
)
from ledger.payments.collecting.declines import asks_customer, ends_method
from ledger.payments.collecting.methods import (
    PayingCustomer,
    ReadyMethod,
    ready_methods,
)
from ledger.payments.movement import Allotment
from ledger.payments.open_items import OpenItem, open_item, open_items
from ledger.payments.provider import (
    DeclinedError,
    IntentState,
    PaymentProvider,
    ProviderError,
    ProviderObject,
)
from ledger.payments.recording import record_movement, under_the_books
from ledger.payments.requests import (
    ProviderRequest,
    RequestKind,
    RequestState,
    count_waiting,
    decide_requests,
    requests_for,
    requests_of_kind,
)
from ledger.payments.taking import RequestOutcome, Taking

BY: Final = "collecting"
AT_ONCE: Final = 100
AHEAD_MAX: Final = 200
"""While so many requests wait, nothing more is decided: whoever stands at a station with a card in
hand does not wait behind a month's invoices."""
_OVER: Final = frozenset({RequestState.FAILED, RequestState.GIVEN_UP})


class _Case(NamedTuple):
    """What is known of an invoice whose turn it is.

    `by`: who wants it; `reason`: of the last "no"; `before`: what was asked for it until now.
    """

    item: OpenItem
    who: PayingCustomer
    method: ReadyMethod | None
    before: Sequence[ProviderRequest]
    by: str
    reason: str = ""


def collect_due(connection: Connection[Any], provider: str, now: datetime) -> int:
    """Decide what is to be asked of whom, of up to AT_ONCE invoices; return how many these were."""
    if not is_any_due(connection, now) or count_waiting(connection, now, AHEAD_MAX) == AHEAD_MAX:
        return 0
    with under_the_books(connection):
        due = due_collections(connection, now, AT_ONCE)
        numbers = [row.number for row in due]
        items = {each.number: each for each in open_items(connection, numbers)}
        whose = {
            row.number: PayingCustomer(provider, row.legal_entity, row.customer) for row in due
        }
        methods = {
            currency: ready_methods(connection, {*whose.values()}, currency)
            for currency in sorted({each.currency for each in items.values()})
        }
        before = requests_of_kind(connection, numbers, RequestKind.COLLECT)
        cases = [
            _Case(item, who, methods[item.currency].get(who), before[row.number], BY, row.reason)
            for row in due
            if (item := items.get(row.number)) is not None
            and item.open_minor > 0
            and (who := whose[row.number])
        ]
        _decide(connection, cases, now)
        end_collections(connection, numbers)
    return len(due)


def collect_now(
    connection: Connection[Any], provider: str, number: str, *, by: str, now: datetime
) -> CollectionStanding:
    """Decide to collect an invoice whose turn it is not, as a person wants; return how it goes.

    Raises:
        NothingToCollectError: If nothing is open of it, or no customer of ours owes it.
    """
    with under_the_books(connection):
        item = open_item(connection, number)
        if item is None or item.customer is None or item.open_minor <= 0:
            raise NothingToCollectError(number)
        who = PayingCustomer(provider, item.legal_entity, item.customer)
        wanted = WantedCollection(number, item.legal_entity, item.customer, now)
        begin_collections(connection, [wanted])
        method = ready_methods(connection, [who], item.currency).get(who)
        before = requests_for(connection, number, RequestKind.COLLECT)
        _decide(connection, [_Case(item, who, method, before, by)], now)
        standing = find_collection(connection, number)
    assert standing is not None
    return standing


def _decide(connection: Connection[Any], cases: Sequence[_Case], now: datetime) -> None:
    """Decide what is asked for, and note of each invoice how it goes with it."""
    wanted = list[ProviderRequest]()
    moves = list[CollectionMove]()
    for case in cases:
        state, reason = _next_state(case)
        if state is CollectionState.UNDER_WAY and not _is_under_way(case):
            assert case.method is not None
            wanted.append(_attempt(case, case.method, now))
        moves.append(CollectionMove(case.item.number, state, reason))
    decide_requests(connection, wanted)
    move_collections(connection, moves)


def _is_under_way(case: _Case) -> bool:
    return any(each.state not in (*_OVER, RequestState.DONE) for each in case.before)


def _next_state(case: _Case) -> tuple[CollectionState, str]:
    if _is_under_way(case):
        return CollectionState.UNDER_WAY, case.reason
    if case.by == BY and any(each.state is RequestState.DONE for each in case.before):
        # It was paid, and taken back: who does that is not charged again without a person.
        return CollectionState.GIVEN_UP, "open_again"
    if case.item.account != RECEIVABLE:
        return CollectionState.GIVEN_UP, "not_a_customer"
    state = CollectionState.NO_METHOD if case.method is None else CollectionState.UNDER_WAY
    return state, case.reason


def _attempt(case: _Case, method: ReadyMethod, now: datetime) -> ProviderRequest:
    attempt = len(case.before) + 1
    return ProviderRequest(
        key=f"collect:{case.item.number}:{attempt}",
        provider=case.who.provider,
        kind=RequestKind.COLLECT,
        subject=case.item.number,
        legal_entity=case.who.legal_entity,
        currency=case.item.currency,
        amount_minor=case.item.open_minor,
        body={
            "attempt": attempt,
            "customer": method.provider_customer,
            "method": method.method_id,
            "party": case.item.party or "",
            "payer": case.who.customer,
            "way": method.way.value,
        },
        decided_at=now,
        decided_by=case.by,
    )


class CollectTaker:
    """Takes what becomes of collecting an invoice."""

    def ask(self, provider: PaymentProvider, request: ProviderRequest) -> ProviderObject:
        """Ask for the money."""
        return ask_charge(provider, request, request.subject)

    def take(
        self, taking: Taking, request: ProviderRequest, found: ProviderObject
    ) -> RequestOutcome:
        """Book what was taken, or decide what follows where nothing was."""
        return take_charge(taking, request, found, _book, _declined)

    def fail(
        self, taking: Taking, request: ProviderRequest, error: ProviderError
    ) -> RequestOutcome:
        """Decide what follows from a "no"."""
        if isinstance(error, DeclinedError) or ends_method(error.reason):
            return _declined(taking, request, error.reason)
        state = CollectionState.GIVEN_UP
        move_collection(taking.connection, request.subject, state, reason=error.reason)
        return RequestOutcome(RequestState.FAILED, error.reason)


def _book(taking: Taking, request: ProviderRequest, found: IntentState) -> None:
    """Record what was taken, all of it for the invoice.

    Where that is more than is open by now, its open amount goes below 0: it is given back.
    """
    party = request.body["party"]
    allotment = Allotment(RECEIVABLE, found.taken_minor, party, request.subject)
    movement = charged(taking, request, found, allotment)
    record_movement(taking.connection, movement, taking.calendar(request.legal_entity))


def _declined(taking: Taking, request: ProviderRequest, reason: str) -> RequestOutcome:
    """Have it asked again on the policy's next day, asked of the customer, or given up."""
    connection, body = taking.connection, request.body
    if request.state in _OVER:  # heard again: what follows was decided then
        return RequestOutcome(request.state, request.reason)
    give_up_method(taking, request, body["payer"], reason)
    days = taking.declared.policy(taking.now).collect_again_days
    state, next_at = CollectionState.GIVEN_UP, None
    if asks_customer(reason):
        state = CollectionState.ASKS_CUSTOMER
    elif body["attempt"] <= len(days):
        state = CollectionState.WAITING
        next_at = taking.now + timedelta(days=days[body["attempt"] - 1])
    move_collection(connection, request.subject, state, next_at=next_at, reason=reason)
    return RequestOutcome(RequestState.FAILED, reason)


class NothingToCollectError(LedgerError):
    """An invoice of which nothing is to be collected."""

    def __init__(self, number: str) -> None:
        super().__init__(
            f"nothing is to be collected of {number}: it is no invoice of a customer, or paid; "
            f"see `wattledger payments open`"
        )
        self.number = number
