"""Which parts of a tariff read the time, so that a wrong clock could change what it costs."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import msgspec
import pytest

from ledger.declared.declarations import BEGINNING, Declaration, Declarations, Entity, Kind
from ledger.facts.flags import Flag
from ledger.master_data.assignments import Assignment
from ledger.master_data.stations import Station
from ledger.master_data.tariff_versions import published
from ledger.master_data.tokens import Token
from ledger.rating.basis import DOUBT, Basis, depends_on_time, terms_of
from ledger.rating.decide import decide
from ledger.rating.decisions import SessionHeld
from tariffs.adjustments.adjustment import (
    Adjustment,
    AtLeast,
    CapPeriod,
    FeeCap,
    FreeBelow,
    FreeFirst,
    GroupGrant,
    IdleGrace,
    QuantityTax,
    RoundDown,
    Surcharge,
    ValidationGrant,
)
from tariffs.adjustments.shared import Allowance, CouponGrant, Per, PeriodCap
from tariffs.holiday_calendar import HolidayCalendar
from tariffs.model.price_series import PriceSeries
from tariffs.model.tariff import (
    Dimension,
    PriceComponent,
    PriceLimit,
    ReservationRestriction,
    Restrictions,
    Tariff,
    TariffElement,
    Weekday,
)
from tests.depot import ENERGY_ONLY, NOON, THINGS, declared, moment_of, rated, session

ENERGY = ("ENERGY",)
TEN = Decimal(10)
EVENING, MORNING = time(22), time(6)


def restricted(restrictions: Restrictions, dimension: Dimension = Dimension.ENERGY) -> Tariff:
    component = PriceComponent(dimension=dimension, price=Decimal("0.40"))
    element = TariffElement(price_components=(component,), restrictions=restrictions)
    return Tariff(id="t", currency="EUR", elements=(element,))


def adjusted(*adjustments: Adjustment) -> Tariff:
    return msgspec.structs.replace(ENERGY_ONLY, adjustments=adjustments)


@pytest.mark.parametrize(
    "tariff",
    [
        pytest.param(restricted(Restrictions(start_time=time(8))), id="from a time of day"),
        pytest.param(restricted(Restrictions(end_time=time(8))), id="until a time of day"),
        pytest.param(restricted(Restrictions(start_date=date(2026, 1, 1))), id="from a date"),
        pytest.param(restricted(Restrictions(end_date=date(2026, 1, 1))), id="until a date"),
        pytest.param(restricted(Restrictions(min_duration=60)), id="after a duration"),
        pytest.param(restricted(Restrictions(max_duration=60)), id="until a duration"),
        pytest.param(restricted(Restrictions(day_of_week=(Weekday.SUNDAY,))), id="on a weekday"),
        pytest.param(restricted(Restrictions(holidays=(date(2026, 1, 1),))), id="on a holiday"),
        pytest.param(
            restricted(Restrictions(season_start="11-01", season_end="04-01")), id="in a season"
        ),
        pytest.param(restricted(Restrictions(), Dimension.TIME), id="a price for time"),
        pytest.param(restricted(Restrictions(), Dimension.PARKING_TIME), id="a price for parking"),
        pytest.param(
            msgspec.structs.replace(
                ENERGY_ONLY, price_series=PriceSeries(name="spot", minutes=60, prices=())
            ),
            id="a price series",
        ),
        pytest.param(adjusted(FreeBelow(seconds=60)), id="free below a duration"),
        pytest.param(adjusted(FeeCap(amount=TEN, per=CapPeriod.DAY)), id="a cap by day"),
        pytest.param(
            adjusted(FeeCap(amount=TEN, per=CapPeriod.NIGHT, start_time=EVENING, end_time=MORNING)),
            id="by night",
        ),
        pytest.param(adjusted(PeriodCap(name="c", amount=TEN)), id="a shared cap by day"),
        pytest.param(
            adjusted(
                PeriodCap(name="c", amount=TEN, per=Per.NIGHT, start_time=EVENING, end_time=MORNING)
            ),
            id="a shared cap by night",
        ),
        pytest.param(
            adjusted(PeriodCap(name="c", amount=TEN, per=Per.MONTH)), id="a shared cap by month"
        ),
        pytest.param(
            adjusted(Allowance(name="a", dimensions=ENERGY, kwh_max=TEN)),
            id="an allowance by month",
        ),
        pytest.param(
            adjusted(Allowance(name="a", dimensions=ENERGY, kwh_max=TEN, per=Per.DAY)),
            id="an allowance by day",
        ),
        pytest.param(
            adjusted(CouponGrant(code="c", dimensions=ENERGY, uses_max=1, per=Per.DAY)),
            id="a coupon by day",
        ),
        pytest.param(
            adjusted(CouponGrant(code="c", dimensions=ENERGY, uses_max=1, per=Per.MONTH)),
            id="a coupon by month",
        ),
        pytest.param(
            adjusted(Surcharge(amount=TEN), FeeCap(amount=TEN, per=CapPeriod.DAY)),
            id="only the second",
        ),
    ],
)
def test_what_reads_the_clock_or_a_duration_depends_on_time(tariff: Tariff) -> None:
    assert depends_on_time(tariff)


@pytest.mark.parametrize(
    "tariff",
    [
        pytest.param(ENERGY_ONLY, id="a price per kWh alone"),
        pytest.param(restricted(Restrictions(), Dimension.FLAT), id="a fee"),
        pytest.param(restricted(Restrictions(min_kwh=TEN)), id="after some kWh"),
        pytest.param(restricted(Restrictions(max_kwh=TEN)), id="until some kWh"),
        pytest.param(restricted(Restrictions(min_power=TEN)), id="by power"),
        pytest.param(restricted(Restrictions(max_current=TEN)), id="by current"),
        pytest.param(
            restricted(
                Restrictions(reservation=ReservationRestriction.RESERVATION), Dimension.FLAT
            ),
            id="a fee for a reservation",
        ),
        pytest.param(
            msgspec.structs.replace(
                ENERGY_ONLY,
                min_price=PriceLimit(before_taxes=TEN),
                max_price=PriceLimit(before_taxes=TEN),
                quantity_taxes=(QuantityTax(name="excise", per_kwh=TEN),),
                holidays=HolidayCalendar(country="DE", years=(2026,), days=()),
            ),
            id="limits, taxes and holidays that no element asks for",
        ),
        pytest.param(adjusted(IdleGrace(seconds=60)), id="a grace where parking has no price"),
        pytest.param(
            adjusted(GroupGrant(group="g", dimensions=ENERGY, minutes_max=TEN)), id="group"
        ),
        pytest.param(adjusted(ValidationGrant(code="c", dimensions=ENERGY)), id="a validation"),
        pytest.param(
            adjusted(FreeFirst(dimensions=("TIME",), seconds=60)), id="minutes without a price"
        ),
        pytest.param(adjusted(FreeFirst(dimensions=ENERGY, kwh=TEN)), id="the first kWh"),
        pytest.param(adjusted(FreeBelow(kwh=TEN)), id="free below some kWh"),
        pytest.param(adjusted(RoundDown(dimensions=ENERGY, step=500)), id="rounded down"),
        pytest.param(adjusted(FeeCap(amount=TEN)), id="a cap by session"),
        pytest.param(adjusted(AtLeast(amount=TEN, dimensions=ENERGY)), id="a least fee"),
        pytest.param(adjusted(Surcharge(amount=TEN)), id="a surcharge"),
        pytest.param(
            adjusted(PeriodCap(name="c", amount=TEN, per=Per.EVER)), id="a shared cap for ever"
        ),
        pytest.param(
            adjusted(Allowance(name="a", dimensions=ENERGY, kwh_max=TEN, per=Per.EVER)),
            id="an allowance for ever",
        ),
        pytest.param(
            adjusted(CouponGrant(code="c", dimensions=ENERGY, uses_max=1)), id="a coupon for ever"
        ),
    ],
)
def test_what_reads_neither_does_not(tariff: Tariff) -> None:
    assert not depends_on_time(tariff)


def test_a_wrong_clock_holds_a_session_whose_price_a_cap_by_day_decides() -> None:
    capped = adjusted(FeeCap(amount=Decimal(3), per=CapPeriod.DAY))
    here = declared((Kind.TARIFF, "energy", published(capped), BEGINNING))
    charging = session(energy_wh="20000", minutes=120, blockers=[Flag.CLOCK_UNSYNCED])

    decision = decide(charging, here, moment=moment_of(charging, hours=1))

    assert isinstance(decision, SessionHeld)
    assert [reason.code for reason in decision.reasons] == [Flag.CLOCK_UNSYNCED]
    # The same session costs 3.00 at noon and 6.00 around midnight.
    midnight = datetime(2026, 11, 10, 22, tzinfo=UTC)
    assert [
        rated(session(energy_wh="20000", minutes=120, started_at=at), here).net_minor
        for at in (NOON, midnight)
    ] == [300, 600]


DEARER = published(restricted(Restrictions(min_kwh=TEN)))
SECOND = timedelta(seconds=1)
Row = tuple[Kind, str, Entity | None, datetime]


@pytest.mark.parametrize("flag", [Flag.CLOCK_UNSYNCED, Flag.CLOCK_JUMPED])
@pytest.mark.parametrize("way", [1, -1], ids=["since then", "until then"])
@pytest.mark.parametrize(
    "change",
    [
        pytest.param((Kind.TARIFF, "energy", DEARER), id="its tariff"),
        pytest.param((Kind.TOKEN, "anna-1", Token(customer="fleet")), id="its payer"),
        pytest.param((Kind.STATION, "ST-1", Station(site="yard")), id="its site"),
    ],
)
def test_a_wrong_clock_holds_a_session_near_the_day_on_which_its_price_or_payer_changed(
    change: tuple[Kind, str, Entity], way: int, flag: Flag
) -> None:
    """A day is how far a session may lie from where a wrong clock, or a queue, puts it."""
    yard: list[Row] = [
        (Kind.SITE, "yard", THINGS[Kind.SITE, "harbour"], BEGINNING),
        (Kind.ASSIGNMENT, "site=yard", Assignment(tariff="energy", site="yard"), BEGINNING),
    ]
    charging = session(energy_wh="9000", blockers=[flag])

    def is_held(at: datetime) -> bool:
        known = declared(*yard, (*change, at))
        return isinstance(decide(charging, known, moment=moment_of(charging, hours=1)), SessionHeld)

    near, far = NOON + way * DOUBT, NOON + way * (DOUBT + SECOND)
    assert [is_held(near), is_held(far)] == ([True, False] if way > 0 else [False, False])
    assert is_held(near + SECOND) is (way < 0)
    assert rated(session(energy_wh="9000"), declared(*yard, (*change, near))).flags == ()


def test_a_wrong_clock_on_the_first_day_of_a_customer_and_a_tariff_holds_nothing() -> None:
    """Before it there was no price by which it could have been rated."""
    first = NOON - DOUBT / 2
    known = declared(
        (Kind.ASSIGNMENT, "site=harbour", None, BEGINNING),
        (Kind.ASSIGNMENT, "site=harbour", Assignment(tariff="energy", site="harbour"), first),
        (Kind.TOKEN, "anna-1", None, BEGINNING),
        (Kind.TOKEN, "anna-1", Token(customer="anna"), first),
    )

    assert rated(session(blockers=[Flag.CLOCK_UNSYNCED]), known).net_minor == 400


class Counting(Declarations):
    """Declarations that note what was looked up."""

    def __init__(self, known: Declarations) -> None:
        super().__init__(
            row for kind in Kind for key in known.keys(kind) for row in known.history(kind, key)
        )
        self.asked: list[tuple[Kind, str, datetime]] = []

    def in_force(self, kind: Kind, key: str, at: datetime) -> Declaration | None:
        self.asked.append((kind, key, at))
        return super().in_force(kind, key, at)


@pytest.mark.parametrize("token", ["anna-1", "guest-1", "nobody-1", "card-2", "stranger", None])
def test_the_terms_of_a_session_are_looked_up_once(token: str | None) -> None:
    child = (Kind.TOKEN, "card-2", Token(parent="anna-1"), BEGINNING)
    known, charging = Counting(declared(child)), session(token_uid=token)

    decide(charging, known, moment=moment_of(charging))

    assert len(known.asked) == len(set(known.asked)) > 0


def basis_of(tariff: Tariff) -> Basis:
    known = declared((Kind.TARIFF, "energy", published(tariff), BEGINNING))
    basis = terms_of(session(), known).basis
    assert basis is not None
    return basis


def test_a_tariff_is_compiled_once_however_often_its_version_is_read() -> None:
    dearer = msgspec.structs.replace(ENERGY_ONLY, min_price=PriceLimit(before_taxes=TEN))

    assert basis_of(ENERGY_ONLY).compiled() is basis_of(ENERGY_ONLY).compiled()
    assert basis_of(dearer).compiled().tariff == dearer
