"""Sessions of one reference that run at once: each event goes to its own."""

from __future__ import annotations

import pytest

from ledger.facts.flags import Flag
from tests.station_story import Story201, at, brief, in_any_order, wh

SECOND = 1 / 60


def test_two_evses_that_count_alike_are_two_sessions() -> None:
    story = Story201()
    story.start(0, 1000, token="A", seq=0, place=1)
    story.start(10, 50_000, token="B", seq=0, place=2)
    story.sample(20, wh(52_000), seq=1, place=2)
    story.sample(20, wh(2000), seq=1, place=1)
    story.stop(30, 3000, seq=2, place=1)
    story.stop(40, 55_000, seq=2, place=2)

    first, second = in_any_order(story)

    assert [brief(first), brief(second)] == [("a", 2000, ()), ("b", 5000, ())]
    assert (first.evse_id, second.evse_id) == (1, 2)
    assert first.facts_from is second.facts_from is None


@pytest.mark.parametrize("begins", [0, 10, 30 - SECOND])
def test_without_an_evse_the_register_says_which_of_two_sessions_is_meant(begins: float) -> None:
    story = Story201()
    story.start(0, 1000, token="A", seq=0, place=1)
    story.start(begins, 50_000, token="B", seq=0, place=2)
    story.stop(30, 3000, seq=2)
    story.stop(40, 55_000, seq=2)

    first, second = sorted(in_any_order(story), key=lambda each: each.evse_id or 0)

    assert [first.energy_wh, second.energy_wh] == [2000, 5000]
    assert Flag.ID_AMBIGUOUS not in (*first.flags, *second.flags)
    assert first.session_id != second.session_id


def test_where_the_register_fits_both_sessions_both_are_held() -> None:
    story = Story201()
    story.start(0, 1000, token="A", seq=0, place=1)
    story.start(10, 1100, token="B", seq=0, place=2)
    story.stop(30, 3000, seq=2)

    first, second = in_any_order(story)

    assert Flag.ID_AMBIGUOUS in first.blockers
    assert Flag.ID_AMBIGUOUS in second.blockers


def test_an_event_that_names_a_token_is_its_session_s() -> None:
    story = Story201()
    story.start(0, 1000, token="A", seq=0, place=1)
    story.start(10, 1000, token="B", seq=0, place=2)
    story.sample(20, wh(2000), seq=1, token="A")
    story.stop(30, 3000, seq=2, place=1)
    story.stop(30, 4000, seq=1, place=2)

    first, second = in_any_order(story)

    assert [len(first.points), len(second.points)] == [3, 2]
    assert first.blockers == second.blockers == ()


def test_once_one_evse_has_stopped_a_date_tells_the_next_session_apart() -> None:
    story = Story201()
    story.start(0, 1000, token="A", seq=0, place=1)
    story.stop(30, 3000, seq=1, place=1)
    story.start(30, 50_000, token="B", seq=0, place=2)
    story.stop(60, 51_000, seq=1, place=2)
    story.start(60 + SECOND, 3000, token="A", seq=0, place=1)

    assert [each.facts_from for each in in_any_order(story)] == [None, at(30), at(60 + SECOND)]


def test_an_evse_where_nothing_was_started_is_held_by_itself() -> None:
    story = Story201()
    story.start(0, 1000, token="A", seq=0, place=1)
    story.sample(20, wh(90_000), seq=1, place=2)
    story.stop(25, 91_000, seq=2, place=2)
    story.stop(30, 3000, seq=3, place=1)

    own, stray = sorted(in_any_order(story), key=lambda each: each.started_at is None)

    assert brief(own)[:2] == ("a", 2000)
    assert Flag.FOREIGN_CONNECTOR in own.flags
    assert stray.session_id == "CS-1/T-1/no-start-20260302T080000Z-at-2"
    assert (stray.evse_id, stray.energy_wh) == (2, None)
    assert Flag.START_MISSING in stray.blockers


def test_however_many_starts_one_second_has_few_sessions_come_of_it() -> None:
    story = Story201()
    for number in range(40):
        story.start(0, 1000, token=f"T{number}", seq=0)
    story.stop(60, 6000, seq=1)

    found = story.sessions()

    assert len(found) == 8
    assert len({each.session_id for each in found}) == 8
    assert all(Flag.ID_AMBIGUOUS in each.blockers for each in found)


@pytest.mark.parametrize("overlap", [False, True])
def test_two_busy_evses_never_make_a_session_reach_back_far(*, overlap: bool) -> None:
    story = Story201()
    for number in range(30):
        begin, register, place = number * 20, 1000 * number, 1 + number % 2
        story.start(begin, register, token="A", seq=0, place=place)
        story.stop(begin + (35 if overlap else 15), register + 900, seq=1, place=place)

    found = story.sessions()

    reach = [(each.started_at or at(0)) - (each.facts_from or at(0)) for each in found]
    assert max(reach) == at(7 * 20 if overlap else 0) - at(0)
    assert sum(each.started_at is not None for each in found) == 30
