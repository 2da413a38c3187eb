"""States that refute the time of a start or stop that came late; and what is only late."""

from __future__ import annotations

import pytest

from ledger.facts.flags import Flag
from tests.station_story import Story16, Story201, in_any_order, stamp, wh

JUMPED = Flag.CLOCK_JUMPED
SECOND = 1 / 60


def _of_twelve_hours_ago(
    *states: tuple[float, str], told: float = 720, first: float | None = None
) -> Story16:
    """Return a session whose start is dated 08:00; it is told at 20:00, the stop at 21:00."""
    story = Story16()
    for minute, name in states:
        story.state(minute, name)
    story.start(0, 5000, received=told)
    if first is not None:
        story.sample(first, wh(8000))
    story.stop(780, 9000)
    return story


@pytest.mark.parametrize(
    ("states", "is_refuted"),
    [
        (((660, "Available"), (721, "Charging")), True),
        (((660, "Available"), (721, "SuspendedEV")), True),
        (((600 + SECOND, "Available"), (721, "Charging")), True),
        (((600, "Available"), (721, "Charging")), False),
        (((715 - SECOND, "Available"), (721, "Charging")), True),
        # a clock and a way of five minutes; and what is long ago
        (((715, "Available"), (721, "Charging")), False),
        # a queue, and what a plug does that is free before and after, or in use all along
        ((), False),
        (((-5, "Available"), (1, "Charging")), False),
        (((1, "Charging"), (721, "Charging")), False),
        (((660, "Preparing"), (721, "Charging")), False),
        # the vehicle left, and the stop came when the station was back
        (((1, "Charging"), (660, "Available")), False),
    ],
)
def test_a_start_told_late_did_not_happen_before_its_plug_was_free(
    states: tuple[tuple[float, str], ...], *, is_refuted: bool
) -> None:
    story = _of_twelve_hours_ago(*states)

    session = story.session()

    assert session.energy_wh == 4000
    assert session.blockers == ((JUMPED,) if is_refuted else ())


@pytest.mark.parametrize(("minute", "is_refuted"), [(5, False), (5 + SECOND, True)])
def test_within_five_minutes_of_the_start_a_plug_may_still_be_free(
    minute: float, *, is_refuted: bool
) -> None:
    story = _of_twelve_hours_ago((minute, "Available"), (61, "Charging"), told=60)

    assert (JUMPED in story.session().flags) is is_refuted


@pytest.mark.parametrize(("told", "is_refuted"), [(0, False), (665, False), (720, True)])
def test_a_start_told_at_once_is_right_whatever_its_plug_says(
    told: float, *, is_refuted: bool
) -> None:
    story = _of_twelve_hours_ago((660, "Available"), (721, "Charging"), told=told)

    assert (JUMPED in story.session().flags) is is_refuted


@pytest.mark.parametrize(("first", "is_refuted"), [(600, False), (700, True)])
def test_where_energy_was_read_before_the_vehicle_was_there(
    first: float, *, is_refuted: bool
) -> None:
    """A plug that says that it is free for a moment, in a session of an outage."""
    story = _of_twelve_hours_ago((660, "Available"), (721, "Charging"), first=first)

    assert (JUMPED in story.session().flags) is is_refuted


def _over_at_nine(state: str | None, minute: float, *, told: float = 240) -> Story16:
    """Return a session whose stop is dated 09:00, and told at 12:00."""
    story = Story16()
    story.start(0, 1000)
    if state is not None:
        story.state(minute, state)
    story.stop(60, 6000, received=told)
    return story


@pytest.mark.parametrize(
    ("state", "minute", "is_refuted"),
    [
        ("Charging", 180, True),
        ("SuspendedEV", 180, True),
        ("SuspendedEVSE", 180, True),
        ("SuspendedEV", 65 + SECOND, True),
        ("SuspendedEV", 65, False),
        ("SuspendedEV", 235 - SECOND, True),
        ("SuspendedEV", 235, False),
        ("Finishing", 180, False),
        ("Preparing", 180, False),
        ("Available", 180, False),
        ("Faulted", 180, False),
        (None, 0, False),
    ],
)
def test_a_stop_told_late_did_not_happen_before_its_plug_charged(
    state: str | None, minute: float, *, is_refuted: bool
) -> None:
    session = _over_at_nine(state, minute).session()

    assert session.blockers == ((JUMPED,) if is_refuted else ())


def test_a_stop_told_at_once_is_right_whatever_its_plug_says() -> None:
    assert _over_at_nine("SuspendedEV", 63, told=68).session().blockers == ()


@pytest.mark.parametrize(("begins", "is_refuted"), [(180, False), (184, False), (186, True)])
def test_what_the_next_session_does_is_nothing_against_the_stop_before_it(
    begins: float, *, is_refuted: bool
) -> None:
    story = _over_at_nine("Charging", 180)
    story.start(begins, 6000, tx=2, token="TAG-2", received=241)
    story.stop(begins + 50, 7000, tx=2, received=242)

    first, second = in_any_order(story)

    assert (JUMPED in first.flags) is is_refuted
    assert second.blockers == ()


@pytest.mark.parametrize(("number", "is_refuted"), [(1, True), (3, False)])
def test_an_event_that_its_number_puts_before_the_stop_was_before_it(
    number: int, *, is_refuted: bool
) -> None:
    story = Story201()
    story.start(0, 1000)
    story.event("Updated", 180, state="SuspendedEV", place=None, seq=number)
    story.stop(60, 6000, seq=2, received=240)

    (session,) = in_any_order(story)

    assert (JUMPED in session.flags) is is_refuted


def test_a_late_start_and_what_its_plug_did_are_one_session_in_any_order() -> None:
    story = _of_twelve_hours_ago((660, "Available"), (721, "Charging"))

    (session,) = in_any_order(story)

    assert session.blockers == (JUMPED,)


@pytest.mark.parametrize(("connector", "is_refuted"), [(1, True), (2, False), (0, True)])
def test_what_another_connector_of_its_evse_does_refutes_nothing(
    connector: int, *, is_refuted: bool
) -> None:
    story = Story201()
    told = {"evseId": 1, "connectorId": connector, "connectorStatus": "Available"}
    story.send("StatusNotification", told | {"timestamp": stamp(660)}, 660)
    story.start(0, 5000, received=720)
    story.state(721, "Charging")
    story.stop(780, 9000)

    (session,) = in_any_order(story)

    assert (JUMPED in session.flags) is is_refuted
