"""Grants that sessions share: what is left of them is told, what was used of them is said."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tariffs.adjustments.consumption import Consumed, Consumption
from tariffs.adjustments.shared import SharedBy, shared_name
from tariffs.adjustments.shared_grants import Claim, claims_of, used_before
from tariffs.adjustments.shared_phrases import standing_phrase
from tariffs.files.tariff_file import read_tariff_file
from tariffs.files.writing.adjustments import adjustment_lines
from tariffs.kernel.compiled import CompiledTariff
from tariffs.kernel.priced import PricedSession
from tariffs.kernel.pricing import compile_tariff, price_session
from tariffs.model.tariff import Tariff
from tariffs.model.usage import Activity, SessionUsage, UsagePoint, UsageSpan, microseconds
from tariffs.phrases.english import ENGLISH

HEAD = """
tariff: shared
currency: EUR
vat: 20 %
elements:
  - energy: 0.50 per kWh
    parking_time: 6.00 per h
adjustments:
"""
ALLOWANCE = "  - {allowance: home, free: [energy], kwh_max: 50}"
CAP = "  - {shared_cap: idle, amount: 10, on: [parking_time]}"
NIGHT = "  - {shared_cap: n, amount: 3, on: [parking_time], per: night, from: '22:00', to: '06:00'}"
COUPON = "  - {coupon: SUMMER, discount: 50 %, on: [energy], uses_max: 2}"
NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)


def tariff(*adjustments: str) -> Tariff:
    read, problems = read_tariff_file(HEAD + "\n".join(adjustments), "shared.yaml")
    assert read is not None, problems
    return read


def compiled(*adjustments: str) -> CompiledTariff:
    return compile_tariff(tariff(*adjustments))


def charging(
    kwh: str,
    *,
    starts_at: datetime = NOON,
    hours: int = 1,
    parked: int = 0,
    used: Sequence[Consumed] = (),
    validations: Sequence[str] = (),
    groups: Sequence[str] = (),
) -> SessionUsage:
    """Return a session that draws *kwh* evenly and then stands."""
    full_at = starts_at + timedelta(hours=hours)
    ends_at = full_at + timedelta(hours=parked)
    energy = Decimal(kwh) * 1000
    points = [UsagePoint(starts_at, Decimal(0)), UsagePoint(full_at, energy)]
    if parked:
        points.append(UsagePoint(ends_at, energy))
    return SessionUsage(
        starts_at=starts_at,
        ends_at=ends_at,
        time_zone="Europe/Berlin",
        points=tuple(points),
        spans=(UsageSpan(starts_at, Activity.CHARGING), UsageSpan(full_at, Activity.PARKING)),
        used=tuple(used),
        validations=tuple(validations),
        groups=tuple(groups),
    )


def energy(name: str, period: str, kwh: str) -> Consumed:
    return Consumed(name, period, Consumption(energy_wh=Decimal(kwh) * 1000, uses=1))


def money(name: str, period: str, minor: int) -> Consumed:
    return Consumed(name, period, Consumption(amount_minor=minor, uses=1))


@pytest.mark.parametrize(
    ("before", "net", "used"),
    [
        pytest.param("0", 0, "20", id="nothing was used"),
        pytest.param("40", 500, "10", id="a part is left"),
        pytest.param("50", 1000, None, id="all of it was used"),
        pytest.param("70", 1000, None, id="more than all was used"),
    ],
)
def test_an_allowance_gives_what_others_left(before: str, net: int, used: str | None) -> None:
    usage = charging("20", used=[energy("allowance/home", "2026-11", before)])

    priced = price_session(usage, compiled(ALLOWANCE))

    assert priced.before_minor == net
    assert priced.consumed == (() if used is None else (energy("allowance/home", "2026-11", used),))
    assert priced.free_wh == Decimal(used or 0) * 1000


def test_a_month_ends_at_the_sites_midnight() -> None:
    # 21:00 to 01:00 in Berlin: three of four hours lie in October.
    starts_at = datetime(2026, 10, 31, 20, tzinfo=UTC)
    october = energy("allowance/home", "2026-10", "45")
    usage = charging("40", starts_at=starts_at, hours=4, used=[october])

    priced = price_session(usage, compiled(ALLOWANCE))

    assert priced.consumed == (
        energy("allowance/home", "2026-10", "5"),
        energy("allowance/home", "2026-11", "10"),
    )
    assert priced.before_minor == 2500 // 2
    assert price_session(charging("40"), compiled(ALLOWANCE)).before_minor == 0


def test_a_cap_per_day_counts_what_others_paid_and_each_day_alone() -> None:
    # Parked from 14:00 to 02:00 in Berlin: ten hours of 6 EUR, and two more the next day.
    today = money("cap/idle", "2026-11-10", 700)
    usage = charging("0", parked=12, used=[today])

    priced = price_session(usage, compiled(CAP))

    assert priced.before_minor == 300 + 1000
    assert priced.tax_minor == 260
    assert priced.consumed == (
        money("cap/idle", "2026-11-10", 300),
        money("cap/idle", "2026-11-11", 1000),
    )


def test_a_cap_that_is_not_reached_counts_what_was_paid() -> None:
    priced = price_session(charging("0", parked=1), compiled(CAP))

    assert priced.before_minor == 600
    assert priced.consumed == (money("cap/idle", "2026-11-10", 600),)


def test_a_cap_per_night_leaves_the_day_alone() -> None:
    # Parked from 20:00 to 08:00 in Berlin: two hours before the night, two after it.
    starts_at = datetime(2026, 11, 10, 18, tzinfo=UTC)
    priced = price_session(charging("0", starts_at=starts_at, parked=12), compiled(NIGHT))

    assert priced.before_minor == 1200 + 300 + 1200
    assert priced.consumed == (money("cap/n", "2026-11-10", 300),)


def test_what_is_owed_at_midnight_counts_in_the_day_that_ends_and_is_claimed_there() -> None:
    # From 23:00 until midnight in Berlin; the surcharge is owed at the end.
    usage = charging("2", starts_at=datetime(2026, 11, 10, 22, tzinfo=UTC))
    known = compiled("  - {surcharge: 1.00}", "  - {shared_cap: all, amount: 1.50}")

    priced = price_session(usage, known)

    assert priced.before_minor == 150
    assert priced.consumed == (money("cap/all", "2026-11-10", 150),)
    assert [claim.period for claim in claims_of(usage, known)] == ["2026-11-10"]
    [cap] = known.shared
    assert used_before(cap, microseconds(usage.ends_at), usage)[0] == "2026-11-10"


@pytest.mark.parametrize(
    ("uses", "validations", "net", "counted"),
    [
        pytest.param(1, ("SUMMER",), 500, 1, id="the last time"),
        pytest.param(2, ("SUMMER",), 1000, 0, id="once too often"),
        pytest.param(0, (), 1000, 0, id="not shown"),
    ],
)
def test_a_coupon_holds_as_often_as_it_says(
    uses: int, validations: tuple[str, ...], net: int, counted: int
) -> None:
    before = Consumed("coupon/SUMMER", "ever", Consumption(uses=uses))
    usage = charging("20", validations=validations, used=[before])

    priced = price_session(usage, compiled(COUPON))

    assert priced.before_minor == net
    assert [each.consumption.uses for each in priced.consumed] == [1] * counted


def test_a_coupon_that_lowers_nothing_is_not_used_up() -> None:
    usage = charging("0", parked=1, validations=["SUMMER"])

    assert price_session(usage, compiled(COUPON)).consumed == ()


@pytest.mark.parametrize(
    "adjustment",
    [
        "  - {coupon: SUMMER, discount: 0 %, on: [energy], uses_max: 2}",
        "  - {allowance: home, discount: 0 %, on: [energy], kwh_max: 50}",
    ],
)
def test_a_grant_of_nothing_makes_no_line_and_uses_nothing_up(adjustment: str) -> None:
    priced = price_session(charging("20", validations=["SUMMER"]), compiled(adjustment))

    assert [line.adjustment for line in priced.lines] == [None]
    assert priced.consumed == ()


def test_the_claims_of_a_session_name_each_grant_and_period_that_it_touches() -> None:
    members = "  - {allowance: staff, free: [energy], kwh_max: 5, members: staff, per: day}"
    known = compiled(ALLOWANCE, CAP, COUPON, members)
    usage = charging("1", parked=12, validations=["SUMMER"])

    assert claims_of(usage, known) == (
        Claim("allowance/home", "2026-11", SharedBy.CUSTOMER),
        Claim("cap/idle", "2026-11-10", SharedBy.TOKEN),
        Claim("cap/idle", "2026-11-11", SharedBy.TOKEN),
        Claim("coupon/SUMMER", "ever", SharedBy.EVERYBODY),
    )
    staff = claims_of(charging("1", groups=["staff"]), known)
    assert "allowance/staff" in {claim.name for claim in staff}


def test_sessions_priced_one_after_the_other_never_get_more_than_the_allowance() -> None:
    used = Consumption()
    total: list[PricedSession] = []
    for _ in range(8):
        before = [Consumed("allowance/home", "2026-11", used)]
        priced = price_session(charging("7.1234567", used=before), compiled(ALLOWANCE))
        for each in priced.consumed:
            used += each.consumption
        total.append(priced)

    assert used.energy_wh == 50_000
    assert sum((each.free_wh for each in total), Decimal(0)) == 50_000


@pytest.mark.parametrize(
    ("adjustment", "fault"),
    [
        pytest.param("{allowance: a, free: [energy]}", "needs kwh_max", id="no limit"),
        pytest.param(
            "{allowance: a, free: [flat], kwh_max: 1}", "of energy or of", id="a fee is no volume"
        ),
        pytest.param(
            "{shared_cap: a, amount: 1, on: [energy], per: night}", "different times", id="no night"
        ),
        pytest.param(
            "{coupon: a, free: [energy], uses_max: 0}", "uses_max is at least 1", id="never"
        ),
        pytest.param(
            "{coupon: a, free: [energy]}", "needs 'uses_max'", id="a coupon without its limit"
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(adjustment: str, fault: str) -> None:
    read, problems = read_tariff_file(f"{HEAD}  - {adjustment}", "shared.yaml")

    assert read is None
    assert fault in str(problems[0])


def test_two_shared_grants_of_one_name_are_refused() -> None:
    _, problems = read_tariff_file(f"{HEAD}\n{ALLOWANCE}\n{ALLOWANCE}", "shared.yaml")

    assert "there is another allowance home" in str(problems)


@pytest.mark.parametrize("adjustment", [ALLOWANCE, CAP, NIGHT, COUPON])
def test_a_written_shared_grant_reads_as_it_was(adjustment: str) -> None:
    known = tariff(adjustment)

    assert tariff("\n".join(adjustment_lines(known.adjustments[0]))) == known


@pytest.mark.parametrize(
    ("adjustment", "used", "said"),
    [
        pytest.param(
            ALLOWANCE,
            Consumption(energy_wh=Decimal(31_200)),
            "31.2 kWh used before in 2026-11",
            id="an allowance",
        ),
        pytest.param(
            CAP, Consumption(amount_minor=700), "7.00 EUR paid before in 2026-11-10", id="a cap"
        ),
        pytest.param(COUPON, Consumption(uses=1), "used once before", id="a coupon"),
    ],
)
def test_what_others_used_is_said(adjustment: str, used: Consumption, said: str) -> None:
    [grant] = compiled(adjustment).shared
    period = "ever" if adjustment is COUPON else "2026-11"
    if adjustment is CAP:
        period = "2026-11-10"
    usage = charging("1", used=[Consumed(shared_name(grant), period, used)])

    found = used_before(grant, microseconds(usage.starts_at), usage)

    assert found == (period, used)
    standing = standing_phrase(grant, *found, "EUR")
    assert ENGLISH.words(standing, {"currency": "EUR"}) == said


@pytest.mark.parametrize(
    ("adjustment", "free"),
    [
        pytest.param("{group: staff, free: [time, parking_time], minutes_max: 60}", 2, id="group"),
        pytest.param(
            "{validation: SUMMER, free: [time, parking_time], minutes_max: 60}", 2, id="validation"
        ),
        pytest.param(
            "{allowance: home, free: [time, parking_time], minutes_max: 60}", 1, id="allowance"
        ),
        pytest.param(
            "{coupon: SUMMER, free: [time, parking_time], minutes_max: 60, uses_max: 1}",
            1,
            id="coupon",
        ),
        pytest.param("{free_first: 60 min, on: [time, parking_time]}", 1, id="free_first"),
    ],
)
def test_minutes_are_for_each_kind_of_time_or_for_all_of_them(adjustment: str, free: int) -> None:
    text = HEAD.replace("parking_time:", "time: 6.00 per h\n    parking_time:")
    read, problems = read_tariff_file(f"{text}  - {adjustment}", "shared.yaml")
    assert read is not None, problems
    usage = charging("0", hours=2, parked=2, validations=["SUMMER"], groups=["staff"])

    priced = price_session(usage, compile_tariff(read))

    # Four hours at 6.00, of which one or two are free.
    assert priced.before_minor == 2400 - 600 * free


@pytest.mark.parametrize(("group", "net"), [("Staff", 0), ("STAFF", 0), ("guests", 250)])
def test_a_group_is_compared_without_case(group: str, net: int) -> None:
    members = "  - {allowance: staff, free: [energy], kwh_max: 5, members: staff, per: day}"

    priced = price_session(charging("5", groups=[group]), compiled(members))

    assert priced.before_minor == net
