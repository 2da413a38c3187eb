"""What becomes of refunds: gone when accepted, and back again where the payer's bank has no use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, Final, LiteralString

from ledger.errors import LedgerError
from ledger.payments.movement import UNMATCHED, Allotment, MoneyKind, MoneyMovement
from ledger.payments.open_items import open_item
from ledger.payments.provider import (
    PaymentProvider,
    ProviderError,
    ProviderObject,
    RefundState,
    RefundStatus,
)
from ledger.payments.recording import find_movement, record_movement
from ledger.payments.requests import ProviderRequest, RequestState, requests_of_object
from ledger.payments.taking import RequestOutcome, Taking

LOOKED_AGAIN: Final = timedelta(days=1)
# What a payment counts for by now: what it came for or went on to, less what went back by hand.
_COUNTS_FOR: LiteralString = """
SELECT legal_entity, account, party, document, sum(minor)::bigint
FROM movement JOIN allotment USING (number)
WHERE about <> '' AND source = %(source)s AND (
    about = ANY (%(keys)s) AND kind IN ('received', 'matched')
    OR about = %(intent)s AND kind IN ('refunded', 'refund_failed'))
GROUP BY legal_entity, account, party, document ORDER BY legal_entity, account, party, document
"""


class RefundTaker:
    """Takes what becomes of the refunds that we asked for."""

    def ask(self, provider: PaymentProvider, request: ProviderRequest) -> ProviderObject:
        """Ask for the money to be given back."""
        return provider.refund(request.key, request.body["intent"], request.amount_minor)

    def take(
        self, taking: Taking, request: ProviderRequest, found: ProviderObject
    ) -> RequestOutcome:
        """Book that it left us, or came back."""
        assert isinstance(found, RefundState)
        item = open_item(taking.connection, request.subject)
        assert item is not None
        assert item.account is not None
        whose = Allotment(item.account, found.amount_minor, item.party or "", item.number)
        _book(taking, found, request.legal_entity, (whose,), about=request.key)
        if found.status is RefundStatus.FAILED:
            return RequestOutcome(RequestState.FAILED, found.reason or "came_back")
        if found.status is RefundStatus.PENDING and request.state is not RequestState.DONE:
            return RequestOutcome(RequestState.OPEN, next_at=taking.now + LOOKED_AGAIN)
        return RequestOutcome(RequestState.DONE)

    def fail(
        self, taking: Taking, request: ProviderRequest, error: ProviderError
    ) -> RequestOutcome:
        """Note why: what is to be given back is open on the work list."""
        assert taking.provider == request.provider
        return RequestOutcome(RequestState.FAILED, error.reason)


class StrayRefundTaker:
    """Takes refunds that nobody asked for here: made by hand at the provider.

    They come out of what their payment was for, in its order; what no payment of ours explains is
    for a person, `cash:unmatched`.
    """

    def gather(self, provider: PaymentProvider, found: ProviderObject) -> object:
        """Ask for nothing: the refund says which payment it is of."""
        assert provider.name
        return found.id

    def take(self, taking: Taking, found: ProviderObject, gathered: object) -> None:
        """Book that it left us, or came back."""
        assert isinstance(found, RefundState)
        assert gathered == found.id
        connection, source = taking.connection, taking.provider
        if not found.moves_money:
            return
        if find_movement(connection, source, MoneyKind.REFUNDED, found.id) is not None:
            _book(taking, found, "", (), about="")
            return
        requests = requests_of_object(connection, source, found.intent_id)
        keys = [each.key for each in requests]
        asked = {"keys": keys, "intent": found.intent_id, "source": source}
        rows = connection.execute(_COUNTS_FOR, asked).fetchall()
        if rows:
            whose = tuple(_out_of(rows, found.amount_minor))
            _book(taking, found, rows[0][0], whose, about=found.intent_id)
        elif requests:
            raise PaymentNotBookedError(found.intent_id)
        # Else it is of no payment of ours: the payout's line tells of it.


def _out_of(rows: Sequence[tuple[Any, ...]], left: int) -> Iterator[Allotment]:
    """Yield what of documents *left* minor units come out of, and what nobody knows."""
    for _, account, party, document, minor in rows:
        part = min(max(minor, 0), left) if document else 0
        if part > 0:
            yield Allotment(account, part, party, document)
            left -= part
    if left:
        yield Allotment(UNMATCHED, left)


def _book(
    taking: Taking,
    found: RefundState,
    legal_entity: str,
    whose: tuple[Allotment, ...],
    *,
    about: str,
) -> None:
    """Record that a refund left us, and, where it failed, that it is back, for whose it was."""
    connection, source = taking.connection, taking.provider
    gone = find_movement(connection, source, MoneyKind.REFUNDED, found.id)
    if gone is None:
        movement = MoneyMovement(
            kind=MoneyKind.REFUNDED,
            source=source,
            reference=found.id,
            legal_entity=legal_entity,
            currency=found.currency,
            amount_minor=-found.amount_minor,
            allotments=tuple(each._replace(minor=-each.minor) for each in whose),
            happened_at=taking.happened(found.created_at),
            recorded_by="refunding",
            about=about,
        )
        gone, _ = record_movement(connection, movement, taking.calendar(legal_entity))
    if found.status is RefundStatus.FAILED:
        back = gone._replace(
            kind=MoneyKind.REFUND_FAILED,
            amount_minor=-gone.amount_minor,
            allotments=tuple(each._replace(minor=-each.minor) for each in gone.allotments),
            happened_at=taking.now,
            original_period="",
            period="",
            number=0,
        )
        record_movement(connection, back, taking.calendar(gone.legal_entity))


class PaymentNotBookedError(LedgerError):
    """A refund was heard of before the payment that it is of: it is looked at again."""

    def __init__(self, intent_id: str) -> None:
        super().__init__(f"{intent_id} was refunded, and is not booked yet")
        self.intent_id = intent_id
