"""On which sessions a boot or a state bears that was said, or let go, after they were folded."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from ledger.facts.flags import Flag
from ledger.facts.station_clock import SessionClock
from ledger.facts.station_facts import ChargingState, ConnectorStatusChanged
from ledger.sessions.session import ChargingSession
from ledger.sessions.surroundings import boot_bears, state_bears
from ledger.sessions.vehicle.told_states import ToldStates
from tests.station_story import at

A_BIT = timedelta(microseconds=1)
BEGAN, OVER = at(0), at(60)


def session(
    *,
    started_at: datetime | None = BEGAN,
    ended_at: datetime | None = OVER,
    provisional_ended_at: datetime | None = None,
    flags: tuple[str, ...] = (),
    clock_min: float = 0,
) -> ChargingSession:
    """Return a session whose frames were received from minute 5 to minute 60."""
    return ChargingSession(
        session_id="S",
        station_id="CS-1",
        transaction_ref="1",
        started_at=started_at,
        ended_at=ended_at,
        provisional_ended_at=provisional_ended_at,
        flags=flags,
        clock=SessionClock(offset=timedelta(minutes=clock_min)),
        first_received_at=at(5),
        last_received_at=at(60),
    )


def shown(
    told: datetime, received: datetime, name: ChargingState | None = ChargingState.AVAILABLE
) -> ConnectorStatusChanged:
    return ConnectorStatusChanged(
        station_id="CS-1",
        position=1,
        line=0,
        received_at=received,
        occurred_at=told,
        evse_id=None,
        connector_id=1,
        charging_state=name,
    )


ENDED, OPEN = session(), session(ended_at=None)
INTERRUPTED = session(ended_at=None, flags=(Flag.INTERRUPTED,))
STARTLESS = session(started_at=None)


@pytest.mark.parametrize(
    ("which", "boot", "bears"),
    [
        pytest.param(ENDED, at(-10) - A_BIT, False, id="long before it"),
        pytest.param(ENDED, at(-10), True, id="about its start"),
        pytest.param(ENDED, at(70), True, id="about its stop"),
        pytest.param(ENDED, at(70) + A_BIT, False, id="long after it"),
        pytest.param(OPEN, at(700), True, id="while it is open"),
        pytest.param(INTERRUPTED, at(700), False, id="once more while it is open"),
        pytest.param(INTERRUPTED, at(70), True, id="once more, about its last frame"),
        pytest.param(STARTLESS, at(-5) - A_BIT, False, id="long before what has no start"),
        pytest.param(STARTLESS, at(-5), True, id="about what has no start"),
        pytest.param(STARTLESS, at(70) + A_BIT, False, id="long after what has no start"),
    ],
)
def test_a_boot_bears_on_what_is_open_or_near(
    which: ChargingSession, boot: datetime, *, bears: bool
) -> None:
    assert boot_bears(which, boot, is_news=True) is bears


@pytest.mark.parametrize(
    ("which", "bears"), [(ENDED, False), (OPEN, True), (INTERRUPTED, True), (STARTLESS, False)]
)
def test_a_boot_that_is_let_go_may_be_the_one_that_interrupted(
    which: ChargingSession, *, bears: bool
) -> None:
    assert boot_bears(which, at(700), is_news=False) is bears


@pytest.mark.parametrize(
    ("which", "told", "received", "bears"),
    [
        pytest.param(ENDED, at(0) - A_BIT, at(90), False, id="before its start"),
        pytest.param(ENDED, at(0), at(90), True, id="at its start"),
        pytest.param(ENDED, at(60), at(90), True, id="at its stop"),
        pytest.param(ENDED, at(60) + A_BIT, at(90), False, id="after its stop"),
        pytest.param(ENDED, at(-9), at(5) - A_BIT, False, id="received before it"),
        pytest.param(ENDED, at(-9), at(5), True, id="received with its first frame"),
        pytest.param(ENDED, at(-9), at(60), True, id="received with its last frame"),
        pytest.param(ENDED, at(-9), at(60) + A_BIT, False, id="received after it"),
        pytest.param(OPEN, at(65), at(65), True, id="while it is open"),
        pytest.param(OPEN, at(0) - A_BIT, at(600), False, id="before what is open"),
        pytest.param(STARTLESS, at(30), at(30), False, id="of no place"),
        pytest.param(session(clock_min=-90), at(120), at(120), True, id="by its own clock"),
    ],
)
def test_a_state_bears_on_the_time_that_it_tells_of_and_on_the_clock_beside_it(
    which: ChargingSession, told: datetime, received: datetime, *, bears: bool
) -> None:
    assert state_bears(which, shown(told, received)) is bears


LAST_SEEN = session(ended_at=None, provisional_ended_at=at(65))


@pytest.mark.parametrize(
    ("name", "minute", "freed", "bears"),
    [
        pytest.param(ChargingState.CHARGING, 65, 65, True, id="about its last frame"),
        pytest.param(ChargingState.CHARGING, 66, 64, False, id="long after it"),
        pytest.param(ChargingState.AVAILABLE, 66, 64, True, id="the plug is free after it"),
        pytest.param(ChargingState.FINISHING, 66, 67, True, id="free before it was known to be"),
        pytest.param(ChargingState.AVAILABLE, 66, 65, False, id="free once more"),
        pytest.param(ChargingState.AVAILABLE, 65, 65, True, id="free at the same moment"),
        pytest.param(None, 65, 64, False, id="none that is known"),
    ],
)
def test_after_all_that_an_open_session_told_only_the_first_free_plug_bears(
    name: ChargingState | None, minute: float, freed: float, *, bears: bool
) -> None:
    known = ToldStates([shown(at(freed), at(freed), ChargingState.AVAILABLE)])

    assert state_bears(LAST_SEEN, shown(at(minute), at(minute), name), known) is bears
