"""Quirks of the field notes (section 1) that leave a doubt, which a person is told, not billed."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ledger.facts.flags import Flag
from tests.station_story import Story16, Story201, brief, in_any_order, wh

BOTH = pytest.mark.parametrize("version", [Story16, Story201], ids=["1.6", "2.0.1"])
Version = type[Story16] | type[Story201]


@pytest.mark.parametrize("used", [1, 2], ids=["under the first id", "under the second id"])
def test_quirk_03_a_start_told_again_with_another_time_and_id_says_so(used: int) -> None:
    story = Story16()
    story.start(0, 1000, tx=1)
    story.boot(1)
    story.start(2, 1000, tx=2)
    story.sample(30, wh(3000), tx=used)
    story.stop(60, 6000, tx=used)

    first, second = in_any_order(story)

    whole, told_again = (first, second) if used == 1 else (second, first)
    assert brief(whole) == ("tag-1", Decimal(5000), ())
    assert Flag.START_TOLD_AGAIN in told_again.flags
    assert (told_again.energy_wh, told_again.is_ended) == (Decimal(0), False)


@pytest.mark.parametrize(
    ("begin", "token", "stop"),
    [
        pytest.param(1001, "TAG-1", None, id="another register"),
        pytest.param(1000, "TAG-2", None, id="another token"),
        pytest.param(1000, "TAG-1", 1, id="a stop in between"),
    ],
)
def test_quirk_03_a_start_of_another_session_is_not_told_again(
    begin: int, token: str, stop: float | None
) -> None:
    story = Story16()
    story.start(0, 1000, tx=1)
    if stop is not None:
        story.stop(stop, 1000, tx=1)
    story.start(2, begin, tx=2, token=token)
    story.stop(60, 6000, tx=2)

    sessions = in_any_order(story)

    assert len(sessions) == 2
    assert all(Flag.START_TOLD_AGAIN not in each.flags for each in sessions)


def test_quirk_03_only_the_neighbour_of_a_lost_stop_is_asked_whether_it_tells_the_start_again() -> (
    None
):
    story = Story16()
    for minute, tx, place in ((0, 1, 1), (2, 2, 2), (4, 3, 1), (6, 4, 1)):
        story.start(minute, 1000, tx=tx, place=place)
    story.stop(60, 6000, tx=4)

    flagged = [Flag.START_TOLD_AGAIN in each.flags for each in in_any_order(story)]

    assert flagged == [True, False, True, False]


@BOTH
@pytest.mark.parametrize("place", [0, 1])
def test_quirk_19_a_session_of_the_whole_station_is_held(version: Version, place: int) -> None:
    story = version()
    story.start(0, 1000, place=place)
    story.stop(60, 6000)

    session = story.session()

    assert session.blockers == ((Flag.PLACE_ZERO,) if place == 0 else ())
    assert (session.energy_wh, session.evse_id) == (Decimal(5000), place)


@BOTH
@pytest.mark.parametrize(
    ("start", "stop", "unit", "is_held"),
    [
        ("1,000", "6,000", "Wh", True),
        ("999", "999,999", "Wh", True),
        ("1", "6,00", "Wh", False),
        ("1,0000", "6,0000", "Wh", False),
        ("0,000", "4999,999", "Wh", False),
        ("1,000", "6,000", "kWh", False),
    ],
)
def test_quirk_13_a_comma_that_may_group_thousands_is_held(
    version: Version,
    start: str,
    stop: str,
    unit: str,
    is_held: bool,  # noqa: FBT001
) -> None:
    story = version()
    if version is Story16 and unit == "Wh":
        story.start(0, start)
        story.stop(60, stop)
    else:
        story.start(0, 0)
        story.sample(0, wh(start, unit=unit))
        story.sample(59, wh(stop, unit=unit))
        story.stop(60, 6000)

    flags = story.session().flags
    assert (Flag.COMMA_AMBIGUOUS in story.session().blockers) is is_held
    assert (Flag.DECIMAL_COMMA in flags) is True
