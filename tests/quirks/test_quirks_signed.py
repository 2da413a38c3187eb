"""Quirk 39: signed meter data against what is told plainly of the same session."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Final

import pytest

from ledger.facts.flags import Flag
from ledger.facts.station_traits import StationTraits
from tests.quirks.signing import OTHER_FORMATS, base64_of, ocmf, reading, signed16, signed201
from tests.station_story import Story16, Story201, in_any_order, wh

B, E = reading("B", "1.000"), reading("E", "6.000", minute=60)
WRAPPED: Final = [
    pytest.param(lambda text: text, id="plain"),
    pytest.param(base64_of, id="base64"),
    pytest.param(lambda text: text.encode().hex(), id="hex"),
    pytest.param(lambda text: json.dumps({"signedMeterData": base64_of(text)}), id="object"),
]


def _flags(*records: str, start: int = 1000, stop: int = 6000) -> tuple[str, ...]:
    """Return the flags of a session whose stop carries the signed *records*."""
    story = Story16()
    story.start(0, start)
    story.stop(60, stop, samples=[signed16(each) for each in records])
    return story.session().flags


@pytest.mark.parametrize("wrap", WRAPPED)
def test_quirk_39_what_was_signed_and_what_is_told_agree(wrap: Callable[[str], str]) -> None:
    assert _flags(wrap(ocmf(B, E))) == ()
    assert _flags(wrap(ocmf(B, reading("E", "5.500", minute=60)))) == (Flag.SIGNED_READING_DIFFERS,)


@pytest.mark.parametrize("card", ["04A1B2C3", ""])
def test_quirk_39_a_signed_register_in_a_2_0_1_frame_holds_the_session(card: str) -> None:
    story = Story201()
    begin = ocmf(B, ID=card)
    end = ocmf(reading("E", "5900", "Wh", minute=60), ID=card)
    story.event(
        "Started", 0, signed201(wh(1000, context="Transaction.Begin"), begin), token="TAG-1"
    )
    story.event("Ended", 60, signed201(wh(6000, context="Transaction.End"), end), place=None)

    (session,) = in_any_order(story)

    assert session.blockers == (Flag.SIGNED_READING_DIFFERS,)
    assert all(card not in frame.frame or not card for frame in story.frames)


@pytest.mark.parametrize(
    ("begin", "end", "is_held"),
    [
        ("1.000", "6.010", False),
        ("1.000", "6.011", True),
        ("1.000", "5.990", False),
        ("1.000", "5.989", True),
        ("0.990", "6.000", False),
        ("0.989", "6.000", True),
        ("0", "5.000", False),  # counts from the start of the session
        ("0", "4.989", True),
        ("1000", "6000", True),  # Wh under the name of kWh
        ("6.000", "1.000", True),
        ("21.000", "26.000", True),  # of another transaction, with the same energy
        ("1.0", "6.0", False),
        ("1.0", "6.1", True),
        ("1", "6.9", True),
        ("       1.000", " 6.000", False),
    ],
)  # fmt: skip
def test_quirk_39_signed_registers_agree_to_their_last_digit(
    begin: str, end: str, *, is_held: bool
) -> None:
    flags = _flags(ocmf(reading("B", begin), reading("E", end, minute=60)))

    assert flags == ((Flag.SIGNED_READING_DIFFERS,) if is_held else ())


def test_quirk_39_a_step_that_is_coarser_agrees_below_it() -> None:
    record = ocmf(reading("B", "1.0"), reading("E", "6.0", minute=60))

    assert _flags(record, stop=6099) == ()
    assert _flags(record, stop=6100) == (Flag.SIGNED_READING_DIFFERS,)


def test_quirk_39_a_register_that_counts_from_the_start_is_compared_by_its_rise() -> None:
    record = ocmf(reading("B", "101.000"), reading("E", "106.000", minute=60))

    assert _flags(record, start=0, stop=5000) == ()
    assert _flags(record, start=0, stop=5011) == (Flag.SIGNED_READING_DIFFERS,)


@pytest.mark.parametrize(
    ("begins", "ends", "status", "is_held"),
    [
        (-300, 60, "S", False),
        (-301, 60, "S", True),
        (0, 3900, "S", False),
        (0, 3901, "S", True),
        (0, 86_400, "I", False),  # for information: nothing hangs on it
        (0, 86_400, "U", False),
        (1800, 1799, "S", True),
        (1800, 1800, "S", False),
    ],
)
def test_quirk_39_a_signed_time_of_a_set_clock_lies_within_the_session(
    begins: int, ends: int, status: str, *, is_held: bool
) -> None:
    first = reading("B", "1.000", minute=begins / 60, status=status)
    last = reading("E", "6.000", minute=ends / 60, status=status)

    assert _flags(ocmf(first, last)) == ((Flag.SIGNED_TIME_DIFFERS,) if is_held else ())


def test_quirk_39_the_records_of_two_meters_are_held() -> None:
    assert _flags(ocmf(B, MS="M-1"), ocmf(E, MS="M-2")) == (Flag.SIGNED_METERS_DIFFER,)
    assert _flags(ocmf(B, MS="M-1"), ocmf(E, MS="M-1")) == ()
    assert _flags(ocmf(B, MS="M-1"), ocmf(E, MS="")) == ()


@pytest.mark.parametrize("fault", [{"ST": "M"}, {"EF": "E"}, {"EF": "Et"}])
def test_quirk_39_what_the_meter_itself_doubts_is_held(fault: dict[str, str]) -> None:
    assert _flags(ocmf(B, E | fault)) == (Flag.SIGNED_IN_ERROR,)
    assert _flags(ocmf(B, E | {"EF": "t"})) == ()


def test_quirk_39_a_record_that_came_twice_is_one() -> None:
    assert _flags(ocmf(B, E), ocmf(B, E)) == ()


@pytest.mark.parametrize("wrap", WRAPPED[:3])
def test_quirk_39_a_record_cut_off_is_told(wrap: Callable[[str], str]) -> None:
    whole = wrap(ocmf(B, E).partition('|{"SD')[0])

    assert _flags(whole) == ()
    for cut in (2, 9, 40, 80):
        assert _flags(whole[:-cut]) == (Flag.SIGNED_UNREADABLE,)


@pytest.mark.parametrize(
    "record",
    [
        "OCMF|",
        "OCMF|{}",
        "OCMF|[]|{}",
        'OCMF|{"RD":[]}|{}',
        'OCMF|{"RD":[1]}|{}',
        'OCMF|{"RD":' + "[" * 100_000,
        "OCMF|" + '{"RD":' * 5_000,
        ocmf(*[B] * 201),
        ocmf(B, E | {"RV": "9" * 5_000}),
        ocmf(B, E | {"RV": "NaN"}),
        ocmf(B, E | {"RU": "mol/Wh"}),
    ],
    ids=lambda record: record[:24],
)  # fmt: skip
def test_quirk_39_no_record_stops_a_frame(record: str) -> None:
    assert _flags(record) == (Flag.SIGNED_UNREADABLE,)


def test_quirk_39_two_hundred_readings_are_read() -> None:
    readings = [reading("T", str(1 + n / 1000), minute=n / 4) for n in range(1, 199)]

    assert _flags(ocmf(B, *readings, E)) == ()


@pytest.mark.parametrize("record", OTHER_FORMATS)
def test_quirk_39_of_other_formats_nothing_is_said(record: str) -> None:
    assert _flags(record) == ()


def test_quirk_39_energy_given_back_and_other_registers_are_no_import() -> None:
    given = reading("E", "3.000", minute=60) | {"RI": "1-0:2.8.0"}
    seconds = reading("E", "3600", "sec", minute=60) | {"RI": "01-00:00.08.06.FF"}

    assert _flags(ocmf(B, E, given, seconds)) == ()


def test_quirk_39_of_registers_before_and_after_losses_one_agrees() -> None:
    lossless = [
        reading("B", "1.100") | {"RI": "1-0:1.8.0*198"},
        reading("E", "6.300", minute=60) | {"RI": "1-0:1.8.0*198"},
    ]

    assert _flags(ocmf(B, E, *lossless)) == ()
    assert _flags(ocmf(*lossless)) == (Flag.SIGNED_READING_DIFFERS,)


@pytest.mark.parametrize(
    ("begin", "end", "is_held"),
    [
        ("1.000", "6.000", False),
        ("1.000", "9.000", True),
        ("3.000", "6.000", True),
        ("0.000", "5.000", False),
    ],
)
def test_quirk_39_start_and_stop_that_name_their_register_otherwise_are_held_each(
    begin: str, end: str, *, is_held: bool
) -> None:
    story = Story16()
    story.start(0, 1000)
    first = ocmf(reading("B", begin) | {"RI": "1-0:1.8.0*255"})
    last = ocmf(reading("E", end, minute=60) | {"RI": "1-b:1.8.0"})
    story.stop(60, 6000, samples=[signed16(first), signed16(last)])

    assert story.session().blockers == ((Flag.SIGNED_READING_DIFFERS,) if is_held else ())


@pytest.mark.parametrize(
    ("records", "is_held"),
    [
        ([ocmf(B, E)], False),
        ([ocmf(B), ocmf(E)], False),
        ([ocmf(B, reading("E", "6.010", minute=60))], False),
        ([ocmf(B, reading("E", "6.011", minute=60))], True),
        ([ocmf(reading("B", "0"), reading("E", "5", minute=60))], False),
        ([ocmf(E)], False),  # a register alone says nothing of a rise
    ],
)
def test_quirk_39_intervals_come_to_what_the_signed_register_rose_by(
    records: list[str], *, is_held: bool
) -> None:
    story = Story16()
    story.start(0, None)
    interval = wh(2500, measurand="Energy.Active.Import.Interval")
    story.sample(30, interval)
    story.sample(60, interval)
    story.stop(60, None, samples=[signed16(each) for each in records])

    assert story.session().blockers == ((Flag.SIGNED_READING_DIFFERS,) if is_held else ())


@pytest.mark.parametrize(
    ("signed", "plain", "is_held"),
    [
        ("3.000", 3000, False),
        ("3.010", 3000, False),
        ("3.011", 3000, True),
        ("3.500", 2500, False),  # told plainly from the start on
        ("3.500", 2480, True),
    ],
)
def test_quirk_39_a_reading_in_between_is_held_against_its_signed_form(
    signed: str, plain: int, *, is_held: bool
) -> None:
    story = Story201()
    story.start(0, 1000)
    story.sample(30, signed201(wh(plain), ocmf(reading("C", signed, minute=30))))
    story.event("Ended", 60, signed201(wh(6000, context="Transaction.End"), ocmf(B, E)), place=None)

    assert story.session().flags == ((Flag.SIGNED_READING_DIFFERS,) if is_held else ())


def test_quirk_39_the_plain_unit_that_is_known_wrong_is_corrected_first() -> None:
    story = Story16(StationTraits(register_factor=Decimal(1000), max_power_w=Decimal(22_000)))
    story.start(0, 1)
    story.stop(60, 6, samples=[signed16(ocmf(B, E))])

    assert story.session().flags == (Flag.UNIT_OVERRIDDEN,)


def test_quirk_39_an_open_session_is_not_held_against_what_is_signed_of_it() -> None:
    story = Story201()
    story.event("Started", 0, signed201(wh(1000, context="Transaction.Begin"), ocmf(E)), token="T")

    assert story.session().flags == ()
