"""What the calls of an OCPP 2.0.1 station tell. Source: OCPP 2.0.1 part 2, edition 3."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from ingest.facts.lenient import (
    Oddities,
    read_int,
    read_number,
    read_object,
    read_text,
    read_time,
)
from ingest.facts.parts import (
    WORD_MAX,
    Part,
    States,
    at,
    at_most,
    read_number_of_place,
    read_place,
    read_place_of_session,
    read_reservation,
    read_truth,
    state_among,
)
from ingest.facts.readings import read_meter_values
from ingest.facts.rpc_call import RpcCall, SetAside
from ingest.facts.samples import MeterValue, NumberSample, has_more_readings
from ingest.facts.station_events import FIRMWARE_STATUS, LOG_STATUS, PROBLEMS, SECURITY_EVENT
from ingest.facts.told import Kinds, MeterValuesAt, Strict, Table, Telling, Told, strictly
from ledger.facts.flags import Flag
from ledger.facts.station_facts import (
    ChargingState,
    ConnectorStatusChanged,
    PriceTold,
    QueueReported,
    SessionEnded,
    SessionStarted,
    SessionUpdated,
    StationBooted,
)

_CHARGING_STATES: Final[States] = {
    None: None,  # an event may leave it out
    "Charging": ChargingState.CHARGING,
    "EVConnected": ChargingState.EV_CONNECTED,
    "SuspendedEV": ChargingState.SUSPENDED_EV,
    "SuspendedEVSE": ChargingState.SUSPENDED_EVSE,
    "Idle": ChargingState.IDLE,
}
_CONNECTOR_STATES: Final[States] = {
    "Available": ChargingState.AVAILABLE,
    # Occupied and reserved say nothing about whether energy flows.
    "Occupied": None,
    "Reserved": None,
    "Unavailable": ChargingState.UNAVAILABLE,
    "Faulted": ChargingState.FAULTED,
}
_read_charging_state: Final = state_among(_CHARGING_STATES)
_OF_A_SESSION: Final = ("evse", "idToken", "meterValue")
_ANONYMOUS: Final = "NoAuthorization"
_STOPPED: Final = "StopAuthorized"
"""Why an event before the end names a token: it stops, and may be another one of the group."""


class _Evse(msgspec.Struct, rename="camel", gc=False):
    id: int
    connector_id: int | None = None


class _Token(msgspec.Struct, rename="camel", gc=False):
    id_token: str
    type: str = ""


class TransactionInfo(msgspec.Struct, rename="camel", gc=False):
    """TransactionType, what we use of it."""

    transaction_id: str
    charging_state: str | None = None
    stopped_reason: str | None = None


class TransactionEventRequest(msgspec.Struct, rename="camel", gc=False):
    """TransactionEventRequest, what we use of it."""

    event_type: str
    timestamp: str | None
    seq_no: int | None
    transaction_info: TransactionInfo
    trigger_reason: str | None = None
    offline: bool = False
    evse: _Evse | None = None
    id_token: _Token | None = None
    reservation_id: int | None = None
    meter_value: list[MeterValue[NumberSample]] = []


def tell_event(event: TransactionEventRequest, oddities: Oddities) -> Told:
    """Return what an event tells that fits its schema."""
    info, evse, token = event.transaction_info, event.evse, event.id_token
    readings, signed, last_at = read_meter_values(event.meter_value, oddities)
    parts = {
        "transaction_ref": info.transaction_id,
        "evse_id": read_place_of_session(evse.id, oddities) if evse else None,
        "connector_id": read_number_of_place(evse.connector_id, oddities) if evse else None,
        "token_uid": _token_of(token.id_token, token.type) if token else None,
        "occurred_at": _read_moment(event.timestamp, oddities) or last_at,
        "charging_state": _read_charging_state(info.charging_state, oddities),
        "seq_no": event.seq_no,
        "offline": event.offline,
        "readings": readings,
        "signed": signed,
    }
    kind = event.event_type.casefold()
    if kind == "ended":
        return Told(SessionEnded, parts | {"reason": info.stopped_reason}, oddities)
    # Who comes after the plug names his reservation then (H01).
    parts["reservation_id"] = read_reservation(event.reservation_id, oddities)
    if kind == "started":
        return Told(SessionStarted, parts, oddities)
    if kind != "updated":
        oddities.add(Flag.ENUM_UNKNOWN)
    if event.trigger_reason == _STOPPED:
        parts["token_uid"] = None
    return Told(SessionUpdated, parts, oddities)


def may_repeat(event: TransactionEventRequest, text: str) -> bool:
    """Say whether a member that decides money may stand twice: of what begins or ends, always."""
    if event.event_type not in ("Updated", "updated"):
        return True
    return has_more_readings(text, event.meter_value, timestamps=1)


def _look_at_event(call: RpcCall) -> SetAside | None:
    """Set aside what names no transaction and tells nothing of one either."""
    call.oddities.add(Flag.MALFORMED_FRAME)
    info, told = read_object(call.payload.get("transactionInfo")), call.payload
    is_of_one = read_text(info.get("transactionId")) or any(map(told.get, _OF_A_SESSION))
    return None if is_of_one else SetAside("no_transaction")


def _read_reference(raw: object, _oddities: Oddities) -> str:
    """Return a transaction's id; none at all is as good as an empty one."""
    return read_text(raw) or ""


def _read_moment(raw: object, oddities: Oddities) -> datetime | None:
    """Return the required time of an event; a missing one is unreadable too."""
    told = read_text(raw)
    if told is None:
        oddities.add(Flag.TIME_UNREADABLE)
    return read_time(told, oddities)


def _read_connector(evse: object, oddities: Oddities) -> int | None:
    """Return the connector's number, which counts within its EVSE only."""
    if not isinstance(evse, dict) or read_int(evse.get("id")) is None:
        return None
    return read_number_of_place(evse.get("connectorId"), oddities)


def _read_token(raw: object, _oddities: Oddities) -> str | None:
    token = read_object(raw)
    uid = read_text(token.get("idToken"))
    return _token_of(uid, read_text(token.get("type"))) if uid else None


def _token_of_update(call: RpcCall) -> str | None:
    if call.payload.get("triggerReason") == _STOPPED:
        return None
    return _read_token(call.payload.get("idToken"), call.oddities)


def _token_of(uid: str, kind: str | None) -> str | None:
    return None if kind == _ANONYMOUS else uid


def _answered(name: str, call: RpcCall) -> bool | None:
    """Return a yes or no in the station's answer to a call of ours."""
    said = call.answer().get(name)
    return said if isinstance(said, bool) else None


def _look_at_answer(call: RpcCall) -> SetAside | None:
    return SetAside(None) if _answered("messagesInQueue", call) is None else None


def _look_at_cost(call: RpcCall) -> SetAside | None:
    """Take the line of a call that leaves: what a station made of it tells no other price."""
    is_told = call.reply is None and read_number(call.payload.get("totalCost"), set()) is not None
    return None if is_told else SetAside(None)


def _total_cost(call: RpcCall) -> Decimal | None:
    return read_number(call.answer().get("totalCost"), set())


_EVENT: Final = Telling(
    SessionUpdated,
    {
        "transaction_ref": at("transactionInfo.transactionId", _read_reference),
        "evse_id": at("evse.id", read_place_of_session),
        "connector_id": at("evse", _read_connector),
        "token_uid": at("idToken", _read_token),
        "occurred_at": at("timestamp", _read_moment),
        "charging_state": at("transactionInfo.chargingState", _read_charging_state),
        "seq_no": at("seqNo", read_int),
        "offline": at("offline", read_truth),
    },
    meter_values=MeterValuesAt(name="meterValue", shape=NumberSample),
    look=_look_at_event,
)


def told_by_events(strict: Strict, **more: Part) -> Kinds:
    """Return what TransactionEvent tells, with *more* parts than in 2.0.1."""
    event = _EVENT.having(None, **more)
    reservation_id = at("reservationId", read_reservation)
    reason = at("transactionInfo.stoppedReason", read_text)
    updated = event.having(None, reservation_id=reservation_id, token_uid=_token_of_update)
    return Kinds(
        "eventType",
        {
            "started": event.having(SessionStarted, reservation_id=reservation_id),
            "updated": updated,
            "ended": event.having(SessionEnded, reason=reason),
        },
        otherwise=updated,
        strict=strict,
    )


CALLS: Final[Table] = {
    "TransactionEvent": told_by_events(strictly(TransactionEventRequest, tell_event, may_repeat)),
    "MeterValues": Telling(
        SessionUpdated,
        {
            # Readings outside of any transaction.
            "transaction_ref": None,
            "evse_id": at("evseId", read_place),
            "connector_id": None,
        },
        meter_values=MeterValuesAt(name="meterValue", shape=NumberSample),
    ),
    "StatusNotification": Telling(
        ConnectorStatusChanged,
        {
            "evse_id": at("evseId", read_number_of_place),
            "connector_id": at("connectorId", read_number_of_place),
            "occurred_at": at("timestamp", read_time),
            "charging_state": at("connectorStatus", state_among(_CONNECTOR_STATES)),
            "status": at("connectorStatus", at_most(WORD_MAX)),
        },
    ),
    "SecurityEventNotification": SECURITY_EVENT,
    "FirmwareStatusNotification": FIRMWARE_STATUS,
    "LogStatusNotification": LOG_STATUS,
    "NotifyEvent": PROBLEMS,
    "BootNotification": Telling(
        StationBooted,
        {
            "vendor": at("chargingStation.vendorName", read_text),
            "model": at("chargingStation.model", read_text),
            "serial": at("chargingStation.serialNumber", read_text),
            "firmware": at("chargingStation.firmwareVersion", read_text),
            "reason": at("reason", read_text),
        },
    ),
}
ANSWERED: Final[Table] = {
    "GetTransactionStatus": Telling(
        QueueReported,
        {
            "transaction_ref": at("transactionId", read_text),
            "messages_in_queue": lambda call: _answered("messagesInQueue", call),
            "ongoing": lambda call: _answered("ongoingIndicator", call),
        },
        look=_look_at_answer,
    ),
    "CostUpdated": Telling(
        PriceTold,
        {
            "transaction_ref": at("transactionId", read_text),
            "gross": at("totalCost", read_number),
        },
        look=_look_at_cost,
    ),
}
PRICED: Final[Table] = {
    "TransactionEvent": Telling(
        PriceTold,
        {"transaction_ref": at("transactionInfo.transactionId", read_text), "gross": _total_cost},
        look=lambda call: SetAside(None) if _total_cost(call) is None else None,
    ),
}
"""What the answer to a call tells that stands in the log already."""
