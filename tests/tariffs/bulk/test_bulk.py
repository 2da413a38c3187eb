"""Bulk rating against the scalar kernel: the same cents on every session."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tariffs.adjustments.adjustment import IdleGrace, QuantityTax, RoundDown
from tariffs.bulk.checks import BrokenColumnsError, check_columns
from tariffs.bulk.columns import columns_of
from tariffs.bulk.rating import BulkTotals, bulk_tariff, rate_columns
from tariffs.kernel.pricing import compile_tariff, price_session
from tariffs.model.policy import DEFAULT, POLICIES, PricingPolicy
from tariffs.model.tariff import (
    Dimension,
    PriceComponent,
    PriceLimit,
    Restrictions,
    Tariff,
    TariffElement,
)
from tariffs.model.usage import Activity, SessionUsage, UsagePoint, UsageSpan
from tariffs.quantities import RoundingMode
from tests.tariffs.chance import chance_tariff, chance_usage


def _check(random: Random, sessions: int) -> tuple[int, int]:
    compiled = compile_tariff(chance_tariff(random))
    usages = [chance_usage(random) for _ in range(sessions)]
    columns = columns_of(usages)

    totals = rate_columns(columns, bulk_tariff(compiled), exact_rows=range(sessions))

    assert not totals.refused
    for i, usage in enumerate(usages):
        priced = price_session(usage, compiled)
        given_back = columns.usage(i)
        assert given_back.points[-1].energy_wh == (
            usage.points[-1].energy_wh if usage.points else 0
        )
        assert given_back.groups == usage.groups
        assert given_back.validations == usage.validations
        found = int(totals.before_minor[i]), int(totals.tax_minor[i])
        assert found == (priced.before_minor, priced.tax_minor)
        if i in totals.exact:
            assert totals.exact[i] == (priced.before_exact, priced.after_exact)
    return sessions, int(np.count_nonzero(totals.by_kernel))


@settings(max_examples=150, deadline=None)
@given(random=st.randoms(use_true_random=False))
def test_bulk_rating_equals_the_kernel_on_whatever_tariff_and_sessions(random: Random) -> None:
    _check(random, 12)


@pytest.mark.slow
def test_bulk_rating_equals_the_kernel_on_a_hundred_thousand_seeded_sessions() -> None:
    counts = [_check(Random(seed), 100) for seed in range(1_000)]

    rated = sum(sessions for sessions, _ in counts)
    by_kernel = sum(kernel for _, kernel in counts)
    assert rated == 100_000
    assert by_kernel < rated * 0.4, "most of it in bulk, or the test shows nothing"


def _component(dimension: Dimension, price: str, step: int = 1) -> PriceComponent:
    return PriceComponent(
        dimension=dimension, price=Decimal(price), vat=Decimal(19), step_size=step
    )


def _tariff(*components: PriceComponent, **rest: Any) -> Tariff:  # noqa: ANN401 - any field
    restrictions = rest.pop("restrictions", Restrictions())
    return Tariff(
        id="T",
        currency="EUR",
        elements=(TariffElement(price_components=components, restrictions=restrictions),),
        **rest,
    )


def _usage(wh: str = "10000", hours: int = 2, **rest: Any) -> SessionUsage:  # noqa: ANN401 - any field
    start = rest.pop("start", datetime(2025, 6, 2, 9, 0, tzinfo=UTC))
    end = start + timedelta(hours=hours)
    return SessionUsage(
        starts_at=start,
        ends_at=end,
        time_zone="Europe/Berlin",
        points=(UsagePoint(start, Decimal(0)), UsagePoint(end, Decimal(wh), *rest.pop("at", ()))),
        **rest,
    )


def _rated(tariff: Tariff, usage: SessionUsage, policy: PricingPolicy = DEFAULT) -> BulkTotals:
    """Rate one session in bulk, having checked it against the kernel."""
    compiled = compile_tariff(tariff)
    priced = price_session(usage, compiled, policy=policy)
    totals = rate_columns(columns_of([usage]), bulk_tariff(compiled, policy=policy))
    assert totals.before_minor.tolist() == [priced.before_minor]
    assert totals.tax_minor.tolist() == [priced.tax_minor]
    return totals


ENERGY = _component(Dimension.ENERGY, "0.49")


def test_a_price_and_an_energy_come_out_as_worked_out_by_hand() -> None:
    totals = _rated(_tariff(ENERGY), _usage("10000"))

    assert (totals.before_minor[0], totals.tax_minor[0]) == (490, 93)
    assert not totals.by_kernel[0]


@pytest.mark.parametrize(
    "day", [datetime(2025, 3, 30, tzinfo=UTC), datetime(2025, 10, 26, tzinfo=UTC)]
)
def test_a_window_in_the_night_in_which_clocks_change_is_cut_in_bulk(day: datetime) -> None:
    night = Restrictions(start_time=time(2), end_time=time(3))
    tariff = _tariff(_component(Dimension.TIME, "60"), restrictions=night)

    totals = _rated(tariff, _usage(hours=5, start=day - timedelta(hours=2)))

    hours = 0 if day.month == 3 else 2
    assert totals.before_minor[0] == hours * 6000
    assert not totals.by_kernel[0]


@pytest.mark.parametrize(
    ("tariff", "usage"),
    [
        pytest.param(
            _tariff(ENERGY, restrictions=Restrictions(min_power=Decimal(5))),
            _usage(at=(Decimal(7000),)),
            id="power",
        ),
        pytest.param(_tariff(ENERGY), _usage(payment_method="card"), id="a payment"),
        pytest.param(_tariff(ENERGY), _usage(hours=24 * 90), id="ninety days"),
        pytest.param(_tariff(ENERGY), _usage(hours=0, wh="0"), id="no time at all"),
        pytest.param(_tariff(ENERGY), _usage("999999999999"), id="nearly a terawatt-hour"),
        pytest.param(
            _tariff(_component(Dimension.ENERGY, "123456789.123456789123456789")),
            _usage(),
            id="a price of many digits",
        ),
        pytest.param(
            _tariff(ENERGY, adjustments=(RoundDown(dimensions=("ENERGY",), step=1000),)),
            _usage("10999"),
            id="an adjustment that the tables do not know",
        ),
        pytest.param(
            _tariff(ENERGY, quantity_taxes=(QuantityTax(name="Excise", per_kwh=Decimal("0.03")),)),
            _usage(),
            id="a tax per kWh",
        ),
        pytest.param(
            _tariff(ENERGY), _usage(reverse_charge_vat_id="DE123456788"), id="reverse charge"
        ),
    ],
)
def test_what_the_tables_cannot_take_goes_to_the_kernel(
    tariff: Tariff, usage: SessionUsage
) -> None:
    assert _rated(tariff, usage).by_kernel[0]


@pytest.mark.parametrize("policy", list(POLICIES.values()), ids=lambda policy: policy.name)
def test_every_policy_gives_what_the_kernel_gives(policy: PricingPolicy) -> None:
    tariff = _tariff(
        _component(Dimension.ENERGY, "0.4999", 1000), _component(Dimension.TIME, "1.3", 700)
    )

    limited = msgspec.structs.replace(tariff, min_price=PriceLimit(before_taxes=Decimal("3.33")))

    for each in (tariff, limited):
        for usage in (_usage("10001"), _usage("1"), _usage("0")):
            totals = _rated(each, usage, policy)
    takes = {"wattledger", "ocpi-3.0", "skip-without-data"}
    assert bool(totals.by_kernel[0]) is (policy.name not in takes)


@pytest.mark.parametrize("mode", list(RoundingMode))
@pytest.mark.parametrize("wh", ["10000", "10100", "30100", "10150", "90000.5"])
def test_every_rounding_mode_gives_what_the_kernel_gives(mode: RoundingMode, wh: str) -> None:
    policy = PricingPolicy(name="mode", version="1", rounding_mode=mode)
    tariff = _tariff(_component(Dimension.ENERGY, "0.5", 0))

    totals = _rated(tariff, _usage(wh), policy)

    assert not totals.by_kernel[0]


@pytest.mark.parametrize("seconds", [10**13, 10**17])
def test_a_threshold_beyond_all_sessions_is_never_reached(seconds: int) -> None:
    """In microseconds it is more than 64 bits hold."""
    late = Restrictions(min_duration=seconds)
    tariff = _tariff(_component(Dimension.TIME, "60"), restrictions=late)
    patient = _tariff(
        ENERGY,
        _component(Dimension.PARKING_TIME, "6"),
        adjustments=(IdleGrace(seconds=seconds),),
    )
    parked = UsageSpan(datetime(2025, 6, 2, 10, tzinfo=UTC), Activity.PARKING)

    assert _rated(tariff, _usage()).before_minor[0] == 0
    assert _rated(patient, _usage(spans=(parked,))).before_minor[0] == 490


def test_a_large_energy_at_a_fine_price_needs_and_gets_wide_sums() -> None:
    tariff = _tariff(_component(Dimension.ENERGY, "0.123456789"))

    totals = _rated(tariff, _usage("5000000.000000001"))

    assert not totals.by_kernel[0]


def test_a_session_that_nothing_can_price_is_refused_with_the_kernels_words() -> None:
    columns = columns_of([_usage(), _usage()])
    columns.span_state[1] = 99
    tariff = bulk_tariff(
        compile_tariff(_tariff(ENERGY, restrictions=Restrictions(min_power=Decimal(1))))
    )

    with pytest.raises(BrokenColumnsError, match="row 1: a state is unknown"):
        check_columns(columns)
    columns.span_state[1] = 0
    columns.point_units[3] = -1
    assert list(rate_columns(columns, tariff).refused) == [1]


@pytest.mark.parametrize(
    ("column", "row", "value"),
    [
        ("starts_us", 0, -5),
        ("ends_us", 0, 0),
        ("zone", 1, 7),
        ("privilege", 0, 0),
        ("privilege", 1, -2),
        ("point_offsets", 1, 3),
        ("point_us", 1, 5),
        ("point_units", 0, 5),
        ("point_units", 3, -5),
        ("point_units", 3, 2 * 10**17),
        ("span_offsets", 1, 0),
        ("span_us", 0, 5),
        ("span_state", 0, 2),
    ],
)
def test_columns_that_contradict_themselves_are_refused(column: str, row: int, value: int) -> None:
    columns = columns_of([_usage(), _usage()])
    check_columns(columns)

    getattr(columns, column)[row] = value

    with pytest.raises(BrokenColumnsError):
        check_columns(columns)
