"""What lint and diff claim, held against the kernel on tariffs that hypothesis makes."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tariffs.calendar.html import calendar_html
from tariffs.calendar.text import calendar_text
from tariffs.calendar.week import week_calendar
from tariffs.diff.change import ChangeKind
from tariffs.diff.diff import diff_tariffs
from tariffs.kernel.compiled import CompiledTariff
from tariffs.kernel.pricing import price_session
from tariffs.lint.linter import lint_tariff
from tariffs.model.tariff import (
    COMPONENT_DIMENSIONS,
    WEEKDAYS,
    Dimension,
    PriceComponent,
    Restrictions,
    Tariff,
    TariffElement,
)
from tariffs.model.usage import Activity, SessionUsage, UsagePoint, UsageSpan
from tests.tariffs.plain_text import plain_text

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)

hours = st.none() | st.sampled_from([time(0), time(7), time(12, 30), time(20)])
bounds = st.none() | st.sampled_from([Decimal(5), Decimal(20)])
restrictions = st.builds(
    Restrictions,
    start_time=hours,
    end_time=hours,
    min_kwh=bounds,
    max_kwh=bounds,
    min_duration=st.none() | st.sampled_from([1800, 7200]),
    day_of_week=st.sampled_from([(), WEEKDAYS[:5], WEEKDAYS[5:], WEEKDAYS[2:3]]),
)
components = st.builds(
    PriceComponent,
    dimension=st.sampled_from(COMPONENT_DIMENSIONS),
    price=st.sampled_from([Decimal(1), Decimal(2), Decimal(3)]),
    step_size=st.just(0),
)
elements = st.builds(
    TariffElement,
    price_components=st.lists(components, min_size=1, max_size=3).map(tuple),
    restrictions=restrictions,
)
tariffs = st.lists(elements, min_size=1, max_size=5).map(
    lambda found: Tariff(id="t", currency="EUR", elements=tuple(found))
)


@st.composite
def usages(draw: st.DrawFn) -> SessionUsage:
    starts_at = MONDAY + timedelta(minutes=draw(st.integers(0, 6 * 24 * 60)))
    charged = starts_at + timedelta(minutes=draw(st.integers(1, 240)))
    ends_at = charged + timedelta(minutes=draw(st.integers(1, 240)))
    energy_wh = Decimal(draw(st.integers(0, 40_000)))
    return SessionUsage(
        starts_at=starts_at,
        ends_at=ends_at,
        time_zone="UTC",
        points=(
            UsagePoint(starts_at, Decimal(0)),
            UsagePoint(charged, energy_wh),
            UsagePoint(ends_at, energy_wh),
        ),
        spans=(
            UsageSpan(starts_at, Activity.CHARGING),
            UsageSpan(charged, Activity.PARKING),
        ),
    )


def total(tariff: Tariff, usage: SessionUsage) -> Decimal:
    return price_session(usage, CompiledTariff(tariff)).total_before_taxes.amount


@settings(max_examples=60, deadline=None)
@given(tariffs, usages())
def test_what_lint_calls_dead_can_be_left_out(tariff: Tariff, usage: SessionUsage) -> None:
    dead = {
        (finding.spot[1], finding.spot[2])
        for finding in lint_tariff(tariff)
        if finding.rule in {"unreachable", "never-applies"}
    }
    kept = tuple(
        msgspec.structs.replace(
            element,
            price_components=tuple(
                c
                for c in element.price_components
                if not dead & {(index, c.dimension.lower()), (index, "restrictions")}
            ),
        )
        for index, element in enumerate(tariff.elements)
    )
    kept = tuple(element for element in kept if element.price_components)

    if kept:
        pruned = msgspec.structs.replace(tariff, elements=kept)
        assert total(pruned, usage) == total(tariff, usage)
    else:
        assert total(tariff, usage) == 0


def test_a_session_fee_that_may_be_billed_twice_is_a_change() -> None:
    fee = PriceComponent(dimension=Dimension.FLAT, price=Decimal(1), step_size=0)
    always = TariffElement(price_components=(fee,))
    later = TariffElement(price_components=(fee,), restrictions=Restrictions(min_duration=1800))
    before = Tariff(id="t", currency="EUR", elements=(always, later))
    after = msgspec.structs.replace(before, elements=(later, always))

    found = diff_tariffs(
        CompiledTariff(before), CompiledTariff(after), time_zone="UTC", first_day=MONDAY.date()
    )

    [change] = [each for each in found.changes if each.kind is ChangeKind.PRICE]
    assert change.sentence.startswith("Session fee: other elements hold than before")


@settings(max_examples=100, deadline=None)
@given(tariffs, st.randoms(use_true_random=False), usages())
def test_where_the_diff_is_silent_the_kernel_bills_the_same(
    before: Tariff, random: Random, usage: SessionUsage
) -> None:
    moved = [*before.elements, *before.elements[:1]]
    random.shuffle(moved)
    after = msgspec.structs.replace(before, elements=tuple(moved))
    found = diff_tariffs(
        CompiledTariff(before), CompiledTariff(after), time_zone="UTC", first_day=MONDAY.date()
    )

    if not any(change.kind is ChangeKind.PRICE for change in found.changes):
        assert total(before, usage) == total(after, usage)


@settings(max_examples=25, deadline=None)
@given(tariffs, st.dates(date(2026, 1, 1), date(2027, 1, 1)))
def test_every_tariff_can_be_shown(tariff: Tariff, first_day: date) -> None:
    compiled = CompiledTariff(tariff)
    shown = week_calendar(compiled, time_zone="Europe/Berlin", first_day=first_day)

    assert plain_text(calendar_text(compiled, shown))
    assert calendar_html(compiled, shown).endswith("</html>\n")
