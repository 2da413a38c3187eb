"""Prices below zero: the driver is paid, and neither rounding nor limit nor grant loses a cent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tariffs.adjustments.adjustment import (
    AtLeast,
    FeeCap,
    FreeBelow,
    FreeFirst,
    GroupGrant,
    RoundDown,
    SessionAdjustment,
    Surcharge,
)
from tariffs.adjustments.shared import Per, PeriodCap, SharedBy
from tariffs.explain import explain
from tariffs.files.tariff_file import read_tariff_file
from tariffs.files.writing.tariff import write_tariff_file
from tariffs.kernel.priced import PricedSession
from tariffs.kernel.pricing import compile_tariff, price_session
from tariffs.model.checking import UnpriceableTariffError
from tariffs.model.policy import DEFAULT, POLICIES, PricingPolicy
from tariffs.model.tariff import (
    Dimension,
    PriceComponent,
    PriceLimit,
    Tariff,
    TariffElement,
)
from tariffs.model.usage import SessionUsage, UsagePoint
from tariffs.ocpi.tariff_reader import read_ocpi_tariff
from tariffs.ocpi.tariff_writer import encode_ocpi, write_tariff
from tariffs.ocpi.versions import OcpiVersion
from tests.tariffs.chance import chance_tariff, chance_usage

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def paying(energy: str, flat: str | None = None, **rest: Any) -> Tariff:  # noqa: ANN401 - any field
    """Return *energy* per kWh with 7 % VAT and a session fee with 19 %."""
    components = [PriceComponent(dimension=Dimension.ENERGY, price=Decimal(energy), vat=Decimal(7))]
    if flat is not None:
        components.append(
            PriceComponent(dimension=Dimension.FLAT, price=Decimal(flat), vat=Decimal(19))
        )
    elements = (TariffElement(price_components=tuple(components)),)
    return Tariff(id="t", currency="EUR", elements=elements, below_zero=True, **rest)


def priced(
    tariff: Tariff, kwh: str, *, policy: PricingPolicy = DEFAULT, groups: tuple[str, ...] = ()
) -> PricedSession:
    usage = SessionUsage(
        starts_at=NOON,
        ends_at=NOON + timedelta(hours=1),
        time_zone="UTC",
        points=(
            UsagePoint(NOON, Decimal(0)),
            UsagePoint(NOON + timedelta(hours=1), Decimal(kwh) * 1000),
        ),
        groups=groups,
    )
    return price_session(usage, compile_tariff(tariff), policy=policy)


def limit(text: str) -> PriceLimit:
    before, _, after = text.partition("/")
    return PriceLimit(before_taxes=Decimal(before), after_taxes=Decimal(after) if after else None)


@pytest.mark.parametrize(
    ("kwh", "owed"),
    [
        ("10", (-100, -7)),
        ("0.5", (-5, 0)),  # -5.35 after taxes are -5
        ("0.55", (-6, 0)),  # a half goes away from zero: -5.5 and -5.885
        ("0.549", (-5, -1)),
        ("0", (0, 0)),
    ],
)
def test_a_driver_is_paid_with_the_tax_of_it(kwh: str, owed: tuple[int, int]) -> None:
    session = priced(paying("-0.10"), kwh)

    assert (session.before_minor, session.tax_minor) == owed
    assert sum(line.before_minor for line in session.lines) == owed[0]
    assert sum(line.tax_minor for line in session.lines) == owed[1]


def test_without_the_word_of_the_tariff_nothing_is_below_zero() -> None:
    tariff = msgspec.structs.replace(paying("-0.10"), below_zero=False)

    with pytest.raises(UnpriceableTariffError, match=r"ENERGY: price is -0\.10"):
        compile_tariff(tariff)
    off = msgspec.structs.replace(
        paying("0.10"), below_zero=False, adjustments=(Surcharge(amount=Decimal("-0.01")),)
    )
    with pytest.raises(UnpriceableTariffError, match="below_zero: yes"):
        compile_tariff(off)


@pytest.mark.parametrize(
    ("kwh", "limits", "owed"),
    [
        # A fee of 3.00 with 19 %, and 0.50 for each kWh with 7 % paid to the driver.
        ("4", {}, (100, 43)),
        ("10", {}, (-200, 22)),
        ("10", {"min_price": "0"}, (0, 36)),  # 3.00 and -3.00: 0.57 - 0.21
        ("10", {"min_price": "1"}, (100, 43)),
        ("10", {"min_price": "3"}, (300, 57)),
        ("10", {"min_price": "5"}, (500, 95)),  # nothing is below zero any more: the fee is raised
        ("10", {"min_price": "0/0.36"}, (0, 36)),
        ("10", {"min_price": "0/0.57"}, (0, 57)),  # all at the dearer rate
        ("2", {"max_price": "1"}, (100, 31)),  # 2.00 and -1.00: 0.38 - 0.07
        ("10", {"max_price": "0"}, (-200, 22)),
    ],
)
def test_limits_see_the_sum_and_leave_what_is_below_zero_at_its_rate(
    kwh: str, limits: dict[str, str], owed: tuple[int, int]
) -> None:
    bounds = {name: limit(text) for name, text in limits.items()}
    session = priced(paying("-0.50", "3", **bounds), kwh)

    assert (session.before_minor, session.tax_minor) == owed


@pytest.mark.parametrize(("least", "owed"), [("0", (0, 0)), ("2", (200, 14))])
def test_a_least_price_where_only_below_zero_is_billed(least: str, owed: tuple[int, int]) -> None:
    session = priced(paying("-0.50", min_price=limit(least)), "10")

    assert (session.before_minor, session.tax_minor) == owed


def test_a_gift_waives_a_least_price_down_to_nothing_and_not_below() -> None:
    """0.50 of a fee of 1.00 are given away; -2.00 for the energy would make it -1.50."""
    gift = GroupGrant(group="staff", dimensions=("FLAT",), percent=Decimal(50))
    tariff = paying("-0.20", "1", min_price=limit("0.30"), adjustments=(gift,))

    assert priced(tariff, "10", groups=("staff",)).before_minor == 0
    assert priced(tariff, "1.5", groups=("staff",)).before_minor == 20
    assert priced(tariff, "10").before_minor == 30


@settings(max_examples=200, deadline=None)
@given(
    random=st.randoms(use_true_random=False),
    low=st.decimals("0", "5", places=2),
    room=st.decimals("0", "4", places=2),
    tax=st.none() | st.decimals("0", "1", places=2),
)
def test_both_limits_hold_whatever_is_below_zero_and_tax_stays_at_the_rates(
    random: Random, low: Decimal, room: Decimal, tax: Decimal | None
) -> None:
    def bound(before: Decimal) -> PriceLimit:
        return PriceLimit(before_taxes=before, after_taxes=None if tax is None else before + tax)

    tariff, usage = _signed(random), chance_usage(random)
    least = msgspec.structs.replace(tariff, min_price=bound(low), max_price=None)
    most = msgspec.structs.replace(tariff, min_price=None, max_price=bound(low + room))
    for limited in (least, most):
        session = price_session(usage, compile_tariff(limited))
        before, after = session.before_exact, session.after_exact
        if limited is least:
            assert before >= low
            assert tax is None or after >= low + tax
        else:
            assert before <= low + room
            assert tax is None or after <= low + room + tax
        for line in session.lines:
            rate = Fraction(line.tax_percent or 0) / 100
            assert line.tax_numerator == line.before_numerator * rate


def _signed(random: Random) -> Tariff:
    """Return a tariff with some prices of either sign, none of which gives anything away."""
    tariff = msgspec.structs.replace(chance_tariff(random), adjustments=(), below_zero=True)
    elements = tuple(
        msgspec.structs.replace(
            each,
            price_components=tuple(
                msgspec.structs.replace(c, price=c.price * random.choice((1, -1)))
                for c in each.price_components
            ),
        )
        for each in tariff.elements
    )
    return msgspec.structs.replace(tariff, elements=elements)


@pytest.mark.parametrize(
    "adjustment",
    [
        GroupGrant(group="staff", dimensions=("ENERGY",), percent=Decimal(50)),
        FreeFirst(dimensions=("ENERGY",), kwh=Decimal(5)),
        RoundDown(dimensions=("ENERGY",), step=3_000),
        FeeCap(amount=Decimal("0.01")),
        AtLeast(amount=Decimal(1), dimensions=("ENERGY",)),
        Surcharge(percent=Decimal(5), dimensions=("ENERGY",)),
        Surcharge(amount=Decimal(1)),
        PeriodCap(name="cap", amount=Decimal("0.01"), per=Per.DAY, shared_by=SharedBy.TOKEN),
    ],
)
def test_no_adjustment_takes_from_what_a_driver_is_paid(adjustment: SessionAdjustment) -> None:
    session = priced(paying("-0.10", adjustments=(adjustment,)), "10", groups=("staff",))

    assert (session.before_minor, session.tax_minor) == (-100, -7)


def test_a_session_below_the_least_size_is_paid_nothing() -> None:
    tariff = paying("-0.10", "-1", adjustments=(FreeBelow(kwh=Decimal("0.2")),))

    assert priced(tariff, "0.199").after_minor == 0
    assert priced(tariff, "0.2").before_minor == -102


def test_a_surcharge_below_zero_takes_off_and_is_no_fee_of_a_later_one() -> None:
    """10 kWh of 0.50: 5.00 - 10 % is 4.50, and 5 % on the fees alone are 0.25."""
    tariff = paying(
        "0.50",
        adjustments=(Surcharge(percent=Decimal(-10)), Surcharge(percent=Decimal(5))),
    )
    session = priced(tariff, "10")

    assert session.before_minor == 500 - 50 + 25
    assert "taken off" in explain(session)


@pytest.mark.parametrize(
    ("kwh", "after"),
    [("0.21", 0), ("0.24", -5), ("0.7", -5), ("0.71", -10)],  # -2.2, -2.57, -7.49, -7.597
)
def test_coins_round_what_is_paid_to_the_driver_as_well(kwh: str, after: int) -> None:
    session = priced(paying("-0.10"), kwh, policy=POLICIES["cash-0.05"])

    assert session.after_minor == after
    assert sum(line.before_minor + line.tax_minor for line in session.lines) == after


def test_the_explanation_says_who_is_paid() -> None:
    text = explain(priced(paying("-0.10"), "10"))

    assert "10 kWh x -0.10 EUR/kWh = -1.00 EUR + VAT 7 % -0.07" in text
    assert "total -1.07 EUR; it is paid to the driver" in text


FILE = """\
tariff: spot
currency: EUR
vat: 19 %
below_zero: yes
elements:
  - energy: -0.05 per kWh
    restrictions: {max_kwh: 10}
  - energy: {price: 0.30 per kWh, step_size: 0}
adjustments:
  - surcharge: -0.20
  - surcharge: -5 %
examples:
  - {time_zone: UTC, starts: 2026-03-02 12:00, ends: 2026-03-02 13:00, kwh: 2, total: -0.12}
"""


def test_a_file_says_that_it_is_meant_or_is_told_where_it_says_so() -> None:
    tariff, problems = read_tariff_file(FILE, "f")
    assert tariff is not None, problems
    again, _ = read_tariff_file(write_tariff_file(tariff)[0], "f")

    assert again == tariff
    refused, problems = read_tariff_file(FILE.replace("below_zero: yes\n", ""), "f")
    assert refused is None
    assert [(each.line, each.message) for each in problems] == [
        (5, "'energy': -0.05 is negative; say below_zero: yes if that is meant"),
        (9, "a surcharge of -0.2 is negative; say below_zero: yes if that is meant"),
        (10, "a surcharge of -5 is negative; say below_zero: yes if that is meant"),
    ]


def test_a_spot_price_below_zero_needs_a_floor_or_the_word() -> None:
    text = """\
tariff: spot
currency: EUR
elements:
  - energy: {series: yes}
price_series: {interval: 1 h, prices: {2026-03-02T12:00:00Z: -0.04}}
"""
    assert "give it a floor" in read_tariff_file(text, "f")[1][0].message
    tariff, problems = read_tariff_file("below_zero: yes\n" + text, "f")
    assert tariff is not None, problems

    assert priced(tariff, "10").before_minor == -40


@pytest.mark.parametrize("version", OcpiVersion)
def test_ocpi_carries_it_both_ways_with_a_note(version: OcpiVersion) -> None:
    written, notes = write_tariff(paying("-0.10"), version)
    assert ("below_zero", "elements[0].price_components[0].price") in [
        (note.code, note.spot) for note in notes
    ]
    tariff, notes = read_ocpi_tariff(encode_ocpi(written))

    assert tariff.below_zero
    assert priced(tariff, "10").before_minor == -100
    assert "below_zero" in [note.code for note in notes]
