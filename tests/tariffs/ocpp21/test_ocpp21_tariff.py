"""OCPP 2.1's tariff, both ways: exact, valid by the official schema, nothing lost in silence."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib.resources import files
from typing import Any

import jsonschema
import msgspec
import pytest

from tariffs.adjustments.adjustment import GroupGrant, IdleGrace
from tariffs.diff.change import ChangeKind
from tariffs.diff.diff import diff_tariffs
from tariffs.kernel.compiled import CompiledTariff
from tariffs.model.tariff import (
    WEEKDAYS,
    Dimension,
    PriceComponent,
    PriceLimit,
    ReservationRestriction,
    Restrictions,
    Tariff,
    TariffElement,
    TaxIncluded,
)
from tariffs.ocpp21.export import export_tariff
from tariffs.ocpp21.importing import import_tariff
from tariffs.ocpp21.messages import OcppTariff, SetDefaultTariff, TranslationSeverity, ocpp_json

SCHEMA = json.loads(
    files("ocpp").joinpath("v21", "schemas", "SetDefaultTariffRequest.json").read_text("utf-8-sig")
)


def element(
    dimension: Dimension, price: str, *, vat: str | None = "19", step_size: int = 0, **when: object
) -> TariffElement:
    component = PriceComponent(
        dimension=dimension,
        price=Decimal(price),
        vat=None if vat is None else Decimal(vat),
        step_size=step_size,
    )
    return TariffElement(
        price_components=(component,), restrictions=msgspec.structs.replace(Restrictions(), **when)
    )


FULL = Tariff(
    id="full",
    currency="EUR",
    elements=(
        element(
            Dimension.ENERGY,
            "0.55",
            start_time=time(7),
            end_time=time(20),
            day_of_week=WEEKDAYS[:5],
            min_power=Decimal("11.5"),
        ),
        element(Dimension.ENERGY, "0.30", min_kwh=Decimal("50.25"), max_kwh=Decimal(100)),
        element(Dimension.ENERGY, "0.39"),
        element(Dimension.TIME, "1.20", min_duration=14400, max_current=Decimal(32)),
        element(Dimension.PARKING_TIME, "6", start_time=time(8), end_time=time(0)),
        element(Dimension.FLAT, "1", start_date=date(2026, 1, 1), end_date=date(2027, 1, 1)),
        element(Dimension.TIME, "3", reservation=ReservationRestriction.RESERVATION),
        element(Dimension.FLAT, "2", reservation=ReservationRestriction.RESERVATION),
    ),
    min_price=PriceLimit(before_taxes=Decimal("0.50")),
    max_price=PriceLimit(before_taxes=Decimal(30), after_taxes=Decimal("35.70")),
    start_date_time=datetime(2026, 1, 1, tzinfo=UTC),
    adjustments=(IdleGrace(seconds=900),),
    alt_text=(("de", "Tagsüber teurer"),),
    alt_url="https://example.org/tariff",
)


def codes(notes: tuple[Any, ...], severity: TranslationSeverity) -> list[str]:
    return [note.code for note in notes if note.severity is severity]


def exported(tariff: Tariff) -> OcppTariff:
    found = export_tariff(tariff).tariff
    assert found is not None
    return found


def test_an_export_is_valid_by_the_official_schema() -> None:
    payload = ocpp_json(SetDefaultTariff(evse_id=0, tariff=exported(FULL)))

    jsonschema.Draft6Validator(SCHEMA).validate(json.loads(payload))


def test_the_schema_would_refuse_a_wrong_export() -> None:
    payload = json.loads(ocpp_json(SetDefaultTariff(evse_id=0, tariff=exported(FULL))))
    payload["tariff"]["energy"]["prices"][0]["pricePerKwh"] = 1

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft6Validator(SCHEMA).validate(payload)


def test_hours_become_minutes_and_kilos_become_units_exactly() -> None:
    tariff = exported(FULL)

    assert tariff.energy is not None
    first, second, _ = tariff.energy.prices
    assert first.conditions is not None
    assert second.conditions is not None
    assert (first.price_kwh, first.conditions.min_power) == (Decimal("0.55"), Decimal(11500))
    assert second.conditions.min_energy == Decimal(50250)
    assert tariff.charging_time is not None
    assert tariff.charging_time.prices[0].price_minute == Decimal("0.02")
    assert tariff.idle_time is not None
    idle = tariff.idle_time.prices[0]
    assert idle.price_minute == Decimal("0.1")
    assert idle.conditions is not None
    assert (idle.conditions.min_idle_time, idle.conditions.end_time_of_day) == (900, "00:00")
    assert b'"priceMinute":0.02' in ocpp_json(tariff)


def test_there_and_back_is_the_same_tariff() -> None:
    back = import_tariff(exported(FULL)).tariff

    assert back == FULL


def test_back_and_there_is_the_same_message() -> None:
    message = exported(FULL)
    back = import_tariff(message).tariff
    assert back is not None

    assert exported(back) == message


def test_what_comes_back_bills_the_same() -> None:
    before = msgspec.structs.replace(FULL, start_date_time=None)
    back = import_tariff(exported(before)).tariff
    assert back is not None

    found = diff_tariffs(
        CompiledTariff(before),
        CompiledTariff(back),
        time_zone="Europe/Berlin",
        first_day=date(2026, 3, 2),
    )

    assert [c for c in found.changes if c.kind is not ChangeKind.ELEMENT] == []


def test_a_price_that_does_not_divide_by_sixty_is_refused_with_the_fraction() -> None:
    result = export_tariff(Tariff(id="t", currency="EUR", elements=(element(Dimension.TIME, "2"),)))

    assert result.tariff is None
    assert [str(note) for note in result.notes] == [
        (
            "elements[0].TIME.price: refused: 1/30 per minute before taxes has no end in decimals; "
            "choose a price that divides [not_exact]"
        )
    ]


def test_it_is_rounded_only_when_asked_and_then_a_note_says_from_what() -> None:
    tariff = Tariff(id="t", currency="EUR", elements=(element(Dimension.TIME, "2"),))

    result = export_tariff(tariff, decimals=4)

    assert result.tariff is not None
    assert result.tariff.charging_time is not None
    assert result.tariff.charging_time.prices[0].price_minute == Decimal("0.0333")
    assert codes(result.notes, TranslationSeverity.LOST) == ["rounded"]
    assert "1/30" in result.notes[0].message


def test_prices_with_taxes_inside_leave_as_prices_before_taxes() -> None:
    tariff = Tariff(
        id="t",
        currency="EUR",
        tax_included=TaxIncluded.YES,
        elements=(element(Dimension.ENERGY, "0.60", vat="20"),),
    )

    energy = exported(tariff).energy
    assert energy is not None
    assert energy.prices[0].price_kwh == Decimal("0.5")
    assert [(rate.type, rate.tax) for rate in energy.tax_rates] == [("VAT", Decimal(20))]


@pytest.mark.parametrize(
    ("tariff_changes", "code"),
    [
        pytest.param(
            {
                "elements": (
                    element(Dimension.ENERGY, "0.5", vat="19", min_kwh=Decimal(5)),
                    element(Dimension.ENERGY, "0.5", vat="7"),
                )
            },
            "several_vats",
            id="several VAT rates in one fee",
        ),
        pytest.param(
            {"elements": (element(Dimension.FLAT, "1", min_duration=60),)},
            "fixed_fee_condition",
            id="a fixed fee after some time",
        ),
        pytest.param(
            {"elements": (element(Dimension.ENERGY, "1", start_time=time(7, 0, 30)),)},
            "time_with_seconds",
            id="a time with seconds",
        ),
        pytest.param(
            {
                "elements": (element(Dimension.ENERGY, "1", vat=None),),
                "tax_included": TaxIncluded.YES,
            },
            "unknown_tax",
            id="taxes inside that are not named",
        ),
        pytest.param({"id": "x" * 61}, "id_too_long", id="a long id"),
    ],
)
def test_what_would_bill_something_else_is_refused(
    tariff_changes: dict[str, Any], code: str
) -> None:
    result = export_tariff(msgspec.structs.replace(FULL, **tariff_changes))

    assert result.tariff is None
    assert code in codes(result.notes, TranslationSeverity.REFUSED)


@pytest.mark.parametrize(
    ("tariff_changes", "code"),
    [
        ({"end_date_time": datetime(2027, 1, 1, tzinfo=UTC)}, "no_end_of_validity"),
        ({"name": "Summer"}, "field"),
        ({"adjustments": (GroupGrant(group="staff", dimensions=("ENERGY",)),)}, "adjustment"),
        (
            {"elements": (element(Dimension.ENERGY, "0.5", step_size=1000),)},
            "step_size",
        ),
        (
            {"elements": (element(Dimension.FLAT, "1", min_power=None), *FULL.elements[5:6])},
            "several_flats",
        ),
        ({"elements": (element(Dimension.FLAT, "1", end_time=time(7)),)}, "fixed_fee_at_start"),
        ({"alt_text": (("de", "x" * 1025),)}, "text_too_long"),
        ({"adjustments": (IdleGrace(seconds=60, reason="tea"),)}, "reason"),
        (
            {
                "elements": (
                    *FULL.elements,
                    element(
                        Dimension.FLAT,
                        "4",
                        reservation=ReservationRestriction.RESERVATION_EXPIRES,
                    ),
                )
            },
            "expired_reservation",
        ),
    ],
)
def test_what_ocpp_cannot_say_is_noted(tariff_changes: dict[str, Any], code: str) -> None:
    result = export_tariff(msgspec.structs.replace(FULL, **tariff_changes))

    assert result.tariff is not None
    assert code in codes(result.notes, TranslationSeverity.LOST)


def test_a_plain_export_has_nothing_to_note() -> None:
    tariff = Tariff(id="t", currency="EUR", elements=(element(Dimension.ENERGY, "0.5"),))

    assert export_tariff(tariff).notes == ()
    assert import_tariff(exported(tariff)).notes == ()
