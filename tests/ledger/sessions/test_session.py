"""A session as it is billed: its id, its points, and which of its changes a bill would see."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from ledger.facts.flags import Flag
from ledger.meter.evidence import MeterEvidence
from ledger.meter.series import Counted, Metered
from ledger.sessions.session import (
    ChargingSession,
    SessionPoint,
    SessionSpan,
    billed,
    points_of,
    session_id_of,
    told_apart,
)
from tariffs.model.usage import Activity
from tests.ledger.meter.readings import Told, powers, readings
from tests.station_story import at

SECOND = timedelta(seconds=1)
SESSION = ChargingSession(
    session_id="CS-1/1/20260302T080000Z",
    station_id="CS-1",
    transaction_ref="1",
    started_at=at(0),
    ended_at=at(60),
    energy_wh=Decimal(5000),
    first_received_at=at(0),
    last_received_at=at(60),
)


@pytest.mark.parametrize(
    ("ref", "starts", "ends", "stray", "moment"),
    [
        ("7", 0, 60, "again", "7/20260302T080000Z"),
        ("7", None, 60, "again", "7/no-start-again"),
        ("", None, 60, "", "no-id/no-start-20260302T090000Z"),
        ("7", None, None, "", "7/no-start"),
    ],
)
def test_an_id_is_made_of_what_tells_a_session_apart(
    ref: str, starts: float | None, ends: float | None, stray: str, moment: str
) -> None:
    told = [None if minute is None else at(minute) for minute in (starts, ends)]

    assert session_id_of("CS-1", ref, told[0], told[1], stray=stray) == f"CS-1/{moment}"


def test_sessions_of_one_second_are_numbered_as_they_came() -> None:
    other = msgspec.structs.replace(SESSION, session_id="CS-1/1/20260302T090000Z")

    apart = told_apart([SESSION, other, SESSION, SESSION], [(3, 0), (0, 0), (1, 0), (2, 0)])

    first, second, third, fourth = (each.session_id for each in apart)
    assert third == SESSION.session_id
    assert fourth == f"{SESSION.session_id}-2"
    assert first == f"{SESSION.session_id}-3"
    assert second == other.session_id
    assert told_apart([SESSION, other], [(1, 0), (0, 0)]) == (SESSION, other)


@pytest.mark.parametrize(
    ("counted", "until", "points"),
    [
        ([(0, 0), (30, 2000), (60, 5000)], 60, [(0, 0), (30, 2000), (60, 5000)]),
        # of one moment the last one holds, and at the start one without energy is the same
        ([(0, 0), (30, 2000), (30, 2100), (60, 5000)], 60, [(0, 0), (30, 2100), (60, 5000)]),
        ([(0, 0), (0, 0), (60, 5000)], 60, [(0, 0), (60, 5000)]),
        ([(0, 0), (0, 5), (60, 5000)], 60, [(0, 0), (0, 5), (60, 5000)]),
        ([(0, 0), (0, 5), (0, 6), (60, 5000)], 60, [(0, 0), (0, 6), (60, 5000)]),
        # until a free plug ended it, and no point twice
        ([(0, 0), (30, 2000), (60, 2000)], 45, [(0, 0), (30, 2000), (45, 2000)]),
        ([(0, 0), (30, 2000), (60, 2000)], 30, [(0, 0), (30, 2000)]),
        ([(0, 0), (30, 2000)], None, [(0, 0), (30, 2000)]),
        ([], 60, []),
    ],
)
def test_points_are_one_a_moment_to_the_end(
    counted: list[Told], until: float | None, points: list[Told]
) -> None:
    metered = Metered(counted=tuple(Counted(each, each.value_wh) for each in readings(*counted)))

    found = points_of(metered, MeterEvidence(), None if until is None else at(until))

    assert [(each.at, each.energy_wh) for each in found] == [
        (each.at, each.value_wh) for each in readings(*points)
    ]


def test_a_point_tells_its_register_and_power_and_an_end_that_is_derived_does_not() -> None:
    told = readings((0, 1000), (30, 3000))
    metered = Metered(counted=tuple(Counted(each, each.value_wh - 1000) for each in told))

    found = points_of(metered, MeterEvidence(powers=powers((30, 6000))), at(60))

    assert found == (
        SessionPoint(at(0), Decimal(0), 0, 0, Decimal(1000)),
        SessionPoint(at(30), Decimal(2000), 0, 0, Decimal(3000), Decimal(6000)),
        SessionPoint(at(60), Decimal(2000), 0, 0),
    )


@pytest.mark.parametrize(
    ("change", "is_seen"),
    [
        ({"started_at": at(0) + SECOND}, True),
        ({"ended_at": at(60) + SECOND}, True),
        ({"last_sign_at": at(50)}, True),
        ({"energy_wh": Decimal(5001)}, True),
        ({"unattributed_wh": Decimal(1)}, True),
        ({"token_uid": "tag-2"}, True),
        ({"evse_id": 2}, True),
        ({"connector_id": 2}, True),
        ({"points": (SessionPoint(at(30), Decimal(2000), 0, 0),)}, True),
        ({"spans": (SessionSpan(at(0), Activity.PARKING),)}, True),
        ({"blockers": (Flag.ID_AMBIGUOUS,)}, True),
        ({"flags": (Flag.OFFLINE,)}, False),
        ({"frames": ((0, 0),)}, False),
        ({"last_received_at": at(90)}, False),
    ],
)
def test_a_change_that_a_bill_would_see_is_one(change: dict[str, Any], *, is_seen: bool) -> None:
    assert (billed(msgspec.structs.replace(SESSION, **change)) != billed(SESSION)) is is_seen


def test_a_change_of_who_is_parking_until_when_is_one() -> None:
    spans = (SessionSpan(at(0), Activity.CHARGING), SessionSpan(at(30), Activity.PARKING))
    parked = msgspec.structs.replace(SESSION, spans=spans)
    later = (spans[0], SessionSpan(at(31), Activity.PARKING))
    drawing = (spans[0], SessionSpan(at(30), Activity.PARKING, Decimal(1)))

    for other in (later, drawing):
        assert billed(msgspec.structs.replace(SESSION, spans=other)) != billed(parked)


@pytest.mark.parametrize(
    ("more", "is_ended", "is_complete", "minutes"),
    [
        ({}, True, True, 60),
        ({"blockers": (Flag.ID_AMBIGUOUS,)}, True, False, 60),
        ({"ended_at": None}, False, False, None),
        ({"ended_at": None, "provisional_ended_at": at(45)}, False, False, 45),
        ({"provisional_ended_at": at(45)}, True, True, 60),
        ({"started_at": None}, True, True, None),
    ],
)
def test_a_session_is_complete_once_it_ended_and_nothing_is_in_doubt(
    more: dict[str, Any], *, is_ended: bool, is_complete: bool, minutes: float | None
) -> None:
    session = msgspec.structs.replace(SESSION, **more)

    assert (session.is_ended, session.is_complete) == (is_ended, is_complete)
    assert session.duration == (None if minutes is None else timedelta(minutes=minutes))
