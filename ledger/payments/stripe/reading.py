"""Stripe's objects as the port's: what we read of each, and nothing else.

Source: Stripe's API reference, the objects PaymentIntent, SetupIntent, Refund, Dispute, Payout and
Balance Transaction.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

import msgspec

from ledger.payments.provider import (
    PARTIAL_CAPTURE_REVERSAL,
    BalanceLine,
    DisputeState,
    DisputeStatus,
    IntentState,
    IntentStatus,
    PaymentWay,
    PayoutState,
    PayoutStatus,
    RefundState,
    RefundStatus,
    SetupState,
    UnansweredError,
)
from ledger.payments.stripe.amounts import our_minor

_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,99}")
KEY_FIELD: Final = "wattledger_key"
"""Under which name our key stands in the metadata of all that we make."""
_Amount = Annotated[int, msgspec.Meta(ge=-(10**15), le=10**15)]
_Seconds = Annotated[int, msgspec.Meta(ge=0, le=4_102_444_800)]
_Read = TypeVar("_Read", bound=msgspec.Struct)
_Status = TypeVar("_Status", IntentStatus, RefundStatus, DisputeStatus, PayoutStatus)

INTENT_STATUSES: Final[Mapping[str, IntentStatus]] = {
    "requires_payment_method": IntentStatus.NEEDS_METHOD,
    "requires_confirmation": IntentStatus.NEEDS_METHOD,
    "requires_action": IntentStatus.NEEDS_ACTION,
    "processing": IntentStatus.PROCESSING,
    "requires_capture": IntentStatus.HELD,
    "succeeded": IntentStatus.TAKEN,
    "canceled": IntentStatus.CANCELED,
}
_REFUND: Final[Mapping[str, RefundStatus]] = {
    "pending": RefundStatus.PENDING,
    "requires_action": RefundStatus.PENDING,
    "succeeded": RefundStatus.DONE,
    "failed": RefundStatus.FAILED,
    "canceled": RefundStatus.FAILED,
}
DISPUTE_STATUSES: Final[Mapping[str, DisputeStatus]] = {
    "warning_needs_response": DisputeStatus.INQUIRY,
    "warning_under_review": DisputeStatus.INQUIRY,
    "warning_closed": DisputeStatus.INQUIRY,
    "prevented": DisputeStatus.INQUIRY,
    "needs_response": DisputeStatus.OPEN,
    "under_review": DisputeStatus.OPEN,
    # It was lost, and is until the appeal is won.
    "appeal_needs_response": DisputeStatus.LOST,
    "appeal_under_review": DisputeStatus.LOST,
    "won": DisputeStatus.WON,
    "lost": DisputeStatus.LOST,
}
_WAYS: Final[Mapping[str, PaymentWay]] = {each.value: each for each in PaymentWay}
_PAYOUT: Final[Mapping[str, PayoutStatus]] = {
    "pending": PayoutStatus.ON_ITS_WAY,
    "in_transit": PayoutStatus.ON_ITS_WAY,
    "paid": PayoutStatus.PAID,
    "failed": PayoutStatus.FAILED,
    "canceled": PayoutStatus.FAILED,
}


class _Trouble(msgspec.Struct):
    code: str | None = None
    decline_code: str | None = None


class _Intent(msgspec.Struct):
    id: str
    status: str
    amount: _Amount
    currency: str
    created: _Seconds
    amount_received: _Amount = 0
    amount_capturable: _Amount = 0
    metadata: dict[str, str] | None = None
    customer: str | None = None
    payment_method: str | None = None
    payment_method_types: list[str] = []
    latest_charge: str | None = None
    last_payment_error: _Trouble | None = None
    cancellation_reason: str | None = None
    client_secret: str | None = None


class _Setup(msgspec.Struct):
    id: str
    status: str
    metadata: dict[str, str] | None = None
    customer: str | None = None
    payment_method: str | None = None
    payment_method_types: list[str] = []
    last_setup_error: _Trouble | None = None
    cancellation_reason: str | None = None
    client_secret: str | None = None


class _Refund(msgspec.Struct):
    id: str
    status: str | None
    amount: _Amount
    currency: str
    created: _Seconds
    payment_intent: str | None = None
    metadata: dict[str, str] | None = None
    failure_reason: str | None = None
    balance_transaction: str | dict[str, Any] | None = None


class _BalanceTransaction(msgspec.Struct):
    id: str
    type: str
    amount: _Amount
    fee: _Amount
    net: _Amount
    currency: str
    created: _Seconds
    source: str | dict[str, Any] | None = None
    reporting_category: str = ""


class _Dispute(msgspec.Struct):
    id: str
    status: str
    amount: _Amount
    currency: str
    created: _Seconds
    payment_intent: str | None = None
    balance_transactions: list[_BalanceTransaction] = []
    reason: str | None = None


class _Payout(msgspec.Struct):
    id: str
    status: str
    amount: _Amount
    currency: str
    created: _Seconds
    arrival_date: _Seconds | None = None
    failure_code: str | None = None


def read_intent(data: Mapping[str, Any]) -> IntentState:
    """Return a PaymentIntent.

    Raises:
        UnansweredError: If it cannot be read. So do the others below.
    """
    found, currency = _read(data, _Intent), str(data.get("currency")).upper()
    return IntentState(
        id=found.id,
        status=_status(found.id, found.status, INTENT_STATUSES),
        amount_minor=our_minor(found.amount, currency),
        currency=currency,
        created_at=_moment(found.created),
        taken_minor=our_minor(found.amount_received, currency),
        held_minor=our_minor(found.amount_capturable, currency),
        request_key=_key(found.metadata),
        customer_id=found.customer,
        method_id=found.payment_method,
        way=_way(found.payment_method_types),
        charge_id=found.latest_charge,
        reason=_reason(found.last_payment_error) or _code(found.cancellation_reason),
        client_secret=found.client_secret or "",
    )


def read_setup(data: Mapping[str, Any]) -> SetupState:
    """Return a SetupIntent."""
    found = _read(data, _Setup)
    return SetupState(
        id=found.id,
        is_ready=found.status == "succeeded",
        customer_id=found.customer,
        method_id=found.payment_method,
        way=_way(found.payment_method_types),
        request_key=_key(found.metadata),
        reason=_reason(found.last_setup_error) or _code(found.cancellation_reason),
        client_secret=found.client_secret or "",
    )


def read_refund(data: Mapping[str, Any]) -> RefundState:
    """Return a Refund; one that is done without a line of our balance lets go of a hold.

    So does one whose line (where it was asked for along) takes back what was not captured.
    """
    found = _read(data, _Refund)
    currency = found.currency.upper()
    return RefundState(
        id=found.id,
        intent_id=found.payment_intent or "",
        status=_status(found.id, found.status or "pending", _REFUND),
        amount_minor=our_minor(found.amount, currency),
        currency=currency,
        created_at=_moment(found.created),
        request_key=_key(found.metadata),
        reason=_code(found.failure_reason),
        moves_money=_moves_money(found),
    )


def read_dispute(data: Mapping[str, Any]) -> DisputeState:
    """Return a Dispute; what was taken for it stands in its lines of our balance."""
    found = _read(data, _Dispute)
    currency = found.currency.upper()
    status = _status(found.id, found.status, DISPUTE_STATUSES)
    taken, fee, given_back = _moved(found)
    # Settled before it was one: where money went, it went for good.
    if found.status == "prevented" and taken > given_back:
        status = DisputeStatus.LOST
    return DisputeState(
        id=found.id,
        intent_id=found.payment_intent or "",
        status=status,
        amount_minor=our_minor(found.amount, currency),
        currency=currency,
        created_at=_moment(found.created),
        taken_minor=our_minor(taken, currency),
        fee_minor=our_minor(fee, currency),
        given_back_minor=our_minor(given_back, currency),
        reason=_code(found.reason),
    )


def read_payout(data: Mapping[str, Any]) -> PayoutState:
    """Return a Payout."""
    found = _read(data, _Payout)
    currency = found.currency.upper()
    arrives = found.arrival_date
    return PayoutState(
        id=found.id,
        status=_status(found.id, found.status, _PAYOUT),
        amount_minor=our_minor(found.amount, currency),
        currency=currency,
        created_at=_moment(found.created),
        arrives_on=None if arrives is None else _moment(arrives).date(),
        reason=_code(found.failure_code),
    )


def read_balance_line(data: Mapping[str, Any]) -> BalanceLine:
    """Return a Balance Transaction; its source as an id, or as the object itself.

    Source: Stripe, "Reporting categories", of captures of less than was held.
    """
    found = _read(data, _BalanceTransaction)
    currency, source = found.currency.upper(), found.source
    of = source if isinstance(source, dict) else {"id": source}
    is_reversal = found.reporting_category == PARTIAL_CAPTURE_REVERSAL
    return BalanceLine(
        id=found.id,
        kind=PARTIAL_CAPTURE_REVERSAL if is_reversal else found.type,
        amount_minor=our_minor(found.amount, currency),
        fee_minor=our_minor(found.fee, currency),
        net_minor=our_minor(found.net, currency),
        currency=currency,
        created_at=_moment(found.created),
        source_id=_named(of.get("id")),
        charge_id=_named(of.get("charge")),
    )


def _named(said: object) -> str | None:
    return said if isinstance(said, str) else None


def _moves_money(refund: _Refund) -> bool:
    line = refund.balance_transaction
    if isinstance(line, dict) and line.get("reporting_category") == PARTIAL_CAPTURE_REVERSAL:
        return False
    return line is not None or refund.status != "succeeded"


def _moved(dispute: _Dispute) -> tuple[int, int, int]:
    """Return what was taken, its fee, and what came back of both, in the dispute's currency.

    Where our balance has another currency, its lines cannot be said in this one: then they tell
    whether money moved, and the dispute's own amount how much. The fee stands in the payout.
    """
    lines = dispute.balance_transactions
    if any(each.currency != dispute.currency for each in lines):
        went, came = any(x.net < 0 for x in lines), any(x.net > 0 for x in lines)
        return dispute.amount * went, 0, dispute.amount * came
    taken = sum(-each.amount for each in lines if each.amount < 0)
    fee = sum(each.fee for each in lines if each.fee > 0)
    came_back = sum(each.amount for each in lines if each.amount > 0)
    return taken, fee, came_back - sum(each.fee for each in lines if each.fee < 0)


def _read(data: Mapping[str, Any], shape: type[_Read]) -> _Read:
    try:
        return msgspec.convert(data, shape)
    except msgspec.ValidationError as error:
        message = f"what Stripe says is no {shape.__name__.strip('_')}: {error}"
        raise UnansweredError(reason="unreadable", said=message) from error


def _status(object_id: str, said: str, known: Mapping[str, _Status]) -> _Status:
    found = known.get(said)
    if found is None:
        message = f"Stripe says that {object_id} is {said[:40]!r}, which we do not know"
        raise UnansweredError(reason="unknown_status", said=message)
    return found


def _key(metadata: Mapping[str, str] | None) -> str:
    return (metadata or {}).get(KEY_FIELD, "")


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _way(types: Sequence[str]) -> PaymentWay | None:
    """Return how it is paid; None where the payer may still choose, or by what we do not know."""
    return _WAYS.get(types[0]) if len(types) == 1 else None


def _reason(trouble: _Trouble | None) -> str:
    return _code(trouble.decline_code) or _code(trouble.code) if trouble else ""


def _code(said: str | None) -> str:
    """Return what names a reason by a code; "" for anything else, such as what somebody wrote."""
    return said if said is not None and _CODE.fullmatch(said) else ""
