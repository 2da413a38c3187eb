"""The common calls by what they do, in the words of whichever version a station speaks.

    reset, hard    1.6: Reset {"type": "Hard"}       2.x: Reset {"type": "Immediate"}
    start          1.6: RemoteStartTransaction       2.x: RequestStartTransaction, with a number
                                                     by which the station's events name it

Everything else is sent by its own name and payload. Source: OCPP 1.6 edition 2, section 6;
OCPP 2.0.1 part 2, blocks B, E, F and G; 2.1 has them alike, and tariffs besides (block I).
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec

from ingest.errors import IngestError
from tariffs.ocpp21.messages import OcppTariff, ocpp_json

_OLD: Final = "ocpp1.6"
_NEWEST: Final = "ocpp2.1"
_NUMBERS: Final = 2**31 - 1


class TypedCall(NamedTuple):
    """A call in a version's own words."""

    action: str
    payload: dict[str, Any]


class CallWordError(IngestError):
    """What was given cannot be said in the station's version."""


def start(protocol: str, *, token: str, evse: int | None = None) -> TypedCall:
    """Return the call that starts charging for *token*; in 1.6 the EVSE is the connector."""
    if protocol == _OLD:
        place = {} if evse is None else {"connectorId": evse}
        return TypedCall("RemoteStartTransaction", {**place, "idTag": token})
    place = {} if evse is None else {"evseId": evse}
    id_token = {"idToken": token, "type": "ISO14443"}
    number = 1 + secrets.randbelow(_NUMBERS)
    return TypedCall(
        "RequestStartTransaction", {**place, "remoteStartId": number, "idToken": id_token}
    )


def stop(protocol: str, *, transaction: str) -> TypedCall:
    """Return the call that stops a transaction.

    Raises:
        CallWordError: If a station of 1.6 is asked for what is no number.
    """
    if protocol != _OLD:
        return TypedCall("RequestStopTransaction", {"transactionId": transaction})
    try:
        number = int(transaction)
    except ValueError as error:
        message = f"a transaction of OCPP 1.6 is a number, not {transaction!r}"
        raise CallWordError(message) from error
    return TypedCall("RemoteStopTransaction", {"transactionId": number})


def unlock(protocol: str, *, evse: int, connector: int = 1) -> TypedCall:
    """Return the call that unlocks a connector."""
    if protocol == _OLD:
        return TypedCall("UnlockConnector", {"connectorId": evse})
    return TypedCall("UnlockConnector", {"evseId": evse, "connectorId": connector})


def reset(protocol: str, *, is_hard: bool = False) -> TypedCall:
    """Return the call that restarts a station; one that is not hard ends transactions first."""
    words = ("Hard", "Soft") if protocol == _OLD else ("Immediate", "OnIdle")
    return TypedCall("Reset", {"type": words[0] if is_hard else words[1]})


def availability(protocol: str, *, is_operative: bool, evse: int | None = None) -> TypedCall:
    """Return the call that opens or closes an EVSE, or the whole station."""
    word = "Operative" if is_operative else "Inoperative"
    if protocol == _OLD:
        return TypedCall("ChangeAvailability", {"connectorId": evse or 0, "type": word})
    place = {} if evse is None else {"evse": {"id": evse}}
    return TypedCall("ChangeAvailability", {**place, "operationalStatus": word})


def trigger(protocol: str, *, message: str, evse: int | None = None) -> TypedCall:
    """Return the call that has a station say something now: StatusNotification, MeterValues."""
    place: dict[str, Any] = {}
    if evse is not None:
        place = {"connectorId": evse} if protocol == _OLD else {"evse": {"id": evse}}
    return TypedCall("TriggerMessage", {"requestedMessage": message, **place})


def get_variables(protocol: str, *, names: Sequence[str]) -> TypedCall:
    """Return the call that asks for configuration keys (1.6; none: all) or variables.

    Raises:
        CallWordError: If a variable is not spelt COMPONENT.VARIABLE.
    """
    if protocol == _OLD:
        return TypedCall("GetConfiguration", {"key": list(names)} if names else {})
    return TypedCall("GetVariables", {"getVariableData": [_variable(name) for name in names]})


def set_variable(protocol: str, *, name: str, value: str) -> TypedCall:
    """Return the call that sets a configuration key (1.6) or a variable.

    Raises:
        CallWordError: If a variable is not spelt COMPONENT.VARIABLE.
    """
    if protocol == _OLD:
        return TypedCall("ChangeConfiguration", {"key": name, "value": value})
    return TypedCall(
        "SetVariables", {"setVariableData": [_variable(name) | {"attributeValue": value}]}
    )


def reserve(protocol: str, *, token: str, until: datetime, evse: int | None = None) -> TypedCall:
    """Return the call that keeps an EVSE free for *token*, any of them where none is named.

    It names no number: we give one (`ingest.commands.reservations`).
    """
    moment = until.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if protocol == _OLD:
        payload = {"connectorId": evse or 0, "expiryDate": moment, "idTag": token}
        return TypedCall("ReserveNow", payload)
    place = {} if evse is None else {"evseId": evse}
    id_token = {"idToken": token, "type": "ISO14443"}
    return TypedCall("ReserveNow", {"expiryDateTime": moment, "idToken": id_token, **place})


def cancel_reservation(*, reservation: int) -> TypedCall:
    """Return the call that gives a reservation up."""
    return TypedCall("CancelReservation", {"reservationId": reservation})


def set_charging_profile(protocol: str, *, profile: str, evse: int = 0) -> TypedCall:
    """Return the call that sets a charging *profile* (JSON, in the version's words).

    At EVSE 0 it is the whole station's.

    Raises:
        CallWordError: If the profile is no JSON.
    """
    try:
        raw = msgspec.json.decode(profile, type=msgspec.Raw)
    except msgspec.DecodeError as error:
        message = f"the charging profile is no JSON: {error}"
        raise CallWordError(message) from error
    if protocol == _OLD:
        payload = {"connectorId": evse, "csChargingProfiles": raw}
        return TypedCall("SetChargingProfile", payload)
    return TypedCall("SetChargingProfile", {"evseId": evse, "chargingProfile": raw})


def clear_charging_profile(
    protocol: str, *, profile: int | None = None, evse: int | None = None
) -> TypedCall:
    """Return the call that clears a charging profile by its id, those of an EVSE, or all."""
    if protocol == _OLD:
        chosen = {"id": profile, "connectorId": evse}
        payload = {name: value for name, value in chosen.items() if value is not None}
        return TypedCall("ClearChargingProfile", payload)
    by_id = {} if profile is None else {"chargingProfileId": profile}
    by_place = {} if evse is None else {"chargingProfileCriteria": {"evseId": evse}}
    return TypedCall("ClearChargingProfile", {**by_id, **by_place})


def set_tariff(protocol: str, *, tariff: OcppTariff, evse: int = 0) -> TypedCall:
    """Return the call that makes *tariff* the one of whoever comes, at an EVSE or (0) at all.

    Raises:
        CallWordError: If the station's version knows no tariffs.
    """
    _check_knows_tariffs(protocol)
    return TypedCall("SetDefaultTariff", {"evseId": evse, "tariff": _raw(tariff)})


def change_tariff(protocol: str, *, transaction: str, tariff: OcppTariff) -> TypedCall:
    """Return the call that gives a transaction another tariff.

    Raises:
        CallWordError: If the station's version knows no tariffs.
    """
    _check_knows_tariffs(protocol)
    payload = {"transactionId": transaction, "tariff": _raw(tariff)}
    return TypedCall("ChangeTransactionTariff", payload)


def get_tariffs(protocol: str, *, evse: int = 0) -> TypedCall:
    """Return the call that asks which tariffs lie in a station.

    Raises:
        CallWordError: If the station's version knows no tariffs.
    """
    _check_knows_tariffs(protocol)
    return TypedCall("GetTariffs", {"evseId": evse})


def clear_tariffs(
    protocol: str, *, tariff_ids: Sequence[str] = (), evse: int | None = None
) -> TypedCall:
    """Return the call that takes tariffs away, all of them where none is named.

    Raises:
        CallWordError: If the station's version knows no tariffs.
    """
    _check_knows_tariffs(protocol)
    place: dict[str, Any] = {} if evse is None else {"evseId": evse}
    named = {"tariffIds": list(tariff_ids)} if tariff_ids else {}
    return TypedCall("ClearTariffs", {**named, **place})


def _raw(tariff: OcppTariff) -> msgspec.Raw:
    # As it stands: prices are numbers with all their digits.
    return msgspec.Raw(ocpp_json(tariff))


def _check_knows_tariffs(protocol: str) -> None:
    if protocol != _NEWEST:
        message = f"a station that speaks {protocol} knows no tariffs; one of OCPP 2.1 does"
        raise CallWordError(message)


def _variable(name: str) -> dict[str, Any]:
    component, _, variable = name.partition(".")
    if not component or not variable:
        like = "OCPPCommCtrlr.HeartbeatInterval"
        message = f"a variable is spelt COMPONENT.VARIABLE, as {like}, not {name!r}"
        raise CallWordError(message)
    return {"component": {"name": component}, "variable": {"name": variable}}
