"""Quirks of the field notes (section 1) that leave a doubt, which a person is told, not billed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ledger.facts.flags import Flag
from ledger.facts.station_traits import StationTraits
from tests.station_story import Story16, Story21, Story201, brief, in_any_order, watts, wh

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


@BOTH
@pytest.mark.parametrize("samples", [(), (701_000, 702_000)], ids=["not read", "read"])
def test_quirk_09_a_meter_that_is_exchanged_is_not_taken_for_one_that_rolled_over(
    version: Version, samples: tuple[int, ...]
) -> None:
    """At 350 kW the 300 kWh up to its seventh digit could flow in an hour."""
    story = version(StationTraits(max_power_w=Decimal(350_000)))
    story.start(0, 700_000)
    for minute, register in zip((10, 20), samples, strict=False):
        story.sample(minute, wh(register))
    story.stop(60, 500)

    session = story.session()

    assert session.blockers
    assert session.energy_wh == (2000 if samples else 0)
    assert Flag.METER_ROLLOVER not in session.flags


@BOTH
def test_quirk_15_intervals_told_by_the_clock_too_are_billed_once(version: Version) -> None:
    story = version()
    if isinstance(story, Story201):
        story.event("Started", 0, token="TAG-1")
    else:
        story.start(0, None)
    interval = {"measurand": "Energy.Active.Import.Interval"}
    for minute in (10, 20, 30, 40, 50, 60):
        story.sample(minute, wh(500, **interval))
        if minute % 30 == 0:
            story.sample(minute - 5, wh(1500, context="Sample.Clock", **interval))
    if isinstance(story, Story201):
        story.event("Ended", 60, place=None)
    else:
        story.stop(60, None)

    (session,) = story.sessions()

    assert session.flags == (Flag.INTERVALS_SUMMED,)
    assert session.energy_wh == 3000


@BOTH
@pytest.mark.parametrize(
    ("power", "is_held"), [(3600, False), (7300, False), (11_000, True)], ids=str
)
def test_quirk_14_a_register_of_one_phase_of_three_is_held_against_the_power(
    version: Version,
    power: int,
    is_held: bool,  # noqa: FBT001
) -> None:
    begin, end = ({"context": f"Transaction.{name}", "phase": "L1"} for name in ("Begin", "End"))
    first, last = wh(1000, **begin), wh(4650, **end)
    story = version()
    if isinstance(story, Story201):
        story.event("Started", 0, first, watts(power), token="TAG-1")
    else:
        story.start(0, None)
        story.sample(0, first, watts(power))
    for minute in (20, 40, 59):
        story.sample(minute, watts(power))
    if isinstance(story, Story201):
        story.event("Ended", 60, last, place=None)
    else:
        story.stop(60, None, samples=[last])

    session = story.session()

    assert session.energy_wh == 3650
    assert Flag.SINGLE_PHASE_REGISTER in session.flags
    assert session.blockers == ((Flag.ENERGY_AGAINST_POWER,) if is_held else ())


@pytest.mark.parametrize(
    ("trigger", "blockers"),
    [("StopAuthorized", ()), ("Authorized", (Flag.ID_AMBIGUOUS,))],
)
@pytest.mark.parametrize("version", [Story201, Story21])
def test_quirk_06_a_token_that_only_stops_before_the_end_is_not_a_second_driver(
    version: type[Story201], trigger: str, blockers: tuple[Flag, ...]
) -> None:
    """Whoever is of the starter's group may stop; the station tells the end when the cable goes."""
    story = version()
    story.start(0, 1000)
    story.event("Updated", 50, token="TAG-2", triggerReason=trigger, state="EVConnected")
    story.stop(60, 6000)

    assert brief(story.session()) == ("tag-1", Decimal(5000), blockers)


@pytest.mark.parametrize(("last", "is_held"), [(1000, False), (4000, True)])
def test_quirk_15_a_last_interval_that_tells_the_whole_session_is_held(
    last: int, *, is_held: bool
) -> None:
    interval = {"measurand": "Energy.Active.Import.Interval"}
    story = Story201()
    story.event("Started", 0, token="TAG-1")
    for minute in (15, 30, 45):
        story.sample(minute, wh(1000, **interval))
    story.event("Ended", 60, wh(last, context="Transaction.End", **interval), place=None)

    assert story.session().blockers == ((Flag.INTERVAL_GAP,) if is_held else ())


@pytest.mark.parametrize(
    ("begin", "between", "end", "is_held"),
    [
        ("total", None, "phases", True),
        ("phases", None, "total", True),
        ("L1", None, "total", True),
        ("total", 0, "phases", False),  # a moment tells both, and they are the same
        ("total", 30, "phases", False),
        ("total", 31, "phases", True),
        ("phases", None, "phases", False),
        ("total", None, "total", False),
    ],
)
def test_quirk_14_a_total_at_one_end_and_phases_at_the_other_are_two_registers(
    begin: str, between: int | None, end: str, *, is_held: bool
) -> None:
    def told(how: str, register: int, **more: str) -> list[dict[str, Any]]:
        if how == "total":
            return [wh(register, **more)]
        phases = ("L1",) if how == "L1" else ("L1", "L2", "L3")
        return [wh(register // len(phases), phase=phase, **more) for phase in phases]

    story = Story201()
    story.event("Started", 0, *told(begin, 3000, context="Transaction.Begin"), token="TAG-1")
    if between is not None:
        story.sample(30, *told("total", 6000 + between), *told("phases", 6000))
    story.event("Ended", 60, *told(end, 9000, context="Transaction.End"), place=None)

    session = story.session()

    assert session.blockers == ((Flag.PHASES_AGAINST_TOTAL,) if is_held else ())
    assert session.energy_wh == 6000
