"""Quirks of the field notes (section 1) where registers contradict each other, power or time."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.facts.flags import Flag
from tests.station_story import Story16, Story201, sessions_of, watts, wh

BOTH = pytest.mark.parametrize("version", [Story16, Story201], ids=["1.6", "2.0.1"])
Version = type[Story16] | type[Story201]


def test_quirk_08_a_stop_that_repeats_its_register_in_its_data_is_one_reading() -> None:
    story = Story16()
    story.start(0, 1000)
    story.stop(60, 6000, samples=[wh(6000, context="Transaction.End"), wh(6000)])

    session = story.session()

    assert session.energy_wh == 5000
    assert (session.flags, session.dropped) == ((), ())


@pytest.mark.parametrize(
    ("context", "flag"),
    [
        ("Transaction.Begin", Flag.START_READINGS_DIFFER),
        ("Transaction.End", Flag.STOP_READINGS_DIFFER),
    ],
)
def test_quirk_08_two_registers_of_one_start_or_stop_that_differ_are_held(
    context: str, flag: Flag
) -> None:
    story = Story16()
    minute, value = (0, 1900) if context == "Transaction.Begin" else (60, 6900)
    story.start(0, 1000)
    story.sample(minute, wh(value, context=context))
    story.sample(30, wh(4000))
    story.stop(60, 6000)

    assert story.session().blockers == (flag,)


@pytest.mark.parametrize("version", [Story16, Story201])
@pytest.mark.parametrize(
    ("context", "flag"),
    [
        ("Transaction.Begin", Flag.START_READINGS_DIFFER),
        ("Transaction.End", Flag.STOP_READINGS_DIFFER),
    ],
)
def test_quirk_08_a_start_or_stop_told_in_the_middle_with_another_register_is_held(
    context: str, flag: Flag, version: type[Story16 | Story201]
) -> None:
    story = version()
    story.start(0, 1000)
    story.sample(30, wh(3500, context=context))
    story.stop(60, 6000)

    assert story.session().blockers == (flag,)


@pytest.mark.parametrize(
    ("begin", "end", "flags"),
    [
        ("Outlet", "Outlet", ()),
        (None, "Cable", ()),
        ("Inlet", "Inlet", (Flag.LOCATION_NOT_OUTLET,)),
        ("Outlet", "Inlet", (Flag.LOCATION_NOT_OUTLET, Flag.REGISTERS_OF_TWO_PLACES)),
        ("Body", None, (Flag.LOCATION_NOT_OUTLET, Flag.REGISTERS_OF_TWO_PLACES)),
    ],
)
def test_quirk_08_a_start_and_a_stop_of_two_meters_are_held(
    begin: str | None, end: str | None, flags: tuple[Flag, ...]
) -> None:
    story = Story201()
    story.event("Started", 0, wh(1000, context="Transaction.Begin", location=begin), token="A")
    story.event("Ended", 60, wh(6000, context="Transaction.End", location=end), place=None)

    session = story.session()

    assert session.flags == flags
    assert session.blockers == flags[1:]


def test_quirk_08_readings_of_another_meter_beside_a_declared_start_and_stop_are_no_doubt() -> None:
    story = Story16()
    story.start(0, 1000)
    story.sample(30, wh(3000))
    story.stop(60, 6000, samples=[wh(6100, location="Inlet")])

    assert Flag.REGISTERS_OF_TWO_PLACES not in story.session().flags


def test_quirk_08_of_two_registers_the_readings_in_between_refute_one() -> None:
    story = Story16()
    story.start(0, 0)
    story.sample(0, wh(910_000, context="Transaction.Begin"))
    story.sample(30, wh(913_000))
    story.stop(60, 916_000)

    session = story.session()

    assert session.flags == (Flag.OTHER_READING_REFUTED,)
    assert session.energy_wh == 6000


@BOTH
def test_quirk_08_two_registers_of_one_second_are_held(version: Version) -> None:
    story = version()
    story.start(0, 1000)
    story.sample(30, wh(3000))
    story.sample(30, wh(5000))
    story.stop(60, 6000)

    assert story.session().blockers == (Flag.READINGS_OF_ONE_MOMENT,)


@BOTH
@pytest.mark.parametrize(("first", "second"), [(10_100, 11_050), (910_100, 911_050)])
def test_quirk_09_a_start_that_the_next_readings_refute_is_not_believed(
    version: Version, first: int, second: int
) -> None:
    story = version()
    story.start(0, 0)
    story.sample(1, wh(first))
    story.sample(30, wh(second))
    story.stop(60, second + 950)

    session = story.session()

    assert Flag.METER_START_IMPLAUSIBLE in session.blockers
    assert session.energy_wh == 1900


@BOTH
def test_quirk_09_a_meter_that_began_again_at_a_boot_is_continued_from_it(version: Version) -> None:
    story = version()
    story.start(0, 1000)
    story.sample(20, wh(3000))
    story.boot(21)
    story.sample(40, wh(500))
    story.stop(60, 4000)

    session = story.session()

    assert session.blockers == (Flag.METER_RESET,)
    assert session.energy_wh == 6000


@BOTH
def test_quirk_10_a_stop_that_repeats_the_start_while_readings_rise_is_a_question(
    version: Version,
) -> None:
    story = version()
    story.start(0, 1000)
    story.sample(20, wh(3000), watts(6000))
    story.sample(40, wh(5000), watts(6000))
    story.stop(60, 1000)

    session = story.session()

    assert session.blockers == (Flag.METER_STOP_ESTIMATED, Flag.READINGS_ABOVE_STOP)
    assert session.energy_wh == 4000


@BOTH
def test_quirk_11_a_rise_that_no_plug_can_bring_in_its_time_is_held(version: Version) -> None:
    """40 kWh in a minute on 22 kW, in a session that is long enough for them."""
    story = version()
    story.start(0, 1000)
    story.sample(300, wh(3001))
    story.sample(301, wh(43_001))
    story.stop(600, 44_001)

    assert story.session().blockers == (Flag.ENERGY_IMPLAUSIBLE,)


@BOTH
@pytest.mark.parametrize(("step", "power"), [(18, 11_000), (180, 1100), (2, 11_000)])
def test_quirk_11_a_register_far_off_a_steady_power_is_held(
    version: Version, step: int, power: int
) -> None:
    """Ten times too low, ten times too high, a hundred times too low."""
    story = version()
    story.start(0, 1000)
    for count in range(1, 6):
        story.sample(count * 10, wh(1000 + count * 10 * step), watts(power))
    story.stop(60, 1000 + 60 * step)

    assert story.session().blockers == (Flag.ENERGY_AGAINST_POWER,)


@BOTH
@pytest.mark.parametrize(
    ("measurand", "watt"), [("Power.Active.Import", -5000), ("Power.Active.Export", 5000)]
)
def test_quirk_11_what_a_vehicle_gives_back_is_not_billed_as_what_it_takes(
    version: Version, measurand: str, watt: int
) -> None:
    """A meter that counts either way on one register."""
    story = version()
    story.start(0, 1000)
    for minute in range(10, 60, 10):
        register = wh(1000 + minute * 80)
        story.sample(minute, register, {**watts(watt), "measurand": measurand})
    story.stop(60, 5800)

    assert story.session().blockers == (Flag.ENERGY_AGAINST_POWER,)


@BOTH
def test_quirk_18_two_sessions_at_once_on_one_plug_are_held(version: Version) -> None:
    story = version()
    story.start(0, 1000, tx=1)
    story.start(30, 2000, tx=2)
    story.stop(40, 4000, tx=1)
    story.stop(60, 6000, tx=2)

    blockers = [session.blockers for session in sessions_of(story.fold())]

    assert blockers == [(Flag.REGISTER_SHARED,), (Flag.REGISTER_SHARED,)]


@BOTH
def test_quirk_15_intervals_beside_a_register_that_stands_still_hold(version: Version) -> None:
    story = version()
    story.start(0, 0)
    for minute in (15, 30, 45, 60):
        story.sample(minute, wh(1000, measurand="Energy.Active.Import.Interval"))
    story.stop(60, 0)

    assert story.session().blockers == (Flag.ENERGY_AGAINST_READINGS,)


@pytest.mark.parametrize(
    ("beyond", "is_held"), [(0, False), (30, False), (31, True), (-30, False), (-31, True)]
)
@pytest.mark.parametrize("lead", [0, 70_000], ids=["as the total", "counted longer"])
@pytest.mark.parametrize("version", [Story16, Story201])
def test_quirk_14_phases_that_rise_otherwise_than_their_total_are_held(
    version: type[Story16 | Story201], lead: int, beyond: int, *, is_held: bool
) -> None:
    def sampled(total: int, more: int) -> list[dict[str, Any]]:
        phases = [wh((total + lead) // 3, phase=phase) for phase in ("L1", "L2")]
        return [wh(total), *phases, wh(total + lead - 2 * ((total + lead) // 3) + more, phase="L3")]

    story = version()
    story.start(0, 1001)
    story.sample(20, *sampled(2501, 0))
    story.sample(40, *sampled(4501, beyond))
    story.stop(60, 6001)

    session = story.session()

    assert session.flags == ((Flag.PHASES_AGAINST_TOTAL,) if is_held else ())
    assert session.energy_wh == 5000
