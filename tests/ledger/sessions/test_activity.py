"""Charging and parking: only a vehicle that asks for nothing is parked."""

from __future__ import annotations

from ledger.sessions.session import ChargingSession
from tariffs.model.usage import Activity
from tests.station_story import Story16, Story201, at, watts, wh


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
