"""What must hold whatever adjustments a tariff has, in whatever order."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tariffs.adjustments.adjustment import (
    Adjustment,
    AtLeast,
    CapPeriod,
    FeeCap,
    FreeBelow,
    FreeFirst,
    GroupGrant,
    QuantityTax,
    RoundDown,
    Surcharge,
    ValidationGrant,
)
from tariffs.explain import explain
from tariffs.files.tariff_file import read_tariff_file
from tariffs.kernel.pricing import compile_tariff, price_session
from tariffs.model.policy import POLICIES, PricingPolicy
from tariffs.model.price_series import PriceSeries
from tariffs.model.tariff import Dimension, PriceLimit, Tariff, TariffElement, TaxIncluded
from tariffs.model.usage import SessionUsage
from tests.tariffs.kernel.test_pricing import DAYS, sessions, tariffs

amounts = st.decimals("0", "9", places=2)
percents = st.decimals("0", "100", places=1)
seconds = st.integers(0, 90).map(lambda minutes: minutes * 60)
fees = st.lists(
    st.sampled_from(["FLAT", "ENERGY", "TIME", "PARKING_TIME"]), min_size=1, max_size=4, unique=True
).map(tuple)
timed = st.sampled_from([("TIME",), ("PARKING_TIME",), ("TIME", "PARKING_TIME")])
nights = {"per": CapPeriod.NIGHT, "start_time": time(22), "end_time": time(6)}
periods = st.sampled_from([{}, {"per": CapPeriod.DAY}, nights])

caps = st.builds(
    lambda amount, dimensions, period: FeeCap(amount=amount, dimensions=dimensions, **period),
    amounts,
    st.just(()) | fees,
    periods,
)
adjustments = st.one_of(
    st.builds(GroupGrant, group=st.just("any"), dimensions=fees, percent=percents),
    st.builds(
        ValidationGrant,
        code=st.just("any"),
        dimensions=fees,
        percent=percents,
        minutes_max=st.none() | amounts,
        kwh_max=st.none() | amounts,
    ),
    st.builds(FreeFirst, dimensions=timed, seconds=seconds),
    st.builds(FreeFirst, dimensions=st.just(("ENERGY",)), kwh=amounts),
    st.builds(FreeBelow, kwh=st.none() | amounts, seconds=seconds),
    st.builds(RoundDown, dimensions=timed, step=st.integers(1, 1000)),
    st.builds(RoundDown, dimensions=st.just(("ENERGY",)), step=st.integers(1, 3000)),
    caps,
    st.builds(AtLeast, amount=amounts, dimensions=fees),
    st.builds(Surcharge, percent=percents, dimensions=st.just(()) | fees),
    st.builds(Surcharge, amount=amounts, vat=st.none() | st.just(Decimal("7.5"))),
)
included = st.sampled_from(TaxIncluded)
policies = st.sampled_from(list(POLICIES.values()))


def anybody(usage: SessionUsage) -> SessionUsage:
    return msgspec.structs.replace(usage, groups=("any",), validations=("any",))


def adjusted(tariff: Tariff, included: TaxIncluded, adjustments: list[Adjustment]) -> Tariff:
    return msgspec.structs.replace(
        tariff, tax_included=included, adjustments=(*tariff.adjustments, *adjustments)
    )


@settings(max_examples=300, deadline=None)
@given(
    tariffs(),
    sessions(),
    st.lists(adjustments, max_size=5),
    included,
    st.lists(st.builds(QuantityTax, name=st.just("excise"), per_kwh=amounts), max_size=1),
    policies,
    st.none() | st.builds(PriceLimit, before_taxes=amounts),
)
def test_no_order_of_adjustments_makes_a_total_negative_or_lines_not_add_up(
    tariff: Tariff,
    usage: SessionUsage,
    adjustments: list[Adjustment],
    included: TaxIncluded,
    taxes: list[QuantityTax],
    policy: PricingPolicy,
    most: PriceLimit | None,
) -> None:
    changed = msgspec.structs.replace(
        adjusted(tariff, included, adjustments), quantity_taxes=tuple(taxes), max_price=most
    )

    priced = price_session(anybody(usage), compile_tariff(changed), policy=policy)

    assert priced.before_exact >= 0
    assert priced.taxes_exact >= 0
    assert priced.before_exact + priced.taxes_exact == priced.after_exact
    assert priced.before_minor >= 0
    assert priced.tax_minor >= 0
    assert priced.before_minor == sum(line.before_minor for line in priced.lines)
    assert priced.tax_minor == sum(line.tax_minor for line in priced.lines)
    assert priced.after_minor == priced.before_minor + priced.tax_minor
    assert priced.energy_wh == (usage.points[-1].energy_wh if usage.points else 0)
    assert 0 <= priced.free_wh <= priced.energy_wh
    assert priced.billed_wh + priced.free_wh == priced.energy_wh
    assert explain(priced)


@settings(max_examples=150, deadline=None)
@given(tariffs(), sessions(), st.lists(adjustments, max_size=3), caps, included)
def test_a_cap_never_raises_a_price_and_always_holds(
    tariff: Tariff,
    usage: SessionUsage,
    adjustments: list[Adjustment],
    cap: FeeCap,
    included: TaxIncluded,
) -> None:
    usage = anybody(usage)

    free = price_session(usage, compile_tariff(adjusted(tariff, included, adjustments)))
    capped = price_session(usage, compile_tariff(adjusted(tariff, included, [*adjustments, cap])))

    assert capped.before_exact <= free.before_exact
    assert capped.after_exact <= free.after_exact
    if cap.per is CapPeriod.SESSION and not cap.dimensions:
        stated = capped.after_exact if included is TaxIncluded.YES else capped.before_exact
        assert stated <= Fraction(cap.amount)


@settings(max_examples=100, deadline=None)
@given(tariffs(), sessions(), st.lists(adjustments, max_size=3), included)
def test_reverse_charge_leaves_what_is_owed_before_taxes(
    tariff: Tariff,
    usage: SessionUsage,
    adjustments: list[Adjustment],
    included: TaxIncluded,
) -> None:
    compiled = compile_tariff(adjusted(tariff, included, adjustments))
    abroad = msgspec.structs.replace(anybody(usage), reverse_charge_vat_id="FR12345678901")

    taxed, untaxed = price_session(anybody(usage), compiled), price_session(abroad, compiled)

    assert untaxed.before_exact == taxed.before_exact
    assert untaxed.taxes_exact == 0
    assert [note.code for note in untaxed.notes if note not in taxed.notes] == ["reverse_charge"]


def with_series(tariff: Tariff, prices: list[Decimal], percent: Decimal) -> Tariff:
    """Return *tariff* with all energy at the prices of a series, 15 minutes each."""
    series = PriceSeries(
        name="spot",
        minutes=15,
        percent=percent,
        prices=tuple(
            (DAYS[0] + timedelta(minutes=15 * i), price) for i, price in enumerate(prices)
        ),
    )
    elements = tuple(
        TariffElement(
            price_components=tuple(
                msgspec.structs.replace(c, series=c.dimension is Dimension.ENERGY)
                for c in element.price_components
            ),
            restrictions=element.restrictions,
        )
        for element in tariff.elements
    )
    return msgspec.structs.replace(tariff, elements=elements, price_series=series)


@settings(max_examples=100, deadline=None)
@given(tariffs(), sessions(), amounts, percents)
def test_a_series_of_one_price_is_that_price(
    tariff: Tariff, usage: SessionUsage, price: Decimal, percent: Decimal
) -> None:
    shift = usage.starts_at - DAYS[0]
    usage = moved(usage, -shift)
    following = with_series(tariff, [price] * 6, percent)
    paid = price * (100 + percent) / 100
    plain = msgspec.structs.replace(
        following,
        price_series=None,
        elements=tuple(
            msgspec.structs.replace(
                element,
                price_components=tuple(
                    msgspec.structs.replace(c, series=False, price=c.price + paid)
                    if c.series
                    else c
                    for c in element.price_components
                ),
            )
            for element in following.elements
        ),
    )

    by_series = price_session(usage, compile_tariff(following))
    by_price = price_session(usage, compile_tariff(plain))

    assert by_series.before_exact == by_price.before_exact
    assert by_series.taxes_exact == by_price.taxes_exact
    assert by_series.free_wh == by_price.free_wh


def moved(usage: SessionUsage, by: timedelta) -> SessionUsage:
    """Return *usage* at another time."""
    return msgspec.structs.replace(
        usage,
        starts_at=usage.starts_at + by,
        ends_at=usage.ends_at + by,
        points=tuple(msgspec.structs.replace(p, at=p.at + by) for p in usage.points),
        spans=tuple(msgspec.structs.replace(s, starts_at=s.starts_at + by) for s in usage.spans),
    )


@pytest.mark.parametrize(
    ("minutes", "first", "left"),
    [
        pytest.param(25, "0", "0", id="within what is free nothing is owed"),
        pytest.param(30, "0", "0", id="just so"),
        pytest.param(31, "0.166666666666666667", "0.333333333333333333", id="a started step"),
        pytest.param(50, "0.5", "0.333333333333333333", id="a whole step"),
        pytest.param(51, "0.5", "0.666666666666666667", id="two"),
    ],
)
def test_what_is_free_first_may_come_before_the_steps(minutes: int, first: str, left: str) -> None:
    """30 min are free of time at 1.00 an hour in steps of 20 min."""
    owed = []
    for is_first in ("no", "yes"):
        text = (
            "tariff: t\ncurrency: EUR\nelements:\n"
            "  - time: {price: 1.00 per h, step_size: 20 min}\n"
            f"adjustments:\n  - {{free_first: 30 min, on: time, before_steps: {is_first}}}\n"
        )
        tariff, problems = read_tariff_file(text, "t.yaml")
        assert tariff is not None, problems
        start = datetime(2026, 3, 2, 9, tzinfo=UTC)
        usage = SessionUsage(
            starts_at=start, ends_at=start + timedelta(minutes=minutes), time_zone="UTC"
        )
        priced = price_session(usage, compile_tariff(tariff))
        owed.append(sum(line.amount.amount for line in priced.lines))

    assert [round(amount, 9) for amount in owed] == [round(Decimal(x), 9) for x in (first, left)]
