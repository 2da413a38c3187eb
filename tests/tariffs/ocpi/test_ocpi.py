"""Partners' JSON: exact numbers, stated repairs, refusals with a spot."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tariffs.adjustments.adjustment import GroupGrant, IdleGrace, QuantityTax
from tariffs.cdr.pricing import CurrencyDiffersError, TimeZoneMissingError, price_cdr
from tariffs.kernel.pricing import compile_tariff, price_session
from tariffs.model.tariff import Dimension, PriceComponent, Tariff, TariffElement, TaxIncluded
from tariffs.model.usage import SessionUsage, UsagePoint
from tariffs.ocpi.cdr_reader import read_ocpi_cdr
from tariffs.ocpi.documents import OcpiError
from tariffs.ocpi.tariff_reader import read_ocpi_tariff
from tariffs.ocpi.tariff_writer import encode_ocpi, write_tariff
from tariffs.ocpi.versions import OcpiVersion
from tests.tree import VECTORS

SPECIFICATION = VECTORS / "ocpi-spec"
TARIFFS = sorted(SPECIFICATION.glob("*/tariff_*.json"))

TARIFF: dict[str, Any] = {
    "id": "t",
    "currency": "EUR",
    "elements": [
        {
            "price_components": [{"type": "TIME", "price": 2.4, "step_size": 60}],
            "restrictions": {"start_time": "08:00", "end_time": "20:00"},
        }
    ],
}
CDR: dict[str, Any] = {
    "id": "c",
    "currency": "EUR",
    "start_date_time": "2026-03-02T10:00:00Z",
    "end_date_time": "2026-03-02T10:22:00Z",
    "charging_periods": [
        {
            "start_date_time": "2026-03-02T10:00:00Z",
            "dimensions": [{"type": "TIME", "volume": 0.3667}],
        }
    ],
    "total_cost": {"excl_vat": 0.88},
}


def encoded(value: dict[str, Any], **changes: object) -> bytes:
    return json.dumps(value | changes).encode()


def element(**changes: object) -> dict[str, Any]:
    return {**TARIFF["elements"][0], **changes}


def component(**changes: object) -> dict[str, Any]:
    return element(price_components=[{"type": "TIME", "price": 2.4, "step_size": 60} | changes])


@pytest.mark.skipif(not TARIFFS, reason="the specification's examples of ../shared are not here")
@pytest.mark.parametrize("path", TARIFFS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_specification_s_example_tariffs_are_read(path: Path) -> None:
    tariff, _ = read_ocpi_tariff(path.read_bytes())

    assert compile_tariff(tariff).tariff.currency in {"EUR", "CAD"}


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        pytest.param(component(price="2.40"), "number_as_text", id="a price as text"),
        pytest.param(element(restrictions=[{}]), "restrictions_as_list", id="a list"),
        pytest.param(
            element(restrictions={"start_time": "08:00:00"}), "time_not_hh_mm", id="seconds"
        ),
        pytest.param(component(step_size=None), "step_size_missing", id="no step size"),
    ],
)
def test_what_is_repaired_is_noted(broken: dict[str, Any], code: str) -> None:
    _, notes = read_ocpi_tariff(encoded(TARIFF, elements=[broken]))

    assert [note.code for note in notes] == [code]
    assert notes[0].spot is not None
    assert notes[0].spot.startswith("elements[0].")


@pytest.mark.parametrize(
    ("broken", "spot"),
    [
        pytest.param(component(vat=-1), "elements[0].price_components[0].vat", id="negative"),
        pytest.param(component(price="NaN"), "elements[0].price_components[0].price", id="NaN"),
        pytest.param(
            component(price="1E+999999"), "elements[0].price_components[0].price", id="a huge one"
        ),
        pytest.param(component(type="POWER"), "elements[0].price_components[0].type", id="a type"),
        pytest.param(
            element(restrictions={"day_of_week": ["SUNDEI"]}),
            "elements[0].restrictions.day_of_week[0]",
            id="a weekday",
        ),
        pytest.param(
            element(restrictions=[{}, {}]), "elements[0].restrictions", id="two restrictions"
        ),
    ],
)
def test_what_cannot_be_priced_is_refused_with_its_place(broken: dict[str, Any], spot: str) -> None:
    with pytest.raises(OcpiError) as refused:
        read_ocpi_tariff(encoded(TARIFF, elements=[broken]))

    assert refused.value.spot == spot


@pytest.mark.parametrize("data", [b"", b"{", b"[" * 200_000, b"\xff", b"{}", b"[]", b"null"])
def test_what_is_no_tariff_is_refused(data: bytes) -> None:
    with pytest.raises(OcpiError):
        read_ocpi_tariff(data)


def test_a_rounded_duration_does_not_cost_a_step_that_nobody_used() -> None:
    tariff, _ = read_ocpi_tariff(encoded(TARIFF))
    cdr, _ = read_ocpi_cdr(encoded(CDR))

    priced = price_cdr(cdr, compile_tariff(tariff), time_zone="UTC")

    assert priced.lines[0].billed_volume * 60 == pytest.approx(22)
    assert priced.total_before_taxes.amount == Decimal("0.88")
    assert cdr.stated.total_cost is not None
    assert cdr.stated.total_cost.before_taxes == Decimal("0.88")


def test_a_duration_that_really_differs_is_priced_as_sent() -> None:
    tariff, _ = read_ocpi_tariff(encoded(TARIFF))
    periods = [{**CDR["charging_periods"][0], "dimensions": [{"type": "TIME", "volume": 0.5}]}]
    cdr, _ = read_ocpi_cdr(encoded(CDR, charging_periods=periods))

    priced = price_cdr(cdr, compile_tariff(tariff), time_zone="UTC")

    assert priced.total_before_taxes.amount == Decimal("1.20")


@pytest.mark.parametrize(
    ("version", "step", "noted"),
    [
        pytest.param(OcpiVersion.V2_1_1, 1, True, id="2.1.1 has no 0, which is said"),
        pytest.param(OcpiVersion.V2_2_1, 0, False, id="2.2.1 has it"),
        pytest.param(OcpiVersion.V2_3_0, 0, False, id="2.3.0 has it"),
    ],
)
def test_no_step_is_written_as_0_where_ocpi_has_it(
    version: OcpiVersion, step: int, *, noted: bool
) -> None:
    energy = PriceComponent(dimension=Dimension.ENERGY, price=Decimal(1))
    fee = PriceComponent(dimension=Dimension.FLAT, price=Decimal(1))
    tariff = Tariff(
        id="t", currency="EUR", elements=(TariffElement(price_components=(fee, energy)),)
    )

    written, notes = write_tariff(tariff, version)

    components = written["elements"][0]["price_components"]
    assert [each["step_size"] for each in components] == [step, step]
    spots = [note.spot for note in notes if note.code == "step_size"]
    assert spots == (["elements[0].price_components[1].step_size"] if noted else [])


@pytest.mark.parametrize("version", OcpiVersion)
def test_a_tariff_without_taxes_costs_the_same_in_each_version(version: OcpiVersion) -> None:
    """It states 19 % and a tax per kWh, of which its N/A says that none applies."""
    energy = PriceComponent(dimension=Dimension.ENERGY, price=Decimal("0.40"), vat=Decimal(19))
    untaxed = Tariff(
        id="t",
        currency="EUR",
        elements=(TariffElement(price_components=(energy,)),),
        tax_included=TaxIncluded.NOT_APPLICABLE,
        quantity_taxes=(QuantityTax(name="Excise", per_kwh=Decimal("0.03")),),
    )
    starts_at = datetime(2026, 3, 2, tzinfo=UTC)
    usage = SessionUsage(
        starts_at=starts_at,
        ends_at=starts_at + timedelta(hours=1),
        time_zone="UTC",
        points=(
            UsagePoint(starts_at, Decimal(0)),
            UsagePoint(starts_at + timedelta(hours=1), Decimal(10_000)),
        ),
    )

    written, notes = write_tariff(untaxed, version)
    read, _ = read_ocpi_tariff(encode_ocpi(written), version=version)

    for tariff in (untaxed, read):
        assert price_session(usage, compile_tariff(tariff)).after_minor == 400
    left_out = [note.spot for note in notes if note.code in {"not_said", "adjustment"}]
    assert left_out == (
        [] if version is OcpiVersion.V2_3_0 else ["elements[0].price_components[0].vat"]
    )


def test_what_ocpi_cannot_say_is_told_to_drivers_in_words() -> None:
    grace = IdleGrace(seconds=900, reason="time to come back")
    staff = GroupGrant(group="staff", dimensions=("ENERGY",), reason="they work here")
    component = PriceComponent(dimension=Dimension.ENERGY, price=Decimal("0.40"))
    tariff = Tariff(
        id="T",
        currency="EUR",
        elements=(TariffElement(price_components=(component,)),),
        adjustments=(grace, staff),
    )

    written, _ = write_tariff(tariff, OcpiVersion.V2_3_0)

    [text] = written["tariff_alt_text"]
    assert text["text"] == (
        "Not all of the price is shown here; this is left out: the first 15 min of every stretch "
        "of parking cost nothing: time to come back; free for members of the group 'staff': they "
        "work here."
    )


def test_a_tariff_of_local_times_needs_to_know_where() -> None:
    tariff, _ = read_ocpi_tariff(encoded(TARIFF))
    cdr, _ = read_ocpi_cdr(encoded(CDR))

    with pytest.raises(TimeZoneMissingError, match="needs a time zone"):
        price_cdr(cdr, compile_tariff(tariff))


def test_currencies_are_not_mixed() -> None:
    tariff, _ = read_ocpi_tariff(encoded(TARIFF, currency="CHF"))
    cdr, _ = read_ocpi_cdr(encoded(CDR))

    with pytest.raises(CurrencyDiffersError, match="EUR, its tariff in CHF"):
        price_cdr(cdr, compile_tariff(tariff), time_zone="UTC")


def test_a_first_period_before_its_cdr_is_priced_from_its_own_start_with_a_note() -> None:
    periods = [
        {
            "start_date_time": "2026-03-02T09:55:00Z",
            "dimensions": [{"type": "TIME", "volume": 0.25}],
        },
        {
            "start_date_time": "2026-03-02T10:10:00Z",
            "dimensions": [{"type": "TIME", "volume": 0.2}],
        },
    ]

    read, notes = read_ocpi_cdr(encoded(CDR, charging_periods=periods))
    priced = price_cdr(read, compile_tariff(read_ocpi_tariff(encoded(TARIFF))[0]), time_zone="UTC")

    spots = [note.spot for note in notes if note.code == "starts_before_cdr"]
    assert spots == ["charging_periods[0].start_date_time"]
    assert priced.lines[0].starts_at == read.periods[0].starts_at
    assert priced.total_before_taxes.amount == Decimal("1.08")


def test_a_first_period_centuries_before_its_cdr_is_refused() -> None:
    periods = [{"start_date_time": "0026-03-02T10:00:00Z", "dimensions": []}]

    with pytest.raises(OcpiError) as refused:
        read_ocpi_cdr(encoded(CDR, charging_periods=periods))

    assert refused.value.spot == "charging_periods[0].start_date_time"


def test_periods_out_of_order_are_refused_with_their_place() -> None:
    periods = [
        {"start_date_time": "2026-03-02T10:10:00Z", "dimensions": []},
        {"start_date_time": "2026-03-02T10:05:00Z", "dimensions": []},
    ]

    with pytest.raises(OcpiError) as refused:
        read_ocpi_cdr(encoded(CDR, charging_periods=periods))

    assert refused.value.spot == "charging_periods[1].start_date_time"
