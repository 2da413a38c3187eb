"""The JSON Schema of tariff files, for editors: they complete keys and mark what is misspelt.

It knows shapes and words. What only sums can tell (ranges, stacks, examples) `tariff lint` says.
"""

from __future__ import annotations

import json
from typing import Any, Final

from tariffs.adjustments.adjustment import CapPeriod
from tariffs.adjustments.shared import Per, SharedBy
from tariffs.currencies import CURRENCY_EXPONENTS
from tariffs.files.adjustments import DIMENSIONS, KINDS
from tariffs.files.elements import HOLIDAY
from tariffs.model.policy import FlatPolicy, RoundingUnit, StepPolicy
from tariffs.model.tariff import WEEKDAYS, ReservationRestriction, TaxIncluded
from tariffs.quantities import RoundingMode
from tariffs.zones import zone_names

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string", "minLength": 1}
AMOUNT: Final[Schema] = {"type": ["number", "string"], "minimum": 0, "examples": ["0.49"]}
SIGNED: Final[Schema] = {"type": ["number", "string"]}
WHOLE: Final[Schema] = {"type": ["integer", "string"], "minimum": 0}
PERCENT: Final[Schema] = {"type": ["number", "string"], "minimum": 0, "examples": ["19 %"]}
DURATION: Final[Schema] = {"type": ["integer", "string"], "examples": ["15 min", "2 h", "90 s"]}
STEP: Final[Schema] = {"type": ["integer", "string"], "examples": ["15 min", "100 Wh", "0.5 kWh"]}
SIZE: Final[Schema] = {"type": "string", "examples": ["5 kWh", "30 min"]}
CLOCK: Final[Schema] = {"type": "string", "pattern": r"^\d\d:\d\d(:\d\d)?$", "examples": ["21:00"]}
DATE: Final[Schema] = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$"}
DAY_OF_YEAR: Final[Schema] = {"type": "string", "pattern": r"^\d\d-\d\d$", "examples": ["11-01"]}
MOMENT: Final[Schema] = {"type": "string", "examples": ["2026-03-29T00:00:00+01:00"]}
FLAG: Final[Schema] = {"enum": ["yes", "no", "true", "false", True, False]}
DAYS: Final = (*WEEKDAYS, "MONDAY-FRIDAY", "WEEKDAYS", "WEEKENDS", "EVERY DAY", HOLIDAY)


def choice(*words: str) -> Schema:
    """Return the schema of one of *words*."""
    return {"enum": list(words)}


def items(of: Schema) -> Schema:
    """Return the schema of one or of a list."""
    return {"anyOf": [of, {"type": "array", "items": of}]}


def table(properties: Schema, *required: str) -> Schema:
    """Return the schema of keys with values that allows no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


ON: Final = items(choice(*DIMENSIONS))
GRANTED: Final[Schema] = {
    "free": ON,
    "discount": PERCENT,
    "on": ON,
    "kwh_max": AMOUNT,
    "minutes_max": AMOUNT,
}
NIGHT: Final[Schema] = {"from": CLOCK, "to": CLOCK}
SHARED: Final[Schema] = {
    "per": choice(*Per),
    "shared_by": choice(*SharedBy),
}
ADJUSTMENTS: Final[dict[str, Schema]] = {
    "idle_grace": {"idle_grace": DURATION},
    "group": {"group": TEXT, **GRANTED},
    "validation": {"validation": TEXT, **GRANTED},
    "free_first": {"free_first": SIZE, "on": ON, "before_steps": FLAG},
    "free_below": {"free_below": items(SIZE)},
    "round_down": {"round_down": DURATION, "on": ON},
    "cap": {"cap": AMOUNT, "on": ON, "per": choice(*CapPeriod), **NIGHT},
    "at_least": {"at_least": AMOUNT, "on": ON},
    "surcharge": {"surcharge": SIGNED, "on": ON, "payment_method": items(TEXT), "vat": PERCENT},
    "allowance": {"allowance": TEXT, **GRANTED, **SHARED, "members": TEXT},
    "shared_cap": {
        "shared_cap": TEXT,
        "amount": AMOUNT,
        "on": ON,
        **SHARED,
        **NIGHT,
        "members": TEXT,
    },
    "coupon": {"coupon": TEXT, **GRANTED, "uses_max": WHOLE, **SHARED},
}


def tariff_schema() -> Schema:
    """Return the schema of a tariff file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Wattledger tariff",
        **table(
            {
                "tariff": TEXT,
                "name": TEXT,
                "type": TEXT,
                "alt_url": TEXT,
                "currency": choice(*sorted(CURRENCY_EXPONENTS)),
                "tax_included": choice(*TaxIncluded),
                "vat": {"anyOf": [PERCENT, table(dict.fromkeys(DIMENSIONS[:4], PERCENT))]},
                "taxes": items(_tax()),
                "min_price": _limit(),
                "max_price": _limit(),
                "preauthorize_amount": AMOUNT,
                "step_policy": choice(*StepPolicy),
                "rounding": choice(*RoundingUnit),
                "rounding_mode": choice(*RoundingMode),
                "flat_policy": choice(*FlatPolicy),
                "below_zero": FLAG,
                "start_date_time": MOMENT,
                "end_date_time": MOMENT,
                "holidays": table(
                    {"country": TEXT, "region": TEXT, "years": items(WHOLE)}, "country", "years"
                ),
                "price_series": _series(),
                "elements": items(_element()),
                "adjustments": items({"oneOf": [_adjustment(kind) for kind in KINDS]}),
                "examples": items(_example()),
            },
            "tariff",
            "currency",
            "elements",
        ),
    }


def _tax() -> Schema:
    keys = {"name": TEXT, "percent": PERCENT, "stack": WHOLE, "per_kwh": AMOUNT, "vat": PERCENT}
    return table(keys, "name")


def _limit() -> Schema:
    both = table({"before_taxes": AMOUNT, "after_taxes": AMOUNT}, "before_taxes")
    return {"anyOf": [AMOUNT, both]}


def _series() -> Schema:
    return table(
        {
            "name": TEXT,
            "interval": DURATION,
            "unit": choice("kWh", "MWh"),
            "prices": {"type": "object", "additionalProperties": SIGNED},
            "file": TEXT,
            "percent": PERCENT,
            "markup": AMOUNT,
            "floor": AMOUNT,
            "cap": AMOUNT,
        },
        "interval",
    )


def _element() -> Schema:
    price = {"price": SIGNED, "step_size": STEP, "vat": PERCENT, "series": FLAG}
    priced = {"anyOf": [SIGNED, table(price)]}
    return table(
        {
            "name": TEXT,
            **dict.fromkeys(DIMENSIONS[:4], priced),
            "restrictions": _restrictions(),
        }
    )


def _restrictions() -> Schema:
    bounds = [
        f"{side}_{quantity}" for quantity in ("kwh", "current", "power") for side in ("min", "max")
    ]
    day = {"type": "string", "anyOf": [{"enum": list(DAYS)}, {"pattern": "^[A-Za-z -]+$"}]}
    return table(
        {
            "start_time": CLOCK,
            "end_time": CLOCK,
            "start_date": DATE,
            "end_date": DATE,
            **dict.fromkeys(bounds, AMOUNT),
            "min_duration": DURATION,
            "max_duration": DURATION,
            "day_of_week": items(day),
            "season_start": DAY_OF_YEAR,
            "season_end": DAY_OF_YEAR,
            "reservation": choice(*ReservationRestriction),
        }
    )


def _adjustment(kind: str) -> Schema:
    return table({**ADJUSTMENTS[kind], "reason": TEXT}, kind)


def _example() -> Schema:
    return table(
        {
            "name": TEXT,
            "time_zone": {"type": "string", "enum": sorted(zone_names())},
            "starts": MOMENT,
            "ends": MOMENT,
            "kwh": AMOUNT,
            "readings": items(
                table(
                    {"at": MOMENT, "kwh": AMOUNT, "power_kw": AMOUNT, "current_a": AMOUNT},
                    "at",
                    "kwh",
                )
            ),
            "parking_from": MOMENT,
            "reserved_until": MOMENT,
            "reservation_expired": FLAG,
            "groups": items(TEXT),
            "validations": items(TEXT),
            "payment_method": TEXT,
            "reverse_charge_vat_id": TEXT,
            "total": SIGNED,
            "before_taxes": SIGNED,
        },
        "starts",
        "ends",
        "total",
    )


def schema_text() -> str:
    """Return the schema as it is published in `docs/tariff.schema.json`."""
    return json.dumps(tariff_schema(), indent=2) + "\n"
