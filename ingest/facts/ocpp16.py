"""OCPP 1.6 frames to facts: pure, total; a frame that breaks its schema gives what can be read."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Final

import msgspec

from ingest.facts.frame_facts import CALL, PEEK, Mark, RpcCall, SetAside, call_of, reply_payload
from ingest.facts.lenient import (
    Oddities,
    read_int,
    read_list,
    read_number,
    read_object,
    read_text,
    read_time,
)
from ingest.facts.readings import read_meter_values
from ledger.facts.flags import Flag
from ledger.facts.station_facts import (
    NO_ID,
    ChargingState,
    ConnectorStatusChanged,
    SessionEnded,
    SessionStarted,
    SessionUpdated,
    StationBooted,
    StationFact,
)
from ledger.log.envelope import Frame

_TOKEN_MAX: Final = 20
_SIGNED: Final = "SignedData"
_STATES: Final = {
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


class _Sample(msgspec.Struct, rename="camel", gc=False):
    value: str
    context: str | None = None
    measurand: str | None = None
    phase: str | None = None
    unit: str | None = None
    format: str | None = None
    location: str | None = None
    multiplier: ClassVar[int] = 0

    @property
    def unit_name(self) -> str | None:
        return self.unit

    @property
    def signed_text(self) -> str | None:
        return self.value if self.format == _SIGNED else None

    @property
    def is_numeric(self) -> bool:
        return self.format != _SIGNED


class _MeterValue(msgspec.Struct, rename="camel", gc=False):
    timestamp: str
    sampled_value: list[_Sample]


class _MeterValues(msgspec.Struct, rename="camel", gc=False):
    connector_id: int
    meter_value: list[_MeterValue]
    transaction_id: int | None = None


_METER_VALUES: Final = msgspec.json.Decoder(tuple[int, str, str, _MeterValues])


def translate(frame: Frame, *, position: int, line: int) -> list[StationFact]:
    """Return the facts in *frame*, which stands at *position* and *line* of its partition."""
    if frame.direction != "in":
        return []
    mark = Mark(frame.station, position, line, frame.received_at)
    text = frame.frame
    # Most frames are readings: one typed decode, and the lenient way for what breaks the schema.
    if '"MeterValues"' in text[:PEEK]:
        try:
            decoded = _METER_VALUES.decode(text)
        except (msgspec.DecodeError, RecursionError, ValueError):
            pass
        else:
            if decoded[0] == CALL and decoded[2] == "MeterValues":
                return [_updated(decoded[3], mark, set())]
    call = call_of(text)
    if isinstance(call, SetAside):
        return mark.set_aside(call.reason)
    fact = _fact(call, frame, mark)
    return [] if fact is None else [fact]


def _fact(call: RpcCall, frame: Frame, mark: Mark) -> StationFact | None:
    """Return the fact in *call*, None when billing has no use for its action."""
    payload, oddities = call.payload, set(call.oddities)
    match call.action:
        case "MeterValues":
            return _updated(_lenient_meter_values(payload, oddities), mark, oddities)
        case "StartTransaction":
            return _started(payload, frame, mark, oddities)
        case "StopTransaction":
            return _ended(payload, mark, oddities)
        case "StatusNotification":
            return _status(payload, mark, oddities)
        case "BootNotification":
            return _booted(payload, mark)
        case _:
            return None


def _updated(values: _MeterValues, mark: Mark, oddities: Oddities) -> SessionUpdated:
    readings, signed, last_at = read_meter_values(values.meter_value, oddities)
    # Below 0 stands for one that could not be read.
    connector_id = None if values.connector_id < 0 else values.connector_id
    if connector_id == 0:
        oddities.add(Flag.CONNECTOR_ZERO)
    return SessionUpdated(
        station_id=mark.station_id,
        position=mark.position,
        line=mark.line,
        received_at=mark.received_at,
        oddities=tuple(sorted(oddities)) if oddities else (),
        transaction_ref=_reference(values.transaction_id),
        evse_id=connector_id,
        connector_id=connector_id,
        occurred_at=last_at,
        readings=readings,
        signed=signed,
    )


def _started(
    payload: dict[str, Any], frame: Frame, mark: Mark, oddities: Oddities
) -> SessionStarted:
    """Translate StartTransaction.req; the transaction id is the one in our reply."""
    connector_id = read_int(payload.get("connectorId"))
    occurred_at = _moment(payload, oddities)
    given = read_int(reply_payload(frame.reply).get("transactionId"))
    if given is None:
        oddities.add(Flag.TRANSACTION_ID_UNKNOWN)
        # By content: the same start sent again is still the same transaction.
        given_text = f"unnumbered-{connector_id}-{read_text(payload.get('timestamp'))}"
    else:
        given_text = str(given)
    return SessionStarted(
        station_id=mark.station_id,
        position=mark.position,
        line=mark.line,
        received_at=mark.received_at,
        transaction_ref=given_text,
        evse_id=connector_id,
        connector_id=connector_id,
        token_uid=_token(payload, oddities),
        occurred_at=occurred_at,
        meter_start_wh=_register(payload, "meterStart", oddities),
        reservation_id=read_int(payload.get("reservationId")),
        oddities=tuple(sorted(oddities)),
    )


def _reference(transaction_id: int | None) -> str | None:
    """Return the id as text; -1 stands for an unknown one, and stations send 0 for it too.

    Source: OCPP 1.6 errata sheet, 3.18.
    """
    if transaction_id is None:
        return None
    return NO_ID if transaction_id in (-1, 0) else str(transaction_id)


def _ended(payload: dict[str, Any], mark: Mark, oddities: Oddities) -> SessionEnded:
    """Translate StopTransaction.req with its transactionData."""
    meter_values = _lenient_list(payload.get("transactionData"), oddities)
    readings, signed, _ = read_meter_values(meter_values, oddities)
    reason = read_text(payload.get("reason"))
    if reason is not None and reason not in _REASONS:
        oddities.add(Flag.ENUM_UNKNOWN)
    occurred_at = _moment(payload, oddities)
    return SessionEnded(
        station_id=mark.station_id,
        position=mark.position,
        line=mark.line,
        received_at=mark.received_at,
        transaction_ref=_reference(read_int(payload.get("transactionId"))),
        # StopTransaction.req names no connector.
        evse_id=None,
        connector_id=None,
        token_uid=_token(payload, oddities),
        occurred_at=occurred_at,
        meter_stop_wh=_register(payload, "meterStop", oddities),
        readings=readings,
        reason=reason,
        signed=signed,
        oddities=tuple(sorted(oddities)),
    )


def _status(payload: dict[str, Any], mark: Mark, oddities: Oddities) -> ConnectorStatusChanged:
    connector_id = read_int(payload.get("connectorId"))
    name = read_text(payload.get("status"))
    state = _STATES.get(name or "")
    error_code = read_text(payload.get("errorCode"))
    if state is None or (error_code is not None and error_code not in _ERROR_CODES):
        oddities.add(Flag.ENUM_UNKNOWN)
    return ConnectorStatusChanged(
        station_id=mark.station_id,
        position=mark.position,
        line=mark.line,
        received_at=mark.received_at,
        evse_id=connector_id,
        connector_id=connector_id,
        occurred_at=read_time(payload.get("timestamp"), oddities),
        charging_state=state,
        error_code=error_code,
        oddities=tuple(sorted(oddities)),
    )


def _booted(payload: dict[str, Any], mark: Mark) -> StationBooted:
    serial = payload.get("chargePointSerialNumber") or payload.get("chargeBoxSerialNumber")
    return StationBooted(
        station_id=mark.station_id,
        position=mark.position,
        line=mark.line,
        received_at=mark.received_at,
        vendor=read_text(payload.get("chargePointVendor")),
        model=read_text(payload.get("chargePointModel")),
        serial=read_text(serial),
        firmware=read_text(payload.get("firmwareVersion")),
    )


def _moment(payload: dict[str, Any], oddities: Oddities) -> datetime | None:
    """Return the required time of a transaction message; a missing one is unreadable too."""
    if "timestamp" not in payload:
        oddities.add(Flag.TIME_UNREADABLE)
    return read_time(payload.get("timestamp"), oddities)


def _register(payload: dict[str, Any], key: str, oddities: Oddities) -> Decimal | None:
    raw = payload.get(key)
    return None if raw is None else read_number(raw, oddities)


def _token(payload: dict[str, Any], oddities: Oddities) -> str | None:
    token = read_text(payload.get("idTag"))
    if token is not None and (token != token.strip() or len(token) > _TOKEN_MAX):
        oddities.add(Flag.TOKEN_ODD)
    return token


def _lenient_meter_values(payload: dict[str, Any], oddities: Oddities) -> _MeterValues:
    """Return what can be read of a MeterValues.req that breaks its schema."""
    connector_id = read_int(payload.get("connectorId"))
    return _MeterValues(
        connector_id=-1 if connector_id is None else connector_id,
        meter_value=_lenient_list(payload.get("meterValue"), oddities),
        transaction_id=read_int(payload.get("transactionId")),
    )


def _lenient_list(raw: object, oddities: Oddities) -> list[_MeterValue]:
    if raw is not None and not isinstance(raw, list):
        oddities.add(Flag.MALFORMED_FRAME)
    found = []
    for item in read_list(raw):
        entry = read_object(item)
        samples = [
            _lenient_sample(read_object(sample), oddities)
            for sample in read_list(entry.get("sampledValue"))
        ]
        timestamp = read_text(entry.get("timestamp"))
        found.append(_MeterValue(timestamp=timestamp or "", sampled_value=samples))
    return found


def _lenient_sample(sample: dict[str, Any], oddities: Oddities) -> _Sample:
    value = read_text(sample.get("value"))
    if value is None:
        oddities.add(Flag.MALFORMED_FRAME)
    elif not isinstance(sample.get("value"), str):
        oddities.add(Flag.VALUE_ODD)
    return _Sample(
        value=value or "",
        context=read_text(sample.get("context")),
        measurand=read_text(sample.get("measurand")),
        phase=read_text(sample.get("phase")),
        unit=read_text(sample.get("unit")),
        format=read_text(sample.get("format")),
        location=read_text(sample.get("location")),
    )
