"""What must hold for every tariff and every session."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tariffs.adjustments.adjustment import Adjustment, GroupGrant, IdleGrace
from tariffs.kernel.pricing import compile_tariff, price_session
from tariffs.kernel.timeline import UnusableUsageError
from tariffs.model.policy import POLICIES, PricingPolicy
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
from tariffs.model.usage import Activity, SessionUsage, UsagePoint, UsageSpan
from tests.tariffs.kernel.naive_kernel import naive_total

ZONES = ["Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "America/New_York", "UTC"]
# Before, in and after both DST days of Berlin, a year's end and a leap day.
DAYS = [
    datetime(2026, 3, 28, 20, tzinfo=UTC),
    datetime(2026, 10, 24, 20, tzinfo=UTC),
    datetime(2026, 12, 31, 20, tzinfo=UTC),
    datetime(2028, 2, 28, 20, tzinfo=UTC),
    datetime(2026, 4, 4, 12, tzinfo=UTC),
]
prices = st.decimals("0", "9", places=3)
quarters = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 45]))


@st.composite
def restrictions(draw: st.DrawFn) -> Restrictions:
    start = draw(st.none() | quarters)
    end = draw(st.none() | quarters)
    if start == end:
        start = end = None
    return Restrictions(
        start_time=start,
        end_time=end,
        day_of_week=tuple(draw(st.lists(st.sampled_from(WEEKDAYS), max_size=3, unique=True))),
        min_duration=draw(st.none() | st.integers(0, 40).map(lambda n: n * 60)),
        max_duration=draw(st.none() | st.integers(1, 90).map(lambda n: n * 60)),
        min_kwh=draw(st.none() | st.integers(0, 4).map(Decimal)),
        max_kwh=draw(st.none() | st.integers(1, 9).map(Decimal)),
    )


@st.composite
def elements(draw: st.DrawFn) -> TariffElement:
    dimensions = draw(
        st.lists(
            st.sampled_from(
                [Dimension.FLAT, Dimension.ENERGY, Dimension.TIME, Dimension.PARKING_TIME]
            ),
            min_size=1,
            max_size=4,
            unique=True,
        )
    )
    components = tuple(
        PriceComponent(
            dimension=dimension,
            price=draw(prices),
            vat=draw(st.none() | st.sampled_from([Decimal(19), Decimal("7.5"), Decimal(0)])),
            step_size=draw(st.sampled_from([0, 1, 60, 300, 500])),
        )
        for dimension in dimensions
    )
    return TariffElement(price_components=components, restrictions=draw(restrictions()))


@st.composite
def tariffs(draw: st.DrawFn) -> Tariff:
    adjustments: list[Adjustment] = []
    if draw(st.booleans()):
        adjustments.append(IdleGrace(seconds=draw(st.integers(0, 900))))
    return Tariff(
        id="any",
        currency=draw(st.sampled_from(["EUR", "JPY", "KWD"])),
        elements=tuple(draw(st.lists(elements(), min_size=1, max_size=4))),
        adjustments=tuple(adjustments),
    )


@st.composite
def sessions(draw: st.DrawFn) -> SessionUsage:
    """Sessions of whole minutes and 1 kWh a minute or none: thresholds fall on whole minutes."""
    start = draw(st.sampled_from(DAYS)) + timedelta(minutes=draw(st.integers(0, 600)))
    minutes = draw(st.integers(1, 90))
    energy = Decimal(0)
    points = [UsagePoint(start, energy)]
    for minute in range(1, minutes + 1):
        energy += draw(st.sampled_from([Decimal(0), Decimal(1000)])) if minute % 7 == 0 else 0
        points.append(UsagePoint(start + timedelta(minutes=minute), energy))
    moments = sorted(draw(st.lists(st.integers(0, minutes), max_size=3)))
    spans = tuple(
        UsageSpan(
            start + timedelta(minutes=moment),
            draw(st.sampled_from([Activity.CHARGING, Activity.PARKING])),
        )
        for moment in moments
    )
    return SessionUsage(
        starts_at=start,
        ends_at=start + timedelta(minutes=minutes),
        time_zone=draw(st.sampled_from(ZONES)),
        points=tuple(points),
        spans=spans,
    )


@settings(max_examples=60, deadline=None)
@given(tariffs(), sessions())
def test_both_kernels_agree_on_every_total(tariff: Tariff, usage: SessionUsage) -> None:
    priced = price_session(usage, compile_tariff(tariff))

    assert (priced.before_exact, priced.taxes_exact) == naive_total(usage, tariff)


@settings(max_examples=200, deadline=None)
@given(tariffs(), sessions(), st.sampled_from(sorted(POLICIES.values(), key=lambda p: p.name)))
def test_lines_add_up_to_energy_and_to_money(
    tariff: Tariff, usage: SessionUsage, policy: PricingPolicy
) -> None:
    priced = price_session(usage, compile_tariff(tariff), policy=policy)

    assert priced.energy_wh == usage.points[-1].energy_wh
    assert priced.billed_wh + priced.free_wh == priced.energy_wh
    assert sum(line.before_minor for line in priced.lines) == priced.before_minor
    assert sum(line.tax_minor for line in priced.lines) == priced.tax_minor
    assert priced.before_minor >= 0
    assert all(line.billed_volume >= line.volume for line in priced.lines)


@settings(max_examples=100, deadline=None)
@given(tariffs(), sessions(), st.data())
def test_cutting_more_finely_changes_no_total(
    tariff: Tariff, usage: SessionUsage, data: st.DataObject
) -> None:
    finer = msgspec.structs.replace(usage, spans=_repeated(usage, data))

    whole = price_session(usage, compile_tariff(tariff))
    cut = price_session(finer, compile_tariff(tariff))

    assert cut.lines == whole.lines


def _repeated(usage: SessionUsage, data: st.DataObject) -> tuple[UsageSpan, ...]:
    """Say some activities again while they last."""
    extra = []
    for span in usage.spans:
        later = [s.starts_at for s in usage.spans if s.starts_at > span.starts_at]
        until = min(later, default=usage.ends_at)
        if span is [s for s in usage.spans if s.starts_at == span.starts_at][-1]:
            seconds = data.draw(st.integers(0, max(0, (until - span.starts_at).seconds - 1)))
            extra.append(UsageSpan(span.starts_at + timedelta(seconds=seconds), span.activity))
    return tuple(sorted([*usage.spans, *extra], key=lambda span: span.starts_at))


@settings(max_examples=100, deadline=None)
@given(tariffs(), sessions(), st.integers(1, 5))
def test_more_energy_at_the_end_never_costs_less(
    tariff: Tariff, usage: SessionUsage, kwh: int
) -> None:
    *others, last = usage.points
    more = UsagePoint(last.at, last.energy_wh + 1000 * kwh)
    plain = _without_thresholds(tariff)

    less = price_session(usage, compile_tariff(plain))
    dearer = price_session(
        msgspec.structs.replace(usage, points=(*others, more)), compile_tariff(plain)
    )

    assert dearer.before_exact >= less.before_exact


def _without_thresholds(tariff: Tariff) -> Tariff:
    """A cheaper price above a threshold may well make more energy cheaper; not so without.

    Steps are left out too: the last component's step decides for the whole session.
    """
    elements = tuple(
        TariffElement(
            price_components=tuple(
                msgspec.structs.replace(c, step_size=0) for c in element.price_components
            ),
            restrictions=msgspec.structs.replace(element.restrictions, min_kwh=None, max_kwh=None),
        )
        for element in tariff.elements
    )
    return msgspec.structs.replace(tariff, elements=elements)


@settings(max_examples=100, deadline=None)
@given(tariffs(), sessions(), st.decimals("0", "100", places=1))
def test_a_grant_never_takes_more_than_there_is(
    tariff: Tariff, usage: SessionUsage, percent: Decimal
) -> None:
    every = ("FLAT", "ENERGY", "TIME", "PARKING_TIME")
    grants = (
        GroupGrant(group="staff", dimensions=every, percent=percent),
        GroupGrant(group="staff", dimensions=every, percent=percent, kwh_max=Decimal(2)),
    )
    granting = msgspec.structs.replace(tariff, adjustments=grants)
    staff = msgspec.structs.replace(usage, groups=("staff",))

    full = price_session(usage, compile_tariff(granting))
    granted = price_session(staff, compile_tariff(granting))

    assert 0 <= granted.before_exact <= full.before_exact
    assert granted.before_exact <= full.before_exact * (1 - Fraction(percent) / 100)
    assert granted.energy_wh == full.energy_wh


@settings(max_examples=100, deadline=None)
@given(
    tariffs(),
    sessions(),
    st.decimals("0", "5", places=2),
    st.decimals("5", "9", places=2),
    st.sampled_from(TaxIncluded),
)
def test_price_limits_hold(
    tariff: Tariff, usage: SessionUsage, low: Decimal, high: Decimal, included: TaxIncluded
) -> None:
    limited = msgspec.structs.replace(
        tariff,
        tax_included=included,
        min_price=PriceLimit(before_taxes=low),
        max_price=PriceLimit(before_taxes=high),
    )

    priced = price_session(usage, compile_tariff(limited))

    assert Fraction(low) <= priced.before_exact <= Fraction(high)
    assert priced.taxes_exact >= 0


@settings(max_examples=100, deadline=None)
@given(
    tariffs(),
    sessions(),
    st.decimals("0", "5", places=2),
    st.decimals("5", "9", places=2),
    st.none() | st.decimals("0", "1", places=2),
    st.sampled_from(TaxIncluded),
)
def test_price_limits_hold_after_taxes_and_tax_stays_at_the_rates(
    tariff: Tariff,
    usage: SessionUsage,
    low: Decimal,
    high: Decimal,
    tax: Decimal | None,
    included: TaxIncluded,
) -> None:
    def limit(before: Decimal) -> PriceLimit:
        return PriceLimit(before_taxes=before, after_taxes=None if tax is None else before + tax)

    limited = msgspec.structs.replace(
        tariff, tax_included=included, min_price=limit(low), max_price=limit(high)
    )

    priced = price_session(usage, compile_tariff(limited))

    before, after = priced.before_exact, priced.after_exact
    most = [Fraction(high)] if tax is None else [Fraction(high), Fraction(high + tax)]
    assert all(owed <= bound for owed, bound in zip((before, after), most, strict=False))
    # At the rates of a session the least price may lie above the greatest, which then holds.
    if all(owed < bound for owed, bound in zip((before, after), most, strict=False)):
        assert before >= low
        assert tax is None or after >= low + tax
    for line in priced.lines:
        assert line.tax_numerator == line.before_numerator * Fraction(line.tax_percent or 0) / 100


def session_of(points: Sequence[UsagePoint], minutes: int = 60) -> SessionUsage:
    return SessionUsage(
        starts_at=DAYS[0],
        ends_at=DAYS[0] + timedelta(minutes=minutes),
        time_zone="UTC",
        points=tuple(points),
    )


@pytest.mark.parametrize("energy", ["NaN", "Infinity", "-1", "1E+999999", "sNaN", "-Infinity"])
def test_an_energy_that_is_none_is_refused(energy: str) -> None:
    tariff = Tariff(
        id="any",
        currency="EUR",
        elements=(
            TariffElement(
                price_components=(PriceComponent(dimension=Dimension.ENERGY, price=Decimal("0.5")),)
            ),
        ),
    )
    usage = session_of(
        [
            UsagePoint(DAYS[0], Decimal(0)),
            UsagePoint(DAYS[0] + timedelta(minutes=60), Decimal(energy)),
        ]
    )

    with pytest.raises(UnusableUsageError, match="cannot be priced"):
        price_session(usage, compile_tariff(tariff))
