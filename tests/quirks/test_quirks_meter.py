"""Quirks of the field notes (section 1) about registers and energy: one test each."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from ledger.facts.flags import Flag
from ledger.facts.station_traits import StationTraits
from tests.station_story import (
    AC,
    Story16,
    Story201,
    issue_frames,
    minutes_to,
    sessions_of,
    watts,
    wh,
)

BOTH = pytest.mark.parametrize("version", [Story16, Story201], ids=["1.6", "2.0.1"])
Version = type[Story16] | type[Story201]


def _energies(story: Story16 | Story201) -> list[Decimal]:
    return [point.energy_wh for point in story.session().points]


@BOTH
def test_quirk_07_readings_relative_to_the_session_start(version: Version) -> None:
    story = version()
    story.start(0, 4_076_000)
    for minute, register in ((15, 1000), (30, 2500), (45, 4000)):
        story.sample(minute, wh(register))
    story.stop(60, 4_081_000)

    assert story.session().flags == (Flag.REGISTER_SESSION_RELATIVE,)
    assert _energies(story) == [0, 1000, 2500, 4000, 5000]


@BOTH
def test_quirk_07_readings_of_no_known_register_split_nothing(version: Version) -> None:
    story = version()
    story.start(0, 4_076_000)
    story.sample(30, wh(88_000_000))
    story.stop(60, 4_081_000)

    assert story.session().flags == (Flag.REGISTER_OTHER_FRAME,)
    assert _energies(story) == [0, 5000]


@BOTH
def test_quirk_08_two_registers_in_one_sample_are_told_apart_by_context(version: Version) -> None:
    story = version()
    story.start(0, 157_440)
    story.sample(
        30, wh(163_630, context="Sample.Periodic"), wh(157_440, context="Transaction.Begin")
    )
    story.stop(60, 164_000)

    assert story.session().flags == ()
    assert _energies(story) == [0, 6190, 6560]


def test_quirk_08_the_quoted_reading_has_both_registers() -> None:
    (text,) = issue_frames("lbbrhzn/ocpp/issues/1838")
    story = Story16()
    minute = minutes_to(datetime(2026, 1, 5, 4, 58, 38, tzinfo=UTC))
    story.start(minute - 30, 157_440, tx=1767583807)
    story.log(text, minute)
    story.stop(minute + 30, 163_700, tx=1767583807)

    assert _energies(story) == [0, 6190, 6260]


@BOTH
@pytest.mark.parametrize("dropout", [0, 1500])
def test_quirk_09_a_dropout_between_two_good_readings_is_not_used(
    version: Version, dropout: int
) -> None:
    story = version()
    story.start(0, 1000)
    story.sample(20, wh(2000))
    story.sample(30, wh(dropout))
    story.sample(40, wh(4000))
    story.stop(60, 6000)

    assert story.session().flags == (Flag.READING_DIP_DROPPED,)
    assert _energies(story) == [0, 1000, 3000, 5000]


@BOTH
def test_quirk_09_a_meter_that_rolls_over_goes_on(version: Version) -> None:
    story = version()
    story.start(0, 9_998_000)
    story.sample(15, wh(9_999_500))
    story.sample(30, wh(500))
    story.stop(60, 3000)

    assert story.session().flags == (Flag.METER_ROLLOVER,)
    assert _energies(story) == [0, 1500, 2500, 5000]
    assert story.session().blockers == ()


@BOTH
def test_quirk_09_a_meter_that_is_reset_is_held_with_what_is_certain(version: Version) -> None:
    story = version()
    story.start(0, 500_000)
    story.sample(15, wh(502_000))
    story.sample(30, wh(0))
    story.sample(45, wh(1000))
    story.stop(60, 2000)

    assert story.session().blockers == (Flag.METER_RESET,)
    assert story.session().energy_wh == Decimal(4000)


@BOTH
def test_quirk_09_a_spike_is_not_used(version: Version) -> None:
    story = version()
    story.start(0, 1000)
    story.sample(20, wh(2000))
    story.sample(30, wh(358_000))
    story.sample(40, wh(4000))

    session = story.session()

    assert session.flags == (Flag.READING_SPIKE_DROPPED,)
    assert session.energy_wh == Decimal(3000)


@pytest.mark.parametrize("stop", [900, 0, -5])
def test_quirk_10_a_stop_below_the_start_falls_back_and_is_held(stop: int) -> None:
    story = Story16()
    story.start(0, 1000)
    story.sample(30, wh(3000))
    story.stop(60, stop)
    without_readings = Story16()
    without_readings.start(0, 1000)
    without_readings.stop(60, stop)

    assert story.session().energy_wh == Decimal(2000)
    assert Flag.METER_STOP_ESTIMATED in story.session().blockers
    assert without_readings.session().energy_wh == 0
    assert Flag.STOP_READING_MISSING in without_readings.session().blockers


def test_quirk_10_a_good_reading_at_the_stop_itself_stands_in() -> None:
    story = Story16()
    story.start(0, 1000)
    story.stop(60, 0, samples=[wh(6000, context="Transaction.End")])

    session = story.session()

    assert session.flags == (Flag.METER_STOP_BELOW_START,)
    assert session.energy_wh == Decimal(5000)


@BOTH
def test_quirk_11_kilowatt_hours_labelled_as_watt_hours_are_held(version: Version) -> None:
    story = version()
    story.start(0, 361)
    story.sample(1, wh("361.1"), watts(9400))
    story.sample(6, wh("361.9"), watts(9400))
    story.stop(7, 362)

    assert story.session().blockers == (Flag.UNIT_SUSPECT,)
    assert story.session().energy_wh == Decimal(1)


@BOTH
def test_quirk_11_the_declared_correction_of_a_model_is_applied(version: Version) -> None:
    story = version(msgspec.structs.replace(AC, register_factor=Decimal(1000)))
    story.start(0, 361)
    story.sample(1, wh("361.1"), watts(9400))
    story.sample(6, wh("361.9"), watts(9400))
    story.stop(7, 362)

    assert story.session().flags == (Flag.UNIT_OVERRIDDEN,)
    assert _energies(story) == [0, 100, 900, 1000]


@BOTH
def test_quirk_11_watt_hours_labelled_as_kilowatt_hours_are_held(version: Version) -> None:
    story = version()
    story.start(0, 0)
    story.sample(10, wh("150.06", unit="kWh"), watts(900))
    if isinstance(story, Story16):
        story.stop(12, 180_060)
    else:
        story.event("Ended", 12, wh("180.06", unit="kWh"), watts(900), place=None)

    assert Flag.ENERGY_IMPLAUSIBLE in story.session().blockers


@BOTH
def test_quirk_11_kilowatt_hours_are_converted_exactly(version: Version) -> None:
    story = version()
    story.start(0, 0)
    story.sample(30, wh("0.150061234567", unit="kWh"))
    story.stop(60, 2000)

    assert story.session().flags == ()
    assert _energies(story)[1] == Decimal("150.061234567")


@BOTH
def test_quirk_12_a_missing_unit_is_the_default(version: Version) -> None:
    story = version()
    story.start(0, 1000)
    story.sample(30, {"value": "3000.37957763671875"})
    story.stop(60, 6000)

    assert story.session().flags == (Flag.UNIT_MISSING,)
    assert _energies(story)[1] == Decimal("2000.37957763671875")


def test_quirk_12_the_quoted_power_keeps_every_digit() -> None:
    (text,) = issue_frames("lbbrhzn/ocpp/issues/1989")
    story = Story201()
    story.start(0, 1000)
    sample = msgspec.json.Decoder(float_hook=Decimal).decode(text)
    story.sample(30, {"value": "2000"}, sample)

    assert story.session().points[-1].power_w == Decimal("500.37957763671875")


@BOTH
@pytest.mark.parametrize(
    ("value", "energy", "flags"),
    [
        (" 3000.5", "2000.5", {Flag.VALUE_ODD}),
        ("3000,5", "2000.5", {Flag.DECIMAL_COMMA}),
    ],
)
def test_quirk_13_padded_values_and_commas_are_read_exactly(
    version: Version, value: str, energy: str, flags: set[Flag]
) -> None:
    story = version()
    story.start(0, 1000)
    story.sample(30, wh(value))
    story.stop(60, 6000)

    assert flags <= set(story.session().flags)
    assert _energies(story)[1] == Decimal(energy)


@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "1e400", "", "abc", True, None, [], "1,234,5"]
)
def test_quirk_13_what_is_no_number_is_not_used(value: Any) -> None:  # noqa: ANN401 - that is the quirk
    story = Story16()
    story.start(0, 1000)
    story.sample(30, wh("0") | {"value": value})
    story.stop(60, 6000)

    assert Flag.VALUE_UNREADABLE in story.session().flags
    assert _energies(story) == [0, 5000]


def test_quirk_13_the_quoted_numbers_are_read_exactly() -> None:
    (text,) = issue_frames("lbbrhzn/ocpp/issues/210")
    minute = minutes_to(datetime(2021, 11, 22, 20, 38, 32, tzinfo=UTC))
    story = Story16()
    story.start(minute - 10, 4)
    story.log(text, minute)

    assert story.session().energy_wh == Decimal("600.213")
    assert Flag.VALUE_ODD in story.session().flags


@BOTH
def test_quirk_14_phases_are_summed_only_when_all_are_there(version: Version) -> None:
    story = version()
    story.start(0, 3000)
    story.sample(20, *(wh(1500, phase=phase) for phase in ("L1", "L2", "L3")))
    story.sample(30, *(wh(1700, phase=phase) for phase in ("L1", "L2")))
    story.sample(40, *(wh(1900, phase=f"{phase}-N") for phase in ("L1", "L2", "L3")))
    story.stop(60, 6000)

    assert {Flag.PHASES_SUMMED, Flag.PHASES_INCOMPLETE} <= set(story.session().flags)
    assert _energies(story) == [0, 1500, 2700, 3000]


@BOTH
def test_quirk_14_a_total_labelled_l1_is_the_total(version: Version) -> None:
    story = version()
    story.start(0, 1000)
    story.sample(30, wh(3000, phase="L1"))
    story.stop(60, 6000)

    if version is Story16:
        assert story.session().flags == (Flag.SINGLE_PHASE_REGISTER,)
    assert _energies(story) in ([0, 2000, 5000], [0, 5000])


def test_quirk_15_intervals_are_summed_and_a_gap_is_held() -> None:
    whole, gapped = Story201(), Story201()
    for story in (whole, gapped):
        story.event("Started", 0, token="TAG-1")
        for minute in (15, 30, 45):
            if story is whole or minute != 30:
                interval = {"measurand": "Energy.Active.Import.Interval", "unit": "Wh"}
                story.sample(minute, {"value": "1000"} | interval)
        story.event("Ended", 60, {"value": "1500"} | interval, place=None)

    assert whole.session().flags == (Flag.INTERVALS_SUMMED,)
    assert _energies(whole) == [0, 1000, 2000, 3000, 4500]
    assert gapped.session().blockers == (Flag.INTERVAL_GAP,)


@BOTH
def test_quirk_15_intervals_beside_a_register_are_never_added(version: Version) -> None:
    story = version()
    story.start(0, 1000)
    story.sample(30, wh(3000), wh(2000, measurand="Energy.Active.Import.Interval"))
    story.stop(60, 6000)

    assert _energies(story) == [0, 2000, 5000]


@BOTH
def test_quirk_16_a_batch_without_energy_changes_nothing(version: Version) -> None:
    story = version()
    story.start(0, 1000)
    story.sample(30, wh(3000))
    story.sample(40, {"value": "80", "measurand": "SoC", "unit": "Percent"})

    session = story.session()

    assert not session.is_ended
    assert session.energy_wh == Decimal(2000)
    assert session.flags == ()


@BOTH
def test_quirk_17_what_the_register_rises_after_the_stop_belongs_to_nobody(
    version: Version,
) -> None:
    story = version()
    story.start(0, 2_255_000)
    story.stop(60, 2_259_988)
    story.sample(61, wh("2259992.1"))
    story.sample(62, wh("2259995.5"))

    session = story.session()

    assert session.flags == (Flag.POST_STOP_READINGS,)
    assert session.energy_wh == Decimal(4988)
    assert session.unattributed_wh == Decimal("7.5")  # what the last of them says


def test_quirk_17_the_quoted_stop_with_empty_data_bills_its_register() -> None:
    (text,) = issue_frames("lbbrhzn/ocpp/issues/1069")
    minute = minutes_to(datetime(2024, 1, 30, 14, 29, 16, tzinfo=UTC))
    story = Story16(StationTraits())
    story.start(minute - 60, 2_255_000, tx=1706601047, token="XXXXXX")
    story.log(text, minute)

    assert story.session().energy_wh == Decimal(4988)
    assert story.session().flags == ()


@BOTH
def test_quirk_38_micro_sessions_of_no_energy_are_sessions(version: Version) -> None:
    story = version()
    story.start(0, 0, tx=1)
    story.stop(0, 0, tx=1)
    story.start(0, 0, tx=2)
    story.stop(0.05, 0, tx=2)

    sessions = sessions_of(story.fold())

    assert len(sessions) == 2
    assert {session.flags for session in sessions} == {(Flag.ZERO_ENERGY,)}
    assert {session.energy_wh for session in sessions} == {Decimal(0)}


def test_quirk_38_the_quoted_stop_with_register_zero_is_a_session_without_energy() -> None:
    start, stop = issue_frames("MicroOcpp/issues/73")
    minute = minutes_to(datetime(2022, 7, 26, 21, 34, 10, tzinfo=UTC))
    story = Story16()
    story.log(start, minute, reply='[3,"1000239",{"transactionId":10001}]')
    story.log(stop, minute + 0.05)

    session = story.session()

    assert session.flags == (Flag.TOKEN_ODD, Flag.ZERO_ENERGY)
    assert session.token_uid == "f6 ca 0c c5"
    assert session.blockers == ()
