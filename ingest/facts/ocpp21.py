"""What the calls of an OCPP 2.1 station tell: those of 2.0.1, and what it quotes.

Source: OCPP 2.1 part 2.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import msgspec

from ingest.facts import ocpp201
from ingest.facts.lenient import (
    Oddities,
    read_json,
    read_number,
    read_object,
    read_text,
    read_time,
)
from ingest.facts.parts import at
from ingest.facts.quote import read_quote
from ingest.facts.rpc_call import RpcCall
from ingest.facts.told import Table, Telling, Told, strictly
from ledger.facts.flags import Flag
from ledger.facts.station_facts import PaymentReported
from ledger.facts.station_quote import StationQuote

_ABSENT: Final = msgspec.Raw()
_PAYMENTS: Final = {
    "Settled": "settled", "Canceled": "canceled", "Rejected": "rejected", "Failed": "failed",
}  # fmt: skip
_SHORT: Final = 255
"""Characters of a payment's reference."""


class _Info(ocpp201.TransactionInfo, rename="camel", gc=False):
    tariff_id: str | None = None
    transaction_limit: msgspec.Raw = _ABSENT


class _Event(ocpp201.TransactionEventRequest, rename="camel", gc=False):
    transaction_info: _Info
    cost_details: msgspec.Raw = _ABSENT


def _tell_event(event: _Event, oddities: Oddities) -> Told:
    told = ocpp201.tell_event(event, oddities)
    info = event.transaction_info
    said = {"tariffId": info.tariff_id, "transactionLimit": _content(info.transaction_limit)}
    told.parts["quote"] = read_quote(
        said, event.trigger_reason, _content(event.cost_details), oddities
    )
    return told


def _content(raw: msgspec.Raw) -> Any:  # noqa: ANN401 - JSON
    """Return what stands there, read exactly; hardly ever is there anything."""
    return read_json(bytes(raw).decode()) if bytes(raw) else None


def _quote(call: RpcCall) -> StationQuote | None:
    payload = call.payload
    info = read_object(payload.get("transactionInfo"))
    return read_quote(info, payload.get("triggerReason"), payload.get("costDetails"), call.oddities)


def _read_payment(raw: object, oddities: Oddities) -> str | None:
    word = _PAYMENTS.get(read_text(raw) or "")
    if word is None:
        oddities.add(Flag.ENUM_UNKNOWN)
    return word


def _read_amount(raw: object, oddities: Oddities) -> Decimal | None:
    return None if raw is None else read_number(raw, oddities)


def _read_short(raw: object, oddities: Oddities) -> str | None:
    text = read_text(raw)
    if text is None or len(text) <= _SHORT:
        return text
    oddities.add(Flag.VALUE_UNREADABLE)
    return text[:_SHORT]


def _receipt(call: RpcCall) -> str | None:
    """Return the id of a receipt: its terminal's, or else the one that we gave in our reply."""
    told = call.payload.get("receiptId")
    return _read_short(told if told is not None else call.answer().get("receiptId"), call.oddities)


CALLS: Final[Table] = {
    **ocpp201.CALLS,
    "TransactionEvent": ocpp201.told_by_events(
        strictly(_Event, _tell_event, ocpp201.may_repeat), quote=_quote
    ),
    "NotifySettlement": Telling(
        PaymentReported,
        {
            "transaction_ref": at("transactionId", read_text),
            "psp_ref": at("pspRef", _read_short),
            "status": at("status", _read_payment),
            "amount": at("settlementAmount", _read_amount),
            "settled_at": at("settlementTime", read_time),
            "receipt_id": _receipt,
        },
    ),
}
