"""A station that says four times as much costs little more than four times as much to fold.

Counted in lines of ours that run, not in time: the same on every machine, however busy.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from decimal import Decimal
from types import FrameType
from typing import Any, Final

import pytest

from ledger.facts.station_facts import (
    ChargingState,
    ConnectorStatusChanged,
    Measurand,
    Reading,
    SessionEnded,
    SessionStarted,
    SessionUpdated,
    StationBooted,
    StationFact,
)
from ledger.sessions.station_fold import fold_station
from ledger.sessions.told import told
from tests.station_story import AC, at

STEPS: Final = 100
TIMES: Final = 4
COST_MAX: Final = 6
OURS: Final = "/ledger/"


def lines_run(work: Callable[[], object]) -> int:
    """Return how many lines of ours *work* runs, each time that a loop comes by counted."""
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:  # noqa: ANN401
        nonlocal count
        if OURS not in frame.f_code.co_filename:
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def start(n: int, reference: str, *, place: int | None = 1, seq: int | None = None) -> StationFact:
    return SessionStarted(
        station_id="CS-1", position=n, line=0, received_at=at(n), transaction_ref=reference,
        evse_id=None, connector_id=place, token_uid="tag-1", occurred_at=at(n),
        meter_start_wh=Decimal(100 * n), seq_no=seq,
    )  # fmt: skip


def reading(n: int, reference: str | None, *, value: int, seq: int | None = None) -> StationFact:
    sample = Reading(at(n), Measurand.ENERGY_REGISTER_WH, Decimal(value))
    return SessionUpdated(
        station_id="CS-1", position=n, line=1, received_at=at(n), transaction_ref=reference,
        evse_id=None, connector_id=1, occurred_at=at(n), readings=(sample,), seq_no=seq,
    )  # fmt: skip


def stop(n: int, reference: str | None, *, after: float = 0, seq: int | None = None) -> StationFact:
    moment = at(n + after)
    return SessionEnded(
        station_id="CS-1", position=n, line=2, received_at=moment, transaction_ref=reference,
        evse_id=None, connector_id=None, token_uid=None, occurred_at=moment,
        meter_stop_wh=Decimal(100 * n + 50), seq_no=seq,
    )  # fmt: skip


def state(n: int, named: ChargingState) -> StationFact:
    return ConnectorStatusChanged(
        station_id="CS-1", position=n, line=3, received_at=at(n), evse_id=None, connector_id=1,
        occurred_at=at(n), charging_state=named,
    )  # fmt: skip


def boot(n: int) -> StationFact:
    return StationBooted(station_id="CS-1", position=n, line=4, received_at=at(n))


MIXES: Final[dict[str, Callable[[int], list[StationFact]]]] = {
    "never ended": lambda n: [start(n, f"{n}")],
    "never ended, at no place": lambda n: [start(n, f"{n}", place=None), reading(n, "no", value=n)],
    "each ended": lambda n: [start(n, f"{n}"), stop(n, f"{n}", after=0.9)],
    "ended years later": lambda n: [start(n, f"{n}"), stop(n, f"{n}", after=1e6)],
    "loose readings": lambda n: [start(n, f"{n}"), reading(n, None, value=100 * n)],
    "loose stops": lambda n: [start(n, f"{n}"), stop(n, "foreign", after=0.5)],
    "stops told again": lambda n: [
        start(n, f"{n}"), stop(n, f"{n}", after=1e6), stop(n, "foreign", after=0.5)
    ],
    "one id": lambda n: [start(n, "1"), stop(n, "1", after=0.5)],
    "one numbered id": lambda n: [start(n, "1", seq=0), stop(n, "1", after=0.5, seq=1)],
    "one id, never ended": lambda n: [start(n, "1", seq=0)],
    "stops of one session": lambda n: [*([] if n else [start(0, "1")]), stop(n, "1")],
    "readings of one session": lambda n: [
        *([] if n else [start(0, "1")]), reading(n, "1", value=(n * 7919) % 5000)
    ],
    "states": lambda n: [start(n, f"{n}"), state(n, ChargingState.CHARGING)],
    "a plug that is free": lambda n: [start(n, f"{n}"), state(n, ChargingState.AVAILABLE)],
    "boots": lambda n: [start(n, f"{n}"), stop(n, f"{n}", after=0.9), boot(n)],
}  # fmt: skip


@pytest.mark.parametrize("mix", MIXES)
def test_four_times_as_many_facts_cost_at_most_six_times_as_much(mix: str) -> None:
    def cost(steps: int) -> int:
        all_told = [fact for n in range(steps) for fact in MIXES[mix](n)]

        def fold() -> None:
            folded = fold_station("CS-1", told(all_told), AC)
            for transaction in folded.transactions():
                folded.sessions(transaction)

        return lines_run(fold)

    assert cost(TIMES * STEPS) <= COST_MAX * cost(STEPS)
