"""Objects of OCPI 2.3.0 as the model has them, for tests."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

PLUG: dict[str, Any] = {
    "id": "1",
    "standard": "IEC_62196_T2",
    "format": "SOCKET",
    "power_type": "AC_3_PHASE",
    "max_voltage": 230,
    "max_amperage": 32,
    "tariff_ids": ["T1"],
    "last_updated": "2026-03-01T00:00:00Z",
}
EVSE: dict[str, Any] = {
    "uid": "E1",
    "evse_id": "DE*HBC*E1",
    "status": "AVAILABLE",
    "capabilities": ["RFID_READER"],
    "connectors": [PLUG],
    "last_updated": "2026-03-01T00:00:00Z",
}
LOCATION: dict[str, Any] = {
    "country_code": "DE",
    "party_id": "HBC",
    "id": "LOC1",
    "publish": True,
    "name": "Harbour",
    "address": "Quay 1",
    "city": "Hamburg",
    "postal_code": "20457",
    "country": "DEU",
    "coordinates": {"latitude": "53.54100", "longitude": "9.98400"},
    "parking_type": "PARKING_LOT",
    "evses": [EVSE],
    "time_zone": "Europe/Berlin",
    "opening_times": {
        "twentyfourseven": False,
        "regular_hours": [{"weekday": 1, "period_begin": "08:00", "period_end": "20:00"}],
    },
    "energy_mix": {
        "is_green_energy": True,
        "environ_impact": [{"category": "CARBON_DIOXIDE", "amount": Decimal(372)}],
    },
    "last_updated": "2026-03-01T00:00:00Z",
}
TOKEN: dict[str, Any] = {
    "country_code": "NL",
    "party_id": "TNM",
    "uid": "04AA",
    "type": "RFID",
    "contract_id": "NL-TNM-C1",
    "issuer": "TNM",
    "valid": True,
    "whitelist": "ALWAYS",
    "last_updated": "2026-03-01T00:00:00Z",
}
PRICE: dict[str, Any] = {
    "before_taxes": Decimal("2.50"),
    "taxes": [{"name": "VAT", "amount": Decimal("0.475")}],
}
SESSION: dict[str, Any] = {
    "country_code": "DE",
    "party_id": "HBC",
    "id": "S1",
    "start_date_time": "2026-03-01T10:00:00Z",
    "end_date_time": "2026-03-01T11:00:00Z",
    "kwh": Decimal("5.5"),
    "cdr_token": {"contract_id": "NL-TNM-C1"},
    "auth_method": "WHITELIST",
    "location": LOCATION,
    "location_id": "LOC1",
    "evse_uid": "E1",
    "connector_id": "1",
    "currency": "EUR",
    "charging_periods": [
        {
            "start_date_time": "2026-03-01T10:00:00Z",
            "dimensions": [{"type": "ENERGY", "volume": Decimal("5.5")}],
        }
    ],
    "total_cost": {"before_taxes": Decimal("2.50")},
    "status": "COMPLETED",
    "last_updated": "2026-03-01T11:00:00Z",
}
