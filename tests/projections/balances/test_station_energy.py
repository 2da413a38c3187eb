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


def _tell(story: Story16 | Story201, start: int, told: list[tuple[int, int]], stop: int) -> None:
    story.start(0, start)
    for minute, value in told:
        story.sample(minute, wh(value))
    story.stop(60, stop)


@BOTH
@pytest.mark.parametrize(
    ("start", "told", "stop", "metered", "dropped"),
    [
        (1000, [(30, 3000)], 6000, 5000, 0),
        (0, [(1, 10_100), (30, 11_050)], 12_000, 1900, 0),
        (50_001, [(20, 2001), (40, 4001)], 6001, 4000, 0),
        (1001, [(59, 5005)], 45_007, 44_006, 0),
        (1000, [(20, 3000), (40, 5000)], 1000, 4000, 0),
        (1000, [(20, 3000), (40, 5000)], 4000, 3000, 0),
        (1000, [(20, 3000), (59, 5000)], 0, 4000, 0),
        (1000, [(30, 9000)], 6000, 5000, 0),
        (1000, [(20, 2000), (30, 358_000)], 6000, 5000, 0),
        (1000, [(20, 3000), (30, 0), (40, 4000)], 6000, 5000, 0),
        (500_000, [(15, 502_000), (30, 0), (45, 1000)], 2000, 4000, 0),
        # it is a question whether the register began again; metered is what is certain
        (1000, [(20, 3000), (30, 500), (40, 2000)], 4000, 3000, -2500),
        (9_998_000, [(15, 9_999_500)], 3000, 5000, 0),
        (4_076_000, [(15, 1000), (30, 2500)], 4_081_000, 5000, 0),
    ],
)
def test_an_odd_register_is_metered_by_its_own_rise_and_balances(
    version: Version, start: int, told: list[tuple[int, int]], stop: int, metered: int, dropped: int
) -> None:
    story = version()
    _tell(story, start, told, stop)

    (day,) = _balance(story)

    assert [day.metered_wh, day.dropped_wh, day.difference_wh] == [metered, dropped, 0]


@BOTH
def test_a_register_that_began_again_at_a_boot_is_metered_from_there(version: Version) -> None:
    story = version()
    story.start(0, 1000)
    story.sample(20, wh(3000))
    story.boot(21)
    story.sample(40, wh(500))
    story.stop(60, 4000)

    (day,) = _balance(story)

    assert [day.metered_wh, day.dropped_wh, day.difference_wh] == [6000, 0, 0]


def test_a_stop_that_its_data_repeat_is_metered_once() -> None:
    story = Story16()
    story.start(0, 1000)
    story.stop(60, 6000, samples=[wh(6000, context="Transaction.End"), wh(6000)])

    (day,) = _balance(story)

    assert [day.metered_wh, day.dropped_wh, day.difference_wh] == [5000, 0, 0]


def test_what_the_fold_set_aside_stands_in_a_column_of_its_own() -> None:
    story = Story16()
    story.start(0, 1000)
    story.stop(59, 6000)
    story.stop(62, 6500)

    (day,) = _balance(story)

    assert [day.metered_wh, day.dropped_wh, day.difference_wh] == [5500, 500, 0]


@BOTH
def test_intervals_told_of_an_open_session_after_the_next_one_began_are_dropped(
    version: Version,
) -> None:
    def interval(value: int) -> dict[str, object]:
        return wh(value) | {"measurand": "Energy.Active.Import.Interval"}

    story = version()
    story.start(0, None, tx=1)
    story.sample(10, interval(500), tx=1)
    story.start(20, 9000, tx=2)
    story.sample(30, interval(700), tx=1)

    (day,) = _balance(story)

    assert [day.metered_wh, day.dropped_wh, day.difference_wh] == [1200, 700, 0]


@BOTH
def test_no_number_that_a_station_says_is_rounded_on_its_way_into_the_balance(
    version: Version,
) -> None:
    fine, far = Decimal("0.12345678901234564"), Decimal(999_999_999_999)
    story = version()
    for tx, place, (begins, ends) in (
        (1, 1, (0, fine)),
        (2, 2, (0, far)),
        (3, 1, (fine, 2 * fine)),
        (4, 3, (Decimal("0.1234567890123456789"), far)),
    ):
        story.start(20 * tx, begins, tx=tx, place=place)
        story.stop(20 * tx + 10, ends, tx=tx)

    (day,) = _balance(story)

    assert day.metered_wh > far
    assert day.difference_wh == 0


@BOTH
@pytest.mark.parametrize(
    ("first", "second", "metered", "shared"),
    [
        ((0, 1000, 40, 4000), (30, 2000, 60, 6000), 5000, 2000),
        ((0, 1000, 60, 6000), (30, 2000, 45, 3000), 5000, 1000),
        ((0, 1000, 40, 2000), (30, 2000, 60, 6000), 5000, 0),
        ((0, 1000, 40, 2000), (30, 2100, 60, 6000), 5000, 0),
        ((0, 1000, 30, 6000), (35, 4000, 60, 7000), 6000, 2000),
        ((0, 0, 30, 5000), (35, 0, 60, 7000), 12_000, 0),
    ],
)
def test_what_two_sessions_have_of_one_register_is_metered_once(
    version: Version,
    first: tuple[int, int, int, int],
    second: tuple[int, int, int, int],
    metered: int,
    shared: int,
) -> None:
    story = version()
    for tx, (starts, begin, _, _) in enumerate((first, second), 1):
        story.start(starts, begin, tx=tx)
    for tx, (_, _, ends, stop) in enumerate((first, second), 1):
        story.stop(ends, stop, tx=tx)

    (day,) = _balance(story)

    assert [day.metered_wh, day.dropped_wh, day.difference_wh] == [metered, 0, 0]
    assert sum(day.shared.values()) == shared
    drawn = first[3] - first[1] + second[3] - second[1]
    assert sum(day.sessions.values()) == drawn


def test_who_is_billed_has_the_shared_part_and_two_of_those_show_as_a_difference() -> None:
    story = Story16()
    story.start(0, 1000, tx=1)
    story.start(30, 2000, tx=2)
    story.stop(40, 4000, tx=1)
    story.stop(60, 6000, tx=2)
    sessions = sessions_of(story.fold())
    first, second = (session.session_id for session in sessions)

    (day,) = station_energy(story.facts(), sessions, AC)
    (other,) = station_energy(story.facts(), sessions, AC, first=[second])

    assert day.shared == {second: 2000}
    assert other.shared == {first: 2000}


class Day(NamedTuple):
    """What a station sends in a day, and what its meters really gave to each session."""

    story: Story16 | Story201
    truth: dict[str, int]


class Plug(NamedTuple):
    """One session at one place: what tells it, and what its register showed at the start."""

    story: Story16 | Story201
    tx: int
    place: int
    first: int
    is_relative: bool
    starts_at_0: bool
    """Whatever its register showed, the start told 0."""

    def sample(self, minute: int, value: int, *, has_id: bool = True) -> None:
        """Tell a reading, of 1.6 perhaps without an id."""
        if has_id or isinstance(self.story, Story201):
            self.story.sample(minute, wh(value), tx=self.tx, place=self.place)
        else:
            self.story.sample(minute, wh(value), tx=None, place=self.place)

    def read(self, draw: st.DrawFn, minute: int, register: int) -> int:
        """Tell one reading in some way; return what it shows for certain."""
        shown = register - self.first if self.is_relative else register
        odd = draw(st.sampled_from(["", "", "", "dip", "no id", "spike", "twice", "other"]))
        told = {"dip": 0, "spike": shown + 300_000}.get(odd, shown)
        if odd in {"twice", "other"}:
            self.sample(minute, told + (150 if odd == "other" else 0))
        self.sample(minute, told, has_id=odd != "no id")
        return register if not self.is_relative and odd in {"", "twice"} else self.first

    def end(self, draw: st.DrawFn, minute: int, register: int, highest: int) -> None:
        """Tell the stop in some way."""
        ending = draw(st.sampled_from(["stop", "stop", "twice", "both", "lost", "zero", "again"]))
        if ending == "again" and highest <= self.first + 10:
            ending = "stop"  # nothing that was told says that it is not the start again
        if ending == "zero" and self.starts_at_0 and highest == self.first:
            ending = "stop"  # nobody could tell this zero from a true one
        if ending == "both":
            self.story.stop(minute, register + 5, tx=self.tx)
        value = {"zero": 0, "again": self.first}.get(ending, register)
        for _ in range({"lost": 0, "twice": 2}.get(ending, 1)):
            self.story.stop(minute, value, tx=self.tx)


@st.composite
def days(draw: st.DrawFn) -> Day:
    """Return sessions on two connectors, one after the other, with what goes wrong at times."""
    truth: dict[str, int] = {}
    story: Story16 | Story201 = Story16() if draw(st.booleans()) else Story201()
    register = {1: draw(st.integers(0, 10_000_000)), 2: draw(st.integers(0, 5000))}
    free_at = {1: 0, 2: 0}
    for tx in range(1, draw(st.integers(1, 5)) + 1):
        place = draw(st.sampled_from([1, 2]))
        minute = free_at[place] + draw(st.integers(0, 300))
        register[place] += draw(st.sampled_from([0, 0, 7]))
        first = highest = register[place]
        # So far from the truth no plug can bring it in the time of a session.
        is_lie = first > 500_000 and draw(st.sampled_from([False, False, True]))
        is_relative = draw(st.booleans()) and not is_lie
        plug = Plug(story, tx, place, first, is_relative, starts_at_0=is_lie or first == 0)
        story.start(minute, 0 if is_lie else first, tx=tx, place=place)
        for _ in range(draw(st.integers(0, 4))):
            minute += draw(st.integers(1, 40))
            register[place] += draw(st.integers(0, 300))
            highest = max(highest, plug.read(draw, minute, register[place]))
        minute += draw(st.integers(1, 40))
        register[place] += draw(st.integers(0, 300))
        truth[f"T-{tx}" if isinstance(story, Story201) else str(tx)] = register[place] - first
        plug.end(draw, minute, register[place], highest)
        if draw(st.booleans()) and not plug.is_relative:
            register[place] += 3
            plug.sample(minute + 1, register[place])
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
