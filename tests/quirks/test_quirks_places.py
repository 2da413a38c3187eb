"""Quirks of places: which connector a reading or a session is told of."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ledger.facts.flags import Flag
from tests.station_story import (
    Story16,
    Story201,
    wh,
)

BOTH = pytest.mark.parametrize("version", [Story16, Story201], ids=["1.6", "2.0.1"])
Version = type[Story16] | type[Story201]


def test_quirk_19_connector_zero_is_never_billed() -> None:
    story = Story16()
    story.start(0, 1000, place=1)
    story.sample(20, wh(734_600), tx=None, place=0)
    story.sample(25, wh(734_700), tx=1, place=0)
    story.sample(30, wh(3000), tx=None, place=1)
    story.stop(60, 6000)

    session = story.session()

    assert [point.energy_wh for point in session.points] == [0, 2000, 5000]
    assert Flag.RESOLVED_BY_CONTEXT in session.flags
    assert all(Flag.CONNECTOR_ZERO in unmatched.oddities for unmatched in story.fold().unmatched())


@BOTH
@pytest.mark.parametrize("place", [0, 1])
def test_quirk_19_a_session_of_the_whole_station_is_held(version: Version, place: int) -> None:
    story = version()
    story.start(0, 1000, place=place)
    story.stop(60, 6000)

    session = story.session()

    assert session.blockers == ((Flag.PLACE_ZERO,) if place == 0 else ())
    assert (session.energy_wh, session.evse_id) == (Decimal(5000), place)


def test_quirk_27_the_place_is_remembered_from_the_start_and_never_guessed() -> None:
    story = Story201()
    story.start(0, 1000, place=2)
    story.sample(30, wh(3000), place=None)
    story.stop(60, 6000, place=None)
    placeless = Story201()
    placeless.start(0, 1000, place=None)
    placeless.stop(60, 6000)

    assert story.session().evse_id == 2
    assert placeless.session().evse_id is None
    assert placeless.session().flags == (Flag.PLACE_UNKNOWN,)
