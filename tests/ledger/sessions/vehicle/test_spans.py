"""What states and readings make of a session's time, at each border."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ledger.facts.station_facts import ChargingState
from ledger.meter.series import Counted
from ledger.sessions.session import SessionSpan
from ledger.sessions.vehicle.activity import fold_activity, with_power
from tariffs.model.usage import Activity
from tests.ledger.meter.readings import LIMIT, Told, powers, readings
from tests.station_story import at

CHARGING, PARKING = Activity.CHARGING, Activity.PARKING
DRAWS, ASKS_NOTHING = ChargingState.CHARGING, ChargingState.SUSPENDED_EV
Drawn = list[tuple[float, Activity, int]]


def counted(*told: Told) -> list[Counted]:
    return [Counted(each, each.value_wh) for each in readings(*told)]


def spans(*told: tuple[float, Activity]) -> tuple[SessionSpan, ...]:
    return tuple(SessionSpan(at(minute), activity) for minute, activity in told)


@pytest.mark.parametrize(
    ("states", "ends", "expected"),
    [
        pytest.param([(60, DRAWS)], 60, [(0, CHARGING), (20, PARKING), (60, CHARGING)]),
        pytest.param([(60.1, DRAWS)], 60, [(0, CHARGING), (20, PARKING)]),
        pytest.param([(90, DRAWS)], None, [(0, CHARGING), (20, PARKING), (90, CHARGING)]),
        # one after another of a moment, and the same again
        pytest.param([(20, DRAWS)], 60, [(0, CHARGING)]),
        pytest.param(
            [(20, ChargingState.IDLE), (30, ASKS_NOTHING)], 60, [(0, CHARGING), (20, PARKING)]
        ),
        pytest.param([(-5, ASKS_NOTHING)], 60, [(0, CHARGING), (20, PARKING)]),
        pytest.param([(10, ASKS_NOTHING)], 60, [(0, CHARGING), (10, PARKING)]),
    ],
)
def test_a_state_holds_from_its_moment_until_the_next_one(
    states: list[tuple[float, ChargingState]],
    ends: float | None,
    expected: list[tuple[float, Activity]],
) -> None:
    """It is parking from 20 minutes on; the vehicle began to draw at five."""
    changes = [(at(20), 0, str(ASKS_NOTHING))]
    changes += [(at(minute), 1, str(state)) for minute, state in states]

    found = fold_activity(
        changes, at(0), None if ends is None else at(ends), counted((5, 0), (15, 2000))
    )

    assert found == spans(*expected)


def test_a_state_that_held_already_at_the_start_counts_from_there() -> None:
    changes = [(at(-5), 0, str(ASKS_NOTHING))]

    assert fold_activity(changes, at(0), at(60), counted((-9, 0), (-8, 20))) == spans((0, PARKING))


@pytest.mark.parametrize(
    ("told", "register", "power", "expected"),
    [
        pytest.param(
            [(0, CHARGING), (20, PARKING)],
            [(0, 0), (30, 2000)],
            [],
            [(0, CHARGING, 0), (20, PARKING, 0)],
            id="what was not read did not flow",
        ),
        pytest.param(
            [(0, PARKING)],
            [(0, 0), (30, 2000), (60, 2000)],
            [],
            [(0, PARKING, 4000), (30, PARKING, 0)],
            id="parked all the time",
        ),
        pytest.param(
            [(0, PARKING)],
            [(10, 0), (60, 0)],
            [(5, 60)],
            [(0, PARKING, 60), (10, PARKING, 0)],
            id="before the first reading by the power alone",
        ),
        pytest.param(
            [(0, CHARGING), (30, CHARGING)],
            [(0, 0), (60, 9000)],
            [],
            [(0, CHARGING, 0), (30, CHARGING, 0)],
            id="without any parking nothing is changed",
        ),
    ],
)
def test_parking_has_the_power_that_flowed_in_it(
    told: list[tuple[float, Activity]], register: list[Told], power: list[Told], expected: Drawn
) -> None:
    found = with_power(spans(*told), at(60), counted(*register), powers(*power), LIMIT)

    assert found == tuple(
        SessionSpan(at(minute), activity, Decimal(watts)) for minute, activity, watts in expected
    )


def test_a_session_without_an_end_has_no_power_yet() -> None:
    parked = spans((0, CHARGING), (20, PARKING))

    assert with_power(parked, None, counted((0, 0), (30, 2000)), (), LIMIT) == parked
