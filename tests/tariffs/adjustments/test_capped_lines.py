"""What is used of a shared cap is what its lines owe, to the cent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tariffs.adjustments.capped_lines import apart
from tariffs.adjustments.consumption import NOTHING, Consumed, Consumption
from tariffs.adjustments.shared import PeriodCap
from tariffs.kernel.compiled import CompiledTariff
from tariffs.kernel.priced import PricedSession
from tariffs.kernel.pricing import compile_tariff, price_session
from tariffs.model.policy import DEFAULT, POLICIES, PricingPolicy
from tariffs.model.tariff import Dimension, PriceComponent, Tariff, TariffElement, TaxIncluded
from tariffs.model.usage import Activity, SessionUsage, UsagePoint, UsageSpan
from tariffs.quantities import RoundingMode

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
CAP = PeriodCap(name="idle", amount=Decimal(10), dimensions=("PARKING_TIME",))


def tariff(
    flat: str = "0", energy: str = "0", included: TaxIncluded = TaxIncluded.NO
) -> CompiledTariff:
    prices = {
        Dimension.FLAT: flat,
        Dimension.ENERGY: energy,
        Dimension.PARKING_TIME: "6.70",
    }
    components = tuple(
        PriceComponent(dimension=dimension, price=Decimal(price), vat=Decimal(19), step_size=0)
        for dimension, price in prices.items()
    )
    return compile_tariff(
        Tariff(
            id="t",
            currency="EUR",
            elements=(TariffElement(price_components=components),),
            tax_included=included,
            adjustments=(CAP,),
        )
    )


def parked(
    seconds: int, *, wh: str = "0", used: int = 0, starts_at: datetime = NOON
) -> SessionUsage:
    """Return a session that stands all the time."""
    ends_at = starts_at + timedelta(seconds=seconds)
    consumption = Consumption(amount_minor=used, uses=1) if used else NOTHING
    return SessionUsage(
        starts_at=starts_at,
        ends_at=ends_at,
        time_zone="UTC",
        points=(UsagePoint(starts_at, Decimal(0)), UsagePoint(ends_at, Decimal(wh))),
        spans=(UsageSpan(starts_at, Activity.PARKING),),
        used=(Consumed("cap/idle", "2026-11-10", consumption),),
    )


def owed(priced: PricedSession) -> int:
    """Return what the lines of parking owe, as the tariff states its prices."""
    included = priced.compiled.tariff.tax_included is TaxIncluded.YES
    return sum(
        line.before_minor + (line.tax_minor if included else 0)
        for line in priced.lines
        if line.dimension is Dimension.PARKING_TIME
    )


def used(priced: PricedSession) -> int:
    return sum(each.consumption.amount_minor for each in priced.consumed)


def test_the_cent_that_another_line_bears_is_not_used_of_the_cap() -> None:
    """0.005 and 1.005 are 1.01: the fee bears the cent, parking owes 1.00."""
    priced = price_session(parked(540), tariff(flat="0.005"))

    assert [line.before_minor for line in priced.lines if line.before_numerator] == [1, 100]
    assert used(priced) == 100


@pytest.mark.parametrize(("mode", "minor"), [(RoundingMode.HALF_UP, 101), (RoundingMode.DOWN, 100)])
def test_what_is_used_is_rounded_as_the_policy_rounds(mode: RoundingMode, minor: int) -> None:
    policy = msgspec.structs.replace(DEFAULT, rounding_mode=mode)

    priced = price_session(parked(540), tariff(), policy=policy)

    assert used(priced) == priced.before_minor == minor


def test_a_line_over_midnight_is_used_of_both_days_together() -> None:
    evening = datetime(2026, 11, 10, 23, 51, tzinfo=UTC)

    priced = price_session(parked(1080, starts_at=evening), tariff())

    # 1.005 on either day: 2.01 are owed, of which the earlier day has the odd cent.
    assert [(each.period, each.consumption.amount_minor) for each in priced.consumed] == [
        ("2026-11-10", 101),
        ("2026-11-11", 100),
    ]


def test_a_customer_who_owes_the_tax_uses_as_much_of_a_cap_with_taxes() -> None:
    abroad = msgspec.structs.replace(parked(36_000), reverse_charge_vat_id="FR12345678901")

    priced = price_session(abroad, tariff(included=TaxIncluded.YES))

    assert (priced.before_minor, used(priced)) == (840, 1000)


seconds = st.integers(1, 4000)
prices = st.decimals("0", "1", places=4).map(str)
watt_hours = st.decimals("0", "9999", places=3).map(str)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(seconds, watt_hours), min_size=1, max_size=12), prices, prices)
def test_sessions_one_after_the_other_owe_the_cap_to_the_cent(
    stays: list[tuple[int, str]], flat: str, energy: str
) -> None:
    known = tariff(flat, energy)
    total = 0
    for each, wh in stays:
        priced = price_session(parked(each, wh=wh, used=total), known)

        assert used(priced) == owed(priced)
        total += owed(priced)

    whole = sum(each for each, _ in stays) * Decimal("6.70") / 36
    assert total <= 1000
    # A rest of each session may have gone to its other lines, never more.
    assert total >= min(Decimal(1000), whole - len(stays))


@settings(max_examples=150, deadline=None)
@given(seconds, watt_hours, prices, prices, st.sampled_from(list(POLICIES.values())))
def test_what_is_used_is_what_is_owed_under_every_policy(
    stay: int, wh: str, flat: str, energy: str, policy: PricingPolicy
) -> None:
    for included in TaxIncluded:
        known = tariff(flat, energy, included)

        priced = price_session(parked(stay, wh=wh, used=400), known, policy=policy)

        assert used(priced) == owed(priced)
        assert sum(line.before_minor for line in priced.lines) == priced.before_minor
        assert sum(line.tax_minor for line in priced.lines) == priced.tax_minor


def test_groups_that_share_a_line_are_one() -> None:
    assert apart([[0, 1], [2, 3], [4], [3, 1]]) == [[4], [0, 1, 2, 3]]
