"""What one fact says of where it belongs: about when, where, which register."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from ledger.facts.station_clock import FARTHEST
from ledger.facts.station_facts import (
    ChargingState,
    ConnectorStatusChanged,
    Measurand,
    QueueReported,
    Reading,
    ReadingContext,
    SessionEnded,
    SessionFact,
    SessionStarted,
    SessionUpdated,
)
from ledger.sessions.segments import (
    AN_INSTANT,
    Segment,
    dated,
    is_without_id,
    place_of,
    register_of,
    rough_time,
)
from ledger.sessions.told import place_of_status
from tests.station_story import AC, at

SECOND = timedelta(seconds=1)
KNOWN: dict[str, Any] = {
    "station_id": "CS-1", "position": 0, "line": 0, "received_at": at(50), "transaction_ref": "1",
    "evse_id": 1, "connector_id": 2, "token_uid": None, "occurred_at": at(40),
}  # fmt: skip
KINDS = [SessionStarted, SessionUpdated, SessionEnded]


def update(**more: Any) -> SessionUpdated:  # noqa: ANN401
    return SessionUpdated(**(KNOWN | more))


def registers(*told: tuple[int, str | None, ReadingContext]) -> tuple[Reading, ...]:
    return tuple(
        Reading(None, Measurand.ENERGY_REGISTER_WH, Decimal(value), context, phase)
        for value, phase, context in told
    )


@pytest.mark.parametrize(
    ("told", "is_believed"),
    [
        (AC.commissioned_on - SECOND, False),
        (AC.commissioned_on, True),
        (FARTHEST - SECOND, True),
        (FARTHEST, False),
        (None, False),
    ],
)
def test_about_when_is_a_time_that_a_clock_shows_or_else_its_receipt(
    told: datetime | None, *, is_believed: bool
) -> None:
    assert rough_time(update(occurred_at=told), AC) == (told if is_believed else at(50))
    assert rough_time(update(), AC, occurred_at=told) == (
        at(40) if told is None else told if is_believed else at(50)
    )


def test_a_stop_goes_before_a_start_of_its_moment_and_a_report_is_of_its_receipt() -> None:
    start, change, stop = (kind(**KNOWN) for kind in KINDS)
    report = QueueReported(
        station_id="CS-1",
        position=0,
        line=0,
        received_at=at(50),
        transaction_ref="1",
        messages_in_queue=False,
    )

    assert [dated(fact, AC) for fact in (start, change, stop, report)] == [
        at(40),
        at(40),
        at(40) - AN_INSTANT,
        at(50),
    ]


@pytest.mark.parametrize(
    ("evse", "connector", "place"), [(1, 2, 1), (None, 2, 2), (0, 2, 0), (None, None, None)]
)
def test_a_place_is_the_evse_or_else_the_connector(
    evse: int | None, connector: int | None, place: int | None
) -> None:
    state = ConnectorStatusChanged(
        station_id="CS-1",
        position=0,
        line=0,
        received_at=at(50),
        evse_id=evse,
        connector_id=connector,
        occurred_at=None,
        charging_state=ChargingState.CHARGING,
    )

    assert place_of(update(evse_id=evse, connector_id=connector)) == place
    assert place_of_status(state) == place


@pytest.mark.parametrize(
    ("reference", "is_none"), [(None, True), ("", True), ("-", True), ("0", False), ("1", False)]
)
def test_no_id_is_told_apart_from_a_foreign_one(reference: str | None, *, is_none: bool) -> None:
    assert is_without_id(reference) is is_none


@pytest.mark.parametrize(
    ("fact", "register"),
    [
        (SessionStarted(**KNOWN, meter_start_wh=Decimal(0)), 0),
        (SessionStarted(**KNOWN), 2000),
        (SessionEnded(**KNOWN, meter_stop_wh=Decimal(0)), 0),
        (SessionEnded(**KNOWN), 5000),
        (update(), 3000),
    ],
)
def test_a_register_is_a_frames_own_or_of_its_readings(fact: SessionFact, register: int) -> None:
    """Of a start's readings the one with the context Begin, of a stop's the highest."""
    periodic = ReadingContext.PERIODIC
    told = registers(
        (9000, "L1", periodic),
        (3000, None, periodic),
        (2000, None, ReadingContext.BEGIN),
        (5000, None, periodic),
    )
    power = Reading(None, Measurand.POWER_W, Decimal(7))
    known = {name: getattr(fact, name) for name in fact.__struct_fields__}

    assert register_of(type(fact)(**(known | {"readings": (power, *told)}))) == register


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_reading_no_register_is_told(kind: type[SessionFact]) -> None:
    assert register_of(kind(**KNOWN)) is None


def test_a_segment_keeps_each_kind_of_fact_in_the_order_of_the_log() -> None:
    start, other, stop = (kind(**KNOWN | {"position": 5}) for kind in KINDS)
    first, last = SessionEnded(**KNOWN | {"position": 2}), update(position=9)
    segment = Segment(transaction_ref="1")
    assert segment.is_empty

    segment.add(start)
    assert not segment.is_empty
    segment.take([last, stop, other, first])

    assert segment.starts == [start]
    assert segment.updates == [other, last]
    assert segment.ends == [first, stop]
    assert segment.facts == [first, start, other, stop, last]
