"""Each named policy: what it decides, and that the result says which one did."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from tariffs.explain import explain
from tariffs.holiday_calendar import HolidayCalendar
from tariffs.kernel.compiled import Why
from tariffs.kernel.priced import PricedSession
from tariffs.kernel.pricing import compile_tariff, price_session
from tariffs.model.policy import (
    POLICIES,
    FlatPolicy,
    RoundingUnit,
    StepPolicy,
    policy_named,
)
from tariffs.model.tariff import (
    Dimension,
    PriceComponent,
    PriceLimit,
    ReservationRestriction,
    Restrictions,
    Tariff,
    TariffElement,
)
from tariffs.model.usage import Activity, SessionUsage, UsagePoint, UsageSpan
from tariffs.phrases.english import ENGLISH

START = datetime(2026, 5, 4, 10, tzinfo=UTC)


def component(dimension: Dimension, price: str, vat: str | None = None) -> PriceComponent:
    return PriceComponent(
        dimension=dimension, price=Decimal(price), vat=None if vat is None else Decimal(vat)
    )


def element(*components: PriceComponent, **restrictions: object) -> TariffElement:
    return TariffElement(
        price_components=components,
        restrictions=msgspec.convert(restrictions, Restrictions, strict=False),
    )


def tariff(*elements: TariffElement, currency: str = "CHF") -> Tariff:
    return Tariff(id="t", currency=currency, elements=elements)


def session(wh: str = "10000", *, power_w: str | None = None) -> SessionUsage:
    power = None if power_w is None else Decimal(power_w)
    end = START + timedelta(hours=1)
    return SessionUsage(
        starts_at=START,
        ends_at=end,
        time_zone="Europe/Zurich",
        points=(
            UsagePoint(START, Decimal(0), power_w=power),
            UsagePoint(end, Decimal(wh), power_w=power),
        ),
    )


def priced(of: Tariff, usage: SessionUsage, policy: str) -> PricedSession:
    result = price_session(usage, compile_tariff(of), policy=policy_named(policy))
    assert result.policy.name == policy
    return result


@pytest.mark.parametrize(
    ("price", "total"),
    [
        pytest.param("0.1234", "1.25", id="up to the next coin"),
        pytest.param("0.1219", "1.20", id="down to the coin before"),
        pytest.param("0.1225", "1.25", id="a half away from zero"),
        pytest.param("0.125", "1.25", id="a whole coin stays"),
        pytest.param("0", "0.00", id="nothing stays nothing"),
    ],
)
def test_cash_is_rounded_to_whole_coins(price: str, total: str) -> None:
    result = priced(tariff(element(component(Dimension.ENERGY, price))), session(), "cash-0.05")

    assert result.total_after_taxes.amount == Decimal(total)
    assert sum(line.before_minor + line.tax_minor for line in result.lines) == result.after_minor


@pytest.mark.parametrize(
    ("currency", "price", "total"),
    [
        pytest.param("JPY", "12.34", "123", id="each yen can be paid"),
        pytest.param("KWD", "0.1234", "1.25", id="50 fils"),
        pytest.param("KWD", "0.1224", "1.2", id="and not 5"),
        pytest.param("KWD", "0.123", "1.25", id="1.230 are nearer to 1.250"),
    ],
)
def test_coins_of_0_05_are_that_in_every_currency(currency: str, price: str, total: str) -> None:
    of = tariff(element(component(Dimension.ENERGY, price)), currency=currency)

    result = priced(of, session(), "cash-0.05")

    assert result.total_after_taxes.amount == Decimal(total)
    assert sum(line.before_minor + line.tax_minor for line in result.lines) == result.after_minor


def test_cash_rounding_is_a_line_without_tax_and_no_part_of_the_exact_price() -> None:
    result = priced(
        tariff(element(component(Dimension.ENERGY, "0.4321", "8.1"))), session(), "cash-0.05"
    )

    *_, last = result.lines
    assert (last.why, last.before_minor, last.tax_minor) == (Why.CASH, -2, 0)
    assert result.before_exact * 10_000 == 43210
    assert result.total_after_taxes.amount == Decimal("4.65")
    assert "cash rounding = -0.02 CHF" in explain(result)


def test_the_least_price_holds_for_a_session_without_energy_unless_a_policy_waives_it() -> None:
    least = msgspec.structs.replace(
        tariff(element(component(Dimension.ENERGY, "0.5"))),
        min_price=PriceLimit(before_taxes=Decimal(2)),
    )

    assert priced(least, session("0"), "wattledger").before_minor == 200
    assert priced(least, session("0"), "least-price-with-energy").before_minor == 0
    assert priced(least, session("1"), "least-price-with-energy").before_minor == 200


FAST_DEARER = tariff(
    element(component(Dimension.ENERGY, "0.9"), min_power="50"),
    element(component(Dimension.ENERGY, "0.4")),
)
SLOW_DEARER = tariff(
    element(component(Dimension.ENERGY, "0.4"), min_power="50"),
    element(component(Dimension.ENERGY, "0.9")),
)


def read_at(*readings: tuple[float, str, str | None]) -> SessionUsage:
    """Return a session with (minute, Wh, measured W) readings; the last one is its end."""
    points = tuple(
        UsagePoint(START + timedelta(minutes=at), Decimal(wh), None if w is None else Decimal(w))
        for at, wh, w in readings
    )
    return SessionUsage(
        starts_at=START, ends_at=points[-1].at, time_zone="Europe/Zurich", points=points
    )


@pytest.mark.parametrize(
    ("readings", "fast_wh"),
    [
        pytest.param([(0, "0", None), (60, "20000", None)], 0, id="20 kWh in an hour are 20 kW"),
        pytest.param([(0, "0", None), (60, "49999.999", None)], 0, id="just below the tier"),
        pytest.param([(0, "0", None), (60, "50000", None)], 50_000, id="just the tier"),
        pytest.param(
            [(0, "0", None), (30, "30000", None), (60, "40000", None)], 30_000, id="each stretch"
        ),
        pytest.param(
            [(0, "0", None), (30, "15000", "55000"), (60, "40000", None)],
            25_000,
            id="what was measured stands before the mean",
        ),
        pytest.param(
            [(0, "0", None), (30, "30000", "49000"), (60, "40000", None)],
            30_000,
            id="a measured power is that of its own stretch alone",
        ),
        pytest.param(
            [(0, "0", None), (60, "10000", None), (60.02, "10100", None)],
            0,
            id="a stop a second after a reading is no peak",
        ),
        pytest.param(
            [(0, "0", None), (0.02, "100", None), (60, "10000", None)], 0, id="nor is a start"
        ),
        pytest.param([(0, "0", None), (0.5, "500", None)], 500, id="half a minute is all there is"),
        pytest.param(
            [(0, "0", None), (30, "5000", None), (30, "30000", None), (60, "40000", None)],
            0,
            id="two readings at a moment are a jump, not a power",
        ),
    ],
)
def test_where_no_power_was_measured_it_is_the_mean_between_readings(
    readings: list[tuple[float, str, str | None]], fast_wh: int
) -> None:
    usage = read_at(*readings)

    result = priced(FAST_DEARER, usage, "wattledger")

    fast = sum(line.volume for line in result.lines if line.unit_price == Decimal("0.9"))
    assert fast * 1000 == fast_wh
    assert [dict(note.parameters) for note in result.notes] == [{"policy": "mean_between_readings"}]
    assert result.energy_wh == usage.points[-1].energy_wh


def test_what_was_measured_needs_no_note() -> None:
    result = priced(FAST_DEARER, session(power_w="60000"), "wattledger")

    assert result.before_minor == 900
    assert result.notes == ()


def test_by_policy_an_element_that_asks_for_power_is_skipped_where_none_was_measured() -> None:
    result = priced(FAST_DEARER, session("60000"), "skip-without-data")

    assert result.before_minor == 2400
    assert [dict(note.parameters) for note in result.notes] == [{"policy": "skip_element"}]


@pytest.mark.parametrize("restriction", ["min_current", "max_current"])
@pytest.mark.parametrize(("first", "second"), [("0.4", "0.9"), ("0.9", "0.4")])
def test_of_what_no_reading_tells_the_cheapest_holds(
    restriction: str, first: str, second: str
) -> None:
    by_current = tariff(
        element(component(Dimension.ENERGY, first), **{restriction: "32"}),
        element(component(Dimension.ENERGY, second), component(Dimension.FLAT, "1")),
    )

    result = priced(by_current, session(), "wattledger")

    assert result.before_minor == 500
    assert [dict(note.parameters) for note in result.notes] == [{"policy": "cheapest_price"}]


def test_what_is_unknown_in_part_leaves_what_is_known() -> None:
    by_current = tariff(
        element(component(Dimension.ENERGY, "0.9"), min_current="32", max_duration="2400"),
        element(component(Dimension.ENERGY, "0.4")),
    )
    usage = read_at((0, "0", None), (30, "5000", None), (60, "10000", None))
    first, *others = usage.points
    known = msgspec.structs.replace(first, current_a=Decimal(40))

    result = priced(
        by_current, msgspec.structs.replace(usage, points=(known, *others)), "wattledger"
    )

    assert [(line.volume, line.unit_price) for line in result.lines] == [
        (Decimal(5), Decimal("0.9")),
        (Decimal(5), Decimal("0.4")),
    ]


def test_a_session_of_no_length_has_no_power_and_costs_the_least() -> None:
    at_once = read_at((0, "0", None), (0, "1000", None))

    assert priced(FAST_DEARER, at_once, "wattledger").before_minor == 40
    assert priced(SLOW_DEARER, at_once, "wattledger").before_minor == 40


def test_the_tax_under_a_price_limit_follows_it_or_stays() -> None:
    most = msgspec.structs.replace(
        tariff(element(component(Dimension.ENERGY, "1", "10"))),
        max_price=PriceLimit(before_taxes=Decimal(5)),
    )

    assert priced(most, session(), "wattledger").tax_minor == 50
    assert priced(most, session(), "limit-tax-unchanged").tax_minor == 100


def test_where_tax_is_unchanged_a_limit_after_taxes_still_holds() -> None:
    both = msgspec.structs.replace(
        tariff(element(component(Dimension.ENERGY, "1", "10"))),
        max_price=PriceLimit(before_taxes=Decimal(5), after_taxes=Decimal("5.60")),
    )

    assert priced(both, session(), "wattledger").tax_minor == 50
    assert priced(both, session(), "limit-tax-unchanged").tax_minor == 60


@pytest.mark.parametrize("kind", [kind for kind in ReservationRestriction if kind.is_booking])
def test_what_is_restricted_to_bookings_holds_for_no_session(kind: ReservationRestriction) -> None:
    booked = tariff(
        element(component(Dimension.FLAT, "7"), reservation=kind.value),
        element(component(Dimension.ENERGY, "0.4")),
    )
    reserved = msgspec.structs.replace(
        session(), spans=(UsageSpan(START, Activity.RESERVATION),), reservation_expired=True
    )

    assert priced(booked, session(), "wattledger").before_minor == 400
    assert priced(booked, reserved, "wattledger").before_minor == 0


def test_every_year_of_a_session_needs_its_holidays() -> None:
    calendar = HolidayCalendar(country="CH", years=(2025, 2027), days=())
    known = msgspec.structs.replace(
        tariff(element(component(Dimension.ENERGY, "0.4"))), holidays=calendar
    )
    long = SessionUsage(
        starts_at=datetime(2025, 12, 1, tzinfo=UTC),
        ends_at=datetime(2027, 1, 31, tzinfo=UTC),
        time_zone="Europe/Zurich",
    )

    [note] = priced(known, long, "wattledger").notes

    assert "the holidays of 2026" in ENGLISH.words(note)


def test_every_policy_is_found_by_its_name() -> None:
    assert all(policy_named(name).name == name for name in POLICIES)


@pytest.mark.parametrize(
    ("policy", "own"),
    [
        ("ocpi-3.0", {"step_policy": StepPolicy.NONE_3_0}),
        ("ocpi-2.2.1-2021", {"step_policy": StepPolicy.COMBINED_DURATION_2021}),
        ("round-per-line", {"rounding": RoundingUnit.LINE}),
        ("round-per-period", {"rounding": RoundingUnit.PERIOD}),
        ("first-flat-only", {"flat_policy": FlatPolicy.FIRST_ONLY}),
    ],
)
def test_what_a_tariff_chooses_itself_holds_as_the_policy_would(
    policy: str, own: dict[str, object]
) -> None:
    stepped = msgspec.structs.replace(component(Dimension.TIME, "1.234", "19"), step_size=600)
    parked = msgspec.structs.replace(component(Dimension.PARKING_TIME, "2.344"), step_size=600)
    plainly = tariff(
        element(component(Dimension.FLAT, "0.335"), stepped, parked, max_duration="1800"),
        element(component(Dimension.FLAT, "0.666", "7"), stepped, parked),
    )
    choosing = msgspec.structs.replace(plainly, **own)
    usage = msgspec.structs.replace(
        session(),
        spans=(
            UsageSpan(START, Activity.CHARGING),
            UsageSpan(START + timedelta(minutes=41), Activity.PARKING),
        ),
    )

    def amounts(of: PricedSession) -> list[tuple[int, int, Decimal]]:
        return [(line.before_minor, line.tax_minor, line.billed_volume) for line in of.lines]

    by_policy, by_tariff = priced(plainly, usage, policy), priced(choosing, usage, "wattledger")

    assert amounts(by_policy) == amounts(by_tariff)
    assert amounts(by_policy) != amounts(priced(plainly, usage, "wattledger"))
    assert "tariff_chooses" in [note.code for note in by_tariff.notes]
    assert priced(choosing, usage, "cash-0.05").policy.cash_cents == 5


def test_several_session_fees_are_noted_unless_only_the_first_counts() -> None:
    fees = tariff(
        element(component(Dimension.FLAT, "1"), max_duration="1800"),
        element(component(Dimension.FLAT, "2")),
    )

    both, first = priced(fees, session(), "wattledger"), priced(fees, session(), "first-flat-only")

    assert [note.code for note in both.notes] == ["several_flats"]
    assert (both.before_minor, first.before_minor, first.notes) == (300, 100, ())


@pytest.mark.parametrize(
    ("step", "policy", "noted"),
    [(600, "wattledger", True), (0, "wattledger", False), (600, "ocpi-3.0", False)],
)
def test_a_session_that_parks_before_it_charges_is_noted_where_a_step_decides(
    step: int, policy: str, *, noted: bool
) -> None:
    stepped = [
        msgspec.structs.replace(component(dimension, "6"), step_size=step)
        for dimension in (Dimension.TIME, Dimension.PARKING_TIME)
    ]
    spans = (
        UsageSpan(START, Activity.PARKING),
        UsageSpan(START + timedelta(minutes=7), Activity.CHARGING),
    )

    turned = priced(
        tariff(element(*stepped)), msgspec.structs.replace(session(), spans=spans), policy
    )
    plainly = priced(tariff(element(*stepped)), session(), policy)

    assert [note.code for note in turned.notes] == (["parked_then_charged"] if noted else [])
    assert plainly.notes == ()
