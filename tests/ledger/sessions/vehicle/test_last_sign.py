"""Where the vehicle's last sign ends, before a stop that is dated long after it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from ledger.facts.flags import Flag
from ledger.sessions.session import ChargingSession
from tests.station_story import Story16, Story201, at, watts, wh

FREE, REFUTED = Flag.PLUG_FREE_BEFORE_STOP, Flag.FREE_PLUG_REFUTED
LOST, UNKNOWN = Flag.POWER_LOST, Flag.LAST_SIGN_UNKNOWN
NAMED = {FREE, REFUTED, LOST, UNKNOWN}
SECOND = 1 / 60


def seen(session: ChargingSession) -> tuple[datetime | None, set[str]]:
    return session.last_sign_at, set(session.flags) & NAMED


def charged(*states: tuple[float, str], stop: float = 660, register: int = 6000) -> ChargingSession:
    """Return a session with readings at 30 and 59 minutes, then these states and a late stop."""
    story = Story16()
    story.start(0, 1000)
    story.state(1, "Charging")
    story.sample(30, wh(3500))
    story.sample(59, wh(6000))
    for minute, name in states:
        story.state(minute, name)
    story.stop(stop, register, reason="Remote")
    return story.session()


def test_a_plug_that_is_free_ends_the_time_of_its_vehicle() -> None:
    session = charged((60, "Finishing"), (61, "Available"))

    assert seen(session) == (at(61), {FREE})
    assert session.ended_at == at(660)
    assert session.blockers == ()


@pytest.mark.parametrize("state", ["Finishing", "SuspendedEV", "Faulted", "Unavailable"])
def test_another_state_frees_no_plug(state: str) -> None:
    assert seen(charged((61, state))) == (None, set())


@pytest.mark.parametrize("state", ["Charging", "SuspendedEV", "SuspendedEVSE", "Finishing"])
def test_a_vehicle_that_is_seen_again_was_not_gone(state: str) -> None:
    assert seen(charged((61, "Available"), (90, state))) == (None, set())
    assert seen(charged((61, "Available"), (90, state), (120, "Available"))) == (at(120), {FREE})


def test_what_the_next_vehicle_does_before_its_start_is_no_sign_of_this_one() -> None:
    assert seen(charged((61, "Available"), (90, "Preparing"))) == (at(61), {FREE})


def test_the_first_of_several_reports_counts() -> None:
    assert seen(charged((61, "Available"), (200, "Available"))) == (at(61), {FREE})


@pytest.mark.parametrize(("stop", "is_free"), [(62, False), (62 + SECOND, True)])
def test_a_plug_that_is_free_within_the_minute_of_the_stop_is_as_usual(
    stop: float, *, is_free: bool
) -> None:
    session = charged((61, "Available"), stop=stop)

    assert seen(session) == ((at(61), {FREE}) if is_free else (None, set()))


def test_a_plug_that_is_free_after_the_stop_or_before_the_start_says_nothing() -> None:
    assert seen(charged((-5, "Available"), (0, "Available"), (661, "Available"))) == (None, set())


def test_a_vehicle_that_is_there_at_the_stop_was_there_before_it() -> None:
    assert seen(charged((61, "Available"), (660, "Finishing"))) == (None, set())


def test_a_plug_that_was_free_at_the_start_was_so_before_it() -> None:
    story = Story16()
    story.start(0, 1000)
    story.state(0, "Available")
    story.stop(660, 1000)

    assert seen(story.session()) == (None, set())


def test_a_plug_that_is_free_at_once_ends_it_at_once() -> None:
    story = Story16()
    story.start(0, 1000)
    story.state(0.1, "Available")
    story.stop(660, 1000)

    assert seen(story.session()) == (at(0.1), {FREE})


def test_a_state_and_a_free_plug_at_the_same_second_are_free() -> None:
    assert seen(charged((61, "Finishing"), (61, "Available"))) == (at(61), {FREE})


@pytest.mark.parametrize(("register", "flag"), [(6010, FREE), (6011, REFUTED)])
def test_a_plug_from_which_more_energy_flows_is_not_free(register: int, flag: Flag) -> None:
    story = Story16()
    story.start(0, 1000)
    story.state(1, "Charging")
    story.sample(59, wh(6000))
    story.state(61, "Available")
    story.sample(62, wh(6000))
    story.stop(660, register)

    assert seen(story.session()) == (at(61) if flag is FREE else None, {flag})


@pytest.mark.parametrize(
    ("register", "flag"),
    # 22 kW and a tenth, for the two minutes until then and one of grace, and 10 Wh
    [(7220, FREE), (7221, REFUTED)],
)
def test_what_a_connector_can_deliver_before_its_plug_is_free_refutes_nothing(
    register: int, flag: Flag
) -> None:
    session = charged((61, "Available"), register=register)

    assert seen(session) == (at(61) if flag is FREE else None, {flag})


@pytest.mark.parametrize(
    ("register", "flag"),
    # the same for five minutes, where nothing was read between start and stop
    [(3430, FREE), (3431, REFUTED)],
)
def test_from_the_start_on_it_may_have_flowed_before_the_plug_was_free(
    register: int, flag: Flag
) -> None:
    story = Story16()
    story.start(0, 1000)
    story.state(5, "Available")
    story.stop(660, register)

    assert seen(story.session()) == (at(5) if flag is FREE else None, {flag})


def test_after_the_last_register_nothing_refutes_a_free_plug() -> None:
    story = Story201()
    story.start(0, 1000)
    story.sample(30, wh(3000))
    story.state(60, "Idle")
    story.event("Ended", 600, place=None)

    assert seen(story.session()) == (at(60), {FREE})


def test_a_free_plug_without_any_reading_is_believed() -> None:
    story = Story201()
    story.event("Started", 0, token="TAG-1", state="Charging")
    story.state(60, "Idle")
    story.event("Ended", 600, place=None)

    assert seen(story.session()) == (at(60), {FREE})


def test_an_evse_without_a_connection_is_free_in_the_later_version_too() -> None:
    story = Story201()
    story.start(0, 1000)
    story.state(1, "Charging")
    story.sample(59, wh(6000))
    story.state(60, "Idle")
    story.stop(660, 6000)

    assert seen(story.session()) == (at(60), {FREE})


def lost(
    *, reason: str | None = "PowerLoss", boot: float | None = 600, stop: float = 600
) -> Story16:
    story = Story16()
    story.start(0, 1000)
    story.state(1, "Charging")
    story.sample(30, wh(3500))
    story.sample(59, wh(5900))
    if boot is not None:
        story.boot(boot)
    more: dict[str, Any] = {} if reason is None else {"reason": reason}
    story.stop(stop, 6000, received=max(stop, boot or 0), **more)
    return story


def test_a_stop_at_the_boot_after_a_power_loss_ends_time_at_the_last_reading() -> None:
    session = lost().session()

    assert seen(session) == (at(59), {LOST})
    assert session.energy_wh == 5000
    assert session.blockers == ()


@pytest.mark.parametrize("reason", [None, "Other", "DeAuthorized", "HardReset", "SoftReset"])
def test_a_boot_at_the_stop_says_so_whatever_the_reason(reason: str | None) -> None:
    assert seen(lost(reason=reason).session()) == (at(59), {LOST})


@pytest.mark.parametrize(
    "reason", ["Local", "Remote", "EVDisconnected", "EmergencyStop", "UnlockCommand"]
)
def test_who_stopped_it_stood_there(reason: str) -> None:
    assert seen(lost(reason=reason).session()) == (None, set())


@pytest.mark.parametrize(("boot", "is_lost"), [(595, True), (605, True), (595 - SECOND, False)])
def test_a_boot_long_before_the_stop_dated_it_not(boot: float, *, is_lost: bool) -> None:
    session = lost(reason=None, boot=boot).session()

    assert seen(session) == ((at(59), {LOST}) if is_lost else (None, set()))


def test_a_boot_after_the_stop_dated_it_not() -> None:
    assert seen(lost(reason=None, boot=605 + SECOND).session()) == (None, set())


@pytest.mark.parametrize("reason", ["PowerLoss", "Reboot", "HardReset", "SoftReset"])
@pytest.mark.parametrize(("stop", "is_lost"), [(74, False), (74 + SECOND, True)])
def test_without_a_boot_a_loss_of_power_shows_by_its_silence(
    reason: str, stop: float, *, is_lost: bool
) -> None:
    session = lost(reason=reason, boot=None, stop=stop).session()

    assert seen(session) == ((at(59), {LOST}) if is_lost else (None, set()))


@pytest.mark.parametrize(("stop", "is_lost"), [(60, False), (60 + SECOND, True)])
def test_a_boot_that_took_less_than_a_minute_is_none(stop: float, *, is_lost: bool) -> None:
    session = lost(boot=stop, stop=stop).session()

    assert seen(session) == ((at(59), {LOST}) if is_lost else (None, set()))


def test_what_is_told_with_the_stop_itself_is_no_sign_before_it() -> None:
    with_reading, with_state = lost(), lost()
    with_reading.sample(600, wh(6000))
    with_state.state(600, "Charging")

    assert seen(with_reading.session()) == (at(59), {LOST})
    assert seen(with_state.session()) == (at(59), {LOST})


def test_a_sign_a_second_before_the_stop_is_one() -> None:
    story = lost()
    story.sample(599.99, wh(6000))

    assert seen(story.session()) == (None, set())


@pytest.mark.parametrize(("boot", "is_lost"), [(59, False), (59.1, True)])
def test_a_boot_at_the_last_sign_is_no_loss_after_it(boot: float, *, is_lost: bool) -> None:
    session = lost(reason=None, boot=boot, stop=61).session()

    assert seen(session) == ((at(59), {LOST}) if is_lost else (None, set()))


def test_a_boot_before_the_last_sign_dated_no_stop() -> None:
    story = lost(reason=None, boot=598)
    story.sample(598.5, wh(5950))

    assert seen(story.session()) == (None, set())


@pytest.mark.parametrize("state", ["Charging", "SuspendedEV", "SuspendedEVSE"])
def test_states_and_power_are_signs_too(state: str) -> None:
    by_state, by_power = lost(), lost()
    by_state.state(300, state)
    by_power.sample(310, watts(0))

    assert seen(by_state.session())[0] == at(300)
    assert seen(by_power.session())[0] == at(310)


def test_a_state_at_the_boot_itself_is_no_sign_of_before() -> None:
    story = lost(boot=599.9)
    story.state(599.95, "Finishing")

    assert seen(story.session()) == (at(59), {LOST})


@pytest.mark.parametrize(("register", "flags"), [(1010, {LOST}), (1011, {LOST, UNKNOWN})])
def test_energy_without_any_sign_of_when_is_a_doubt(register: int, flags: set[str]) -> None:
    story = Story16()
    story.start(0, 1000)
    story.boot(600)
    story.stop(600, register, reason="PowerLoss")

    session = story.session()

    assert seen(session) == (at(0), flags)
    assert (UNKNOWN in session.blockers) is (UNKNOWN in flags)


def test_a_free_plug_before_the_loss_ends_it_first() -> None:
    story = lost()
    story.state(61, "Available")
    story.sample(90, wh(5995))

    assert seen(story.session()) == (at(61), {FREE, LOST})


def test_an_open_session_has_no_stop_to_be_before() -> None:
    story = Story16()
    story.start(0, 1000)
    story.sample(59, wh(6000))
    story.state(61, "Available")

    session = story.session()

    assert seen(session) == (None, set())
    assert session.provisional_ended_at == at(61)


def open_until(*states: tuple[float, str], flat: float | None = None) -> datetime | None:
    """Return the last sign of an open session with a last rise at 59 minutes."""
    story = Story16()
    story.start(0, 1000)
    story.sample(30, wh(3500))
    story.sample(59, wh(6000))
    if flat is not None:
        story.sample(flat, wh(6000))
    for minute, name in states:
        story.state(minute, name)
    return story.session().provisional_ended_at


@pytest.mark.parametrize("state", ["Available", "Finishing"])
def test_an_open_session_lasts_until_its_plug_is_free(state: str) -> None:
    assert open_until((59, state)) == at(59)
    assert open_until((58, state)) == at(59)
    assert open_until((61, state), (80, "Available")) == at(61)
    assert open_until((61, state), flat=70) == at(61)


def test_another_state_ends_no_open_session() -> None:
    assert open_until((61, "SuspendedEV"), flat=70) == at(70)
    assert open_until() == at(59)
