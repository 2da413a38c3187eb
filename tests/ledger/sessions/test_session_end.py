"""Which of several stops holds, and what is dated outside of start and stop."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ledger.facts.flags import Flag
from ledger.facts.station_clock import SessionClock
from ledger.facts.station_facts import Measurand, Reading, SessionEnded, SessionStarted
from ledger.meter.evidence import MeterEvidence
from ledger.meter.series import Metered
from ledger.sessions.session_end import choose_end, is_dated_outside, start_value_of, stop_value_of
from tests.ledger.meter.readings import Told, readings
from tests.station_story import at

REGISTER, POWER = Measurand.ENERGY_REGISTER_WH, Measurand.POWER_W
SECOND = 1 / 60
AGAIN, DIFFERENT = Flag.DUPLICATE_STOP, Flag.CONFLICTING_STOP


def _read(*told: tuple[Measurand, int, str | None]) -> tuple[Reading, ...]:
    return tuple(Reading(None, kind, Decimal(value), phase=phase) for kind, value, phase in told)


def _frame(minute: float, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "station_id": "CS-1", "position": 0, "line": 0, "received_at": at(minute),
        "transaction_ref": "1", "evse_id": 1, "connector_id": 1, "token_uid": None,
        "occurred_at": at(minute),
    } | more  # fmt: skip


def start(wh: int | None = 1000, **more: Any) -> SessionStarted:  # noqa: ANN401
    told = None if wh is None else Decimal(wh)
    return SessionStarted(**_frame(0, meter_start_wh=told, **more))


def stop(minute: float, wh: int | str | None, **more: Any) -> SessionEnded:  # noqa: ANN401
    told = None if wh is None else Decimal(wh)
    return SessionEnded(**_frame(minute, meter_stop_wh=told, **more))


@pytest.mark.parametrize(
    ("stops", "began", "index", "flags"),
    [
        ([stop(60, 6000)], start(), 0, set()),
        ([stop(60, 6000), stop(70, 6500)], start(), 0, {DIFFERENT}),
        ([stop(70, 6500), stop(60, 6000)], start(), 1, {DIFFERENT}),
        # one below the start, or without a register, comes after the others
        ([stop(60, 999), stop(70, 6500)], start(), 1, {DIFFERENT}),
        ([stop(60, 1000), stop(70, 6500)], start(), 0, {DIFFERENT}),
        ([stop(60, None), stop(70, 6500)], start(), 1, {DIFFERENT}),
        ([stop(60, 0), stop(70, None)], start(), 0, {DIFFERENT}),
        ([stop(60, 0), stop(70, 6500)], start(None), 0, {DIFFERENT}),
        ([stop(60, 0), stop(70, 6500)], None, 0, {DIFFERENT}),
        # told again within a minute, with the same register or none
        ([stop(60, 6000), stop(61, 6000)], start(), 0, {AGAIN}),
        ([stop(60, 6000), stop(61 + SECOND, 6000)], start(), 0, {DIFFERENT}),
        ([stop(60, 6000), stop(61, 6001)], start(), 0, {DIFFERENT}),
        ([stop(60, 6000), stop(59, None)], start(), 0, {AGAIN}),
        ([stop(60, 6000), stop(59 - SECOND, None)], start(), 0, {DIFFERENT}),
        ([stop(60, 6000), stop(61, None), stop(70, 6000)], start(), 0, {AGAIN, DIFFERENT}),
        # of one moment: by number, then register, then where it stands
        ([stop(60, 6000, seq_no=3), stop(60, 6001, seq_no=2)], start(), 1, {DIFFERENT}),
        ([stop(60, 6000, seq_no=1), stop(60, 6001)], start(), 1, {DIFFERENT}),
        ([stop(60, 6001), stop(60, 6000)], start(), 1, {DIFFERENT}),
        ([stop(60, "0.5"), stop(60, None)], start(), 1, {DIFFERENT}),
        ([stop(60, 6000, position=5), stop(60, 6000, position=4)], start(), 1, {AGAIN}),
    ],
)
def test_the_first_stop_that_is_not_poor_holds(
    stops: list[SessionEnded], began: SessionStarted | None, index: int, flags: set[Flag]
) -> None:
    chosen = choose_end(stops, began, SessionClock())

    assert chosen.end is stops[index]
    assert chosen.flags == flags


def test_without_a_stop_none_holds() -> None:
    assert choose_end([], start(), SessionClock()) == (None, frozenset())


def test_a_register_of_start_and_stop_is_their_own_or_the_lowest_and_highest_told() -> None:
    told = _read((REGISTER, 3000, None), (REGISTER, 2000, None), (REGISTER, 9000, "L1"))
    others = _read((POWER, 10, None), (REGISTER, 9000, "L1"))

    assert start_value_of(start(0, readings=told)) == 0
    assert start_value_of(start(None, readings=told)) == 2000
    assert start_value_of(start(None, readings=others)) is None
    assert stop_value_of(stop(60, 0, readings=told)) == 0
    assert stop_value_of(stop(60, None, readings=told)) == 3000
    assert stop_value_of(stop(60, None, readings=others)) is None


@pytest.mark.parametrize(
    ("updates", "samples", "more", "is_outside"),
    [
        ([], [], {}, False),
        # before the start, by more than a clock may be off
        ([-5, 30, 200], [], {}, False),
        ([-5 - SECOND, 30], [], {}, True),
        # after the stop, with a register from before it
        ([], [(65, 3000)], {}, False),
        ([], [(65 + SECOND, 3000)], {}, True),
        ([], [(66, 1000)], {}, True),
        ([], [(66, 999)], {}, False),
        ([], [(66, 5989)], {}, True),
        ([], [(66, 5990)], {}, False),
        # in another frame, or where start and stop say nothing, no register tells
        ([], [(66, 3000)], {"flags": frozenset({Flag.REGISTER_SESSION_RELATIVE})}, False),
        ([], [(66, 3000)], {"start_wh": None}, False),
        ([], [(66, 3000)], {"stop_wh": None}, False),
    ],
)
def test_frames_that_a_session_has_no_time_for_are_noticed(
    updates: list[float], samples: list[Told], more: dict[str, Any], *, is_outside: bool
) -> None:
    known: dict[str, Any] = {"start_wh": Decimal(1000), "stop_wh": Decimal(6000)}

    found = is_dated_outside(
        (at(0), at(60)),
        map(at, updates),
        Metered(**(known | more)),
        MeterEvidence(samples=tuple(readings(*samples))),
    )

    assert found is is_outside
