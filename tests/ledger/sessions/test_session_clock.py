"""What a session's times are worth: one frame against the others, and clocks that were set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.facts.flags import Flag
from ledger.facts.station_facts import (
    ChargingState,
    ConnectorStatusChanged,
    Measurand,
    Reading,
    SessionEnded,
    SessionStarted,
    SessionUpdated,
    StationBooted,
    StationFact,
)
from ledger.sessions.station_fold import fold_station
from ledger.sessions.told import told
from tests.station_story import AC, Story16, at, minutes_to, sessions_of, stamp, wh


def with_a_state(name: str, *, device: float = 10 + 540) -> Story16:
    """Return a right session in which one state is told as if nine hours later."""
    story = Story16()
    story.start(0, 1000)
    story.state(1, "Charging")
    story.state(device, name, received=10)
    story.sample(30, wh(3500))
    story.stop(60, 6000)
    return story


def test_a_state_in_local_time_moves_nothing_else() -> None:
    session = with_a_state("Charging").session()

    assert (session.started_at, session.ended_at) == (at(0), at(60))
    assert session.flags == (Flag.TIME_IMPOSSIBLE,)
    assert session.blockers == ()


def test_a_state_in_local_time_that_would_begin_parking_is_a_doubt() -> None:
    session = with_a_state("SuspendedEV").session()

    assert [span.starts_at for span in session.spans][:2] == [at(0), at(10)]
    assert session.blockers == (Flag.CLOCK_AHEAD,)


def test_the_same_state_told_rightly_too_is_no_doubt() -> None:
    story = with_a_state("SuspendedEV")
    story.state(10, "SuspendedEV")

    assert story.session().blockers == ()


@pytest.mark.parametrize("year", ["2016", "2021", "2025"])
def test_a_start_of_the_firmwares_day_makes_a_session_of_years(year: str) -> None:
    story = Story16()
    story.start(0, 1000, device=f"{year}-01-01T00:00:12Z")
    story.stop(60, 6000)

    session = story.session()

    assert session.duration is not None
    assert session.duration > timedelta(days=365)


@pytest.mark.parametrize("year", ["2027", "9999"])
def test_a_start_in_the_future_began_when_we_heard_of_it(year: str) -> None:
    story = Story16()
    story.start(0, 1000, device=f"{year}-12-31T23:59:59Z")
    story.sample(30, wh(3500))
    story.stop(60, 6000)

    session = story.session()

    assert (session.started_at, session.ended_at) == (at(0), at(60))
    assert session.blockers in ((Flag.BOUND_REFUTED,), (Flag.TIME_UNREADABLE,))


@pytest.mark.parametrize("year", ["2027", "9999"])
def test_a_stop_in_the_future_ended_when_we_heard_of_it(year: str) -> None:
    story = Story16()
    story.start(0, 1000)
    story.sample(30, wh(3500))
    story.stop(60, 6000, device=f"{year}-12-31T23:59:59Z")

    session = story.session()

    assert (session.started_at, session.ended_at) == (at(0), at(60))
    assert session.energy_wh == Decimal(5000)
    assert session.blockers in ((Flag.BOUND_REFUTED,), (Flag.TIME_UNREADABLE,))


@pytest.mark.parametrize(
    "when", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59", "0001-01-01T00:00:00Z"]
)
def test_a_reading_at_the_end_of_time_is_one_odd_reading(when: str) -> None:
    story = Story16()
    story.start(0, 1000)
    story.sample(20, wh(2000))
    story.sample(30, wh(3000), device=when)
    story.stop(60, 6000)

    session = story.session()

    assert (session.started_at, session.ended_at) == (at(0), at(60))
    assert session.energy_wh == Decimal(5000)


def test_a_clock_that_was_set_after_the_first_reading_is_noticed() -> None:
    story = Story16()
    story.start(0, 1000, device=stamp(-300))
    story.sample(30, wh(3500), device=stamp(-270))
    story.boot(31)
    story.sample(45, wh(4500))
    story.stop(60, 6000)

    assert Flag.CLOCK_JUMPED in story.session().blockers


@pytest.mark.parametrize(("minute", "has_jumped"), [(-5, False), (-5.1, True)])
def test_a_reading_from_before_the_start_shows_a_clock_set_back(
    minute: float, *, has_jumped: bool
) -> None:
    story = Story16()
    story.start(0, 1000)
    story.sample(30, wh(3500), device=stamp(minute))
    story.stop(60, 6000)

    assert (Flag.CLOCK_JUMPED in story.session().blockers) is has_jumped


@pytest.mark.parametrize(
    ("stop", "register", "has_jumped"),
    [
        (39.9, 3000, True),
        (40, 3000, False),
        (30, 5989, True),
        (30, 5990, False),
        (30, 1000, True),
        (30, 999, False),
    ],
)
def test_a_register_below_the_stops_was_not_read_after_it(
    stop: float, register: int, *, has_jumped: bool
) -> None:
    story = Story16()
    story.start(0, 1000)
    story.sample(45, wh(register))
    story.stop(60, 6000, device=stamp(stop))

    assert (Flag.CLOCK_JUMPED in story.session().blockers) is has_jumped


def test_readings_that_count_from_the_start_say_nothing_of_the_stops_time() -> None:
    story = Story16()
    story.start(0, 1000)
    for minute, register in ((10, 100), (20, 500)):
        story.sample(minute, wh(register))
    story.sample(45, wh(4000))
    story.stop(60, 6000, device=stamp(30))

    session = story.session()

    assert Flag.REGISTER_SESSION_RELATIVE in session.flags
    assert Flag.CLOCK_JUMPED not in session.flags


def test_an_offline_session_told_in_order_is_no_doubt() -> None:
    story = Story16()
    for minute in (0, 20, 40):
        received = 300.0 + minute / 100
        if minute:
            story.sample(minute, wh(1000 + 50 * minute), received=received)
        else:
            story.start(0, 1000, received=received)
    story.sample(310, wh(5000))
    story.stop(330, 6000)

    session = story.session()

    assert session.blockers == ()
    assert (session.started_at, session.ended_at) == (at(0), at(330))


def test_the_next_drivers_readings_are_not_those_of_an_open_session() -> None:
    story = Story16()
    story.start(0, 1000, tx=1)
    story.sample(30, wh(3000), tx=1)
    story.start(120, 3000, tx=2, token="TAG-2")
    story.sample(120, wh(3000), tx=1)
    story.sample(121, wh(3200), tx=1)

    first = story.sessions()[0]

    assert first.energy_wh == Decimal(2000)
    assert first.provisional_ended_at == at(120)
    assert Flag.STOP_LOST in first.blockers


NIGHT = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(("late", "is_held"), [(2, False), (3000, True)], ids=["live", "queued"])
def test_a_stop_in_the_hour_that_comes_twice_is_known_when_it_is_live(
    late: float, *, is_held: bool
) -> None:
    base = minutes_to(NIGHT)
    story = Story16()
    story.start(0, 1000, device="2026-10-25T01:30:00", received=base - 60 + late)
    story.stop(60, 6000, device="2026-10-25T02:30:00", received=base + late)

    session = story.session()

    assert session.blockers == ((Flag.HOUR_AMBIGUOUS,) if is_held else ())
    assert Flag.ZONE_MISSING in session.flags


def test_a_reading_within_a_stop_may_lie_in_that_hour_too() -> None:
    base = minutes_to(NIGHT) + 3000
    story = Story16()
    story.start(0, 1000, device="2026-10-25T01:30:00", received=base)
    values = {"timestamp": "2026-10-25T02:30:00", "sampledValue": [wh(2000)]}
    story.stop(60, 6000, device="2026-10-25T03:30:00", received=base, transactionData=[values])

    assert story.session().blockers == (Flag.HOUR_AMBIGUOUS,)


_moments = st.one_of(
    st.none(),
    st.datetimes(),
    st.datetimes(timezones=st.just(UTC)),
    st.sampled_from([datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)]),
    st.integers(-600, 600).map(at),
)
_received = st.integers(0, 600).map(at)


@st.composite
def _facts(draw: st.DrawFn) -> list[StationFact]:
    facts: list[StationFact] = []
    for line in range(draw(st.integers(1, 8))):
        told_at = {
            "station_id": "CS-1",
            "position": 0,
            "line": line,
            "received_at": draw(_received),
        }
        boot: dict[str, Any] = told_at
        where = boot | {"evse_id": 1, "connector_id": 1, "occurred_at": draw(_moments)}
        reading = Reading(
            draw(_moments), Measurand.ENERGY_REGISTER_WH, Decimal(draw(st.integers(0, 9000)))
        )
        named: dict[str, Any] = {"transaction_ref": "1", "token_uid": "T"}
        kind = draw(st.integers(0, 4))
        state = draw(st.none() | st.sampled_from(ChargingState))
        if kind == 0:
            facts.append(SessionStarted(**where, **named, readings=(reading,)))
        elif kind == 1:
            facts.append(SessionUpdated(**where, **named, charging_state=state))
        elif kind == 2:
            reason = draw(st.sampled_from([None, "PowerLoss"]))
            facts.append(SessionEnded(**where, **named, readings=(reading,), reason=reason))
        elif kind == 3:
            facts.append(ConnectorStatusChanged(**where, charging_state=state))
        else:
            facts.append(StationBooted(**boot))
    return facts


@given(_facts(), st.randoms(use_true_random=False))
def test_no_time_makes_the_fold_raise_and_no_order_changes_it(
    facts: list[StationFact], random: Random
) -> None:
    sessions = sessions_of(fold_station("CS-1", told(facts), AC))
    shuffled = list(facts)
    random.shuffle(shuffled)

    assert sessions_of(fold_station("CS-1", told(shuffled), AC)) == sessions
    for session in sessions:
        if session.started_at is None or session.ended_at is None:
            continue
        assert session.started_at <= session.ended_at
        last = session.last_sign_at
        assert last is None or session.started_at <= last <= session.ended_at
        assert all(span.power_w >= 0 for span in session.spans)
        assert msgspec.json.encode(session.spans)
