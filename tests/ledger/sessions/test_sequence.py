"""Sequence numbers that begin again, fall or repeat; what a station says that it still holds."""

from __future__ import annotations

from datetime import datetime

import pytest

from ledger.facts.flags import Flag
from ledger.facts.station_facts import QueueReported
from ledger.sessions.sequence import NO_QUEUE, QueueTold, queue_told
from tests.station_story import Story201, at, brief, in_any_order, wh

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


def said(minute: float, *, holds: bool, ongoing: bool | None = None) -> QueueReported:
    return QueueReported(
        station_id="CS-1",
        position=1,
        line=0,
        received_at=at(minute),
        transaction_ref="T",
        messages_in_queue=holds,
        ongoing=ongoing,
    )


@pytest.mark.parametrize(
    ("reports", "empty_at", "told"),
    [
        pytest.param([], None, NO_QUEUE, id="it was not asked"),
        pytest.param([], at(3), QueueTold(empty_at=at(3)), id="of all it holds nothing"),
        pytest.param([said(1, holds=True)], None, QueueTold(at(1)), id="there is more"),
        pytest.param(
            [said(1, holds=True), said(1, holds=False)], None, QueueTold(at(1), at(1)), id="both"
        ),
        pytest.param([said(1, holds=True)], at(1), QueueTold(None, at(1)), id="all came since"),
        pytest.param(
            [said(1, holds=False), said(2, holds=True)], None, QueueTold(at(2), at(1)), id="again"
        ),
        pytest.param(
            [said(2, holds=False, ongoing=False)], at(1), QueueTold(None, at(2), at(2)), id="over"
        ),
        pytest.param(
            [said(2, holds=False, ongoing=True)], None, QueueTold(None, at(2)), id="goes on"
        ),
    ],
)
def test_the_last_word_holds_and_of_two_at_once_the_one_that_waits(
    reports: list[QueueReported], empty_at: datetime | None, told: QueueTold
) -> None:
    assert queue_told(reports, empty_at) == told
    assert queue_told(reports[::-1], empty_at) == told


@pytest.mark.parametrize(("full", "waits"), [(None, 5), (4, 5), (5, 5), (6, 6)])
def test_that_more_is_to_come_lets_a_session_wait_from_then_on(
    full: float | None, waits: float
) -> None:
    told = NO_QUEUE if full is None else QueueTold(at(full))

    assert told.waits_from(at(5)) == at(waits)


@pytest.mark.parametrize(("over", "is_over"), [(None, False), (4, False), (5, True), (6, True)])
def test_it_is_over_where_nothing_came_after_its_station_said_so(
    over: float | None, *, is_over: bool
) -> None:
    told = QueueTold(over_at=None if over is None else at(over))

    assert told.is_over_since(at(5)) is is_over
