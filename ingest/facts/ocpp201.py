"""OCPP 2.0.1 frames to facts: pure, total; a broken frame gives what can be read."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import msgspec

from ingest.facts.frame_facts import CALL, PEEK, Mark, RpcCall, SetAside, call_of, reply_payload
from ingest.facts.lenient import (
    Oddities,
    read_int,
    read_list,
    read_object,
    read_text,
    read_time,
)
from ingest.facts.readings import read_meter_values
from ledger.facts.flags import Flag
from ledger.facts.station_facts import (
    ChargingState,
    ConnectorStatusChanged,
    QueueReported,
    SessionEnded,
    SessionStarted,
    SessionUpdated,
    StationBooted,
    StationFact,
)
from ledger.log.envelope import Frame

_CHARGING_STATES: Final = {
    "Charging": ChargingState.CHARGING,
    "EVConnected": ChargingState.EV_CONNECTED,
    "SuspendedEV": ChargingState.SUSPENDED_EV,
    "SuspendedEVSE": ChargingState.SUSPENDED_EVSE,
    "Idle": ChargingState.IDLE,
}
_CONNECTOR_STATES: Final = {
    "Available": ChargingState.AVAILABLE,
    # Occupied and reserved say nothing about whether energy flows.
    "Occupied": None,
    "Reserved": None,
    "Unavailable": ChargingState.UNAVAILABLE,
    "Faulted": ChargingState.FAULTED,
}
_ABSENT: Final = msgspec.Raw()
_NOTHING: Final = frozenset({"", "null"})
_ANONYMOUS: Final = "NoAuthorization"


class _Unit(msgspec.Struct, gc=False):
    unit: str | None = None
    multiplier: int = 0


class _Sample(msgspec.Struct, rename="camel", gc=False):
    raw_value: msgspec.Raw = msgspec.field(name="value")
    context: str | None = None
    measurand: str | None = None
    phase: str | None = None
    location: str | None = None
    unit_of_measure: _Unit | None = None
    signed_meter_value: msgspec.Raw = _ABSENT
    is_numeric: ClassVar[bool] = True

    @property
    def value(self) -> str:
        """The number's own text; with its quotes where the station wrote a string."""
        return bytes(self.raw_value).decode("utf-8", "replace")

    @property
    def unit_name(self) -> str | None:
        return self.unit_of_measure.unit if self.unit_of_measure else None

    @property
    def multiplier(self) -> int:
        return self.unit_of_measure.multiplier if self.unit_of_measure else 0

    @property
    def signed_text(self) -> str | None:
        text = bytes(self.signed_meter_value).decode("utf-8", "replace")
        return None if text in _NOTHING else text


class _MeterValue(msgspec.Struct, rename="camel", gc=False):
    timestamp: str
    sampled_value: list[_Sample]


class _Evse(msgspec.Struct, rename="camel", gc=False):
    id: int
    connector_id: int | None = None


class _Token(msgspec.Struct, rename="camel", gc=False):
    id_token: str
    type: str = ""


class _Info(msgspec.Struct, rename="camel", gc=False):
    transaction_id: str
    charging_state: str | None = None
    stopped_reason: str | None = None


class _Event(msgspec.Struct, rename="camel", gc=False):
    event_type: str
    timestamp: str | None
    seq_no: int | None
    transaction_info: _Info
    offline: bool = False
    evse: _Evse | None = None
    id_token: _Token | None = None
    reservation_id: int | None = None
    meter_value: list[_MeterValue] = []


_EVENT: Final = msgspec.json.Decoder(tuple[int, str, str, _Event])


def translate(frame: Frame, *, position: int, line: int) -> list[StationFact]:
    """Return the facts in *frame*, which stands at *position* and *line* of its partition."""
    mark = Mark(frame.station, position, line, frame.received_at)
    text = frame.frame
    if frame.direction != "in":
        return _asked(frame, mark) if '"GetTransactionStatus"' in text[:PEEK] else []
    # Most frames: one typed decode, and the lenient way for what breaks the schema.
    if '"TransactionEvent"' in text[:PEEK]:
        try:
            decoded = _EVENT.decode(text)
        except (msgspec.DecodeError, RecursionError, ValueError):
            pass
        else:
            if decoded[0] == CALL and decoded[2] == "TransactionEvent":
                return [_event(decoded[3], mark, set())]
    call = call_of(text)
    if isinstance(call, SetAside):
        return mark.set_aside(call.reason)
    return _call(call, mark)


def _call(call: RpcCall, mark: Mark) -> list[StationFact]:
    payload, oddities = call.payload, set(call.oddities)
    match call.action:
        case "TransactionEvent":
            event = _lenient_event(payload, oddities)
            if event is None:
                return mark.set_aside("no_transaction")
            return [_event(event, mark, oddities)]
        case "MeterValues":
            return [_meter_values(payload, mark, oddities)]
        case "StatusNotification":
            return [_status(payload, mark, oddities)]
        case "BootNotification":
            return [_booted(payload, mark)]
        case _:
            return []


def _event(event: _Event, mark: Mark, oddities: Oddities) -> StationFact:
    """Translate TransactionEventRequest; the event type decides which fact it is."""
    readings, signed, last_at = read_meter_values(event.meter_value, oddities)
    if event.timestamp is None:
        oddities.add(Flag.TIME_UNREADABLE)
    occurred_at = read_time(event.timestamp, oddities) or last_at
    evse_id = event.evse.id if event.evse else None
    connector_id = event.evse.connector_id if event.evse else None
    token_uid = None
    if event.id_token is not None and event.id_token.type != _ANONYMOUS:
        token_uid = event.id_token.id_token
        if token_uid != token_uid.strip():
            oddities.add(Flag.TOKEN_ODD)
    info = event.transaction_info
    state = None
    if info.charging_state is not None:
        state = _CHARGING_STATES.get(info.charging_state)
        if state is None:
            oddities.add(Flag.ENUM_UNKNOWN)
    kind = event.event_type.casefold()
    if kind not in ("started", "updated", "ended"):
        oddities.add(Flag.ENUM_UNKNOWN)
    told: dict[str, Any] = {
        "station_id": mark.station_id,
        "position": mark.position,
        "line": mark.line,
        "received_at": mark.received_at,
        "oddities": tuple(sorted(oddities)) if oddities else (),
        "transaction_ref": info.transaction_id,
        "evse_id": evse_id,
        "connector_id": connector_id,
        "token_uid": token_uid,
        "occurred_at": occurred_at,
        "readings": readings,
        "charging_state": state,
        "seq_no": event.seq_no,
        "offline": event.offline,
        "signed": signed,
    }
    if kind == "started":
        return SessionStarted(**told, reservation_id=event.reservation_id)
    if kind == "ended":
        return SessionEnded(**told, reason=info.stopped_reason)
    return SessionUpdated(**told)


def _meter_values(payload: dict[str, Any], mark: Mark, oddities: Oddities) -> SessionUpdated:
    """Translate MeterValuesRequest: readings outside of any transaction."""
    evse_id = read_int(payload.get("evseId"))
    if evse_id == 0:
        oddities.add(Flag.CONNECTOR_ZERO)
    meter_values = _lenient_list(payload.get("meterValue"), oddities)
    readings, signed, last_at = read_meter_values(meter_values, oddities)
    return SessionUpdated(
        station_id=mark.station_id,
        position=mark.position,
        line=mark.line,
        received_at=mark.received_at,
        oddities=tuple(sorted(oddities)),
        transaction_ref=None,
        evse_id=evse_id,
        connector_id=None,
        occurred_at=last_at,
        readings=readings,
        signed=signed,
    )


def _status(payload: dict[str, Any], mark: Mark, oddities: Oddities) -> ConnectorStatusChanged:
    name = read_text(payload.get("connectorStatus")) or ""
    if name not in _CONNECTOR_STATES:
        oddities.add(Flag.ENUM_UNKNOWN)
    return ConnectorStatusChanged(
        station_id=mark.station_id,
        position=mark.position,
        line=mark.line,
        received_at=mark.received_at,
        evse_id=read_int(payload.get("evseId")),
        connector_id=read_int(payload.get("connectorId")),
        occurred_at=read_time(payload.get("timestamp"), oddities),
        charging_state=_CONNECTOR_STATES.get(name),
        oddities=tuple(sorted(oddities)),
    )


def _booted(payload: dict[str, Any], mark: Mark) -> StationBooted:
    station = read_object(payload.get("chargingStation"))
    return StationBooted(
        station_id=mark.station_id,
        position=mark.position,
        line=mark.line,
        received_at=mark.received_at,
        vendor=read_text(station.get("vendorName")),
        model=read_text(station.get("model")),
        serial=read_text(station.get("serialNumber")),
        firmware=read_text(station.get("firmwareVersion")),
        reason=read_text(payload.get("reason")),
    )


def _asked(frame: Frame, mark: Mark) -> list[StationFact]:
    """Translate the station's answer to our GetTransactionStatus (the frame's reply)."""
    call = call_of(frame.frame)
    answer = reply_payload(frame.reply)
    if isinstance(call, SetAside) or call.action != "GetTransactionStatus":
        return []
    if not isinstance(answer.get("messagesInQueue"), bool):
        return []
    ongoing = answer.get("ongoingIndicator")
    return [
        QueueReported(
            station_id=mark.station_id,
            position=mark.position,
            line=mark.line,
            received_at=mark.received_at,
            transaction_ref=read_text(call.payload.get("transactionId")),
            messages_in_queue=answer["messagesInQueue"],
            ongoing=ongoing if isinstance(ongoing, bool) else None,
        )
    ]


def _lenient_event(payload: dict[str, Any], oddities: Oddities) -> _Event | None:
    """Return what can be read of a TransactionEvent that breaks its schema."""
    oddities.add(Flag.MALFORMED_FRAME)
    info = read_object(payload.get("transactionInfo"))
    transaction_id = read_text(info.get("transactionId"))
    if not transaction_id:
        return None
    evse, token = read_object(payload.get("evse")), read_object(payload.get("idToken"))
    evse_id, token_uid = read_int(evse.get("id")), read_text(token.get("idToken"))
    return _Event(
        event_type=read_text(payload.get("eventType")) or "",
        timestamp=read_text(payload.get("timestamp")),
        seq_no=read_int(payload.get("seqNo")),
        transaction_info=_Info(
            transaction_id=transaction_id,
            charging_state=read_text(info.get("chargingState")),
            stopped_reason=read_text(info.get("stoppedReason")),
        ),
        offline=payload.get("offline") in (True, "true"),
        evse=None if evse_id is None else _Evse(evse_id, read_int(evse.get("connectorId"))),
        id_token=_Token(token_uid, read_text(token.get("type")) or "") if token_uid else None,
        reservation_id=read_int(payload.get("reservationId")),
        meter_value=_lenient_list(payload.get("meterValue"), oddities),
    )


def _lenient_list(raw: object, oddities: Oddities) -> list[_MeterValue]:
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
    raw = sample.get("value")
    if isinstance(raw, str):
        oddities.add(Flag.VALUE_ODD)
    unit = read_object(sample.get("unitOfMeasure"))
    name = read_text(unit.get("unit"))
    if name is None:  # seen: 1.6's field in a 2.0.1 frame
        name = read_text(sample.get("unit"))
    multiplier = read_int(unit.get("multiplier")) or 0
    signed = sample.get("signedMeterValue")
    return _Sample(
        raw_value=msgspec.Raw((read_text(raw) or "").encode()),
        context=read_text(sample.get("context")),
        measurand=read_text(sample.get("measurand")),
        phase=read_text(sample.get("phase")),
        location=read_text(sample.get("location")),
        unit_of_measure=_Unit(name, multiplier),
        signed_meter_value=_ABSENT if signed is None else msgspec.Raw(msgspec.json.encode(signed)),
    )
