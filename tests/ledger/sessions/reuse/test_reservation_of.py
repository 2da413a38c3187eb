"""Which reservation a session is of, whichever of its events names it."""

from __future__ import annotations

import pytest

from tests.station_story import Story16, Story21, Story201, in_any_order, wh

BEGIN = wh(1000, context="Transaction.Begin")


@pytest.mark.parametrize("version", [Story201, Story21])
def test_who_comes_after_the_plug_names_the_reservation_then(version: type[Story201]) -> None:
    story = version()
    story.event("Started", 0, BEGIN)
    story.event("Updated", 3, token="TAG-1", place=None, reservationId=9)
    story.event("Updated", 2, token="TAG-1", place=None, reservationId=7)
    story.stop(60)

    sessions = in_any_order(story)

    assert [session.reservation_id for session in sessions] == [7]


def test_the_reservation_of_the_start_is_that_of_the_session() -> None:
    story = Story201()
    story.event("Started", 0, BEGIN, token="TAG-1", reservationId=0)
    story.event("Updated", 1, place=None, reservationId=7)
    story.stop(60)

    (session,) = in_any_order(story)

    assert session.reservation_id == 0


@pytest.mark.parametrize("number", ["7", 7])
def test_a_number_that_came_as_text_is_one(number: object) -> None:
    old, new = Story16(), Story201()
    old.start(0, 1000, reservationId=number)
    new.event("Started", 0, BEGIN, token="TAG-1")
    new.event("Updated", 1, place=None, reservationId=number)

    assert [story.session().reservation_id for story in (old, new)] == [7, 7]


def test_who_names_none_has_none() -> None:
    story = Story201()
    story.start()
    story.sample(30, wh(3000))
    story.stop(60)

    assert story.session().reservation_id is None


@pytest.mark.parametrize("number", [-1, "-1", -(2**31)])
def test_a_number_below_nought_is_none(number: object) -> None:
    """Seen: MicroOcpp sends -1 with every start (its issue 154)."""
    old, new = Story16(), Story201()
    old.start(0, 1000, reservationId=number)
    new.event("Started", 0, BEGIN, token="TAG-1", reservationId=number)
    new.event("Updated", 1, place=None, reservationId=7)

    assert [story.session().reservation_id for story in (old, new)] == [None, 7]
