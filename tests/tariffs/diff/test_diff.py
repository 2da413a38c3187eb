"""The diff says what another version of a tariff would bill otherwise."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal

import msgspec
import pytest

from tariffs.adjustments.adjustment import GroupGrant, IdleGrace, QuantityTax
from tariffs.calendar.week import Fee
from tariffs.diff.change import ChangeKind
from tariffs.diff.diff import TariffDiff, diff_tariffs
from tariffs.kernel.compiled import CompiledTariff
from tariffs.model.tariff import (
    WEEKDAYS,
    Dimension,
    PriceComponent,
    PriceLimit,
    Restrictions,
    Tariff,
    TariffElement,
    TaxIncluded,
)
from tariffs.taxes.sales_taxes import SalesTax

MONDAY = date(2026, 3, 2)


def element(
    dimension: Dimension,
    price: str,
    *,
    name: str | None = None,
    vat: str | None = None,
    step_size: int = 1,
    restrictions: Restrictions | None = None,
) -> TariffElement:
    component = PriceComponent(
        dimension=dimension,
        price=Decimal(price),
        vat=None if vat is None else Decimal(vat),
        step_size=step_size,
    )
    return TariffElement(
        name=name, price_components=(component,), restrictions=restrictions or Restrictions()
    )


DAYTIME = Restrictions(start_time=time(7), end_time=time(20), day_of_week=WEEKDAYS[:5])
AFTER_FOUR_HOURS = Restrictions(min_duration=14400)
PEAK = element(Dimension.ENERGY, "0.49", name="peak", restrictions=DAYTIME)
OFF_PEAK = element(Dimension.ENERGY, "0.39", name="off-peak")
IDLE = element(Dimension.PARKING_TIME, "6", name="idle", restrictions=AFTER_FOUR_HOURS)
BEFORE = Tariff(id="t", currency="EUR", elements=(PEAK, OFF_PEAK, IDLE))


def with_elements(*elements: TariffElement) -> Tariff:
    return msgspec.structs.replace(BEFORE, elements=elements)


def diff(after: Tariff, before: Tariff = BEFORE) -> TariffDiff:
    return diff_tariffs(
        CompiledTariff(before),
        CompiledTariff(after),
        time_zone="Europe/Berlin",
        first_day=MONDAY,
    )


def said(after: Tariff, kind: ChangeKind, before: Tariff = BEFORE) -> list[str]:
    return [change.sentence for change in diff(after, before).changes if change.kind is kind]


def test_a_tariff_does_not_differ_from_itself() -> None:
    assert diff(BEFORE).changes == ()
    assert diff(BEFORE).hours == ()


def test_a_dearer_window_is_one_sentence_with_its_share() -> None:
    dearer = element(Dimension.ENERGY, "0.55", name="peak", restrictions=DAYTIME)

    assert said(with_elements(dearer, OFF_PEAK, IDLE), ChangeKind.PRICE) == [
        "Energy Mon-Fri 07:00-20:00 rises from 0.49 EUR/kWh to 0.55 EUR/kWh (+12.2 %)"
    ]


def test_each_hour_that_differs_is_listed_with_both_prices() -> None:
    dearer = element(Dimension.ENERGY, "0.55", name="peak", restrictions=DAYTIME)

    hours = diff(with_elements(dearer, OFF_PEAK, IDLE)).hours

    assert len(hours) == 5 * 13
    assert {hour.fee for hour in hours} == {Fee.ENERGY}
    assert (hours[0].day, hours[0].starts_at, hours[0].minutes) == (MONDAY, time(7), 60)
    assert (hours[0].before, hours[0].after) == ((Decimal("0.49"),), (Decimal("0.55"),))


def test_the_same_prices_written_otherwise_are_no_price_change() -> None:
    weekend = Restrictions(day_of_week=WEEKDAYS[5:])
    morning = Restrictions(day_of_week=WEEKDAYS[:5], end_time=time(7))
    evening = Restrictions(day_of_week=WEEKDAYS[:5], start_time=time(20))
    rewritten = with_elements(
        *(
            element(Dimension.ENERGY, "0.39", restrictions=restrictions)
            for restrictions in (weekend, morning, evening)
        ),
        element(Dimension.ENERGY, "0.49"),
        IDLE,
    )

    assert said(rewritten, ChangeKind.PRICE) == []
    assert len(said(rewritten, ChangeKind.ELEMENT)) == 4


def test_a_change_that_holds_later_in_a_session_says_from_when() -> None:
    cheaper = element(Dimension.PARKING_TIME, "4.50", name="idle", restrictions=AFTER_FOUR_HOURS)

    assert said(with_elements(PEAK, OFF_PEAK, cheaper), ChangeKind.PRICE) == [
        "Parking time from 4 h on falls from 6.00 EUR/h to 4.50 EUR/h (-25.0 %)"
    ]


def test_a_limit_that_moves_is_free_before_and_after() -> None:
    later = element(
        Dimension.PARKING_TIME, "6", name="idle", restrictions=Restrictions(min_duration=21600)
    )

    assert said(with_elements(PEAK, OFF_PEAK, later), ChangeKind.PRICE) == [
        "Parking time from 4 h to 6 h becomes free (was 6.00 EUR/h)"
    ]
    assert said(with_elements(PEAK, OFF_PEAK, later), ChangeKind.ELEMENT) == [
        (
            "Element 3 (idle) changes from: Parking time 6.00 EUR/h (from 4 h on), "
            "to: Parking time 6.00 EUR/h (from 6 h on)"
        )
    ]


def test_a_cheaper_price_beyond_a_threshold_leaves_the_start_alone() -> None:
    bulk = element(Dimension.ENERGY, "0.30", restrictions=Restrictions(min_kwh=Decimal(50)))

    assert said(with_elements(bulk, PEAK, OFF_PEAK, IDLE), ChangeKind.PRICE) == [
        (
            "Energy Mon-Fri 00:00-07:00, 20:00-24:00; Sat, Sun from 50 kWh on "
            "falls from 0.39 EUR/kWh to 0.30 EUR/kWh (-23.1 %)"
        ),
        (
            "Energy Mon-Fri 07:00-20:00 from 50 kWh on "
            "falls from 0.49 EUR/kWh to 0.30 EUR/kWh (-38.8 %)"
        ),
    ]


def test_a_change_up_to_a_threshold_says_so() -> None:
    base = with_elements(
        element(Dimension.ENERGY, "0.30", restrictions=Restrictions(min_kwh=Decimal(50))),
        element(Dimension.ENERGY, "0.40"),
    )
    dearer = with_elements(base.elements[0], element(Dimension.ENERGY, "0.50"))

    assert said(dearer, ChangeKind.PRICE, base) == [
        "Energy up to 50 kWh rises from 0.40 EUR/kWh to 0.50 EUR/kWh (+25.0 %)"
    ]


def test_a_change_where_two_limits_meet_names_both() -> None:
    late_and_much = Restrictions(min_kwh=Decimal(50), min_duration=3600)
    base = with_elements(
        element(Dimension.ENERGY, "0.30", restrictions=late_and_much),
        element(Dimension.ENERGY, "0.40"),
    )
    dearer = with_elements(
        element(Dimension.ENERGY, "0.35", restrictions=late_and_much), base.elements[1]
    )

    assert said(dearer, ChangeKind.PRICE, base) == [
        "Energy from 50 kWh on and from 1 h on rises from 0.30 EUR/kWh to 0.35 EUR/kWh (+16.7 %)"
    ]


def test_a_new_fee_starts_and_a_removed_one_becomes_free() -> None:
    start = element(Dimension.FLAT, "1", name="start")

    assert said(with_elements(PEAK, OFF_PEAK, IDLE, start), ChangeKind.PRICE) == [
        "Session fee starts to cost 1.00 EUR"
    ]
    assert said(with_elements(PEAK, OFF_PEAK, IDLE, start), ChangeKind.ELEMENT) == [
        "Element 4 (start) is added: Session fee 1.00 EUR (at all times)"
    ]
    removed = with_elements(PEAK, IDLE)
    assert "Energy Mon-Fri 00:00-07:00, 20:00-24:00; Sat, Sun becomes free (was 0.39 EUR/kWh)" in (
        said(removed, ChangeKind.PRICE)
    )
    assert said(removed, ChangeKind.ELEMENT) == [
        "Element 2 (off-peak) is removed: Energy 0.39 EUR/kWh (at all times)"
    ]


def test_vat_and_steps_are_changes_of_their_own() -> None:
    before = with_elements(element(Dimension.ENERGY, "0.39", vat="19"))
    after = with_elements(element(Dimension.ENERGY, "0.39", vat="7", step_size=1000))

    assert said(after, ChangeKind.TAX, before) == ["VAT on Energy changes from 19 % to 7 %"]
    assert said(after, ChangeKind.STEP, before) == ["step_size of Energy changes from 1 to 1000 Wh"]
    assert said(after, ChangeKind.PRICE, before) == []


GST, PST = (SalesTax(name=name, percent=Decimal(rate)) for name, rate in (("GST", 5), ("PST", 7)))


def taxed(vat: str | None, country: str, *named: SalesTax) -> Tariff:
    return msgspec.structs.replace(
        with_elements(element(Dimension.ENERGY, "0.39", name="day", vat=vat)),
        country_code=country,
        sales_taxes=named,
    )


@pytest.mark.parametrize(
    ("before", "after", "sentences"),
    [
        (taxed("8", "US"), taxed("9", "US"), ["Sales tax on Energy changes from 8 % to 9 %"]),
        (taxed(None, "AU"), taxed("10", "AU"), ["GST on Energy changes from no rate to 10 %"]),
        (
            taxed("12", "CA", GST, PST),
            taxed("5", "CA", GST),
            ["Tax on Energy changes from 12 % GST + PST to 5 % GST"],
        ),
        (
            taxed("12", "CA", GST, PST),
            taxed(None, "CA"),
            ["GST + PST on Energy changes from 12 % to no rate"],
        ),
        (taxed("19", "DE"), taxed("19", "US"), []),
    ],
)
def test_a_tax_is_called_by_its_own_name(
    before: Tariff, after: Tariff, sentences: list[str]
) -> None:
    assert said(after, ChangeKind.TAX, before) == sentences
    assert not any("VAT" in each for each in said(after, ChangeKind.ELEMENT, before))


def test_an_element_names_its_tax() -> None:
    [changed] = said(taxed("12", "CA", GST, PST), ChangeKind.ELEMENT, taxed("5", "CA", GST))

    assert changed == (
        "Element 1 (day) changes from: Energy 0.39 EUR/kWh + 5 % GST (at all times), "
        "to: Energy 0.39 EUR/kWh + 12 % GST + PST (at all times)"
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"sales_taxes": (GST, msgspec.structs.replace(PST, stack=1))},
            "Taxes in percent: GST 5 %, PST 7 % on those before it (was none of its own)",
        ),
        (
            {
                "quantity_taxes": (
                    QuantityTax(name="Excise", per_kwh=Decimal("0.03"), vat=Decimal(19)),
                )
            },
            "Taxes per kWh: Excise 0.03 EUR + 19 % VAT (was none of its own)",
        ),
        ({"name": "Summer"}, "Name changes from nothing to 'Summer'"),
        (
            {"max_price": PriceLimit(before_taxes=Decimal(30), after_taxes=Decimal("35.7"))},
            (
                "A session costs at most 30.00 EUR before taxes and 35.70 EUR after taxes "
                "(was whatever its lines add up to)"
            ),
        ),
        (
            {"end_date_time": datetime(2027, 1, 1, tzinfo=UTC)},
            "Valid until 2027-01-01 00:00 UTC (was no set date)",
        ),
        (
            {"tax_included": TaxIncluded.YES},
            "Prices were before taxes and are now including taxes: compare them with care",
        ),
    ],
)
def test_a_setting_is_named(changes: dict[str, object], sentence: str) -> None:
    after = msgspec.structs.replace(BEFORE, **changes)

    assert said(after, ChangeKind.SETTING) == [sentence]
    assert diff(after).hours == ()


def test_adjustments_are_compared_one_by_one() -> None:
    grace = IdleGrace(seconds=900)
    grant = GroupGrant(group="residents", dimensions=("ENERGY",), percent=Decimal(20))
    before = msgspec.structs.replace(BEFORE, adjustments=(grace,))

    assert said(
        msgspec.structs.replace(BEFORE, adjustments=(grant,)), ChangeKind.ADJUSTMENT, before
    ) == [
        "Adjustment is removed: the first 15 min of every stretch of parking cost nothing",
        "Adjustment is added: 20 % off for members of the group 'residents' (energy)",
    ]


def test_another_currency_is_said_and_not_compared_in_percent() -> None:
    swiss = msgspec.structs.replace(BEFORE, currency="CHF")

    sentences = [change.sentence for change in diff(swiss).changes]

    assert "Currency changes from 'EUR' to 'CHF'" in sentences
    assert not any("%" in sentence for sentence in sentences)


def test_an_element_that_moves_is_neither_added_nor_removed() -> None:
    moved = with_elements(PEAK, IDLE, OFF_PEAK)

    assert said(moved, ChangeKind.PRICE) == []
    assert said(moved, ChangeKind.ELEMENT) in (
        ["Element 2 (idle) moves from place 3 to place 2"],
        ["Element 3 (off-peak) moves from place 2 to place 3"],
    )
