"""What is said over OCPI, by kind: each has its differences between versions."""

from __future__ import annotations

from enum import StrEnum


class ObjectKind(StrEnum):
    """An object of OCPI as a whole, or a part of one that is sent alone or kept."""

    LOCATION = "Location"
    EVSE = "EVSE"
    CONNECTOR = "Connector"
    TARIFF = "Tariff"
    SESSION = "Session"
    CDR = "CDR"
    TOKEN = "Token"  # noqa: S105 - the name of a kind, no secret
    AUTHORIZATION = "AuthorizationInfo"
    CREDENTIALS = "Credentials"
    CLIENT_INFO = "ClientInfo"
    START_SESSION = "StartSession"
    STOP_SESSION = "StopSession"
    RESERVE_NOW = "ReserveNow"
    CANCEL_RESERVATION = "CancelReservation"
    UNLOCK_CONNECTOR = "UnlockConnector"
    COMMAND_RESPONSE = "CommandResponse"
    COMMAND_RESULT = "CommandResult"

    CHARGING_PERIOD = "ChargingPeriod"
    HOURS = "Hours"
    ENERGY_MIX = "EnergyMix"
    ENVIRONMENTAL_IMPACT = "EnvironmentalImpact"
