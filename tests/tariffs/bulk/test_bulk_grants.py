"""Groups and validations in bulk: the kernel's cents, and by tables wherever tables can say it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tariffs.adjustments.adjustment import Adjustment, GroupGrant, IdleGrace, ValidationGrant
from tariffs.bulk.columns import columns_of
from tariffs.bulk.rating import BulkTotals, bulk_tariff, rate_columns
from tariffs.kernel.pricing import compile_tariff, price_session
from tariffs.model.tariff import (
    Dimension,
    PriceComponent,
    PriceLimit,
    Restrictions,
    Tariff,
    TariffElement,
)
from tariffs.model.usage import Activity, SessionUsage, UsagePoint, UsageSpan
from tests.tariffs.chance import chance_grant, chance_tariff, chance_usage

START = datetime(2025, 6, 2, 9, 0, tzinfo=UTC)


def energy(price: str, **rest: Any) -> PriceComponent:  # noqa: ANN401 - any field
    return PriceComponent(dimension=Dimension.ENERGY, price=Decimal(price), **rest)


def tariff(*elements: TariffElement, grants: tuple[Adjustment, ...], **rest: Any) -> Tariff:  # noqa: ANN401 - any field
    return Tariff(id="T", currency="EUR", elements=elements, adjustments=grants, **rest)


def element(*components: PriceComponent, **restrictions: Any) -> TariffElement:  # noqa: ANN401 - any field
    return TariffElement(price_components=components, restrictions=Restrictions(**restrictions))


def usage(kwh: str = "10", parked_minutes: int = 0, **rest: Any) -> SessionUsage:  # noqa: ANN401 - any field
    """Return two hours at even power; the last minutes of them parked."""
    end = START + timedelta(hours=2)
    parked = (UsageSpan(end - timedelta(minutes=parked_minutes), Activity.PARKING),)
    return SessionUsage(
        starts_at=START,
        ends_at=end,
        time_zone="UTC",
        points=(UsagePoint(START, Decimal(0)), UsagePoint(end, Decimal(kwh) * 1000)),
        spans=(UsageSpan(START, Activity.CHARGING), *(parked if parked_minutes else ())),
        **({"groups": ("staff",), "validations": ("shop",)} | rest),
    )


def rated(priced_by: Tariff, *usages: SessionUsage) -> BulkTotals:
    """Rate sessions in bulk, each checked against the kernel."""
    compiled = compile_tariff(priced_by)
    every = range(len(usages))
    totals = rate_columns(columns_of(usages), bulk_tariff(compiled), exact_rows=every)
    for i, each in enumerate(usages):
        priced = price_session(each, compiled)
        found = int(totals.before_minor[i]), int(totals.tax_minor[i])
        assert found == (priced.before_minor, priced.tax_minor)
        if i in totals.exact:
            assert totals.exact[i] == (priced.before_exact, priced.after_exact)
    return totals


def group(percent: str, *dimensions: str, kwh: str | None = None, **rest: Any) -> GroupGrant:  # noqa: ANN401 - any field
    return GroupGrant(
        group="staff",
        dimensions=dimensions,
        percent=Decimal(percent),
        kwh_max=None if kwh is None else Decimal(kwh),
        **rest,
    )


def shop(percent: str, *dimensions: str, kwh: str | None = None) -> ValidationGrant:
    limit = None if kwh is None else Decimal(kwh)
    return ValidationGrant(
        code="shop", dimensions=dimensions, percent=Decimal(percent), kwh_max=limit
    )


@settings(max_examples=150, deadline=None)
@given(random=st.randoms(use_true_random=False))
def test_bulk_rating_equals_the_kernel_whatever_is_granted_to_whom(random: Random) -> None:
    made = chance_tariff(random)
    graces = tuple(each for each in made.adjustments if isinstance(each, IdleGrace))
    grants = tuple(chance_grant(random) for _ in range(random.randint(1, 3)))
    granting = msgspec.structs.replace(made, adjustments=(*graces, *grants))

    rated(granting, *(chance_usage(random) for _ in range(12)))


@pytest.mark.parametrize(
    ("kwh", "grants", "cents"),
    [
        ("10.2", (group("50", "ENERGY"),), 220),
        ("10.2", (group("50", "ENERGY"), shop("50")), 110),
        ("10.2", (group("100", "ENERGY"),), 0),
        ("10.2", (group("50", "TIME"),), 440),
        # The step of 0.8 kWh goes with the last of the energy: granted with it, or not at all.
        ("10.2", (group("50", "ENERGY", kwh="5"),), 340),
        ("10.2", (group("100", "ENERGY", kwh="10.199"),), 32),
        ("10.2", (group("100", "ENERGY", kwh="10.2"),), 0),
        ("10.2", (group("100", "ENERGY", kwh="0"),), 440),
        ("10.2", (shop("50"), group("50", "ENERGY", kwh="5")), 170),
        ("10.2", (group("50", "ENERGY", kwh="5"), shop("50")), 170),
        ("10.2", (group("100", "ENERGY", kwh="5"), shop("50", "FLAT")), 240),
    ],
)
def test_a_grant_is_in_the_tables_to_the_cent(
    kwh: str, grants: tuple[Adjustment, ...], cents: int
) -> None:
    granting = tariff(element(energy("0.40", step_size=1000)), grants=grants)

    totals = rated(granting, usage(kwh))

    assert totals.before_minor[0] == cents
    assert not totals.by_kernel[0]


def test_a_limit_is_on_the_first_that_costs_something_in_order_of_time() -> None:
    """2 kWh are free of themselves, then 4 at 0.20, then 4 at 0.50; the first 5 that cost."""
    elements = (
        element(energy("0"), max_kwh=Decimal(2)),
        element(energy("0.20"), max_kwh=Decimal(6)),
        element(energy("0.50")),
    )

    totals = rated(tariff(*elements, grants=(group("100", "ENERGY", kwh="5"),)), usage("10"))

    assert totals.before_minor[0] == 150
    assert not totals.by_kernel[0]


def test_minutes_are_counted_for_each_dimension_by_itself() -> None:
    times = element(
        PriceComponent(dimension=Dimension.TIME, price=Decimal(6)),
        PriceComponent(dimension=Dimension.PARKING_TIME, price=Decimal(60)),
    )
    minutes = group("100", "TIME", "PARKING_TIME", minutes_max=Decimal(20))

    totals = rated(tariff(times, grants=(minutes,)), usage(parked_minutes=30))

    # 70 of 90 minutes of charging, and 10 of 30 parked.
    assert totals.before_minor[0] == 700 + 1000
    assert not totals.by_kernel[0]


@pytest.mark.parametrize(
    ("groups", "validations", "cents"),
    [
        ((), (), 400),
        (("other",), ("else",), 400),
        (("a", "STAFF", "b"), (), 200),
        ((), ("x", "shop"), 300),
        ((), ("SHOP",), 400),
        (("staff", "b"), ("x", "shop"), 150),
    ],
)
def test_every_group_and_validation_of_a_session_counts(
    groups: tuple[str, ...], validations: tuple[str, ...], cents: int
) -> None:
    granting = tariff(element(energy("0.40")), grants=(group("50"), shop("25")))

    totals = rated(granting, usage(groups=groups, validations=validations), usage())

    assert totals.before_minor.tolist() == [cents, 150]
    assert not totals.by_kernel.any()


@pytest.mark.parametrize(
    ("grants", "kwh", "cents"),
    [
        ((group("50"),), "1", 20),
        # Nothing was given away: the least price holds.
        ((group("50"),), "0", 200),
        ((group("0"),), "1", 200),
        ((group("50", "TIME"),), "1", 200),
        ((group("50", "ENERGY", kwh="0.1"),), "1", 38),
        ((group("50", "ENERGY", kwh="0"),), "1", 200),
    ],
)
def test_who_is_given_something_has_no_least_price(
    grants: tuple[Adjustment, ...], kwh: str, cents: int
) -> None:
    least = PriceLimit(before_taxes=Decimal(2))
    granting = tariff(element(energy("0.40", vat=Decimal(20))), grants=grants, min_price=least)

    totals = rated(granting, usage(kwh))

    assert totals.before_minor[0] == cents
    assert not totals.by_kernel[0]


def test_two_limits_on_one_dimension_go_to_the_kernel() -> None:
    grants = (group("50", "ENERGY", kwh="5"), shop("50", "ENERGY", kwh="7"))

    totals = rated(tariff(element(energy("0.40")), grants=grants), usage(), usage(validations=()))

    assert totals.by_kernel.tolist() == [True, False]


def test_many_sets_of_grants_are_rated_and_the_smallest_by_the_kernel() -> None:
    """Each subset of seven grants, some of them often: 128 sets."""
    codes = [f"code-{i}" for i in range(7)]
    grants = tuple(
        ValidationGrant(code=code, dimensions=("ENERGY",), percent=Decimal(10)) for code in codes
    )
    shown = [tuple(code for i, code in enumerate(codes) if n >> i & 1) for n in range(128)]
    shown += [shown[5]] * 100

    totals = rated(
        tariff(element(energy("0.40")), grants=grants),
        *(usage(validations=each) for each in shown),
    )

    assert np.flatnonzero(~totals.by_kernel).tolist() == [5, *range(128, 228)]
