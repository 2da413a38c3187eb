"""Charging and parking: only a vehicle that asks for nothing is parked."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ledger.sessions.session import ChargingSession
from tariffs.model.usage import Activity
from tests.station_story import Story16, Story201, at, in_any_order, stamp, watts, wh


def _spans(session: ChargingSession) -> list[tuple[object, str]]:
    return [(span.starts_at, span.activity.value) for span in session.spans]


def _told(*states: tuple[float, str]) -> list[tuple[object, str]]:
    story = Story16()
    story.start(0, 1000)
    for minute, name in states:
        story.state(minute, name)
    story.stop(60, 6000)
    return _spans(story.session())


def test_a_vehicle_that_asks_for_nothing_is_parked_until_it_asks_again() -> None:
    assert _told((1, "Charging"), (20, "SuspendedEV"), (40, "Charging")) == [
        (at(0), "charging"),
        (at(20), "parking"),
        (at(40), "charging"),
    ]


def test_an_evse_that_withholds_energy_a_fault_and_finishing_are_no_parking() -> None:
    for name in ("SuspendedEVSE", "Faulted", "Unavailable", "Finishing", "Available", "Preparing"):
        assert _told((1, "Charging"), (20, name)) == [(at(0), "charging")]


def test_a_state_before_the_start_or_after_the_stop_changes_nothing() -> None:
    assert _told((-5, "SuspendedEV"), (61, "SuspendedEV")) == [(at(0), "charging")]


def test_a_state_of_another_connector_changes_nothing() -> None:
    story = Story16()
    story.start(0, 1000, place=1)
    story.state(20, "SuspendedEV", place=2)

    assert _spans(story.session()) == [(at(0), "charging")]


@pytest.mark.parametrize(
    ("connector", "state", "spans", "last_sign"),
    [
        (2, "Unavailable", [(at(0), "charging"), (at(20), "parking")], None),
        (1, "Unavailable", [(at(0), "charging"), (at(20), "parking"), (at(30), "charging")], None),
        (2, "Available", [(at(0), "charging"), (at(20), "parking")], None),
        (1, "Available", [(at(0), "charging"), (at(20), "parking")], at(30)),
        (0, "Available", [(at(0), "charging"), (at(20), "parking")], at(30)),
    ],
)
def test_a_state_of_another_connector_of_its_evse_changes_nothing(
    connector: int, state: str, spans: list[tuple[object, str]], last_sign: object
) -> None:
    story = Story201()
    story.start(0, 1000, state="Charging")
    story.state(20, "SuspendedEV")
    told = {"evseId": 1, "connectorId": connector, "connectorStatus": state}
    story.send("StatusNotification", told | {"timestamp": stamp(30)}, 30)
    story.stop(120, 6000)

    (session,) = in_any_order(story)

    assert (_spans(session), session.last_sign_at) == (spans, last_sign)


def test_of_a_session_without_a_connector_all_states_of_its_evse_count() -> None:
    story = Story201()
    story.event("Started", 0, wh(1000, context="Transaction.Begin"), token="T", place=None,
                evse={"id": 1})  # fmt: skip
    story.sample(10, wh(6000))
    told = {"evseId": 1, "connectorId": 2, "connectorStatus": "Available"}
    story.send("StatusNotification", told | {"timestamp": stamp(30)}, 30)
    story.stop(120, 6000)

    assert story.session().last_sign_at == at(30)


def test_the_last_sign_of_an_open_session_is_of_its_own_connector() -> None:
    story = Story201()
    story.start(0, 1000)
    story.sample(20, wh(3000))
    for minute, connector in ((25, 2), (30, 1)):
        told = {"evseId": 1, "connectorId": connector, "connectorStatus": "Available"}
        story.send("StatusNotification", told | {"timestamp": stamp(minute)}, minute)

    (session,) = in_any_order(story)

    assert session.provisional_ended_at == at(30)


def test_power_of_zero_alone_is_no_parking() -> None:
    story = Story16()
    story.start(0, 1000)
    story.sample(20, wh(3000), watts(0))
    story.sample(40, wh(3000), watts(0))
    story.stop(60, 3000)

    assert _spans(story.session()) == [(at(0), "charging")]


def test_a_vehicle_that_never_asked_is_parked_from_the_start() -> None:
    assert _told((0, "SuspendedEV")) == [(at(0), "parking")]


def test_a_cable_left_in_after_charging_is_parking_but_not_before() -> None:
    story = Story201()
    story.start(0, 1000, state="EVConnected")
    story.state(2, "Charging")
    story.state(40, "EVConnected")
    story.stop(60, 6000)

    assert _spans(story.session()) == [(at(0), "charging"), (at(40), Activity.PARKING.value)]


def test_states_that_arrive_late_take_their_place() -> None:
    story = Story16()
    story.start(0, 1000)
    story.state(1, "Charging")
    story.state(40, "Charging")
    story.state(20, "SuspendedEV", received=50)
    story.stop(60, 6000)

    assert _spans(story.session())[1:] == [(at(20), "parking"), (at(40), "charging")]


def test_of_states_of_a_moment_one_without_a_number_came_first() -> None:
    story = Story201()
    story.start(0, 1000, seq=0, state="Charging")
    story.state(20, "SuspendedEV", seqNo=None)
    story.state(20, "Charging", seq=1)
    story.stop(60, 6000, seq=2)

    assert _spans(story.session()) == [(at(0), "charging")]


def _powers(session: ChargingSession) -> list[tuple[object, str, Decimal]]:
    return [(span.starts_at, span.activity.value, span.power_w) for span in session.spans]


def test_a_vehicle_that_draws_power_is_said_to_whatever_its_state_says() -> None:
    story = Story16()
    story.start(0, 1000)
    story.state(0.1, "SuspendedEV")
    for minute in (15, 30, 45):
        story.sample(minute, wh(1000 + minute * 100))
    story.stop(60, 7000)

    first, *later = _powers(story.session())

    assert first == (at(0), "charging", Decimal(0))
    assert [(begins, what) for begins, what, _ in later] == [
        (at(0.1), "parking"),
        (at(15), "parking"),
    ]
    # 1,500 Wh in 15 minutes, less what 22 kW may have brought in the six seconds before.
    assert 5800 < later[0][2] < 6000
    assert later[1][2] == 6000


def test_what_flowed_while_charging_is_no_power_of_the_parking_after_it() -> None:
    story = Story16()
    story.start(0, 1000)
    story.state(1, "Charging")
    story.state(20, "SuspendedEV")
    story.stop(60, 6000)

    assert _powers(story.session())[1:] == [(at(20), "parking", Decimal(0))]


@pytest.mark.parametrize(("register", "power"), [(12000, 0), (12100, 600)])
def test_more_than_the_connector_can_deliver_while_charging_flowed_while_parking(
    register: int, power: int
) -> None:
    story = Story16()
    story.start(0, 1000)
    story.state(0, "Charging")
    story.state(30, "SuspendedEV")
    story.stop(40, register)

    assert _powers(story.session())[1:] == [(at(30), "parking", Decimal(power))]


def test_parking_is_cut_where_power_changes_and_not_elsewhere() -> None:
    story = Story16()
    story.start(0, 1000)
    story.state(1, "Charging")
    story.state(20, "SuspendedEV")
    for minute, register in ((20, 5000), (30, 5000), (40, 6000), (50, 6000)):
        story.sample(minute, wh(register))
    story.stop(60, 6000)

    assert _powers(story.session())[1:] == [
        (at(20), "parking", Decimal(0)),
        (at(30), "parking", Decimal(6000)),
        (at(40), "parking", Decimal(0)),
    ]


def _measured(*powers: tuple[float, int], register: int = 6000, kilo: int = 1) -> list[int]:
    """Return the power of each stretch of parking from 30 to 60 minutes."""
    story = Story16()
    story.start(0, 1000 * kilo)
    story.state(1, "Charging")
    story.state(30, "SuspendedEV")
    for minute, power in powers:
        story.sample(minute, watts(power))
    story.stop(60, register * kilo)
    return [int(power) for _, what, power in _powers(story.session()) if what == "parking"]


def test_power_that_was_measured_counts_where_no_register_was_read() -> None:
    assert _measured((40, 5000), (50, 5000)) == [5000]
    assert _measured((40, 5000), (50, 4000)) == [5000, 4000]
    assert _measured((40, 5000), (50, 0)) == [5000, 0]
    assert _measured((40, 0), (50, 5000)) == [0, 5000]


def test_power_that_was_measured_as_the_state_came_is_that_of_before() -> None:
    assert _measured((30, 5000)) == [0]
    assert _measured((30.1, 5000)) == [5000]
    assert _measured((29, 5000)) == [0]


def test_power_is_measured_until_the_next_state() -> None:
    story = Story16()
    story.start(0, 1000)
    story.state(1, "Charging")
    story.state(30, "SuspendedEV")
    story.state(40, "Charging")
    story.sample(40, watts(7000))
    story.state(50, "SuspendedEV")
    story.sample(55, watts(100))
    story.stop(60, 6000)

    assert [power for _, what, power in _powers(story.session()) if what == "parking"] == [0, 100]


@pytest.mark.parametrize(("register", "power"), [(1240, 1000), (1239, 0)])
def test_a_register_that_stands_still_refutes_a_power(register: int, power: int) -> None:
    """Half of what the power would have brought in 30 minutes, but for 10 Wh."""
    assert _measured((40, 1000), (50, 1000), register=register) == [power]


@pytest.mark.parametrize(("power", "expected"), [(8000, 8000), (8001, 0)])
def test_a_register_of_whole_kwh_may_stand_still_for_one(power: int, expected: int) -> None:
    assert _measured((40, power), (50, power), register=1001, kilo=1000) == [expected]


@pytest.mark.parametrize("state", ["SuspendedEV", "EVConnected"])
def test_a_vehicle_that_drew_nothing_yet_is_not_parked(state: str) -> None:
    story = Story201()
    story.start(0, 1000, state=state)
    story.sample(30, wh(1010))
    story.state(60, state)
    story.sample(61, wh(1010))
    story.state(62, "Charging")
    story.sample(90, wh(5000))
    story.state(91, state)
    story.stop(120, 5000)

    assert _spans(story.session()) == [(at(0), "charging"), (at(91), "parking")]


@pytest.mark.parametrize(("register", "parked"), [(1010, False), (1011, True)])
def test_a_meter_that_counts_its_own_lamps_is_no_vehicle(register: int, *, parked: bool) -> None:
    story = Story16()
    story.start(0, 1000)
    story.state(1, "Charging")
    story.sample(10, wh(register))
    story.state(11, "SuspendedEV")
    story.stop(60, register)

    assert ("parking" in {what for _, what in _spans(story.session())}) is parked


def test_the_first_energy_flowed_from_when_the_station_said_so() -> None:
    assert _told((5, "SuspendedEV"), (10, "Charging"), (20, "SuspendedEV")) == [
        (at(0), "charging"),
        (at(20), "parking"),
    ]
    assert _told((5, "SuspendedEV"), (60, "Charging"))[1:] == [(at(5), "parking")]


def test_without_any_reading_a_state_says_that_it_charged() -> None:
    story = Story201()
    story.event("Started", 0, token="TAG-1", state="SuspendedEV")
    story.state(10, "Charging")
    story.state(20, "SuspendedEV")
    story.event("Ended", 60, place=None)

    assert _spans(story.session()) == [(at(0), "charging"), (at(20), "parking")]
