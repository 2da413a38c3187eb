"""A register that jumps: each part of what it jumps has the price of its tier of energy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tariffs.bulk.columns import columns_of
from tariffs.bulk.rating import bulk_tariff, rate_columns
from tariffs.kernel.priced import PricedSession
from tariffs.kernel.pricing import compile_tariff, price_session
from tariffs.model.tariff import Dimension, PriceComponent, Restrictions, Tariff, TariffElement
from tariffs.model.usage import SessionUsage, UsagePoint

START = datetime(2026, 5, 4, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def tier(price: str, low: str | None, high: str | None, fee: str = "0") -> TariffElement:
    """Return a price per kWh, and perhaps a fee, from *low* kWh to *high*."""
    prices = ((Dimension.ENERGY, price), (Dimension.FLAT, fee))
    return TariffElement(
        price_components=tuple(
            PriceComponent(dimension=dimension, price=Decimal(each))
            for dimension, each in prices
            if each != "0"
        ),
        restrictions=Restrictions(
            min_kwh=None if low is None else Decimal(low),
            max_kwh=None if high is None else Decimal(high),
        ),
    )


def tariff_of(*elements: TariffElement) -> Tariff:
    return Tariff(id="t", currency="EUR", elements=elements)


# 0.10 up to 5 kWh, 0.20 up to 8 kWh, and from there on 0.40.
TIERS = tariff_of(tier("0.10", None, "5"), tier("0.20", "5", "8"), tier("0.40", "8", None))


def priced(tariff: Tariff, *points: tuple[int, str]) -> PricedSession:
    """Return a session of the registers (minute, kWh), priced by both ways of pricing."""
    usage = SessionUsage(
        starts_at=START,
        ends_at=START + points[-1][0] * MINUTE,
        time_zone="UTC",
        points=tuple(UsagePoint(START + at * MINUTE, Decimal(kwh) * 1000) for at, kwh in points),
    )
    compiled = compile_tariff(tariff)
    found = price_session(usage, compiled)
    in_bulk = rate_columns(columns_of([usage]), bulk_tariff(compiled))
    assert in_bulk.before_minor.tolist() == [found.before_minor]
    assert sum(line.before_minor for line in found.lines) == found.before_minor
    return found


@pytest.mark.parametrize(
    "points",
    [
        pytest.param(((0, "0"), (0, "10")), id="start and end in one second"),
        pytest.param(((0, "0"), (0, "6"), (0, "10")), id="three readings in one second"),
        pytest.param(((0, "0"), (60, "10")), id="evenly"),
        pytest.param(((0, "0"), (0, "6"), (60, "10")), id="past a threshold at the start"),
        pytest.param(((0, "0"), (0, "9"), (60, "10")), id="past both at the start"),
        pytest.param(((0, "0"), (30, "2"), (30, "9"), (60, "10")), id="past both in between"),
        pytest.param(((0, "0"), (30, "5"), (30, "8"), (60, "10")), id="from one to the other"),
        pytest.param(((0, "0"), (60, "6"), (60, "10")), id="past one at the end"),
        pytest.param(((0, "0"), (60, "1"), (60, "10")), id="past both at the end"),
    ],
)
def test_ten_kwh_cost_by_their_tiers_however_the_register_came_there(
    points: tuple[tuple[int, str], ...],
) -> None:
    """5 x 0.10 + 3 x 0.20 + 2 x 0.40."""
    found = priced(TIERS, *points)

    assert [(line.volume, line.unit_price) for line in found.lines] == [
        (Decimal(5), Decimal("0.10")),
        (Decimal(3), Decimal("0.20")),
        (Decimal(2), Decimal("0.40")),
    ]
    assert found.before_minor == 190


@pytest.mark.parametrize("length", [0, 60])
@pytest.mark.parametrize(
    ("kwh", "fees"), [("0", 1), ("5", 1), ("5.001", 3), ("8", 3), ("8.001", 7)]
)
def test_a_fee_of_a_tier_is_due_where_the_session_goes_on_in_it(
    kwh: str, fees: int, length: int
) -> None:
    """A tier that is reached by the last Wh alone holds for nothing, however short the session."""
    with_fees = tariff_of(
        tier("0", None, "5", "1"), tier("0", "5", "8", "2"), tier("0", "8", None, "4")
    )

    assert priced(with_fees, (0, "0"), (length, kwh)).before_minor == 100 * fees


@st.composite
def registers(draw: st.DrawFn) -> list[tuple[int, str]]:
    """Return readings of which some share a moment, from 0 on."""
    minutes = sorted(draw(st.lists(st.integers(0, 3), min_size=1, max_size=6)))
    wh = sorted(draw(st.lists(st.integers(0, 12_000), min_size=len(minutes), max_size=12)))
    rises = zip(minutes, wh, strict=False)
    return [(0, "0"), *((minute, f"{each / 1000:.3f}") for minute, each in rises)]


@settings(max_examples=300, deadline=None)
@given(registers(), st.lists(st.integers(1, 12_000), max_size=4, unique=True))
def test_what_depends_on_energy_alone_depends_on_nothing_else(
    points: list[tuple[int, str]], bounds: list[int]
) -> None:
    kwh = [Decimal(0), *(Decimal(each) / 1000 for each in sorted(bounds)), Decimal(99)]
    tiers = [
        tier(f"0.{number}", str(low), str(high))
        for number, (low, high) in enumerate(pairwise(kwh), 1)
    ]

    found = priced(tariff_of(*tiers), *points)

    total = Decimal(points[-1][1])
    owed = sum(
        Fraction(max(min(total, high) - low, Decimal(0))) * Fraction(number, 10)
        for number, (low, high) in enumerate(pairwise(kwh), 1)
    )
    assert found.before_exact == owed
    assert found.energy_wh == total * 1000
