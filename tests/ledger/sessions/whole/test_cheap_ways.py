"""Where a cheap way proves that the long one finds nothing, both say the same."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.facts.first_told import first_told
from ledger.facts.flags import Flag
from ledger.facts.station_clock import SessionClock, learn_clock
from ledger.facts.station_facts import (
    ConnectorStatusChanged,
    QueueReported,
    SessionFact,
    SessionUpdated,
)
from ledger.meter.checks import _integral, _is_against, physics_flags
from ledger.meter.evidence import PowerReading
from ledger.meter.series import Counted, PowerLimit, RegisterReading
from ledger.sessions.loose_frames import fits
from ledger.sessions.reuse import run
from ledger.sessions.segments import source_of
from ledger.sessions.station_fold import _unlike, fold_station
from ledger.sessions.vehicle.told_states import ToldStates
from tests.ledger.meter.readings import LIMIT
from tests.ledger.sessions.test_station_fold import stories_16, stories_201
from tests.station_story import AC, Story16, Story201, at, wh

STORIES = st.one_of(stories_16(), stories_201())
MINUTES = st.integers(-120, 240)


@settings(max_examples=120, deadline=None)
@given(STORIES, st.sampled_from([False, True]))
def test_what_is_of_one_session_is_split_as_all_else(
    story: Story16 | Story201,
    is_tail: bool,  # noqa: FBT001 - drawn
) -> None:
    by_reference: dict[str, list[SessionFact | QueueReported]] = {}
    for fact in story.facts():
        if isinstance(fact, SessionFact | QueueReported):
            by_reference.setdefault(fact.transaction_ref or "", []).append(fact)
    for reference, facts in by_reference.items():
        quickly = run.split_segments(reference, facts, AC, is_tail=is_tail)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(run, "_alone", lambda *_: None)
            assert run.split_segments(reference, facts, AC, is_tail=is_tail) == quickly


@settings(max_examples=120, deadline=None)
@given(STORIES)
def test_a_loose_frame_fits_those_of_all_windows_and_the_only_one_takes_it(
    story: Story16 | Story201,
) -> None:
    fold = story.fold()
    limit = PowerLimit(AC.max_power_w)
    for each in (frame for spoken in fold.spoken.values() for frame in spoken.loose):
        windows = fold.windows.by_key.items()
        fitting = {key for key, window in windows if fits(each, window, limit)}
        found = {*fold.matched.fitting[source_of(each.frame)]}
        is_enough = isinstance(each.frame, SessionUpdated) and len(found) > 1
        assert found <= fitting if is_enough else found == fitting
        if len(fitting) <= 1:
            assert fold.matched.takers[source_of(each.frame)] == next(iter(fitting), None)


@settings(max_examples=120, deadline=None)
@given(STORIES)
def test_what_is_told_first_is_so_of_each_content(story: Story16 | Story201) -> None:
    facts = [
        fact for fact in story.facts() if isinstance(fact, SessionFact | ConnectorStatusChanged)
    ]
    once: dict[tuple[datetime, object], list[datetime]] = {}
    for fact in facts:
        if fact.occurred_at is not None:
            said = [
                getattr(fact, name, None)
                for name in ("charging_state", "evse_id", "connector_id",
                             "transaction_ref", "token_uid", "seq_no", "readings", "error_code")
            ]  # fmt: skip
            key = fact.occurred_at, (type(fact), *said)
            once.setdefault(key, []).append(fact.received_at)

    expected = sorted((told_at, min(received)) for (told_at, _), received in once.items())

    assert sorted(first_told(facts)) == expected


@given(st.lists(st.tuples(MINUTES, st.integers(-400, 900)), min_size=1, max_size=8))
def test_a_clock_within_five_minutes_is_right_whatever_else_came_late(
    told: list[tuple[int, int]],
) -> None:
    pairs = [(at(minute), at(minute) + timedelta(seconds=delay)) for minute, delay in told]
    clock = learn_clock(pairs, AC)

    if all(delay >= -300 for _, delay in told) and any(delay <= 300 for _, delay in told):
        assert not clock.offset
        assert set(clock.flags) <= {Flag.LATE_ARRIVAL}
    else:
        assert clock.offset or clock.flags or min(delay for _, delay in told) > 300


@settings(max_examples=120)
@given(st.lists(st.integers(0, 3000), min_size=1, max_size=8), st.integers(1, 90))
def test_more_than_power_brings_is_found_between_any_two_readings(
    rises: list[int], minutes: int
) -> None:
    counted, energy = [], Decimal(0)
    for index, rise in enumerate([0, *rises]):
        energy += rise
        moment = at(index * minutes / 60)
        counted.append(Counted(RegisterReading(moment, energy, 0, 0), energy))
    pairs = ((one, other) for index, one in enumerate(counted) for other in counted[index + 1 :])
    beyond = any(
        other.energy_wh - one.energy_wh > LIMIT.energy_max_wh(one.reading.at, other.reading.at)
        for one, other in pairs
    )

    assert (Flag.ENERGY_IMPLAUSIBLE in physics_flags(counted, (), LIMIT)) is beyond


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from([-9000, 0, 400, 600, 7000, 20_000]), min_size=2, max_size=6),
    st.lists(st.sampled_from([0, 50, 400, 3000, 30_000]), min_size=5, max_size=5),
)
def test_what_the_mean_of_the_power_settles_the_higher_and_the_lower_ones_settle_so(
    watts: list[int], rises: list[int]
) -> None:
    powers = [PowerReading(at(5 + 10 * n), Decimal(each)) for n, each in enumerate(watts)]
    energies = accumulate(rises, initial=0)
    told = [RegisterReading(at(12 * n), Decimal(each), 0, 0) for n, each in enumerate(energies)]
    counted = [Counted(each, each.value_wh) for each in told]
    mean = _integral(powers, lambda one, other: (one + other) / 2)

    quickly = _is_against(counted, powers, mean, LIMIT)

    assert _is_against(counted, powers, Decimal("-Infinity"), LIMIT) is quickly


@settings(max_examples=120, deadline=None)
@given(
    st.lists(st.tuples(MINUTES, MINUTES), max_size=12),
    st.lists(st.tuples(MINUTES, MINUTES), min_size=1, max_size=4),
    st.sampled_from([0, 3600]),
)
def test_the_states_of_a_sessions_time_are_those_of_all(
    told: list[tuple[int, int]], times: list[tuple[int, int]], offset_s: int
) -> None:
    story = Story16()
    for minute, received in told:
        story.state(minute, "Available", received=received)
    statuses = [each for each in story.facts() if isinstance(each, ConnectorStatusChanged)]
    states, clock = ToldStates([*statuses, *statuses]), SessionClock(timedelta(seconds=offset_s))
    effective = [clock.effective(each.occurred_at, each.received_at) for each in statuses]
    for first, last in times:
        shown = states.shown_by(clock, at(first), 1)
        came = states.received(at(first), at(last))

        meant = sorted(moment for moment in effective if at(first) <= moment <= at(last))
        assert [change[0] for change, _ in shown.between(at(first), at(last))] == meant
        assert [each for each in shown.freed_at if at(first) <= each <= at(last)] == meant
        assert sorted(each.position for each in came) == sorted(
            each.position for each in statuses if at(first) <= each.received_at <= at(last)
        )


SIX = st.lists(st.integers(0, 5), max_size=6, unique=True)


@given(st.one_of(st.tuples(SIX, SIX), st.tuples(SIX.map(sorted), SIX.map(sorted))))
def test_states_that_only_one_fold_knows_are_found_however_they_lie(
    known: tuple[list[int], list[int]],
) -> None:
    """None is left out; in the order in which they are told there is none too many."""
    was, now = known
    story = Story16()
    for minute in range(6):
        story.state(minute, "Available")
    states = [each for each in story.facts() if isinstance(each, ConnectorStatusChanged)]

    found = {states.index(one) for one in _unlike(*([states[n] for n in some] for some in known))}

    assert found >= {*was} ^ {*now}
    if [was, now] == [sorted(was), sorted(now)]:
        assert found == {*was} ^ {*now}


def test_a_frame_is_given_away_again_where_a_session_between_closes_the_one_that_took_it() -> None:
    """That session was over before the frame: only the one before it is another than it was."""
    story = Story16()
    story.start(0, 1000)
    story.sample(90, wh(2000), tx=None)
    first = story.fold()
    story.start(60, 1500, tx=2, token="TAG-2")
    story.stop(65, 1600, tx=2)
    whole = story.fold()

    further = fold_station("CS-1", whole.told, AC, first)

    assert [taker and taker[0] for taker in first.matched.takers.values()] == ["1"]
    assert further.matched == whole.matched
    assert [*whole.matched.takers.values()] == [None]
