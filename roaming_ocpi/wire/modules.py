"""Modules of OCPI and the side of them that somebody offers.

Source: OCPI 2.2.1, version_information_endpoint: ModuleID, InterfaceRole.
"""

from __future__ import annotations

from enum import StrEnum


class ModuleId(StrEnum):
    """What an endpoint is about."""

    CREDENTIALS = "credentials"
    LOCATIONS = "locations"
    TARIFFS = "tariffs"
    SESSIONS = "sessions"
    CDRS = "cdrs"
    TOKENS = "tokens"
    COMMANDS = "commands"
    CHARGING_PROFILES = "chargingprofiles"
    HUB_CLIENT_INFO = "hubclientinfo"
    INVOICE_RECONCILIATION = "invoicereconciliation"


class InterfaceRole(StrEnum):
    """Whether an endpoint belongs to who has the data, or to who is told of it."""

    SENDER = "SENDER"
    RECEIVER = "RECEIVER"


class OurSide(StrEnum):
    """As which of our roles we offer an endpoint: in 2.1.1 the path alone tells the two apart."""

    CPO = "cpo"
    EMSP = "emsp"
