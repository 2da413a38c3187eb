"""Sequence numbers that begin again, fall or repeat: what they say of whose an event is."""

from __future__ import annotations

import pytest

from ledger.facts.flags import Flag
from tests.station_story import Story201, brief, in_any_order, wh

SECOND = 1 / 60


@pytest.mark.parametrize("again", [60 + SECOND, 75, 600])
def test_numbers_that_begin_again_after_a_stop_are_held_by_themselves(again: float) -> None:
    story = Story201()
    story.start(0, 1000, token="A", seq=0)
    story.sample(30, wh(3000), seq=1)
    story.stop(60, 6000, seq=2)
    story.sample(again, wh(6000), seq=0)
    story.sample(again + 5, wh(6500), seq=1)
    story.stop(again + 30, 8500, seq=2)

    own, stray = sorted(in_any_order(story), key=lambda each: each.started_at is None)

    assert brief(own) == ("a", 5000, ())
    assert stray.session_id == "CS-1/T-1/no-start-20260302T080000Z-again"
    assert stray.frames == ((3, 0), (4, 0), (5, 0))
    assert Flag.START_MISSING in stray.blockers


@pytest.mark.parametrize(
    ("number", "is_own"),
    [
        pytest.param(0, False, id="told before"),
        pytest.param(1, True, id="still missing"),
        pytest.param(2, True, id="the stop's own"),
        pytest.param(3, True, id="after the stop's"),
    ],
)
def test_a_reading_after_the_stop_is_another_s_only_where_its_number_was_told(
    number: int, *, is_own: bool
) -> None:
    story = Story201()
    story.start(0, 1000, seq=0)
    story.stop(60, 6000, seq=2)
    story.sample(61, wh(6000), seq=number)

    assert len(story.sessions()) == (1 if is_own else 2)


@pytest.mark.parametrize(
    ("told", "again", "is_own"),
    [
        pytest.param(59, 61, False, id="told before the stop"),
        pytest.param(60, 61, False, id="told at the stop"),
        pytest.param(59, 60, True, id="told again at the stop"),
        pytest.param(60 + SECOND, 61, True, id="not told before the stop"),
    ],
)
def test_a_number_is_told_again_where_it_was_told_until_the_stop_and_comes_after_it(
    told: float, again: float, *, is_own: bool
) -> None:
    story = Story201()
    story.start(0, 1000, seq=0)
    story.sample(told, wh(5900), seq=1)
    story.stop(60, 6000, seq=2)
    story.sample(again, wh(6000), seq=1)

    found = story.sessions()

    assert len(found) == (1 if is_own else 2)
    assert found[0].is_ended


def test_a_constant_number_begins_nothing_again() -> None:
    story = Story201()
    story.start(0, 1000, seq=0)
    story.stop(60, 6000, seq=0)
    story.sample(61, wh(6000), seq=0)

    assert Flag.POST_STOP_READINGS in story.session().flags


def test_numbers_that_begin_again_in_an_open_session_hold_it() -> None:
    story = Story201()
    story.start(0, 1000, token="A", seq=0)
    story.sample(10, wh(1500), seq=1)
    story.sample(20, wh(2000), seq=2)
    story.sample(30, wh(3000), seq=1)
    story.stop(60, 6000, seq=2)

    (session,) = in_any_order(story)

    assert {Flag.ID_AMBIGUOUS} == set(session.blockers)


@pytest.mark.parametrize(
    ("numbers", "is_doubtful"),
    [
        pytest.param((0, 1, 2, 3), False, id="rising"),
        pytest.param((1, 1, 2, 3), False, id="not below the start's"),
        pytest.param((1, 0, 2, 3), True, id="below the start's"),
        pytest.param((0, 2, 1, 3), False, id="readings the other way round"),
        pytest.param((0, 1, 3, 3), False, id="a stop as high as what was told before it"),
        pytest.param((0, 1, 3, 2), True, id="a stop below what was told before it"),
        pytest.param((0, 0, 0, 0), False, id="constant"),
    ],
)
def test_numbers_that_fall_to_a_stop_or_below_the_start_are_a_doubt(
    numbers: tuple[int, ...], *, is_doubtful: bool
) -> None:
    story = Story201()
    story.start(0, 1000, seq=numbers[0])
    story.sample(10, wh(2000), seq=numbers[1])
    story.sample(20, wh(3000), seq=numbers[2])
    story.stop(60, 6000, seq=numbers[3])

    assert (Flag.ID_AMBIGUOUS in story.session().blockers) == is_doubtful


def test_a_stop_told_again_after_later_numbers_is_no_doubt() -> None:
    story = Story201()
    story.start(0, 1000, seq=0)
    story.stop(60, 6000, seq=1)
    story.sample(60.2, wh(6000), seq=2)
    story.stop(60.5, 6000, seq=1)

    assert story.session().blockers == ()


def test_a_number_that_two_messages_share_in_their_order_holds_nothing() -> None:
    story = Story201()
    story.start(0, 1000, seq=0)
    story.sample(10, wh(1500), seq=0)
    story.sample(20, wh(2000), seq=1)
    story.stop(60, 6000, seq=2)

    assert (story.session().flags, story.session().blockers) == ((Flag.SEQ_UNRELIABLE,), ())


@pytest.mark.parametrize(
    ("started", "others", "ended", "missing"),
    [
        (0, (1,), 2, ()),
        (0, (), 2, (1,)),
        (0, (1,), 4, (2, 3)),
        (0, (3,), 4, (1, 2)),
        # from the start's own number on, or from 0 where the start is not told
        (5, (), 7, (6,)),
        (None, (1,), 2, (0,)),
        (None, (0,), 2, (1,)),
        (None, (), 0, ()),
        # a hundred of them are listed
        (0, (), 101, tuple(range(1, 101))),
        (0, (), 102, tuple(range(1, 101))),
        (0, (), 2**31, tuple(range(1, 101))),
        # an open session lacks nothing yet
        (0, (2,), None, ()),
    ],
)
def test_numbers_are_missing_between_the_first_and_the_highest_of_an_ended_session(
    started: int | None, others: tuple[int, ...], ended: int | None, missing: tuple[int, ...]
) -> None:
    story = Story201()
    if started is not None:
        story.start(0, 1000, seq=started)
    for number in others:
        story.sample(10 + number, wh(2000), seq=number)
    if ended is not None:
        story.stop(60, 6000, seq=ended)

    session = story.session()

    assert session.missing_seq_nos == missing
    assert (Flag.SEQ_GAP in session.blockers) is bool(missing)
    assert Flag.ID_AMBIGUOUS not in session.flags
