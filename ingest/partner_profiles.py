"""Charging profiles as partners write them, in the words of a station's version, and back.

    OCPI                              OCPP 1.6                    OCPP 2.x
    charging_profile                  csChargingProfiles          chargingProfile
      start_date_time                   chargingSchedule            chargingSchedule[0]
      duration                            startSchedule               startSchedule
      charging_rate_unit                  duration                    duration
      min_charging_rate                   chargingRateUnit            chargingRateUnit
      charging_profile_period[]           minChargingRate             minChargingRate
        start_period, limit               chargingSchedulePeriod[]    chargingSchedulePeriod[]

A profile of a partner limits one transaction (TxProfile), and a new one takes the old one's place.
Source: OCPI 2.2.1, mod_charging_profiles, ChargingProfile; OCPP 1.6 edition 2, 3.13 and 7.8;
OCPP 2.0.1 part 2, block K.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from ingest.commands.typed import CallWordError, TypedCall
from ledger.partners.station_calls import WantedForecast, WantedLimit

_OLD: Final = "ocpp1.6"
_STACK_LEVEL: Final = 1
_WORDS: Final = {
    "start_date_time": "startSchedule",
    "duration": "duration",
    "charging_rate_unit": "chargingRateUnit",
    "min_charging_rate": "minChargingRate",
}


def profile_call(protocol: str, wanted: WantedLimit) -> TypedCall:
    """Return the call that limits a transaction.

    Raises:
        CallWordError: If a station of 1.6 is asked for a transaction that is no number.
    """
    told = wanted.profile
    schedule = {word: told[name] for name, word in _WORDS.items() if told.get(name) is not None}
    schedule["chargingSchedulePeriod"] = [
        {"startPeriod": each["start_period"], "limit": each["limit"]}
        for each in told.get("charging_profile_period") or []
    ]
    kind = "Absolute" if "startSchedule" in schedule else "Relative"
    rest = {
        "stackLevel": _STACK_LEVEL,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": kind,
    }
    if protocol != _OLD:
        transaction = {"transactionId": wanted.transaction_ref}
        profile = {"id": wanted.number, **rest, **transaction}
        payload = {**profile, "chargingSchedule": [{"id": wanted.number, **schedule}]}
        return TypedCall("SetChargingProfile", {"evseId": wanted.evse, "chargingProfile": payload})
    if not (wanted.transaction_ref.isascii() and wanted.transaction_ref.isdigit()):
        message = "a transaction of OCPP 1.6 is a number"
        raise CallWordError(message)
    old = {
        "chargingProfileId": wanted.number,
        "transactionId": int(wanted.transaction_ref),
        **rest,
        "chargingSchedule": schedule,
    }
    return TypedCall("SetChargingProfile", {"connectorId": wanted.evse, "csChargingProfiles": old})


def forecast_call(protocol: str, wanted: WantedForecast) -> TypedCall:
    """Return the call that asks which profile is in force."""
    place = {"connectorId" if protocol == _OLD else "evseId": wanted.evse}
    return TypedCall("GetCompositeSchedule", {**place, "duration": wanted.seconds})


def forecast_in(answer: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the ActiveChargingProfile in a station's answer, None where it has none."""
    schedule = answer.get("schedule", answer.get("chargingSchedule"))
    if not isinstance(schedule, Mapping):
        return None
    begin = schedule.get("scheduleStart", answer.get("scheduleStart"))
    periods = schedule.get("chargingSchedulePeriod")
    if not isinstance(begin, str) or not isinstance(periods, list):
        return None
    told = {
        name: schedule[word]
        for name, word in _WORDS.items()
        if schedule.get(word) is not None and name != "start_date_time"
    }
    told["charging_profile_period"] = [
        {"start_period": each["startPeriod"], "limit": each["limit"]}
        for each in periods
        if isinstance(each, Mapping) and _is_number(each.get("startPeriod"))
        if _is_number(each.get("limit"))
    ]
    return {"start_date_time": begin, "charging_profile": told}


def _is_number(value: object) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)
