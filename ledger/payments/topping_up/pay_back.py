"""Giving back some of a prepaid balance to the card or account that it came from.

    decided   the balance goes down at once: what is on its way back is spent by no invoice
    gone      REFUNDED by the provider, out of `cash:clearing`
    refused, or it came back      -> the balance rises again by as much

No more goes back than is left (`credit`), and no more than came by each payment, the newest first.
Key payback:CUSTOMER:REFERENCE, of a second payment payback.2:CUSTOMER:REFERENCE.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final, LiteralString

from psycopg import Connection

from ledger.books.prepayments import (
    BalanceTooSmallError,
    PrepaidAccount,
    Prepayment,
    amount_text,
    record_prepayment,
)
from ledger.errors import LedgerError
from ledger.payments.collecting.refunding import lost_of_payments
from ledger.payments.movement import CLEARING, Allotment, MoneyKind, MoneyMovement
from ledger.payments.provider import (
    PaymentProvider,
    ProviderError,
    ProviderObject,
    RefundState,
    RefundStatus,
)
from ledger.payments.recording import record_movement, under_the_books
from ledger.payments.requests import (
    ProviderRequest,
    RequestKind,
    RequestState,
    decide_request,
    find_request,
    requests_for,
)
from ledger.payments.taking import RequestOutcome, Taking
from ledger.payments.topping_up.credit import AskedCredit, left_minor
from ledger.payments.topping_up.top_up import WantedTopUp

LOOKED_AGAIN: Final = timedelta(days=1)
_DIGITS: Final = 8
"""Of what tells the references of one payment's pay-backs apart: a key may be longer than one."""
_OVER: Final = frozenset({RequestState.FAILED, RequestState.GIVEN_UP})
# What came by each payment, and what was given back of it by hand at the provider.
_CAME: LiteralString = """
SELECT reached.object_id, max(movement.number), sum(movement.amount_minor)::bigint + coalesce((
    SELECT sum(back.amount_minor) FROM movement AS back
    WHERE back.about = reached.object_id AND back.kind IN ('refunded', 'refund_failed')
        AND back.source = %(provider)s), 0)::bigint
FROM provider_request AS request
JOIN provider_request_state AS reached USING (key)
JOIN movement ON movement.about = request.key AND movement.kind = 'received'
WHERE request.subject = %(customer)s AND request.kind = 'top_up'
    AND request.provider = %(provider)s AND request.legal_entity = %(legal_entity)s
    AND movement.currency = %(currency)s AND reached.object_id IS NOT NULL
GROUP BY reached.object_id ORDER BY 2 DESC
"""


def decide_pay_back(taking: Taking, wanted: WantedTopUp, *, by: str) -> list[ProviderRequest]:
    """Take *wanted* off the balance, and decide that it is given back; return the requests.

    Whoever says the same again gets them as they stand.

    Raises:
        BalanceTooSmallError: If less than that is left.
        NotByCardError: If less than that came by the provider.
        OtherPayBackError: If the reference names another one.
    """
    connection = taking.connection
    with under_the_books(connection):
        if known := pay_back_requests(connection, wanted):
            return known
        [left] = left_minor(connection, [AskedCredit(wanted.account)])
        if wanted.amount_minor > left:
            raise BalanceTooSmallError(wanted.account, left)
        came = list(_came(connection, wanted))
        if wanted.amount_minor > (most := sum(minor for _, minor in came)):
            raise NotByCardError(wanted.account, most)
        for place, (intent, minor) in enumerate(_parts(came, wanted.amount_minor), 1):
            _decide(taking, wanted, _part_key(wanted, place), intent, minor, by)
        return pay_back_requests(connection, wanted)


def pay_back_requests(connection: Connection[Any], wanted: WantedTopUp) -> list[ProviderRequest]:
    """Return the requests that *wanted* was decided as; none: it was not.

    Raises:
        OtherPayBackError: If the reference names another one.
    """
    known: list[ProviderRequest] = []
    while (part := find_request(connection, _part_key(wanted, len(known) + 1))) is not None:
        known.append(part)
    asked = wanted.who.legal_entity, wanted.currency, wanted.amount_minor
    if known and asked != (*known[0][4:6], sum(each.amount_minor for each in known)):
        raise OtherPayBackError(wanted.reference, known)
    return known


def _part_key(wanted: WantedTopUp, place: int) -> str:
    # In front: behind it, it could be the end of a reference.
    prefix = "payback" if place == 1 else f"payback.{place}"
    return f"{prefix}:{wanted.who.customer}:{wanted.reference}"


def _decide(
    taking: Taking, wanted: WantedTopUp, key: str, intent: str, minor: int, by: str
) -> None:
    request = ProviderRequest(
        key=key,
        provider=wanted.who.provider,
        kind=RequestKind.PAY_BACK,
        subject=wanted.who.customer,
        legal_entity=wanted.who.legal_entity,
        currency=wanted.currency,
        amount_minor=minor,
        body={"intent": intent},
        decided_at=taking.now,
        decided_by=by,
    )
    decide_request(taking.connection, request)
    _change_balance(taking, request, "back", -minor)


def _came(connection: Connection[Any], wanted: WantedTopUp) -> Iterator[tuple[str, int]]:
    """Yield what is left of each payment into the balance, the newest first."""
    asked = wanted.who._asdict() | {"currency": wanted.currency}
    going: dict[str, int] = {}
    for each in requests_for(connection, wanted.who.customer, RequestKind.PAY_BACK):
        if each.state not in _OVER:
            intent = each.body["intent"]
            going[intent] = going.get(intent, 0) + each.amount_minor
    came = connection.execute(_CAME, asked).fetchall()
    lost = lost_of_payments(connection, wanted.who.provider, [intent for intent, *_ in came])
    for intent, _, minor in came:
        if (left := minor - going.get(intent, 0) - lost.get(intent, 0)) > 0:
            yield intent, left


def _parts(came: Sequence[tuple[str, int]], wanted: int) -> Iterator[tuple[str, int]]:
    """Yield what each payment gives back of *wanted*: one that covers it alone, else in turn."""
    alone = next(((intent, wanted) for intent, minor in came if minor >= wanted), None)
    if alone is not None:
        yield alone
        return
    for intent, minor in came:
        if (part := min(minor, wanted)) > 0:
            yield intent, part
        wanted -= part


def _change_balance(taking: Taking, request: ProviderRequest, why: str, minor: int) -> None:
    digest = sha256(request.key.encode()).hexdigest()[:_DIGITS]
    prepayment = Prepayment(
        legal_entity=request.legal_entity,
        reference=f"{request.provider}/{request.body['intent']}/{why}/{digest}",
        customer=request.subject,
        currency=request.currency,
        amount_minor=minor,
        received_at=taking.now,
        recorded_by=request.decided_by,
    )
    record_prepayment(taking.connection, prepayment, taking.calendar(request.legal_entity))


class PayBackTaker:
    """Takes what becomes of giving back some of a balance."""

    def ask(self, provider: PaymentProvider, request: ProviderRequest) -> ProviderObject:
        """Ask for the money to be given back."""
        return provider.refund(request.key, request.body["intent"], request.amount_minor)

    def take(
        self, taking: Taking, request: ProviderRequest, found: ProviderObject
    ) -> RequestOutcome:
        """Book that it left us, or came back: then it is on the balance again."""
        assert isinstance(found, RefundState)
        with taking.connection.transaction():
            _book(taking, request, found, MoneyKind.REFUNDED, -found.amount_minor)
            if found.status is RefundStatus.FAILED:
                _book(taking, request, found, MoneyKind.REFUND_FAILED, found.amount_minor)
                _change_balance(taking, request, "again", request.amount_minor)
                return RequestOutcome(RequestState.FAILED, found.reason or "came_back")
        if found.status is RefundStatus.PENDING and request.state is not RequestState.DONE:
            return RequestOutcome(RequestState.OPEN, next_at=taking.now + LOOKED_AGAIN)
        return RequestOutcome(RequestState.DONE)

    def fail(
        self, taking: Taking, request: ProviderRequest, error: ProviderError
    ) -> RequestOutcome:
        """Put it on the balance again, and note why."""
        _change_balance(taking, request, "again", request.amount_minor)
        return RequestOutcome(RequestState.FAILED, error.reason)


def _book(
    taking: Taking, request: ProviderRequest, found: RefundState, kind: MoneyKind, minor: int
) -> None:
    movement = MoneyMovement(
        kind=kind,
        source=taking.provider,
        reference=found.id,
        legal_entity=request.legal_entity,
        currency=found.currency,
        amount_minor=minor,
        allotments=(Allotment(CLEARING, minor),),
        happened_at=taking.now
        if kind is MoneyKind.REFUND_FAILED
        else taking.happened(found.created_at),
        recorded_by=request.decided_by,
        about=request.key,
    )
    record_movement(taking.connection, movement, taking.calendar(request.legal_entity))


class NotByCardError(LedgerError):
    """More is to go back to cards than came by them."""

    def __init__(self, account: PrepaidAccount, minor: int) -> None:
        there = amount_text(minor, account.currency)
        super().__init__(
            f"{there} of the balance can go back to a card or account at the provider: the rest "
            "came another way, and `wattledger prepaid pay-back` records that it was paid back"
        )
        self.account, self.minor = account, minor


class OtherPayBackError(LedgerError):
    """A reference names another pay-back."""

    def __init__(self, reference: str, known: Sequence[ProviderRequest]) -> None:
        asked = amount_text(sum(each.amount_minor for each in known), known[0].currency)
        super().__init__(
            f"reference {reference} is that of another pay-back, of {asked}: each has a reference "
            "of its own"
        )
        self.known = known
