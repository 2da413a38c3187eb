"""What each version of OCPI says differently than the next newer one, by kind of object.

The model is 2.3.0. What is not in a table is the same in both versions.
Sources: OCPI 2.1.1, 2.2.1 and 2.3.0, the object descriptions of every module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from roaming_ocpi.wire.differences import (
    Defaulted,
    Needed,
    NewValues,
    OtherValues,
    Renamed,
    Shorter,
    Unsaid,
    VersionDifference,
    Within,
)
from roaming_ocpi.wire.kinds import ObjectKind
from roaming_ocpi.wire.reworked import (
    BarePrice,
    ContractAlone,
    EitherHours,
    KnownDimensions,
    NumberedReservation,
    OneParty,
    OneTariffId,
    RewrittenTariff,
    TaxedPrice,
    WholeLocation,
)
from tariffs.ocpi.versions import OcpiVersion

Table = Mapping[ObjectKind, Sequence[VersionDifference]]

_DRIVERS_DO_NOT_FIND: Final = "drivers would not know what to plug in"
_COSTS: Final = (
    "total_fixed_cost",
    "total_energy_cost",
    "total_time_cost",
    "total_parking_cost",
    "total_reservation_cost",
)
# In 2.1.1 whose an object is stands in its address: nothing is lost.
_OWNER: Final = (Unsaid("country_code", is_silent=True), Unsaid("party_id", is_silent=True))

SINCE_2_3: Final[Table] = {
    ObjectKind.LOCATION: (
        Unsaid("parking_places"),
        Unsaid("help_phone"),
        Within("evses", ObjectKind.EVSE),
    ),
    ObjectKind.EVSE: (
        Unsaid("parking"),
        Unsaid("accepted_service_providers"),
        NewValues("parking_restrictions", frozenset({"EMPLOYEES", "TAXIS", "TENANTS"})),
        Within("connectors", ObjectKind.CONNECTOR, may_be_empty=False),
    ),
    ObjectKind.CONNECTOR: (
        Unsaid("capabilities"),
        Needed("standard", frozenset({"MCS", "SAE_J3400"}), _DRIVERS_DO_NOT_FIND),
    ),
    ObjectKind.TARIFF: (RewrittenTariff(),),
    ObjectKind.SESSION: (TaxedPrice("total_cost"), Unsaid("booking_id")),
    ObjectKind.CDR: (
        TaxedPrice("total_cost"),
        *(TaxedPrice(key) for key in _COSTS),
        Within("tariffs", ObjectKind.TARIFF),
        Unsaid("booking_id"),
    ),
    ObjectKind.TOKEN: (OtherValues("type", {"EMAID": "OTHER"}, {}),),
    ObjectKind.AUTHORIZATION: (Within("token", ObjectKind.TOKEN),),
    ObjectKind.START_SESSION: (Within("token", ObjectKind.TOKEN),),
    ObjectKind.RESERVE_NOW: (Within("token", ObjectKind.TOKEN),),
    ObjectKind.CREDENTIALS: (Unsaid("hub_party_id"),),
}
"""What 2.2.1 does not say as 2.3.0 does."""

_NEW_CAPABILITIES: Final = frozenset(
    {
        "CHARGING_PREFERENCES_CAPABLE",
        "CHIP_CARD_SUPPORT",
        "CONTACTLESS_CARD_SUPPORT",
        "DEBIT_CARD_PAYABLE",
        "PED_TERMINAL",
        "START_SESSION_CONNECTOR_REQUIRED",
        "TOKEN_GROUP_CAPABLE",
    }
)
_NEW_STANDARDS: Final = frozenset(
    {
        "CHAOJI",
        "DOMESTIC_M",
        "DOMESTIC_N",
        "DOMESTIC_O",
        "GBT_AC",
        "GBT_DC",
        "NEMA_5_20",
        "NEMA_6_30",
        "NEMA_6_50",
        "NEMA_10_30",
        "NEMA_10_50",
        "NEMA_14_30",
        "NEMA_14_50",
        "PANTOGRAPH_BOTTOM_UP",
        "PANTOGRAPH_TOP_DOWN",
    }
)
_NEW_DIMENSIONS: Final = frozenset(
    {
        "CURRENT",
        "ENERGY_EXPORT",
        "ENERGY_IMPORT",
        "MAX_POWER",
        "MIN_POWER",
        "POWER",
        "RESERVATION_TIME",
        "STATE_OF_CHARGE",
    }
)
_TOKEN_REFERENCE: Final = (
    Within("token", ObjectKind.TOKEN),
    Unsaid("connector_id"),
    Unsaid("authorization_reference"),
)

SINCE_2_2: Final[Table] = {
    ObjectKind.LOCATION: (
        *_OWNER,
        Needed("publish", frozenset({False}), "every partner would show the Location to anybody"),
        Unsaid("publish", is_silent=True),
        Defaulted("publish", newer=True),
        Unsaid("publish_allowed_to"),
        Unsaid("state"),
        OtherValues("parking_type", {"ALONG_MOTORWAY": "OTHER", "ON_DRIVEWAY": "OTHER"}, {}),
        Renamed("parking_type", "type"),
        Defaulted("type", older="UNKNOWN"),
        Shorter("address", 45),
        Defaulted("postal_code", older="", is_noted=True),
        NewValues(
            "facilities", frozenset({"BIKE_SHARING", "METRO_STATION", "PARKING_LOT", "TRAM_STOP"})
        ),
        Within("opening_times", ObjectKind.HOURS),
        Within("energy_mix", ObjectKind.ENERGY_MIX),
        Within("evses", ObjectKind.EVSE),
    ),
    ObjectKind.HOURS: (EitherHours(),),
    ObjectKind.ENERGY_MIX: (Within("environ_impact", ObjectKind.ENVIRONMENTAL_IMPACT),),
    ObjectKind.ENVIRONMENTAL_IMPACT: (Renamed("category", "source"),),
    ObjectKind.EVSE: (
        NewValues("capabilities", _NEW_CAPABILITIES),
        Within("connectors", ObjectKind.CONNECTOR, may_be_empty=False),
    ),
    ObjectKind.CONNECTOR: (
        Needed("standard", _NEW_STANDARDS, _DRIVERS_DO_NOT_FIND),
        OtherValues(
            "power_type", {"AC_2_PHASE": "AC_1_PHASE", "AC_2_PHASE_SPLIT": "AC_1_PHASE"}, {}
        ),
        Renamed("max_voltage", "voltage"),
        Renamed("max_amperage", "amperage"),
        Unsaid("max_electric_power"),
        OneTariffId(),
    ),
    ObjectKind.TARIFF: (RewrittenTariff(),),
    ObjectKind.SESSION: (
        *_OWNER,
        Renamed("start_date_time", "start_datetime"),
        Renamed("end_date_time", "end_datetime"),
        ContractAlone(),
        WholeLocation(),
        OtherValues("auth_method", {"COMMAND": "AUTH_REQUEST"}, {}),
        OtherValues("status", {"RESERVATION": "PENDING"}, {}),
        Unsaid("authorization_reference"),
        BarePrice("total_cost"),
        Within("charging_periods", ObjectKind.CHARGING_PERIOD),
    ),
    ObjectKind.CHARGING_PERIOD: (Unsaid("tariff_id"), KnownDimensions(_NEW_DIMENSIONS)),
    ObjectKind.CDR: (
        *_OWNER,
        Renamed("end_date_time", "stop_date_time"),
        ContractAlone(),
        WholeLocation(cdr=True),
        OtherValues("auth_method", {"COMMAND": "AUTH_REQUEST"}, {}),
        BarePrice("total_cost"),
        *(Unsaid(key) for key in _COSTS),
        Within("charging_periods", ObjectKind.CHARGING_PERIOD),
        Within("tariffs", ObjectKind.TARIFF),
        Unsaid("session_id"),
        Unsaid("authorization_reference"),
        Unsaid("signed_data"),
        Unsaid("invoice_reference_id"),
        Needed("credit", frozenset({True}), "it would be charged once more"),
        Unsaid("credit", is_silent=True),
        Unsaid("credit_reference_id"),
        Unsaid("home_charging_compensation"),
    ),
    ObjectKind.TOKEN: (
        *_OWNER,
        Renamed("contract_id", "auth_id"),
        OtherValues("type", {"AD_HOC_USER": "OTHER", "APP_USER": "OTHER"}, {}),
        Unsaid("group_id"),
        Unsaid("default_profile_type"),
        Unsaid("energy_contract"),
    ),
    ObjectKind.AUTHORIZATION: (
        Unsaid("token", is_silent=True),
        Unsaid("authorization_reference"),
    ),
    ObjectKind.START_SESSION: _TOKEN_REFERENCE,
    ObjectKind.RESERVE_NOW: (*_TOKEN_REFERENCE, NumberedReservation()),
    # The two of 2.2 are one object in 2.1.1: what is answered at once, and what is posted later.
    ObjectKind.COMMAND_RESPONSE: (Unsaid("timeout", is_silent=True), Unsaid("message")),
    ObjectKind.COMMAND_RESULT: (
        OtherValues(
            "result",
            dict.fromkeys(
                (
                    "CANCELED_RESERVATION",
                    "EVSE_INOPERATIVE",
                    "EVSE_OCCUPIED",
                    "FAILED",
                    "UNKNOWN_RESERVATION",
                ),
                "REJECTED",
            ),
            {},
        ),
        Unsaid("message"),
    ),
    ObjectKind.CREDENTIALS: (OneParty(),),
}
"""What 2.1.1 does not say as 2.2.1 does."""

UNKNOWN_IN_2_1_1: Final = frozenset({ObjectKind.CANCEL_RESERVATION, ObjectKind.CLIENT_INFO})
"""What 2.1.1 has no object for."""

MODEL_ONLY: Final[Mapping[ObjectKind, frozenset[str]]] = {
    ObjectKind.SESSION: frozenset({"location"}),
    ObjectKind.CDR: frozenset({"location"}),
}
"""What the model may hold beside 2.3.0's fields because 2.1.1 says it (`WholeLocation`)."""

STEPS: Final[Sequence[tuple[OcpiVersion, Table]]] = (
    (OcpiVersion.V2_2_1, SINCE_2_3),
    (OcpiVersion.V2_1_1, SINCE_2_2),
)
"""From the newest version down: the older version of each step, and its table."""
