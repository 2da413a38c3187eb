"""What partners ask of our stations, read out of their JSON in all versions.

Source: OCPI 2.1.1, mod_commands, 13.3; OCPI 2.2.1 and 2.3.0, mod_commands, 13.3, and
mod_charging_profiles, 14.3 (from 2.2.1 on).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import msgspec

from roaming_ocpi.client.addresses import partner_url
from roaming_ocpi.client.answers import ForbiddenAddressError
from roaming_ocpi.server.calls import OcpiRefusedError
from tariffs.ocpi.documents import OcpiError
from tariffs.ocpi.fields import JsonFields
from tariffs.ocpi.versions import OcpiVersion

ID_MAX: Final = 36
OLD_ID_MAX: Final = 39
"""Of locations and EVSEs in OCPI 2.1.1."""
RESPONSE_URL_MAX: Final = 255
PERIODS_MAX: Final = 1_000
FORECAST_SECONDS_MAX: Final = 7 * 24 * 3_600


class CommandKind(StrEnum):
    """What is asked for; the last three are those of charging profiles."""

    START_SESSION = "START_SESSION"
    STOP_SESSION = "STOP_SESSION"
    UNLOCK_CONNECTOR = "UNLOCK_CONNECTOR"
    RESERVE_NOW = "RESERVE_NOW"
    CANCEL_RESERVATION = "CANCEL_RESERVATION"
    SET_PROFILE = "SET_PROFILE"
    CLEAR_PROFILE = "CLEAR_PROFILE"
    GET_PROFILE = "GET_PROFILE"


PROFILE_KINDS: Final = frozenset(
    {CommandKind.SET_PROFILE, CommandKind.CLEAR_PROFILE, CommandKind.GET_PROFILE}
)


class PartnerRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A command as it came; what its kind does not have is None. `token` is the object."""

    kind: CommandKind
    response_url: str
    location_id: str | None = None
    evse_uid: str | None = None
    connector_id: str | None = None
    session_id: str | None = None
    reservation_id: str | None = None
    expiry_date: datetime | None = None
    reference: str | None = None
    token: dict[str, Any] | None = None
    profile: dict[str, Any] | None = None
    seconds: int | None = None

    def __repr__(self) -> str:
        return f"PartnerRequest({self.kind})"


def read_request(kind: CommandKind, body: object, version: OcpiVersion) -> PartnerRequest:
    """Return the command in a *body*.

    Raises:
        OcpiRefusedError: If it is none.
    """
    try:
        fields = JsonFields(body, "", [])
        needs = _NEEDS[kind]
        length = OLD_ID_MAX if version is OcpiVersion.V2_1_1 else ID_MAX
        return PartnerRequest(
            kind=kind,
            response_url=response_url(fields.text("response_url", required=True)),
            location_id=_id(fields, "location_id", length, is_needed="location_id" in needs),
            evse_uid=_id(fields, "evse_uid", length, is_needed="evse_uid" in needs),
            connector_id=_id(fields, "connector_id", ID_MAX, is_needed="connector_id" in needs),
            session_id=_id(fields, "session_id", ID_MAX, is_needed="session_id" in needs),
            reservation_id=_reservation(fields, is_needed="reservation_id" in needs),
            expiry_date=fields.moment("expiry_date", required="expiry_date" in needs),
            reference=_id(fields, "authorization_reference", ID_MAX, is_needed=False),
            token=_object(fields, "token") if "token" in needs else None,
        )
    except OcpiError as error:
        raise OcpiRefusedError.invalid(str(error)) from None


def read_profile(body: object) -> tuple[Mapping[str, Any], str]:
    """Return the charging profile in a SetChargingProfile, and where its result goes.

    Raises:
        OcpiRefusedError: If it is none.
    """
    try:
        fields = JsonFields(body, "", [])
        url = response_url(fields.text("response_url", required=True))
        profile = JsonFields(_object(fields, "charging_profile"), "charging_profile", [])
        profile.read("charging_rate_unit", _unit, required=True)
        profile.moment("start_date_time")
        profile.whole("duration")
        profile.number("min_charging_rate")
        _check_periods(profile)
    except OcpiError as error:
        raise OcpiRefusedError.invalid(str(error)) from None
    return dict(profile.value), url


def response_url(text: str | None) -> str:
    """Return an address that a result may be posted to.

    Raises:
        OcpiRefusedError: If it is none.
    """
    try:
        if text is None or len(text) > RESPONSE_URL_MAX:
            message = f"response_url must be an address of at most {RESPONSE_URL_MAX} characters"
            raise OcpiRefusedError.invalid(message)
        partner_url(text)
    except ForbiddenAddressError as error:
        message = f"response_url: {error}"
        raise OcpiRefusedError.invalid(message) from None
    return text


def forecast_seconds(text: str | None) -> int:
    """Return for how many seconds a charging profile is asked for.

    Raises:
        OcpiRefusedError: If that is no number of seconds.
    """
    if text is None or not (text.isascii() and text.isdigit()) or len(text) > ID_MAX:
        message = "duration must be a whole number of seconds"
        raise OcpiRefusedError.invalid(message)
    return max(1, min(int(text), FORECAST_SECONDS_MAX))


_NEEDS: Final[Mapping[CommandKind, frozenset[str]]] = {
    CommandKind.START_SESSION: frozenset({"token", "location_id"}),
    CommandKind.STOP_SESSION: frozenset({"session_id"}),
    CommandKind.UNLOCK_CONNECTOR: frozenset({"location_id", "evse_uid", "connector_id"}),
    CommandKind.RESERVE_NOW: frozenset({"token", "location_id", "expiry_date", "reservation_id"}),
    CommandKind.CANCEL_RESERVATION: frozenset({"reservation_id"}),
}


def _unit(value: object) -> str:
    if value in ("W", "A"):
        return str(value)
    message = "must be W or A"
    raise ValueError(message)


def _check_periods(profile: JsonFields) -> None:
    name = "charging_profile_period"
    begins = [_period(each) for each in profile.objects(name)]
    if len(begins) > PERIODS_MAX or begins != sorted(set(begins)):
        why = f"at most {PERIODS_MAX} periods, each beginning after the one before"
        raise OcpiError(profile.spot(name), why)


def _period(fields: JsonFields) -> int:
    begin = fields.whole("start_period")
    fields.number("limit", required=True)
    if begin is None:
        why = "is missing"
        raise OcpiError(fields.spot("start_period"), why)
    return begin


def _object(fields: JsonFields, name: str) -> dict[str, Any]:
    value = fields.get(name)
    if not isinstance(value, dict):
        raise OcpiError(fields.spot(name), "is missing" if value is None else "is no object")
    return dict(value)


def _id(fields: JsonFields, name: str, length: int, *, is_needed: bool) -> str | None:
    text = fields.text(name, required=is_needed)
    if text is None:
        return None
    if not text or len(text) > length or not text.isprintable():
        raise OcpiError(fields.spot(name), f"must be a text of 1 to {length} characters")
    return text


def _reservation(fields: JsonFields, *, is_needed: bool) -> str | None:
    """Return a reservation's id: a number in OCPI 2.1.1, a text since."""
    value = fields.get("reservation_id")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)[:ID_MAX]
    return _id(fields, "reservation_id", ID_MAX, is_needed=is_needed)
