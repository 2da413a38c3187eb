"""Quirks of numbers: units, blanks, commas and digits of what a meter says."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from ledger.facts.flags import Flag
from tests.station_story import (
    AC,
    Story16,
    Story201,
    energies,
    issue_frames,
    minutes_to,
    watts,
    wh,
)

BOTH = pytest.mark.parametrize("version", [Story16, Story201], ids=["1.6", "2.0.1"])
Version = type[Story16] | type[Story201]


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
    assert energies(story) == [0, 100, 900, 1000]


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
    assert energies(story)[1] == Decimal("150.061234567")


@BOTH
def test_quirk_12_a_missing_unit_is_the_default(version: Version) -> None:
    story = version()
    story.start(0, 1000)
    story.sample(30, {"value": "3000.37957763671875"})
    story.stop(60, 6000)

    assert story.session().flags == (Flag.UNIT_MISSING,)
    assert energies(story)[1] == Decimal("2000.37957763671875")


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
    assert energies(story)[1] == Decimal(energy)


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


@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "1e400", "", "abc", True, None, [], "1,234,5"]
)
def test_quirk_13_what_is_no_number_is_not_used(value: Any) -> None:  # noqa: ANN401 - that is the quirk
    story = Story16()
    story.start(0, 1000)
    story.sample(30, wh("0") | {"value": value})
    story.stop(60, 6000)

    assert Flag.VALUE_UNREADABLE in story.session().flags
    assert energies(story) == [0, 5000]


def test_quirk_13_the_quoted_numbers_are_read_exactly() -> None:
    (text,) = issue_frames("lbbrhzn/ocpp/issues/210")
    minute = minutes_to(datetime(2021, 11, 22, 20, 38, 32, tzinfo=UTC))
    story = Story16()
    story.start(minute - 10, 4)
    story.log(text, minute)

    assert story.session().energy_wh == Decimal("600.213")
    assert Flag.VALUE_ODD in story.session().flags
