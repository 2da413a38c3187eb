"""Sessions of one reference that run at once: each event goes to its own."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from ledger.facts.flags import Flag
from ledger.sessions.session import ChargingSession
from tests.station_story import Story16, Story201, at, brief, in_any_order, wh

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


def test_what_is_too_many_in_a_second_is_held_with_the_last() -> None:
    story = Story201()
    for number in range(9):
        device = f"2026-03-02T08:00:00.{number:03}Z"
        story.start(0, 1000, token=f"T{number}", seq=0, device=device)

    found = story.sessions()

    assert len(found) == 8
    assert [Flag.ID_AMBIGUOUS in each.flags for each in sorted(found, key=_begins)] == [
        *[False] * 7,
        True,
    ]


def test_starts_of_one_moment_lie_in_the_order_in_which_they_came() -> None:
    story = Story201()
    for token in "ABC":
        story.start(0, 1000, token=token, seq=0)

    found = sorted(story.sessions(), key=_begins)

    assert [each.token_uid for each in found] == ["a", "b", "c"]
    moments = [each.window.starts_at for each in found if each.window]
    assert moments == [at(0), at(0) + timedelta(microseconds=1), at(0) + timedelta(microseconds=2)]
    assert [each.blockers for each in found] == [
        (Flag.ID_AMBIGUOUS, Flag.STOP_LOST),
        (Flag.ID_AMBIGUOUS, Flag.STOP_LOST),
        (Flag.ID_AMBIGUOUS,),
    ]


def test_two_starts_of_one_moment_at_two_places_are_no_doubt() -> None:
    for story in (Story16(), Story201()):
        story.start(0, 1000, tx=1, place=1)
        story.start(0, 1000, tx=1, place=2)

        assert [each.blockers for each in story.sessions()] == [(), ()]


def test_without_a_stop_a_frame_is_the_last_session_s_of_its_place() -> None:
    story = Story201()
    story.start(0, 1000, token="A", seq=0, device="2026-03-02T08:00:00.100Z")
    story.start(0, 1000, token="B", seq=0, device="2026-03-02T08:00:00.700Z")
    story.stop(60, 6000, seq=1)

    first, second = sorted(in_any_order(story), key=_begins)

    assert brief(first) == ("a", 0, (Flag.STOP_LOST,))
    assert brief(second) == ("b", 5000, ())


@pytest.mark.parametrize(
    ("minute", "is_ambiguous"),
    [
        pytest.param(20, True, id="both charge"),
        pytest.param(30, True, id="one stops at that moment"),
        pytest.param(30 + SECOND, False, id="one has stopped"),
        pytest.param(60 + SECOND, True, id="both have stopped"),
    ],
)
def test_a_state_that_names_no_evse_is_of_the_session_that_still_runs(
    minute: float, *, is_ambiguous: bool
) -> None:
    story = Story201()
    story.start(0, 1000, token="A", seq=0, place=1)
    story.start(10, 50_000, token="B", seq=0, place=2)
    story.stop(30, 3000, seq=2, place=1)
    story.stop(60, 55_000, seq=2, place=2)
    story.state(minute, "SuspendedEV", seq=1)

    first, second = in_any_order(story)

    assert (Flag.ID_AMBIGUOUS in first.blockers) == is_ambiguous
    assert (Flag.ID_AMBIGUOUS in second.blockers) == is_ambiguous
    assert (4, 0) in second.frames


def test_what_is_dated_before_all_sessions_is_the_first_one_s() -> None:
    story = Story201()
    story.start(0, 1000, token="A", seq=0, place=1)
    story.start(10, 1100, token="B", seq=0, place=2)
    story.sample(-1, wh(1100), seq=1, received=20)

    first, second = in_any_order(story)

    assert Flag.ID_AMBIGUOUS not in (*first.flags, *second.flags)
    assert (2, 0) in first.frames


# Half an hour of 22 kW and a tenth more, a minute of grace and 10 Wh.
MOST = Decimal(22_000) * Decimal("1.1") * 1860 / 3600 + 10


@pytest.mark.parametrize(
    ("value", "is_ambiguous"),
    [
        (Decimal(999), True),
        (Decimal(1000), False),
        (1000 + MOST, False),
        (1001 + MOST, True),
        (Decimal(49_999), True),
        (Decimal(50_000), False),
    ],
)
def test_a_register_fits_from_that_of_the_start_to_what_can_have_flowed(
    value: Decimal, *, is_ambiguous: bool
) -> None:
    story = Story201()
    story.start(0, 1000, token="A", seq=0, place=1)
    story.start(0, 50_000, token="B", seq=0, place=2)
    story.sample(30, wh(value), seq=1)

    assert [Flag.ID_AMBIGUOUS in each.flags for each in story.sessions()] == [is_ambiguous] * 2


@pytest.mark.parametrize(("received", "owner"), [(-1, 1), (10 - SECOND, 1), (10, 2), (90, 2)])
def test_a_report_on_the_queue_is_of_the_session_that_began_last(
    received: float, owner: int
) -> None:
    story = Story201()
    story.start(0, 1000, token="A", seq=0, place=1)
    story.start(10, 50_000, token="B", seq=0, place=2)
    asked, reply = {"transactionId": "T-1"}, {"messagesInQueue": False}
    story.send("GetTransactionStatus", asked, received, reply=reply, direction="out")

    assert [(2, 0) in each.frames for each in story.sessions()] == [owner == 1, owner == 2]


def _begins(session: ChargingSession) -> datetime:
    assert session.window is not None
    return session.window.starts_at


@pytest.mark.parametrize(("minute", "place", "owner"), [(10, 1, 0), (70, 2, 1)])
def test_a_reading_under_an_id_of_ours_is_of_the_session_that_began_last_before_it(
    minute: float, place: int, owner: int
) -> None:
    story = Story16()
    story.start(0, 1000, tx=1, place=1)
    story.stop(30, 3000, tx=1)
    story.start(60, 5000, tx=1, place=2)
    story.sample(minute, wh(1000 + 4000 * owner), tx=1, place=place)
    story.stop(90, 9000, tx=1)

    found = story.sessions()

    assert [(3, 0) in each.frames for each in found] == [owner == 0, owner == 1]
    assert all(Flag.RESOLVED_BY_CONTEXT not in each.flags for each in found)
    assert all(Flag.FOREIGN_CONNECTOR not in each.flags for each in found)


def test_a_start_that_came_once_more_and_another_of_its_moment_are_told_apart_by_no_date() -> None:
    story = Story16()
    story.start(0, 1)
    story.start(0, 0)
    story.stop(0, 0)
    story.start(1, 1)  # the first one, told again
    story.start(1, 0)  # another one: that of 0 Wh has ended

    sessions = story.sessions()

    assert [len(each.frames) for each in sessions] == [2, 2, 1]
    assert [each.facts_from for each in sessions] == [None, None, None]
