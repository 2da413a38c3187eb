"""What the calls of an OCPP 1.6 station tell. Source: OCPP 1.6 edition 2, section 6."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import msgspec

from ingest.facts.lenient import (
    Oddities,
    read_int,
    read_json,
    read_number,
    read_object,
    read_text,
    read_time,
)
from ingest.facts.parts import (
    PLACES,
    WORD_MAX,
    States,
    among,
    at,
    at_most,
    read_number_of_place,
    read_place,
    read_place_of_session,
    read_register,
    read_reservation,
    state_among,
)
from ingest.facts.readings import read_meter_values
from ingest.facts.rpc_call import RpcCall, SetAside
from ingest.facts.samples import MeterValue, TextSample, has_more_readings
from ingest.facts.station_events import FIRMWARE_STATUS, LOG_STATUS, SECURITY_EVENT
from ingest.facts.told import MeterValuesAt, Table, Telling, Told, strictly
from ledger.facts.flags import Flag
from ledger.facts.station_facts import (
    NO_ID,
    ChargingState,
    ConnectorStatusChanged,
    PriceTold,
    SessionEnded,
    SessionStarted,
    SessionUpdated,
    StationBooted,
)

_STATES: Final[States] = {
    "Available": ChargingState.AVAILABLE,
    "Preparing": ChargingState.PREPARING,
    "Charging": ChargingState.CHARGING,
    "SuspendedEV": ChargingState.SUSPENDED_EV,
    "SuspendedEVSE": ChargingState.SUSPENDED_EVSE,
    "Finishing": ChargingState.FINISHING,
    "Reserved": ChargingState.AVAILABLE,
    "Unavailable": ChargingState.UNAVAILABLE,
    "Faulted": ChargingState.FAULTED,
}
_ERROR_CODES: Final = frozenset(
    {
        "ConnectorLockFailure", "EVCommunicationError", "GroundFailure", "HighTemperature",
        "InternalError", "LocalListConflict", "NoError", "OtherError", "OverCurrentFailure",
        "OverVoltage", "PowerMeterFailure", "PowerSwitchFailure", "ReaderFailure", "ResetFailure",
        "UnderVoltage", "WeakSignal",
    }
)  # fmt: skip
_REASONS: Final = frozenset(
    {
        "DeAuthorized", "EmergencyStop", "EVDisconnected", "HardReset", "Local", "Other",
        "PowerLoss", "Reboot", "Remote", "SoftReset", "UnlockCommand",
    }
)  # fmt: skip


class MeterValuesRequest(msgspec.Struct, rename="camel", gc=False):
    """MeterValues.req, what we use of it."""

    connector_id: int
    meter_value: list[MeterValue[TextSample]]
    transaction_id: int | None = None


def _tell_meter_values(values: MeterValuesRequest, oddities: Oddities) -> Told:
    connector_id = _read_connector(values.connector_id, oddities)
    readings, signed, last_at = read_meter_values(values.meter_value, oddities)
    parts = {
        "transaction_ref": _read_reference(values.transaction_id, oddities),
        "evse_id": connector_id,
        "connector_id": connector_id,
        "occurred_at": last_at,
        "readings": readings,
        "signed": signed,
    }
    return Told(SessionUpdated, parts, oddities)


def _may_repeat(values: MeterValuesRequest, text: str) -> bool:
    return has_more_readings(text, values.meter_value)


def _started_reference(call: RpcCall) -> str:
    """Return the transaction id that we gave in our reply."""
    given = read_int(call.answer().get("transactionId"))
    if given is not None:
        return str(given)
    call.oddities.add(Flag.TRANSACTION_ID_UNKNOWN)
    # By content: the same start sent again is still the same transaction.
    connector_id = read_int(call.payload.get("connectorId"))
    return f"unnumbered-{connector_id}-{read_text(call.payload.get('timestamp'))}"


def _read_reference(raw: object, _oddities: Oddities) -> str | None:
    """Return the id as text; -1 stands for an unknown one, and stations send 0 for it too.

    Source: OCPP 1.6 errata sheet, 3.18.
    """
    transaction_id = raw if type(raw) is int else read_int(raw)
    if transaction_id is None:
        return None
    return NO_ID if transaction_id in (-1, 0) else str(transaction_id)


def _read_connector(raw: object, oddities: Oddities) -> int | None:
    if type(raw) is int and 0 < raw < PLACES:  # nearly always
        return raw
    number = read_int(raw)
    # Below 0 a reading names no place; its transaction's id may.
    is_below = number is not None and -PLACES <= number < 0
    return None if is_below else read_place(raw, oddities)


def _moment(call: RpcCall) -> datetime | None:
    """Return the required time of a transaction message; a missing one is unreadable too."""
    if call.payload.get("timestamp") is None:
        call.oddities.add(Flag.TIME_UNREADABLE)
    return read_time(call.payload.get("timestamp"), call.oddities)


def _problem(call: RpcCall) -> str | None:
    said = (read_text(call.payload.get(name)) for name in ("vendorErrorCode", "info"))
    return " ".join(each[:WORD_MAX] for each in said if each) or None


def _serial(call: RpcCall) -> str | None:
    payload = call.payload
    return read_text(payload.get("chargePointSerialNumber") or payload.get("chargeBoxSerialNumber"))


CALLS: Final[Table] = {
    "MeterValues": Telling(
        SessionUpdated,
        {
            "transaction_ref": at("transactionId", _read_reference),
            "connector_id": at("connectorId", _read_connector),
        },
        meter_values=MeterValuesAt(name="meterValue", shape=TextSample),
        strict=strictly(MeterValuesRequest, _tell_meter_values, _may_repeat),
    ),
    "StartTransaction": Telling(
        SessionStarted,
        {
            "transaction_ref": _started_reference,
            "connector_id": at("connectorId", read_place_of_session),
            "token_uid": at("idTag", read_text),
            "occurred_at": _moment,
            "meter_start_wh": at("meterStart", read_register),
            "reservation_id": at("reservationId", read_reservation),
        },
    ),
    "StopTransaction": Telling(
        SessionEnded,
        {
            "transaction_ref": at("transactionId", _read_reference),
            # StopTransaction.req names no connector.
            "connector_id": None,
            "token_uid": at("idTag", read_text),
            "occurred_at": _moment,
            "meter_stop_wh": at("meterStop", read_register),
            "reason": at("reason", among(_REASONS)),
        },
        meter_values=MeterValuesAt(name="transactionData", shape=TextSample, is_dating=False),
    ),
    "StatusNotification": Telling(
        ConnectorStatusChanged,
        {
            "connector_id": at("connectorId", read_number_of_place),
            "occurred_at": at("timestamp", read_time),
            "charging_state": at("status", state_among(_STATES)),
            "error_code": at("errorCode", among(_ERROR_CODES)),
            "status": at("status", at_most(WORD_MAX)),
            "problem": _problem,
        },
    ),
    "SecurityEventNotification": SECURITY_EVENT,
    "DiagnosticsStatusNotification": LOG_STATUS,
    "LogStatusNotification": LOG_STATUS,
    "FirmwareStatusNotification": FIRMWARE_STATUS,
    "SignedFirmwareStatusNotification": FIRMWARE_STATUS,
    "BootNotification": Telling(
        StationBooted,
        {
            "vendor": at("chargePointVendor", read_text),
            "model": at("chargePointModel", read_text),
            "serial": _serial,
            "firmware": at("firmwareVersion", read_text),
        },
    ),
}
COSTS: Final = "org.openchargealliance.costmsg"
"""The vendor id of the messages of "OCPP & California Pricing Requirements" 3.1."""


def _cost(call: RpcCall) -> dict[str, Any]:
    """Return the cost message in a DataTransfer of ours; its data is JSON as text."""
    data = read_object(read_json(read_text(call.payload.get("data")) or ""))
    return data if call.payload.get("vendorId") == COSTS else {}


def _look_at_cost(call: RpcCall) -> SetAside | None:
    """Take the line of a call that leaves: what a station made of it tells no other price."""
    is_told = call.reply is None and read_number(_cost(call).get("cost"), set()) is not None
    return None if is_told else SetAside(None)


ANSWERED: Final[Table] = {
    "DataTransfer": Telling(
        PriceTold,
        {
            "transaction_ref": lambda call: read_text(_cost(call).get("transactionId")),
            "gross": lambda call: read_number(_cost(call).get("cost"), set()),
        },
        look=_look_at_cost,
    ),
}
