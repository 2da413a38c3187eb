"""Reading OCPP 2.1's tariffs: what our model cannot say is refused or noted, never dropped."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from tariffs.adjustments.adjustment import IdleGrace
from tariffs.model.tariff import Weekday
from tariffs.ocpp21.importing import read_ocpp_tariff
from tariffs.ocpp21.messages import TranslationNote, TranslationSeverity


def codes(notes: tuple[TranslationNote, ...], severity: TranslationSeverity) -> list[str]:
    return [note.code for note in notes if note.severity is severity]


def ocpp(**fields: object) -> bytes:
    return json.dumps({"tariffId": "t", "currency": "EUR", **fields}).encode()


def energy(*prices: dict[str, Any], **fields: object) -> dict[str, Any]:
    return {"energy": {"prices": list(prices) or [{"priceKwh": 0.4}], **fields}}


def only(**conditions: object) -> dict[str, Any]:
    return {"priceKwh": 0.4, "conditions": conditions}


def test_a_frame_its_payload_and_the_tariff_alone_are_all_read() -> None:
    tariff = json.loads(ocpp(**energy()))
    payload = {"evseId": 1, "tariff": tariff}
    frame = [2, "19", "SetDefaultTariff", payload]

    read = [read_ocpp_tariff(json.dumps(shape)).tariff for shape in (frame, payload, tariff)]

    assert read[0] is not None
    assert read[0] == read[1] == read[2]


def test_digits_of_a_number_are_kept() -> None:
    text = (
        b'{"tariffId":"t","currency":"EUR","energy":{"prices":[{"priceKwh":0.123456789012345678}]}}'
    )

    tariff = read_ocpp_tariff(text).tariff

    assert tariff is not None
    assert tariff.elements[0].price_components[0].price == Decimal("0.123456789012345678")


def test_stacked_taxes_become_one_exact_rate_with_a_note() -> None:
    rates = [{"type": "State", "tax": 10}, {"type": "City", "tax": 2.5, "stack": 1}]

    result = read_ocpp_tariff(ocpp(**energy(taxRates=rates)))

    assert result.tariff is not None
    assert result.tariff.elements[0].price_components[0].vat == Decimal("12.75")
    assert codes(result.notes, TranslationSeverity.LOST) == ["taxes_combined"]


def test_free_idle_minutes_before_a_price_are_a_grace_period() -> None:
    idle = {
        "idleTime": {
            "prices": [
                {"priceMinute": 0, "conditions": {"maxIdleTime": 900}},
                {"priceMinute": 0.1},
            ]
        }
    }

    result = read_ocpp_tariff(ocpp(**idle))

    assert result.tariff is not None
    assert result.tariff.adjustments == (IdleGrace(seconds=900),)
    assert [e.price_components[0].price for e in result.tariff.elements] == [6]


def test_a_price_for_one_kind_of_evse_needs_to_know_which() -> None:
    prices = (
        {"priceKwh": 0.6, "conditions": {"evseKind": "DC"}},
        {"priceKwh": 0.4, "conditions": {"evseKind": "AC"}},
    )

    refused = read_ocpp_tariff(ocpp(**energy(*prices)))
    direct = read_ocpp_tariff(ocpp(**energy(*prices)), evse_kind="DC")

    assert refused.tariff is None
    assert codes(refused.notes, TranslationSeverity.REFUSED) == ["evse_kind", "evse_kind"]
    assert direct.tariff is not None
    assert [e.price_components[0].price for e in direct.tariff.elements] == [Decimal("0.6")]


def test_a_fee_for_one_way_to_pay_is_refused_or_left_out_with_a_note() -> None:
    fee = {"prices": [{"priceFixed": 1, "conditions": {"paymentBrand": "AMEX"}}]}
    text = ocpp(**energy(), fixedFee=fee)

    assert codes(read_ocpp_tariff(text).notes, TranslationSeverity.REFUSED) == ["payment_fee"]
    left_out = read_ocpp_tariff(text, ignore_payment_fees=True)
    assert left_out.tariff is not None
    assert len(left_out.tariff.elements) == 1
    assert codes(left_out.notes, TranslationSeverity.LOST) == ["payment_fee"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (ocpp(**energy(only(minChargingTime=60))), "charging_time_condition"),
        (ocpp(**energy(only(minIdleTime=60))), "idle_time_condition"),
        (ocpp(**energy({"priceKwh": -0.4})), "number"),
        (ocpp(**energy({"priceMinute": 0.4})), "price_field"),
        (ocpp(**energy(only(startTimeOfDay="7:00"))), "time"),
        (ocpp(**energy(only(dayOfWeek=["Mo"]))), "weekday"),
        (ocpp(**energy(only(validFromDate="1.1.2026"))), "date"),
        (ocpp(**energy(), validFrom="2026-01-01T00:00:00"), "moment"),
        (ocpp(**energy(), minCost={"inclTax": 1}), "limit_without_net"),
        (ocpp(**{**energy(), "currency": "XXX"}), "currency"),
        (ocpp(), "no_price"),
        (ocpp(**energy(only(minTime=-5))), "unpriceable"),
        (ocpp(**energy(), surprise=1), "not_ocpp"),
        (b"[" * 100_000, "not_ocpp"),
        (b"\xff\xfe", "not_ocpp"),
        (b'{"tariffId":"t","currency":"EUR","energy":{"prices":[{"priceKwh":"NaN"}]}}', "number"),
        (
            ocpp(
                idleTime={
                    "prices": [
                        {"priceMinute": 1, "conditions": {"minIdleTime": 60, "minEnergy": 1}},
                        {"priceMinute": 1, "conditions": {"minIdleTime": 120}},
                    ]
                }
            ),
            "several_idle_times",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_code(text: bytes, code: str) -> None:
    result = read_ocpp_tariff(text)

    assert result.tariff is None
    assert code in codes(result.notes, TranslationSeverity.REFUSED)


def test_vendor_data_and_other_formats_are_noted() -> None:
    text = ocpp(
        **energy(),
        customData={"vendorId": "example"},
        fixedFee={"prices": [{"priceFixed": 1, "customData": {"vendorId": "example"}}]},
        description=[{"format": "HTML", "content": "<b>"}, {"format": "UTF8", "content": "x"}],
    )

    result = read_ocpp_tariff(text)

    assert result.tariff is not None
    assert codes(result.notes, TranslationSeverity.LOST) == [
        "custom_data",
        "custom_data",
        "text_format",
    ]
    assert result.tariff.alt_text == (("und", "x"),)


def test_a_key_that_stands_twice_is_refused() -> None:
    text = ocpp(**energy()).replace(b'"priceKwh": 0.4', b'"priceKwh": 0.4, "priceKwh": 0.6')

    result = read_ocpp_tariff(text)

    assert result.tariff is None
    assert [(note.code, note.spot) for note in result.notes] == [("key_repeated", "priceKwh")]


def test_a_weekday_in_capital_letters_still_restricts() -> None:
    """Left out, its price would hold on all days."""
    result = read_ocpp_tariff(ocpp(**energy(only(dayOfWeek=["SUNDAY", "monday", "Friday"]))))

    assert result.tariff is not None
    assert result.tariff.elements[0].restrictions.day_of_week == (
        Weekday.MONDAY,
        Weekday.FRIDAY,
        Weekday.SUNDAY,
    )
