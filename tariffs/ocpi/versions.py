"""OCPI's versions, and which one an object is written in by its shape."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from tariffs.errors import TariffError


class OcpiVersion(StrEnum):
    """The versions that are read and written; the newest is the model."""

    V2_1_1 = "2.1.1"
    V2_2_1 = "2.2.1"
    V2_3_0 = "2.3.0"


_OLD_CDR: Final = ("stop_date_time", "auth_id", "location")
_OLD_TARIFF_LACKS: Final = (
    "country_code",
    "party_id",
    "type",
    "min_price",
    "max_price",
    "start_date_time",
    "end_date_time",
)
_COSTS: Final = (
    "total_cost",
    "total_fixed_cost",
    "total_energy_cost",
    "total_time_cost",
    "total_parking_cost",
    "total_reservation_cost",
)


def version_named(name: str) -> OcpiVersion:
    """Return the version called *name*.

    Raises:
        UnknownVersionError: If it is not read or written here.
    """
    try:
        return OcpiVersion(name)
    except ValueError:
        raise UnknownVersionError(name) from None


def version_of_tariff(value: Mapping[str, Any]) -> OcpiVersion:
    """Return the version that a tariff's fields point to.

    2.3.0 states `tax_included`, or limits as `before_taxes`; 2.1.1 has no country_code, type,
    limits, validity or VAT. Between them it is 2.2.1.
    """
    limits = (value.get("min_price"), value.get("max_price"))
    # Newest first: each version keeps the fields of the one before.
    if "tax_included" in value or "preauthorize_amount" in value:
        return OcpiVersion.V2_3_0
    if any(isinstance(limit, dict) and "before_taxes" in limit for limit in limits):
        return OcpiVersion.V2_3_0
    if any(value.get(key) is not None for key in _OLD_TARIFF_LACKS):
        return OcpiVersion.V2_2_1
    components = (
        component
        for element in _objects(value.get("elements"))
        for component in _objects(element.get("price_components"))
    )
    if any("vat" in component for component in components):
        return OcpiVersion.V2_2_1
    return OcpiVersion.V2_1_1


def version_of_cdr(value: Mapping[str, Any]) -> OcpiVersion:
    """Return the version that a CDR's (or session's) fields point to."""
    costs = [value.get(key) for key in _COSTS]
    if any(isinstance(cost, dict) and "before_taxes" in cost for cost in costs):
        return OcpiVersion.V2_3_0
    if "booking_id" in value or any(
        version_of_tariff(tariff) is OcpiVersion.V2_3_0 for tariff in _objects(value.get("tariffs"))
    ):
        return OcpiVersion.V2_3_0
    cost = value.get("total_cost")
    if any(key in value for key in _OLD_CDR) or not (cost is None or isinstance(cost, dict)):
        return OcpiVersion.V2_1_1
    return OcpiVersion.V2_2_1


def _objects(value: object) -> list[Mapping[str, Any]]:
    items = value if isinstance(value, list) else []
    return [item for item in items if isinstance(item, dict)]


class UnknownVersionError(TariffError):
    """A version of OCPI that is not read or written here."""

    def __init__(self, name: str) -> None:
        known = ", ".join(OcpiVersion)
        super().__init__(f"OCPI {name!r} is not read or written here; {known} are")
        self.name = name
