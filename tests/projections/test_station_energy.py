"""The energy balance: what the registers say is the sessions' or nobody's, to the Wh and day."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.sessions.session import ChargingSession, SessionPoint
from projections.balances.station_energy import DayEnergy, station_energy
from tests.station_story import AC, Story16, Story201, sessions_of, wh

MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)
BOTH = pytest.mark.parametrize("version", [Story16, Story201], ids=["1.6", "2.0.1"])
Version = type[Story16] | type[Story201]


def _balance(story: Story16 | Story201) -> list[DayEnergy]:
    return station_energy(story.facts(), sessions_of(story.fold()), story.traits)


@BOTH
def test_a_session_over_midnight_gives_each_day_its_rises(version: Version) -> None:
    story = version()
    story.start(800, 1000)
    story.sample(890, wh(3000))
    story.sample(910, wh(3500))
    story.stop(1000, 6000)

    monday, tuesday = _balance(story)

    assert (monday.day, tuesday.day) == (MONDAY, TUESDAY)
    assert [monday.metered_wh, tuesday.metered_wh] == [2000, 3000]
    assert [sum(day.sessions.values()) for day in (monday, tuesday)] == [2000, 3000]
    assert [day.difference_wh for day in (monday, tuesday)] == [0, 0]


@BOTH
def test_what_rises_between_sessions_is_nobodys(version: Version) -> None:
    story = version()
    story.start(0, 1000, tx=1)
    story.stop(60, 6000, tx=1)
    story.sample(61, wh("6004.1"), tx=1)
    story.start(120, 6010, tx=2)
    story.stop(180, 7000, tx=2)

    (day,) = _balance(story)

    assert day.metered_wh == 6000
    assert day.unattributed_wh == 10
    assert sum(day.sessions.values()) == 5990
    assert day.difference_wh == 0


def test_connectors_are_counted_each_for_itself_and_connector_zero_not_at_all() -> None:
    story = Story16()
    story.start(0, 1000, tx=1, place=1)
    story.start(5, 700_000, tx=2, place=2)
    story.sample(30, wh(999_999), tx=None, place=0)
    story.stop(60, 6000, tx=1)
    story.stop(60, 701_000, tx=2)

    (day,) = _balance(story)

    assert day.metered_wh == 6000
    assert day.unattributed_wh == 0
    assert day.difference_wh == 0


def test_a_rollover_and_a_relative_register_are_metered_once() -> None:
    story = Story16()
    story.start(0, 9_998_000, tx=1)
    story.sample(30, wh(500), tx=1)
    story.stop(60, 3000, tx=1)
    story.start(90, 3000, tx=2)
    story.sample(100, wh(200), tx=2)
    story.stop(120, 4000, tx=2)

    (day,) = _balance(story)

    assert day.metered_wh == 6000
    assert day.difference_wh == 0


def test_energy_that_a_broken_fold_loses_or_doubles_shows_as_a_difference() -> None:
    story = Story16()
    story.start(0, 1000)
    story.sample(30, wh(3000))
    story.stop(60, 6000)
    session = story.session()
    lost = msgspec.structs.replace(session, points=session.points[:-1])
    last = session.points[-1]
    more = SessionPoint(last.at, last.energy_wh + 1, last.position, last.line)
    inflated = msgspec.structs.replace(session, points=(*session.points[:-1], more))

    def difference(told: ChargingSession) -> Decimal:
        return station_energy(story.facts(), [told], AC)[0].difference_wh

    assert difference(session) == 0
    assert difference(lost) == 3000
    assert difference(inflated) == -1


class Day(NamedTuple):
    """What a station sends in a day, and what its meters really gave to each session."""

    story: Story16 | Story201
    truth: dict[str, int]


@st.composite
def days(draw: st.DrawFn) -> Day:
    """Return sessions on two connectors, one after the other, with what goes wrong at times."""
    truth: dict[str, int] = {}
    story: Story16 | Story201 = Story16() if draw(st.booleans()) else Story201()
    register = {1: draw(st.integers(0, 10_000_000)), 2: draw(st.integers(0, 5000))}
    free_at = {1: 0, 2: 0}
    for tx in range(1, draw(st.integers(1, 5)) + 1):
        place = draw(st.sampled_from([1, 2]))
        begin = free_at[place] + draw(st.integers(0, 300))
        register[place] += draw(st.sampled_from([0, 0, 7]))
        first = register[place]
        is_relative = draw(st.booleans())
        story.start(begin, first, tx=tx, place=place)
        minute = begin
        for _ in range(draw(st.integers(0, 4))):
            minute += draw(st.integers(1, 40))
            register[place] += draw(st.integers(0, 300))
            shown = register[place] - first if is_relative else register[place]
            odd = draw(st.sampled_from(["", "", "", "dip", "no id"]))
            told = 0 if odd == "dip" else shown
            if odd == "no id" and isinstance(story, Story16):
                story.sample(minute, wh(told), tx=None, place=place)
            else:
                story.sample(minute, wh(told), tx=tx, place=place)
        minute += draw(st.integers(1, 40))
        register[place] += draw(st.integers(0, 300))
        truth[f"T-{tx}" if isinstance(story, Story201) else str(tx)] = register[place] - first
        ending = draw(st.sampled_from(["stop", "stop", "twice", "both", "lost", "zero"]))
        if ending == "zero" and first == 0:
            ending = "stop"  # nobody could tell this zero from a true one
        if ending != "lost":
            if ending == "both":
                story.stop(minute, register[place] + 5, tx=tx)
            for _ in range(2 if ending == "twice" else 1):
                story.stop(minute, 0 if ending == "zero" else register[place], tx=tx)
        if draw(st.booleans()) and not is_relative:
            register[place] += 3
            story.sample(minute + 1, wh(register[place]), tx=tx, place=place)
        free_at[place] = minute + 2
    return Day(story, truth)


@settings(max_examples=200, deadline=None)
@given(days())
def test_metered_is_sessions_and_unattributed_on_every_day(told: Day) -> None:
    for day in _balance(told.story):
        assert day.difference_wh == 0, day
        assert day.unattributed_wh >= 0


@settings(max_examples=200, deadline=None)
@given(days())
def test_what_is_rated_without_a_person_is_what_flowed(told: Day) -> None:
    for session in told.story.sessions():
        if session.is_complete:
            assert session.energy_wh == told.truth[session.transaction_ref], session.flags
