"""Which time is billed, and as what, by the operator's policy."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from ledger.declared.changes import PlannedChange
from ledger.declared.declarations import BEGINNING, POLICY_KEY, Declarations, Kind
from ledger.declared.rules import problems_of
from ledger.master_data.assignments import Assignment
from ledger.master_data.policies import Policy, TimeEnds
from ledger.master_data.tariff_versions import published
from ledger.rating.decide import decide
from ledger.rating.decisions import SessionRated, Waiting
from ledger.sessions.session import ChargingSession, SessionSpan
from ledger.sessions.vehicle.billed_time import BilledTime, billed_time
from tariffs.model.usage import Activity, UsagePoint, UsageSpan
from tariffs.phrases.phrase import phrase
from tests.depot import NOON, TIMED, declared, moment_of, rated, session

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
LONG = session(minutes=60, parked_minutes=600)
BY_DEFAULT = Policy()


def timed(policy: Policy = BY_DEFAULT) -> Declarations:
    return declared(
        (Kind.TARIFF, "timed", published(TIMED), BEGINNING),
        (Kind.ASSIGNMENT, "site=harbour", Assignment(tariff="timed", site="harbour"), BEGINNING),
        (Kind.POLICY, POLICY_KEY, policy, BEGINNING),
    )


def gone(charging: ChargingSession, after: timedelta) -> ChargingSession:
    return msgspec.structs.replace(charging, last_sign_at=NOON + after)


def ended(charging: ChargingSession, policy: Policy = BY_DEFAULT) -> BilledTime:
    assert charging.ended_at is not None
    return billed_time(charging, charging.ended_at, policy)


def test_time_ends_with_the_last_sign_and_all_energy_is_billed() -> None:
    billed = ended(gone(LONG, timedelta(minutes=30)))

    assert billed.ends_at == NOON + timedelta(minutes=30)
    assert billed.points == (
        UsagePoint(NOON, Decimal(0)),
        UsagePoint(NOON + timedelta(minutes=30), Decimal(10000)),
    )
    assert billed.spans == (UsageSpan(NOON, Activity.CHARGING),)
    assert billed.by_policy == (phrase("time_ends_by_policy", time_ends="last_sign"),)


def test_what_begins_where_time_ends_is_not_billed() -> None:
    """A reading of that moment gives way to all of the energy, a state of then to nothing."""
    first, *_, last = LONG.points
    between = msgspec.structs.replace(first, at=NOON + HOUR, energy_wh=Decimal(4000))
    session = msgspec.structs.replace(LONG, points=(first, between, last))

    billed = ended(gone(session, HOUR))

    assert [(p.at, p.energy_wh) for p in billed.points] == [
        (NOON, Decimal(0)),
        (NOON + HOUR, Decimal(10000)),
    ]
    assert billed.spans == (UsageSpan(NOON, Activity.CHARGING),)


def test_without_a_reading_no_energy_is_billed() -> None:
    assert ended(gone(msgspec.structs.replace(LONG, points=()), HOUR)).points == ()


def test_the_stop_may_be_where_time_ends_and_that_is_named_too() -> None:
    billed = ended(gone(LONG, HOUR), Policy(time_ends=TimeEnds.STOP))

    assert billed.ends_at == LONG.ended_at
    assert [point.at for point in billed.points] == [point.at for point in LONG.points]
    assert billed.by_policy == (phrase("time_ends_by_policy", time_ends="stop"),)


@pytest.mark.parametrize(
    ("after", "is_named"), [(11 * HOUR - SECOND, True), (11 * HOUR, False), (12 * HOUR, False)]
)
def test_a_last_sign_at_the_stop_decides_nothing(after: timedelta, *, is_named: bool) -> None:
    billed = ended(gone(LONG, after))

    assert billed.ends_at == NOON + min(after, 11 * HOUR)
    assert bool(billed.by_policy) is is_named


def test_a_vehicle_that_went_at_once_is_billed_no_time_and_all_energy() -> None:
    billed = ended(gone(LONG, timedelta(0)))

    assert billed.ends_at == NOON
    assert [(p.at, p.energy_wh) for p in billed.points] == [
        (NOON, Decimal(0)),
        (NOON, Decimal(10000)),
    ]
    assert billed.spans == (UsageSpan(NOON, Activity.CHARGING),)


@pytest.mark.parametrize(("power", "activity"), [("500", "parking"), ("500.1", "charging")])
def test_more_than_the_policys_power_is_charging(power: str, activity: str) -> None:
    spans = (*LONG.spans[:1], SessionSpan(NOON + HOUR, Activity.PARKING, Decimal(power)))

    billed = ended(msgspec.structs.replace(LONG, spans=spans))

    assert billed.spans[-1].activity.value == activity
    named = (phrase("charging_by_policy", idle_power_w=500),)
    assert billed.by_policy == (named if activity == "charging" else ())


def test_stretches_that_are_the_same_to_the_policy_are_one() -> None:
    minutes = [NOON + timedelta(minutes=minute) for minute in (0, 60, 90, 120, 150)]
    powers = (0, 9000, 0, 300, 0)
    spans = [SessionSpan(minutes[0], Activity.CHARGING)]
    spans += [
        SessionSpan(at, Activity.PARKING, Decimal(power))
        for at, power in zip(minutes[1:], powers[1:], strict=True)
    ]

    billed = ended(msgspec.structs.replace(LONG, spans=tuple(spans)))

    assert billed.spans == (
        UsageSpan(minutes[0], Activity.CHARGING),
        UsageSpan(minutes[2], Activity.PARKING),
    )


def test_a_decision_names_the_policy_that_ended_its_time() -> None:
    decision = rated(gone(LONG, HOUR), timed())
    plain = rated(LONG, timed())

    assert decision.ended_at == NOON + HOUR
    assert decision.by_policy == (phrase("time_ends_by_policy", time_ends="last_sign"),)
    assert plain.by_policy == ()
    assert decision.net_minor < plain.net_minor
    assert decision.energy_wh == plain.energy_wh == decision.billed_wh


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, SessionRated), (1, Waiting)], ids=["at the bound", "beyond"]
)
def test_a_session_longer_than_the_policys_bound_is_not_rated(
    seconds: int, expected: type[object]
) -> None:
    """Whatever its price looks at: a wrong start also finds the wrong tariff and customer."""
    charging = session(minutes=7 * 24 * 60)
    assert charging.ended_at is not None
    late = msgspec.structs.replace(
        charging, ended_at=charging.ended_at + seconds * SECOND, last_sign_at=None
    )

    decision = decide(late, declared(), moment=moment_of(late))

    assert isinstance(decision, expected)
    if isinstance(decision, Waiting):
        assert decision.reasons == (phrase("session_too_long", days=7),)


def test_the_bound_is_the_policys() -> None:
    charging = session(minutes=61)
    strict = declared((Kind.POLICY, POLICY_KEY, Policy(max_session_s=3600), BEGINNING))

    assert isinstance(decide(charging, strict, moment=moment_of(charging)), Waiting)


@pytest.mark.parametrize(("seconds", "expected"), [(0, SessionRated), (1, Waiting)])
def test_a_session_told_too_long_after_its_end_is_not_rated(
    seconds: int, expected: type[object]
) -> None:
    charging = session()
    assert charging.ended_at is not None
    told_at = charging.ended_at + timedelta(days=730, seconds=seconds)
    late = msgspec.structs.replace(charging, first_received_at=told_at, last_received_at=told_at)

    decision = decide(late, declared(), moment=moment_of(late))

    assert isinstance(decision, expected)
    if isinstance(decision, Waiting):
        assert decision.reasons == (phrase("told_too_late", days=730),)


@pytest.mark.parametrize(
    ("policy", "is_right"),
    [
        (Policy(max_session_s=1, max_delay_s=1, idle_power_w=0), True),
        (Policy(max_session_s=0), False),
        (Policy(max_delay_s=0), False),
        (Policy(idle_power_w=-1), False),
        (Policy(undeclared_power_w=1), True),
        (Policy(undeclared_power_w=0), False),
    ],
)
def test_a_bound_that_believes_nothing_is_refused(policy: Policy, *, is_right: bool) -> None:
    planned = PlannedChange(
        kind=Kind.POLICY, key=POLICY_KEY, valid_from=BEGINNING, before=None, after=policy
    )

    assert (not problems_of(declared(), [planned])) is is_right
