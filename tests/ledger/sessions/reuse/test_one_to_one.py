"""A session has one stop: which stop without an id is whose, where several sessions could be."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ledger.facts.flags import Flag
from tests.station_story import Story16, in_any_order

STARTS = {1: 1000, 2: 7000, 3: 13_000}
"""22 kW: who began at 1,000 Wh can have all that the others can have after an hour, but no more."""


def started(*places: int) -> Story16:
    story = Story16()
    for place in places:
        story.start(0, STARTS[place], tx=place, place=place)
    return story


def stopped(story: Story16) -> dict[str, Decimal | None]:
    """Return the energy of each session that has ended, and of each stop of nobody's."""
    sessions = in_any_order(story)
    return {each.transaction_ref: each.energy_wh for each in sessions if each.is_ended}


def test_what_one_session_alone_can_have_is_no_other_one_s() -> None:
    story = started(1, 2)
    story.stop(60, 12_000, tx=-1)
    assert stopped(story) == {"-": None}

    story.stop(61, 6000, tx=-1)

    assert stopped(story) == {"1": 5000, "2": 5000}


def test_one_leads_to_the_next() -> None:
    story = started(1, 2, 3)
    for minute, register in ((60, 18_000), (61, 12_000), (62, 6000)):
        story.stop(minute, register, tx=-1)

    assert stopped(story) == {"1": 5000, "2": 5000, "3": 5000}


@pytest.mark.parametrize(
    ("minute", "register", "expected"),
    [
        pytest.param(61, 6000, {"1": 5000}, id="the same stop, told again"),
        pytest.param(61, 6001, {"1": 5000}, id="two stops of one session contradict each other"),
        pytest.param(62, 12_000, {"1": 5000, "2": 5000}, id="the other one's"),
    ],
)
def test_two_stops_are_of_one_session_or_of_two(
    minute: float, register: int, expected: dict[str, Decimal]
) -> None:
    story = started(1, 2)
    story.stop(60, 6000, tx=-1)
    story.stop(minute, register, tx=-1)

    assert stopped(story) == expected


def test_a_stop_that_may_be_two_sessions_is_told_twice_and_is_one_s() -> None:
    story = started(1, 2)
    for minute, register in ((60, 12_000), (60.5, 12_000), (61, 6000)):
        story.stop(minute, register, tx=-1)

    assert stopped(story) == {"1": 5000, "2": 5000}
    assert Flag.DUPLICATE_STOP in story.sessions()[1].flags


def test_two_stops_that_only_one_session_is_left_for_are_held() -> None:
    story = started(1, 2)
    for minute, register in ((60, 12_000), (61, 13_000), (62, 6000)):
        story.stop(minute, register, tx=-1)

    assert [each.blockers for each in in_any_order(story)] == [(), (Flag.CONFLICTING_STOP,)]


@pytest.mark.parametrize(("pause", "is_first_s"), [(1 / 60, True), (0, False), (0.5, True)])
def test_a_stop_is_not_the_next_session_s_however_soon_that_began(
    pause: float, *, is_first_s: bool
) -> None:
    """A reading may come a minute before its start; a stop does not."""
    story = Story16()
    story.start(0, 1000, tx=1)
    story.stop(60, 6000, tx=0)
    story.start(60 + pause, 6000, tx=2)

    assert stopped(story) == ({"1": 5000} if is_first_s else {"-": None})


@pytest.mark.parametrize("foreign", [(999, -1), (-1, 999), (999, 999)])
def test_a_foreign_id_leads_to_nothing(foreign: tuple[int, int]) -> None:
    """It closes none of several sessions, and says nothing of who may be closed by another."""
    story = started(1, 2)
    for minute, register, tx in zip((60, 61), (6000, 12_000), foreign, strict=True):
        story.stop(minute, register, tx=tx)

    assert "2" not in stopped(story)


@pytest.mark.parametrize(("others", "is_ended"), [(13, True), (14, False)])
def test_of_a_crowd_nobody_asks_who_is_left(others: int, *, is_ended: bool) -> None:
    story = Story16()
    for place in range(1, others + 3):
        story.start(0, 1000 + 10 * place, tx=place, place=place)
    # Each has its own stop that no later one can have, but for the last.
    for place in range(1, others + 2):
        story.stop(1, 1000 + 10 * place, tx=-1)
    story.stop(60, 9000, tx=-1)

    assert (
        str(others + 2) in {each.transaction_ref for each in story.sessions() if each.is_ended}
    ) is is_ended


def test_a_stop_that_is_told_again_is_no_other_session_s() -> None:
    """Told first, it was more than session 1 could have had; half a minute later it no longer is.

    It ends nobody who still charges: what is told again is nobody's, and held.
    """
    story = started(1, 2)
    for minute in (26, 26.5):
        story.stop(minute, 12_000, tx=-1)

    assert stopped(story) == {"2": 5000, "-": None}
