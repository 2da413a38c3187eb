"""Whose is a frame without a valid id: each border of a window, a row on either side."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ledger.facts.flags import Flag
from ledger.facts.station_facts import (
    Measurand,
    Reading,
    SessionEnded,
    SessionStarted,
    SessionUpdated,
)
from ledger.facts.station_traits import StationTraits
from ledger.meter.series import PowerLimit
from ledger.sessions.loose_frames import (
    SessionFrame,
    Window,
    fits,
    flags_of_stop,
    loose_frame_of,
    loose_frames_of,
    windows_of,
)
from ledger.sessions.segments import Segment
from tests.station_story import Story16, at, wh

AC = StationTraits(max_power_w=Decimal(22_000))
SECOND = 1 / 60
# An hour of 22 kW and a tenth more, a minute of grace and 10 Wh.
MOST_IN_AN_HOUR = Decimal(22_000) * Decimal("1.1") * 3660 / 3600 + 10
REGISTER = Measurand.ENERGY_REGISTER_WH


def window(**more: Any) -> Window:  # noqa: ANN401
    """Return the window of a session on connector 1 that began at 08:00 with 1,000 Wh."""
    known: dict[str, Any] = {
        "transaction_ref": "1",
        "place": 1,
        "starts_at": at(0),
        "ends_at": None,
        "next_start_at": None,
        "meter_start_wh": Decimal(1000),
        "meter_stop_wh": None,
        "token_uid": "tag-1",
    }
    return Window(**(known | more))


def reading(
    minute: float, *values: Decimal | int, place: int | None = 1, ref: str | None = None
) -> SessionUpdated:
    return SessionUpdated(
        station_id="CS-1",
        position=1,
        line=0,
        received_at=at(minute),
        transaction_ref=ref,
        evse_id=None,
        connector_id=place,
        occurred_at=at(minute),
        readings=tuple(Reading(at(minute), REGISTER, Decimal(value)) for value in values),
    )


def stop(
    minute: float,
    value: Decimal | int | None,
    *,
    ref: str = "-",
    token: str | None = None,
    place: int | None = None,
) -> SessionEnded:
    return SessionEnded(
        station_id="CS-1",
        position=2,
        line=0,
        received_at=at(minute),
        transaction_ref=ref,
        evse_id=None,
        connector_id=place,
        token_uid=token,
        occurred_at=at(minute),
        meter_stop_wh=None if value is None else Decimal(value),
    )


def is_its(frame: SessionFrame, **more: Any) -> bool:  # noqa: ANN401
    return fits(loose_frame_of(frame, AC), window(**more), PowerLimit(AC.max_power_w))


def test_what_a_frame_claims_is_found_once() -> None:
    story = Story16()
    for minute in range(3):
        story.sample(minute, wh(1000 + minute), tx=None)
    frames = [each for each in story.facts() if isinstance(each, SessionUpdated)]
    known = loose_frames_of(frames[:2], StationTraits())

    found = loose_frames_of(frames[1:], StationTraits(), known)

    assert found == loose_frames_of(frames[1:], StationTraits())
    assert found[0] is known[1]


@pytest.mark.parametrize(
    ("minute", "fitting"), [(-1 - SECOND, False), (-1, True), (0, True), (30, True)]
)
def test_a_reading_may_come_a_minute_before_the_start(minute: float, *, fitting: bool) -> None:
    assert is_its(reading(minute, 1000)) == fitting


@pytest.mark.parametrize(("place", "fitting"), [(0, False), (1, True), (2, False), (None, True)])
def test_a_frame_that_names_another_place_is_another_s(place: int | None, *, fitting: bool) -> None:
    assert is_its(reading(30, 1500, place=place)) == fitting
    assert is_its(stop(30, 1500, place=place)) == fitting


def test_the_sum_of_a_station_is_nobody_s_even_where_the_place_is_unknown() -> None:
    assert not is_its(reading(30, 1500, place=0), place=0)
    assert not is_its(reading(30, 1500, place=1), place=None)
    assert is_its(reading(30, 1500, place=None), place=None)


@pytest.mark.parametrize(
    ("minute", "fitting"), [(60 - SECOND, True), (60, True), (60 + SECOND, False)]
)
@pytest.mark.parametrize("closed_by", ["ends_at", "next_start_at"])
def test_the_next_driver_s_readings_never_count_in_a_session(
    minute: float, closed_by: str, *, fitting: bool
) -> None:
    assert is_its(reading(minute, 3000), **{closed_by: at(60)}) == fitting


def test_a_session_is_over_at_its_stop_though_the_next_one_begins_later() -> None:
    known = {"ends_at": at(60), "next_start_at": at(90)}

    assert window(**known).closes_at == at(60)
    assert window(next_start_at=at(90)).closes_at == at(90)
    assert window().closes_at is None
    assert not is_its(reading(61, 3000), **known)


@pytest.mark.parametrize(
    ("minute", "fitting"), [(60 - SECOND, True), (60, True), (60 + SECOND, False)]
)
def test_a_stop_after_the_next_start_ends_nothing_before_it(
    minute: float, *, fitting: bool
) -> None:
    assert is_its(stop(minute, 3000), next_start_at=at(60)) == fitting


@pytest.mark.parametrize(
    ("minute", "value", "fitting"),
    [
        (59 - SECOND, 6000, False),
        (59, 6000, True),
        (60, 6000, True),
        (61, 6000, True),
        (61 + SECOND, 6000, False),
        (60, 5999, False),
        (60, 6001, False),
        (60, None, False),
    ],
)
def test_a_session_with_a_stop_takes_the_same_one_alone(
    minute: float, value: int | None, *, fitting: bool
) -> None:
    known = {"ends_at": at(60), "meter_stop_wh": Decimal(6000)}

    assert is_its(stop(minute, value), **known) == fitting
    assert is_its(stop(minute, value, ref="999"), **known) == fitting


@pytest.mark.parametrize(
    ("token", "starter", "fitting"),
    [
        (None, "tag-1", True),
        ("tag-1", "tag-1", True),
        ("tag-1", None, True),
        ("tag-2", "tag-1", False),
    ],
)
def test_a_stop_of_another_token_ends_nothing(
    token: str | None, starter: str | None, *, fitting: bool
) -> None:
    assert is_its(stop(60, 3000, token=token), token_uid=starter) == fitting


@pytest.mark.parametrize(
    ("ref", "value", "fitting"),
    [("999", 3000, True), ("999", None, False), ("-", None, True), ("", None, True)],
)
def test_a_foreign_id_ends_nothing_without_a_register(
    ref: str, value: int | None, *, fitting: bool
) -> None:
    assert is_its(stop(60, value, ref=ref)) == fitting


@pytest.mark.parametrize(
    ("value", "fitting"),
    [
        (Decimal(999), False),
        (Decimal(1000), True),
        (1000 + MOST_IN_AN_HOUR, True),
        (1001 + MOST_IN_AN_HOUR, False),
    ],
)
def test_a_stop_lies_between_the_start_s_register_and_what_can_have_flowed(
    value: Decimal, *, fitting: bool
) -> None:
    assert is_its(stop(60, value)) == fitting


@pytest.mark.parametrize(
    ("start", "value", "fitting"),
    [
        (100_000, MOST_IN_AN_HOUR, True),
        (100_000, MOST_IN_AN_HOUR + 1, False),
        (100_000, Decimal(0), True),
        (100_000, Decimal(100_000), True),
        (100_000, Decimal(99_999), False),
        (100_000, 100_000 + MOST_IN_AN_HOUR, True),
        (100_000, 100_001 + MOST_IN_AN_HOUR, False),
        (None, Decimal(10**9), True),
    ],
)
def test_a_reading_may_count_from_the_start(
    start: int | None, value: Decimal, *, fitting: bool
) -> None:
    known = None if start is None else Decimal(start)

    assert is_its(reading(60, value), meter_start_wh=known) == fitting


def test_a_reading_without_a_register_fits_by_time_and_place() -> None:
    assert is_its(reading(60))


def test_of_what_a_frame_says_the_register_of_all_phases_counts() -> None:
    beside = [
        Reading(at(30), Measurand.POWER_W, Decimal(1)),
        Reading(at(30), REGISTER, Decimal(2), phase="L1"),
        Reading(at(30), REGISTER, Decimal(3000)),
        Reading(at(30), REGISTER, Decimal(4)),
    ]
    frame = SessionUpdated(
        station_id="CS-1",
        position=1,
        line=0,
        received_at=at(30),
        transaction_ref=None,
        evse_id=None,
        connector_id=1,
        occurred_at=at(30),
        readings=tuple(beside),
    )

    assert loose_frame_of(frame, AC).value == 3000


def test_a_window_lies_where_the_first_frame_that_names_a_place_says() -> None:
    def started(place: int | None) -> SessionStarted:
        return SessionStarted(
            station_id="CS-1",
            position=0,
            line=0,
            received_at=at(0),
            transaction_ref="1",
            evse_id=None,
            connector_id=place,
            token_uid="tag-1",
            occurred_at=at(0),
            meter_start_wh=Decimal(1000),
        )

    def place_of_window(start: int | None, *readings: int | None) -> int | None:
        segment = Segment(transaction_ref="1", starts=[started(start)], starts_at=at(0))
        segment.updates = [reading(n, 1000, place=place) for n, place in enumerate(readings, 1)]
        [found] = windows_of([segment], AC)
        return found.place

    assert place_of_window(1, 2) == 1
    assert place_of_window(None, None, 2, 3) == 2
    assert place_of_window(None, None) is None


def test_a_window_ends_with_the_first_stop() -> None:
    segment = Segment(transaction_ref="1", starts_at=at(0))
    assert windows_of([Segment(transaction_ref="1")], AC) == []

    story = Story16()
    story.start(0, 1000)
    segment.starts = [fact for fact in story.facts() if isinstance(fact, SessionStarted)]
    segment.ends = [stop(70, 7000), stop(60, 6000)]

    [found] = windows_of([segment], AC)

    assert (found.ends_at, found.meter_stop_wh) == (at(60), Decimal(6000))


def test_a_foreign_id_never_closes_somebody_s_session_without_a_person() -> None:
    story = Story16()
    story.start(0, 1000, tx=1, place=1)
    story.stop(60, 6000, tx=2)

    assert story.session().blockers == (Flag.FOREIGN_STOP_ATTACHED,)


def test_the_next_driver_s_reading_is_the_next_driver_s() -> None:
    story = Story16()
    story.start(0, 1000, tx=1)
    story.start(60, 6000, tx=2)
    story.sample(60 + SECOND, wh(6100), tx=None)
    story.sample(90, wh(8000), tx=77)

    first, second = story.sessions()

    assert (first.energy_wh, second.energy_wh) == (Decimal(0), Decimal(2000))
    assert first.provisional_ended_at == at(0)


def test_a_stop_that_fits_is_the_session_s_own_or_told_again() -> None:
    assert flags_of_stop(window()) == {Flag.RESOLVED_BY_CONTEXT}
    assert flags_of_stop(window(next_start_at=at(60))) == {Flag.RESOLVED_BY_CONTEXT}
    assert flags_of_stop(window(ends_at=at(60))) == {Flag.RESOLVED_BY_CONTEXT, Flag.DUPLICATE_STOP}


def taken_by(story: Story16) -> list[int]:
    """Return which of the sessions that *story* began, from 0, took its last frame."""
    source = (len(story.frames) - 1, 0)
    begun = [session for session in story.sessions() if session.started_at is not None]
    return [n for n, session in enumerate(begun) if source in session.frames]


def two_charges() -> Story16:
    """Return a story of half an hour from 08:00 and another one from 09:00 on at one plug."""
    story = Story16()
    for begins, number in ((0, 1), (60, 2)):
        story.start(begins, 1000 * number, tx=number)
        story.stop(begins + 30, 1000 * number + 900, tx=number)
    return story


@pytest.mark.parametrize(
    ("minute", "register", "takers"),
    [
        (-1 - SECOND, 1000, []),
        (-1, 1000, [0]),
        (15, 1500, [0]),
        (30, 1900, [0]),
        (30 + SECOND, 1900, []),
        (59 - SECOND, 2000, []),
        (59, 2000, [1]),
        (75, 2500, [1]),
        (90 + SECOND, 2900, []),
    ],
)
def test_a_reading_without_an_id_is_of_the_session_of_its_time(
    minute: float, register: int, takers: list[int]
) -> None:
    story = two_charges()
    story.sample(minute, wh(register), tx=None)

    assert taken_by(story) == takers


@pytest.mark.parametrize(
    ("minute", "register", "takers"),
    [
        (31, 1900, [0]),
        (31 + SECOND, 1900, []),
        (91, 2900, [1]),
        (91 + SECOND, 2900, []),
    ],
)
def test_a_stop_without_an_id_is_told_again_within_a_minute(
    minute: float, register: int, takers: list[int]
) -> None:
    story = two_charges()
    story.stop(minute, register, tx=-1)

    assert taken_by(story) == takers


def test_what_fits_several_sessions_is_nobody_s() -> None:
    story = Story16()
    for place in (1, 2, 3):
        story.start(0, 1000, tx=place, place=place)
        story.stop(30, 1900, tx=-1)
        assert taken_by(story) == ([0] if place == 1 else [])
        story.frames.pop()
