"""One session, several tariffs: each prices its own stretch, steps and energy run through."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from random import Random

import msgspec
import pytest

from tariffs.adjustments.adjustment import IdleGrace
from tariffs.cdr.tariff_change import price_with_changes
from tariffs.cdr.tariffs import MixedTariffsError
from tariffs.kernel.compiled import CompiledTariff
from tariffs.kernel.pricing import compile_tariff, price_session
from tariffs.kernel.timeline import UnusableUsageError
from tariffs.model.tariff import Dimension, PriceComponent, Restrictions, Tariff, TariffElement
from tariffs.model.usage import SessionUsage, UsagePoint
from tests.tariffs.made_up import made_up_session, made_up_tariff

START = datetime(2026, 5, 4, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
SESSION = SessionUsage(
    starts_at=START,
    ends_at=START + 2 * HOUR,
    time_zone="UTC",
    points=(UsagePoint(START, Decimal(0)), UsagePoint(START + 2 * HOUR, Decimal(10050))),
)


def tariff(name: str, price: str, start_time: time | None = None) -> Tariff:
    component = PriceComponent(dimension=Dimension.ENERGY, price=Decimal(price), step_size=100)
    element = TariffElement(
        price_components=(component,), restrictions=Restrictions(start_time=start_time)
    )
    return Tariff(id=name, currency="EUR", elements=(element,))


def compiled(name: str, price: str, start_time: time | None = None) -> CompiledTariff:
    return compile_tariff(tariff(name, price, start_time))


def test_each_tariff_prices_its_own_stretch_and_every_line_names_its_tariff() -> None:
    priced = price_with_changes(
        SESSION, [(START, compiled("old", "0.4")), (START + HOUR / 2, compiled("new", "0.8"))]
    )

    lines = [(line.tariff_id, line.element_index, line.volume) for line in priced.lines]
    assert lines == [("old", 0, Decimal("2.5125")), ("new", 0, Decimal("7.5375"))]


def test_a_step_applies_once_a_session_by_the_last_tariff() -> None:
    priced = price_with_changes(
        SESSION, [(START, compiled("old", "0.4")), (START + HOUR, compiled("new", "0.8"))]
    )

    assert [line.billed_volume for line in priced.lines] == [Decimal("5.025"), Decimal("5.075")]


def test_windows_of_the_wall_clock_hold_within_each_tariff() -> None:
    priced = price_with_changes(
        SESSION,
        [
            (START, compiled("old", "0.4")),
            (START + HOUR, compiled("new", "0.8", start_time=time(11, 30))),
        ],
    )

    names = [(line.tariff_id, line.element_index, line.starts_at - START) for line in priced.lines]
    assert names == [("old", 0, 0 * HOUR), ("new", None, HOUR), ("new", 0, 1.5 * HOUR)]


@pytest.mark.parametrize("change", [2 * HOUR, 3 * HOUR], ids=["at the end", "after the end"])
def test_a_tariff_that_begins_no_earlier_than_the_end_prices_nothing(change: timedelta) -> None:
    priced = price_with_changes(
        SESSION, [(START, compiled("old", "0.4")), (START + change, compiled("new", "0.8"))]
    )

    assert {line.tariff_id for line in priced.lines} == {"old"}


def test_two_changes_at_one_moment_leave_the_last() -> None:
    spans = [
        (START - HOUR, compiled("old", "0.4")),
        (START + HOUR, compiled("never", "9")),
        (START + HOUR, compiled("new", "0.8")),
    ]

    assert [line.tariff_id for line in price_with_changes(SESSION, spans).lines] == ["old", "new"]


def test_a_change_to_the_same_prices_costs_the_same() -> None:
    for seed in range(300):
        random = Random(seed)
        plain = msgspec.structs.replace(made_up_tariff(random), adjustments=())
        elements = tuple(
            msgspec.structs.replace(
                element,
                price_components=tuple(
                    c for c in element.price_components if c.dimension is not Dimension.FLAT
                )
                or (PriceComponent(dimension=Dimension.ENERGY, price=Decimal(1)),),
            )
            for element in plain.elements
        )
        one = msgspec.structs.replace(plain, elements=elements)
        other = msgspec.structs.replace(one, id="other")
        usage = made_up_session(random, uneven=True)
        middle = usage.starts_at + (usage.ends_at - usage.starts_at) * random.random()
        spans = [(usage.starts_at, compile_tariff(one)), (middle, compile_tariff(other))]

        whole, cut = price_session(usage, spans[0][1]), price_with_changes(usage, spans)

        assert cut.before_exact == whole.before_exact
        assert cut.taxes_exact == whole.taxes_exact


@pytest.mark.parametrize(
    "spans",
    [
        pytest.param([], id="no tariff"),
        pytest.param([(START + HOUR, compiled("late", "1"))], id="none at the start"),
        pytest.param(
            [(START, compiled("b", "1")), (START - HOUR, compiled("a", "1"))], id="backwards"
        ),
    ],
)
def test_spans_that_leave_a_session_without_a_tariff_are_refused(
    spans: list[tuple[datetime, CompiledTariff]],
) -> None:
    with pytest.raises(UnusableUsageError):
        price_with_changes(SESSION, spans)


def test_tariffs_with_rules_beyond_ocpi_are_refused_rather_than_half_applied() -> None:
    grace = msgspec.structs.replace(tariff("new", "1"), adjustments=(IdleGrace(seconds=60),))

    with pytest.raises(MixedTariffsError, match="OCPI cannot say"):
        price_with_changes(
            SESSION, [(START, compiled("old", "1")), (START + HOUR, compile_tariff(grace))]
        )
