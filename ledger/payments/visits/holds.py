"""What a provider says of a visit's payment: held, declined, taken, gone. It may say so repeatedly.

Four kinds of request are about one payment; whichever it is heard for, the visit learns the same.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from ledger.payments.due_objects import tell_of_object
from ledger.payments.movement import UNMATCHED, Allotment, MoneyKind, MoneyMovement
from ledger.payments.open_items import open_items
from ledger.payments.provider import (
    DeclinedError,
    IntentState,
    IntentStatus,
    PaymentObjectKind,
    PaymentProvider,
    PaymentWay,
    ProviderError,
    ProviderObject,
    WantedIntent,
)
from ledger.payments.recording import record_movement
from ledger.payments.requests import (
    ProviderRequest,
    RequestKind,
    RequestState,
    note_request,
    requests_for,
)
from ledger.payments.taking import RequestOutcome, Taking
from ledger.payments.visits.kept import lock_visit, move_visit, note_hold, note_reason, note_taken
from ledger.payments.visits.requesting import decide_for
from ledger.payments.visits.visit import OVER, CardVisit, VisitEvent, VisitState, visit_number

LOOKED_AGAIN: Final = timedelta(minutes=1)
"""A driver who agrees is not kept waiting by a webhook that is lost."""
HELD_LOOKED_AGAIN: Final = timedelta(hours=6)
_REFUSED: Final = "refused_"
"""How the reason begins of what the provider would not take."""
_FINAL: Final = frozenset({IntentStatus.TAKEN, IntentStatus.CANCELED})
_MINE: Final = frozenset({VisitState.STARTING, VisitState.CHARGING, VisitState.ENDED})
"""While a car may charge, losing the hold is noted, and the visit goes on to its invoice."""


class VisitTaker:
    """Takes what becomes of HOLD, RAISE, CAPTURE and RELEASE."""

    def ask(self, provider: PaymentProvider, request: ProviderRequest) -> ProviderObject:
        """Ask for what *request* says."""
        key, body = request.key, request.body
        match request.kind:
            case RequestKind.HOLD:
                return provider.take(
                    WantedIntent(
                        key=key,
                        amount_minor=request.amount_minor,
                        currency=request.currency,
                        description=f"Charging, {request.subject}",
                        method_id=body.get("method"),
                        way=PaymentWay.CARD,
                        holds=True,
                    )
                )
            case RequestKind.RAISE:
                return provider.raise_hold(key, body["intent"], request.amount_minor)
            case RequestKind.CAPTURE:
                return provider.capture(key, body["intent"], request.amount_minor)
            case _:
                return provider.cancel(key, body["intent"])

    def take(
        self, taking: Taking, request: ProviderRequest, found: ProviderObject
    ) -> RequestOutcome:
        """Let the visit know how its payment stands, and book what was taken of it."""
        number = visit_number(request.subject)
        visit = None if number is None else lock_visit(taking.connection, number)
        assert visit is not None
        assert isinstance(found, IntentState)
        _see(taking, visit, found)
        if found.status in _FINAL and request.kind is not RequestKind.HOLD:
            # What was held is not looked at any more.
            note_request(taking.connection, visit.key(RequestKind.HOLD), RequestState.DONE)
        return _outcome(taking, request, found)

    def fail(
        self, taking: Taking, request: ProviderRequest, error: ProviderError
    ) -> RequestOutcome:
        """Decide what follows where the bank or the provider said no for good."""
        number = visit_number(request.subject)
        visit = None if number is None else lock_visit(taking.connection, number)
        assert visit is not None
        if request.kind is RequestKind.HOLD:
            word = "declined_" if isinstance(error, DeclinedError) else _REFUSED
            reason = f"{word}{error.reason}"
            move_visit(taking.connection, visit, VisitEvent.DECLINED, now=taking.now, reason=reason)
        elif request.kind is RequestKind.RAISE:
            note_reason(taking.connection, visit, "raise_refused")
        else:
            # It is not as we thought: the payment itself says what it is now.
            note_reason(taking.connection, visit, f"{_REFUSED}{error.reason}")
            look_at_payment(taking, request)
            return RequestOutcome(RequestState.GIVEN_UP, error.reason)
        return RequestOutcome(RequestState.FAILED, error.reason)


def _see(taking: Taking, visit: CardVisit, found: IntentState) -> None:
    connection, now = taking.connection, taking.now
    if found.status is IntentStatus.TAKEN:
        _book(taking, visit, found)
        reason = visit.reason if visit.state is VisitState.CAPTURING else "taken_by_hand"
        move_visit(connection, visit, VisitEvent.TAKEN, now=now, reason=reason)
        note_taken(connection, visit, found.taken_minor)
        return
    is_held = found.status is IntentStatus.HELD
    if visit.state in OVER:
        if is_held:  # nothing would come of it: no hold without a visit
            decide_for(connection, visit, RequestKind.RELEASE, {"intent": found.id}, now=now)
        return
    held_minor = found.held_minor if is_held else 0
    visit = note_hold(connection, visit, found.id, held_minor, now=now)
    if is_held and visit.state is VisitState.CAPTURING and visit.reason.startswith(_REFUSED):
        # It cannot be taken, and never will: what is owed stays open, and nobody's money is kept.
        moved = move_visit(connection, visit, VisitEvent.LETS_GO, now=now, reason=visit.reason)
        if moved is not None:
            decide_for(connection, visit, RequestKind.RELEASE, {"intent": found.id}, now=now)
    elif is_held:
        move_visit(connection, visit, VisitEvent.HOLDS, now=now, until=visit.until)
    elif found.status is IntentStatus.CANCELED:
        if visit.state in _MINE:
            note_reason(connection, visit, "hold_lost")
        else:
            reason = visit.reason or found.reason or "hold_lost"
            move_visit(connection, visit, VisitEvent.GONE, now=now, reason=reason)
    elif visit.state is VisitState.HOLDING:
        note_reason(connection, visit, found.reason)
    else:
        move_visit(
            connection, visit, VisitEvent.ASKED, now=now, reason=found.reason, until=visit.until
        )


def _outcome(taking: Taking, request: ProviderRequest, found: IntentState) -> RequestOutcome:
    """Return how it goes with *request*, its payment being as it was *found*."""
    if found.status is IntentStatus.HELD:
        if request.kind is RequestKind.RAISE and found.held_minor >= request.amount_minor:
            return RequestOutcome(RequestState.DONE)
        again = HELD_LOOKED_AGAIN if request.kind is RequestKind.HOLD else LOOKED_AGAIN
        return RequestOutcome(RequestState.OPEN, next_at=taking.now + again)
    if found.status is IntentStatus.TAKEN:
        is_undone = request.kind in (RequestKind.RAISE, RequestKind.RELEASE)
        return RequestOutcome(RequestState.GIVEN_UP if is_undone else RequestState.DONE)
    if found.status is IntentStatus.CANCELED:
        is_done = request.kind is RequestKind.RELEASE
        reason = found.reason or "canceled"
        return RequestOutcome(RequestState.DONE if is_done else RequestState.GIVEN_UP, reason)
    return RequestOutcome(RequestState.OPEN, found.reason, taking.now + LOOKED_AGAIN)


def _book(taking: Taking, visit: CardVisit, found: IntentState) -> None:
    """Record what was taken, for the invoices it was taken for: what is open of each, in turn.

    What is more, for one was credited meanwhile, stands on the last: it is to be given back.
    """
    captures = requests_for(taking.connection, visit.subject, RequestKind.CAPTURE)
    numbers = [number for each in captures for number in each.body["invoices"]]
    left, allotments = found.taken_minor, list[Allotment]()
    items = [
        each
        for each in open_items(taking.connection, numbers)
        if each.account is not None and each.currency == found.currency
    ]
    for item in items:
        is_last = item is items[-1]
        part = left if is_last else min(max(item.open_minor, 0), left)
        if part:
            assert item.account is not None
            allotments.append(Allotment(item.account, part, item.party or "", item.number))
        left -= part
    if left:
        allotments.append(Allotment(UNMATCHED, left))
    movement = MoneyMovement(
        kind=MoneyKind.RECEIVED,
        source=taking.provider,
        reference=found.charge_id or found.id,
        legal_entity=visit.legal_entity,
        currency=found.currency,
        amount_minor=found.taken_minor,
        allotments=tuple(allotments),
        happened_at=taking.now,
        recorded_by="visits",
        about=captures[-1].key if captures else visit.key("hold"),
    )
    record_movement(taking.connection, movement, taking.calendar(visit.legal_entity))


def look_at_payment(taking: Taking, request: ProviderRequest) -> None:
    """Have the payment of *request* looked at anew."""
    tell_of_object(
        taking.connection,
        taking.provider,
        PaymentObjectKind.INTENT,
        request.body["intent"],
        taking.now,
    )
