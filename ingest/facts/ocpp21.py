"""What the calls of an OCPP 2.1 station tell: those of 2.0.1, and on what terms it charges.

Source: OCPP 2.1 part 2.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from ingest.facts import ocpp201
from ingest.facts.lenient import Oddities, read_json, read_object
from ingest.facts.rpc_call import RpcCall
from ingest.facts.terms import read_terms
from ingest.facts.told import Table, Told, strictly
from ledger.facts.station_terms import StationTerms

_ABSENT: Final = msgspec.Raw()


class _Info(ocpp201.TransactionInfo, rename="camel", gc=False):
    tariff_id: str | None = None
    transaction_limit: msgspec.Raw = _ABSENT


class _Event(ocpp201.TransactionEventRequest, rename="camel", gc=False):
    transaction_info: _Info
    trigger_reason: str | None = None
    cost_details: msgspec.Raw = _ABSENT


def _tell_event(event: _Event, oddities: Oddities) -> Told:
    told = ocpp201.tell_event(event, oddities)
    info = event.transaction_info
    said = {"tariffId": info.tariff_id, "transactionLimit": _content(info.transaction_limit)}
    told.parts["terms"] = read_terms(
        said, event.trigger_reason, _content(event.cost_details), oddities
    )
    return told


def _content(raw: msgspec.Raw) -> Any:  # noqa: ANN401 - JSON
    """Return what stands there, read exactly; hardly ever is there anything."""
    return read_json(bytes(raw).decode()) if bytes(raw) else None


def _terms(call: RpcCall) -> StationTerms | None:
    payload = call.payload
    info = read_object(payload.get("transactionInfo"))
    return read_terms(info, payload.get("triggerReason"), payload.get("costDetails"), call.oddities)


CALLS: Final[Table] = {
    **ocpp201.CALLS,
    "TransactionEvent": ocpp201.told_by_events(strictly(_Event, _tell_event), terms=_terms),
}
