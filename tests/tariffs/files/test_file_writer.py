"""A tariff that is written to a file and read again is the same tariff."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tariffs.files.tariff_file import read_tariff_file
from tariffs.files.writing.tariff import write_tariff_file
from tariffs.model.policy import FlatPolicy, RoundingUnit, StepPolicy
from tariffs.model.tariff import (
    COMPONENT_DIMENSIONS,
    WEEKDAYS,
    Dimension,
    PriceComponent,
    PriceLimit,
    ReservationRestriction,
    Restrictions,
    Tariff,
    TariffElement,
    TaxIncluded,
)
from tariffs.quantities import RoundingMode
from tests.tree import ROOT

FILES = sorted([*ROOT.glob("tests/cases/*/tariff.yaml"), *ROOT.glob("examples/tariffs/*.yaml")])

numbers = st.decimals(0, 10_000, places=4).map(lambda n: n.copy_abs())
percents = st.decimals(0, 100, places=2).map(lambda n: n.copy_abs())
# Half of a surrogate pair and U+0000 stand in no file, as in no table.
texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1
).filter(str.strip)
times = st.times().map(lambda t: t.replace(microsecond=0))


def components(dimensions: tuple[Dimension, ...]) -> st.SearchStrategy[tuple[PriceComponent, ...]]:
    def one(dimension: Dimension) -> st.SearchStrategy[PriceComponent]:
        return st.builds(
            PriceComponent,
            dimension=st.just(dimension),
            price=numbers,
            vat=st.none() | percents,
            step_size=st.integers(0, 100_000),
            series=st.just(value=False),
        )

    chosen = st.sets(st.sampled_from(dimensions), min_size=1)
    return chosen.flatmap(lambda found: st.tuples(*(one(d) for d in dimensions if d in found)))


@st.composite
def restrictions(draw: st.DrawFn) -> Restrictions:
    def pair(values: st.SearchStrategy[Decimal]) -> tuple[Decimal | None, Decimal | None]:
        low, high = sorted(draw(st.tuples(values, values)))
        if low == high:
            return None, None
        return (low if draw(st.booleans()) else None, high if draw(st.booleans()) else None)

    window = draw(st.none() | st.tuples(times, times).filter(lambda found: found[0] != found[1]))
    days = draw(st.sets(st.sampled_from(WEEKDAYS)))
    dates = sorted(
        draw(st.lists(st.dates(date(2000, 1, 1), date(2100, 1, 1)), max_size=2, unique=True))
    )
    kwh, current, power = pair(numbers), pair(numbers), pair(numbers)
    lasting = draw(st.none() | st.integers(0, 10**6))
    return Restrictions(
        start_time=window and window[0],
        end_time=window and window[1],
        start_date=dates[0] if dates else None,
        end_date=dates[1] if len(dates) > 1 else None,
        min_kwh=kwh[0],
        max_kwh=kwh[1],
        min_current=current[0],
        max_current=current[1],
        min_power=power[0],
        max_power=power[1],
        min_duration=lasting,
        day_of_week=tuple(day for day in WEEKDAYS if day in days),
    )


@st.composite
def element(draw: st.DrawFn) -> TariffElement:
    reserved = draw(st.none() | st.sampled_from(ReservationRestriction))
    found = (Dimension.FLAT, Dimension.TIME) if reserved else COMPONENT_DIMENSIONS
    limits = draw(restrictions())
    if reserved is not None:
        limits = Restrictions(start_time=limits.start_time, reservation=reserved)
    return TariffElement(
        price_components=draw(components(found)),
        restrictions=limits,
        name=draw(st.none() | texts),
    )


tariffs = st.builds(
    Tariff,
    id=texts,
    currency=st.sampled_from(["EUR", "JPY", "KWD"]),
    elements=st.lists(element(), min_size=1, max_size=4).map(tuple),
    tax_included=st.sampled_from(TaxIncluded),
    min_price=st.none() | st.builds(PriceLimit, before_taxes=numbers, after_taxes=st.none()),
    max_price=st.none(),
    start_date_time=st.none()
    | st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis adds the zone
    end_date_time=st.none(),
    adjustments=st.just(()),
    name=st.none() | texts,
    type=st.none() | texts,
    country_code=st.none(),
    party_id=st.none(),
    alt_text=st.just(()),
    alt_url=st.none() | texts,
    last_updated=st.none(),
    price_series=st.none(),
    sales_taxes=st.just(()),
    quantity_taxes=st.just(()),
    holidays=st.none(),
    step_policy=st.none() | st.sampled_from(StepPolicy),
    rounding=st.none() | st.sampled_from(RoundingUnit),
    rounding_mode=st.none() | st.sampled_from(RoundingMode),
    flat_policy=st.none() | st.sampled_from(FlatPolicy),
)


@given(tariffs)
def test_what_is_written_reads_back_the_same(tariff: Tariff) -> None:
    text, notes = write_tariff_file(tariff)

    read, problems = read_tariff_file(text, "written")

    assert problems == []
    assert notes == ()
    assert read == tariff


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_file_of_ours_is_read_written_and_read_the_same(path: Path) -> None:
    tariff, _ = read_tariff_file(path.read_text("utf-8"), str(path))
    assert tariff is not None

    text, notes = write_tariff_file(tariff)

    assert read_tariff_file(text, str(path)) == (tariff, [])
    assert notes == ()


def test_what_a_file_cannot_say_is_noted() -> None:
    price = PriceComponent(dimension=Dimension.ENERGY, price=Decimal("0.5"))
    never = Restrictions(min_kwh=Decimal(5), max_kwh=Decimal(5), start_time=time(8))
    tariff = Tariff(
        id=" ",
        currency="EUR",
        country_code="DE",
        elements=(
            TariffElement(price_components=(price, price)),
            TariffElement(price_components=(price,), restrictions=never),
        ),
    )

    text, notes = write_tariff_file(tariff)

    assert [note.spot for note in notes] == ["country_code", "id", "elements[0]", "elements[1]"]
    read, problems = read_tariff_file(text, "written")
    assert problems == []
    assert read is not None
    assert read.elements == (TariffElement(price_components=(price,)),)
