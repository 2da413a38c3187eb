"""Offsets written down over a session: the same clocks and prices as tzdata gave, without it."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from random import Random
from time import process_time

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tariffs.adjustments.adjustment import CapPeriod, FeeCap
from tariffs.kernel.priced import PricedSession
from tariffs.kernel.pricing import compile_tariff, price_session
from tariffs.model.tariff import Dimension, PriceComponent, Tariff, TariffElement
from tariffs.model.usage import SessionUsage, UsagePoint
from tariffs.offsets import UtcOffset, offsets_over, zone_with
from tariffs.zones import zone, zone_names
from tests.tariffs.chance import chance_tariff, chance_usage

BERLIN = "Europe/Berlin"
DAY = timedelta(days=1)
RANDOM = st.randoms(use_true_random=True)
MOMENTS = st.datetimes(datetime(1950, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the zone is given


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("starts", "ends", "expected"),
    [
        pytest.param("2026-11-10T12:00", "2026-11-10T13:00", [(None, 3600)], id="winter"),
        pytest.param("2026-07-10T12:00", "2026-07-10T13:00", [(None, 7200)], id="summer"),
        pytest.param(
            "2026-10-24T22:00",
            "2026-10-25T04:00",
            [(None, 7200), ("2026-10-25T01:00", 3600)],
            id="the night the clocks are put back",
        ),
        pytest.param(
            "2026-10-28T00:00",
            "2026-10-28T02:00",
            [(None, 3600)],
            id="three days after the change",
        ),
        pytest.param(
            "2026-10-27T23:59:59",
            "2026-10-28T02:00",
            [(None, 7200), ("2026-10-25T01:00", 3600)],
            id="a second before",
        ),
        pytest.param(
            "2026-10-22T23:00",
            "2026-10-23T00:00",
            [(None, 7200), ("2026-10-25T01:00", 3600)],
            id="two days before it",
        ),
        pytest.param("2026-10-22T23:00", "2026-10-22T23:59:59", [(None, 7200)], id="more"),
        pytest.param(
            "2026-01-01T00:00",
            "2027-01-01T00:00",
            [(None, 3600), ("2026-03-29T01:00", 7200), ("2026-10-25T01:00", 3600)],
            id="a year",
        ),
    ],
)
def test_one_offset_is_enough_but_for_a_session_near_a_change(
    starts: str, ends: str, expected: list[tuple[str | None, int]]
) -> None:
    assert offsets_over(BERLIN, moment(starts), moment(ends)) == tuple(
        UtcOffset(moment(at) if at else None, seconds) for at, seconds in expected
    )


@given(name=st.sampled_from(sorted(zone_names())), starts=MOMENTS, days=st.integers(0, 400),
       second=st.integers(-2 * 86_400, 402 * 86_400), fold=st.sampled_from([0, 1]))  # fmt: skip
@settings(max_examples=400)
def test_clocks_show_what_they_show_by_tzdata(
    name: str, starts: datetime, days: int, second: int, fold: int
) -> None:
    ends = starts + days * DAY
    recorded, known = zone_with(offsets_over(name, starts, ends)), zone(name)
    instant = min(starts + timedelta(seconds=second), ends + 2 * DAY)

    local, expected = instant.astimezone(recorded), instant.astimezone(known)
    assert (local.replace(tzinfo=None), local.fold, local.utcoffset()) == (
        expected.replace(tzinfo=None),
        expected.fold,
        expected.utcoffset(),
    )
    wall = expected.replace(tzinfo=None, fold=fold)
    back = wall.replace(tzinfo=known).astimezone(UTC)
    if starts - DAY <= back <= ends + DAY:
        assert wall.replace(tzinfo=recorded).astimezone(UTC) == back


@given(RANDOM)
@settings(max_examples=150)
def test_a_session_costs_the_same_by_recorded_offsets(random: Random) -> None:
    usage = chance_usage(random)
    per, start, end = random.choice(
        ((CapPeriod.DAY, None, None), (CapPeriod.NIGHT, time(22, 30), time(2, 30)))
    )
    dimensions = ("ENERGY", "TIME", "PARKING_TIME")
    amount = Decimal("1.5")
    cap = FeeCap(amount=amount, dimensions=dimensions, per=per, start_time=start, end_time=end)
    tariff = chance_tariff(random)
    tariff = msgspec.structs.replace(tariff, adjustments=(*tariff.adjustments, cap))
    compiled = compile_tariff(tariff)
    offsets = offsets_over(usage.time_zone, usage.starts_at, usage.ends_at)
    recorded = msgspec.structs.replace(usage, offsets=offsets, time_zone="No/Zone")

    known, again = price_session(usage, compiled), price_session(recorded, compiled)

    assert billed(again) == billed(known)


def test_a_night_that_began_before_the_clocks_were_put_back_is_the_night_of_the_session() -> None:
    # 02:45 came at 00:45 UTC; the session begins at 02:30, the second time, and is capped.
    energy = PriceComponent(dimension=Dimension.ENERGY, price=Decimal(1), step_size=0)
    cap = FeeCap(amount=Decimal(1), per=CapPeriod.NIGHT, start_time=time(2, 45), end_time=time(6))
    tariff = Tariff(
        id="NIGHT",
        currency="EUR",
        elements=(TariffElement(price_components=(energy,)),),
        adjustments=(cap,),
    )
    starts, ends = moment("2026-10-25T01:30"), moment("2026-10-25T01:40")
    usage = SessionUsage(
        starts_at=starts,
        ends_at=ends,
        time_zone="No/Zone",
        points=(UsagePoint(starts, Decimal(0)), UsagePoint(ends, Decimal(5000))),
        offsets=offsets_over(BERLIN, starts, ends),
    )

    assert price_session(usage, compile_tariff(tariff)).before_minor == 100


def billed(priced: PricedSession) -> list[object]:
    lines = [
        (line.starts_at, line.ends_at, line.before_minor, line.reasons) for line in priced.lines
    ]
    return [priced.before_exact, priced.taxes_exact, *lines]


def test_equal_offsets_are_one_zone_so_that_its_days_are_worked_out_once() -> None:
    first, second = (
        offsets_over(BERLIN, moment(at), moment(at) + DAY)
        for at in ("2026-10-23T10:00", "2026-10-26T20:00")
    )

    assert zone_with(first) == zone_with(second) == zone_with(first, BERLIN)
    assert len({zone_with(first), zone_with(second), zone_with(first, BERLIN)}) == 1


@pytest.mark.parametrize(
    ("starts", "ends"),
    [
        pytest.param("0001-01-01T00:00", "0001-01-01T01:00", id="the first year"),
        pytest.param("9999-12-31T23:00", "9999-12-31T23:59", id="the last year"),
        pytest.param("0001-01-01T00:00", "9999-12-31T23:59", id="all of time"),
        pytest.param("2026-05-01T00:00", "2026-04-01T00:00", id="backwards"),
    ],
)
def test_absurd_sessions_have_offsets_too_and_cost_no_time(starts: str, ends: str) -> None:
    begun = process_time()

    offsets = offsets_over("America/St_Johns", moment(starts), moment(ends))

    assert offsets[0].starts_at is None
    assert process_time() - begun < 1
