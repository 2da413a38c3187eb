"""Sessions at one place that have the same part of its register: both are held."""

from __future__ import annotations

from decimal import Decimal
from itertools import permutations

import pytest

from ledger.facts.flags import Flag
from ledger.facts.station_facts import StationFact
from ledger.sessions.loose_frames import Window
from ledger.sessions.overlap import overlapping
from tests.station_story import Story16, Story201, at, in_any_order, sessions_of

SHARED = Flag.REGISTER_SHARED


def _window(
    starts: float, begin: int | None, ends: float | None = None, stop: int | None = None
) -> Window:
    return Window(
        transaction_ref="1",
        place=1,
        starts_at=at(starts),
        ends_at=None if ends is None else at(ends),
        next_start_at=None,
        meter_start_wh=None,
        meter_stop_wh=None if stop is None else Decimal(stop),
        token_uid=None,
        begin_wh=None if begin is None else Decimal(begin),
    )


@pytest.mark.parametrize(
    ("earlier", "later", "is_shared"),
    [
        # at once: the same Wh or not, 10 Wh are no difference
        ((0, 1000, 40, 4000), (30, 2000, 60, 6000), True),
        ((0, 1000, 40, 2000), (30, 2000, 60, 6000), False),
        ((0, 1000, 40, 2010), (30, 2000, 60, 6000), False),
        ((0, 1000, 40, 2011), (30, 2000, 60, 6000), True),
        ((0, 1000, 60, 6000), (30, 2000, 45, 3000), True),
        ((0, 1000, 60, 6000), (30, 2000, 45, 2010), False),
        ((0, 1000, 60, 6000), (30, 2000, 45, 2011), True),
        ((0, 1000, 60, 6000), (30, 0, 45, 1010), False),
        ((0, 1000, 60, 6000), (30, 0, 45, 1011), True),
        ((0, 0, 60, 5000), (30, 0, 90, 7000), True),
        # within the earlier one, which goes on from where it ended: no register falls
        ((0, 5000, 60, 9000), (30, 1000, 45, 5000), True),
        ((0, 5000, 60, 9000), (30, 1000, 90, 5000), True),
        ((0, 5000, 60, 9000), (30, 4989, 45, 5000), True),
        ((0, 5000, 60, 9000), (30, 4990, 45, 5005), False),
        ((0, 5000, 60, 9000), (30, 101, 45, 5000), True),
        ((0, 5000, 60, 9000), (30, 100, 45, 5000), False),
        ((0, 5000, 60, 9000), (30, 1000, 45, 1010), False),
        ((0, 5000, 60, 5010), (30, 1000, 45, 5000), False),
        ((0, 5000, 60, 9000), (30, 1000, None, None), False),
        ((0, 5000, 60, 9000), (30, 1000, 45, 4000), True),
        ((0, 5000, 60, 9000), (30, 1000, 45, 3999), False),
        # one after the other
        ((0, 1000, 30, 4000), (30, 4000, 60, 6000), False),
        ((0, 1000, 30, 4000), (30, 3990, 60, 6000), False),
        ((0, 1000, 30, 4000), (30, 3989, 60, 6000), True),
        ((0, 1000, 30, 4000), (30, 1011, 60, 6000), True),
        # told twice, by a clock that was set in between; or a register that begins anew
        ((0, 1000, 30, 4000), (60, 1000, 90, 4000), True),
        ((0, 1000, 30, 4000), (60, 500, 90, 1011), True),
        ((0, 1000, 30, 4000), (60, 500, 90, 1010), False),
        ((0, 1000, 30, 4000), (60, 101, 90, 4000), True),
        ((0, 1000, 30, 4000), (60, 100, 90, 4000), False),
        ((0, 20, 30, 4000), (60, 30, 90, 4000), False),
        ((0, 20, 30, 4000), (60, 31, 90, 4000), True),
        ((0, 1000, 30, 4000), (60, 1000, 90, None), False),
        ((0, 1000, 30, 4000), (60, 1011, 90, None), True),
        ((0, 0, 30, 5000), (40, 0, 60, 7000), False),
        # a stop that is lost or still to come has nothing yet
        ((0, 1000, None, None), (30, 2000, 60, 6000), False),
        ((0, 1000, 60, 6000), (30, 2000, None, None), False),
        ((0, 1000, 30, 6000), (40, 2000, None, None), False),
        # registers that nobody knows: who lasts on for more than a minute may share
        ((0, None, 31, 4000), (30, 2000, 60, 6000), False),
        ((0, None, 31 + 1 / 60, 4000), (30, 2000, 60, 6000), True),
        ((0, 1000, 40, None), (30, 2000, 60, 6000), True),
        ((0, 1000, 40, 999), (30, 2000, 60, 6000), True),
        ((0, 1000, 40, 4000), (30, None, 60, 6000), True),
        ((0, 1000, 40, 4000), (30, 2000, 60, None), True),
        ((0, 1000, 40, 1000), (30, 2000, 60, None), False),
        ((0, None, 30, 4000), (30, 2000, 60, 6000), False),
        ((0, 1000, 30, None), (30, 2000, 60, 6000), False),
        ((0, 1000, 30, 4000), (30, None, 60, 6000), False),
    ],
)
def test_two_sessions_share_a_register(
    earlier: tuple[float, int | None, float | None, int | None],
    later: tuple[float, int | None, float | None, int | None],
    *,
    is_shared: bool,
) -> None:
    found = overlapping([_window(*earlier), _window(*later)])

    assert found == ({0, 1} if is_shared else set())


def test_one_that_lasts_is_compared_with_all_that_begin_meanwhile() -> None:
    row = [
        _window(0, 1000, 100, 9000),
        _window(10, 1000, 20, 1000),
        _window(30, 9000, 40, 9500),
        _window(50, 5000, 60, 6000),
        _window(120, 9500, 130, 9900),
    ]

    assert overlapping(row) == {0, 3}


@pytest.mark.parametrize(("count", "found"), [(7, set()), (8, {8}), (9, {8, 9})])
def test_where_a_crowd_is_at_one_place_at_once_the_next_is_held_uncompared(
    count: int, found: set[int]
) -> None:
    crowd = [_window(minute, 1000 * minute, 100, 1000 * minute + 5) for minute in range(count)]

    assert overlapping([*crowd, _window(50, 90_000, 60, 91_000)]) == found


@pytest.mark.parametrize(("between", "found"), [(7, {0, 8}), (8, set())])
def test_a_session_is_compared_with_the_eight_before_it(between: int, found: set[int]) -> None:
    blips = [_window(10 + each, 2000, 10.5 + each, 2000) for each in range(between)]
    row = [_window(0, 1000, 100, 6000), *blips, _window(50, 3000, 60, 4000)]

    assert overlapping(row) == found


@pytest.mark.parametrize(("rise", "found"), [(10, {0, 2}), (11, {1, 2})])
def test_after_others_it_is_compared_with_the_last_that_drew_energy(
    rise: int, found: set[int]
) -> None:
    row = [
        _window(0, 1000, 20, 6000),
        _window(30, 6000, 31, 6000 + rise),
        _window(40, 4000, 50, 7000),
    ]

    assert overlapping(row) == found


@pytest.mark.parametrize("version", [Story16, Story201], ids=["1.6", "2.0.1"])
def test_two_sessions_at_once_are_held_in_whatever_order_their_frames_come(
    version: type[Story16 | Story201],
) -> None:
    story = version()
    story.start(0, 1000, tx=1)
    story.start(30, 2000, tx=2)
    story.stop(40, 4000, tx=1)
    story.stop(60, 6000, tx=2)
    facts: list[StationFact] = story.facts()

    for order in permutations(facts):
        first, second = sessions_of(story.fold(order))
        assert [first.energy_wh, second.energy_wh] == [3000, 4000]
        assert first.blockers == second.blockers == (SHARED,)


@pytest.mark.parametrize("version", [Story16, Story201], ids=["1.6", "2.0.1"])
def test_a_start_that_is_dated_hours_back_is_held(version: type[Story16 | Story201]) -> None:
    """Its own frames agree with each other, but a session lay in between with an earlier part."""
    story = version()
    story.start(600, 1000, tx=1)
    story.stop(660, 5000, tx=1)
    story.start(0, 5000, tx=2, received=720)
    story.stop(780, 9000, tx=2)

    late, whole = in_any_order(story)

    assert [late.energy_wh, whole.energy_wh] == [4000, 4000]
    assert late.blockers == whole.blockers == (SHARED,)


def test_sessions_at_two_places_share_nothing() -> None:
    story = Story16()
    story.start(0, 1000, tx=1, place=1)
    story.start(30, 2000, tx=2, place=2)
    story.stop(40, 4000, tx=1)
    story.stop(60, 6000, tx=2)

    assert [session.flags for session in story.sessions()] == [(), ()]


def test_what_lies_where_is_kept_without_what_others_are() -> None:
    """A session that is decided is kept as its window: what it shares is found anew each time."""
    story = Story16()
    story.start(0, 1000, tx=1)
    story.start(30, 2000, tx=2)
    story.stop(40, 4000, tx=1)
    story.stop(60, 6000, tx=2)

    windows = [session.window for session in story.sessions()]

    assert [window and window.is_overlapping for window in windows] == [False, False]
    assert [window and window.begin_wh for window in windows] == [1000, 2000]
