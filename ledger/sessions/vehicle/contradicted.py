"""Whether what its plug was said to do contradicts the time of a start or stop that came late.

A station that was offline tells its start hours later, and nothing is wrong with that. But one
that said meanwhile, by the same clock, that the plug is free was not under way by then:

    start of 08:00 told at 20:00, Available at 19:00, Charging at 20:01  -> not begun at 08:00
    the same without Available, or with 3 kWh read before it            -> a queue, and right
    the same without Charging                                           -> the vehicle left at 19:00
    stop of 09:00 told at 12:00, SuspendedEV at 11:00                   -> it did not end at 09:00
    the same, and the next session there from 10:30 on                  -> of that one, and right

What is told at once is dated right by our own clock, whatever the plug is said to do.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from ledger.facts.station_clock import SKEW_MAX, SessionClock
from ledger.facts.station_facts import (
    ChargingState,
    ConnectorStatusChanged,
    SessionEnded,
    SessionFact,
    StopAttested,
)
from ledger.meter.series import Counted
from ledger.sessions.vehicle.activity import DRAWN_MIN_WH, StateChange
from ledger.sessions.vehicle.told_states import is_of

_SHORTLY_BEFORE: Final = timedelta(hours=2)
"""How long before it is told a start is looked at: what was told earlier is no longer in mind."""
_CHARGES: Final = frozenset(
    {ChargingState.CHARGING, ChargingState.SUSPENDED_EV, ChargingState.SUSPENDED_EVSE}
)


def was_free_meanwhile(
    told_at: datetime,
    started_at: datetime,
    changes: Mapping[StateChange, bool],
    counted: Sequence[Counted],
) -> bool:
    """Whether the plug was free before a start that was *told_at* came, and then in use again.

    *changes* are the states at its place, with whether their time is not believed, *counted* its
    energy. Where energy was read before, the vehicle was there, whatever the state says.
    """
    until = told_at - SKEW_MAX
    begins = max(started_at + SKEW_MAX, told_at - _SHORTLY_BEFORE)
    if until <= begins:  # nearly always
        return False
    believed = [(at, state) for (at, _, state), is_refuted in changes.items() if not is_refuted]
    freed = [at for at, state in believed if state == ChargingState.AVAILABLE]
    free_at = min((at for at in freed if begins < at < until), default=None)
    if free_at is None or not any(at > free_at and state in _CHARGES for at, state in believed):
        return False
    index = bisect_right(counted, free_at, key=lambda each: each.reading.at) - 1
    return index < 0 or counted[index].energy_wh <= DRAWN_MIN_WH


def went_on(
    end: SessionEnded,
    ended_at: datetime,
    timed: Iterable[tuple[datetime, SessionFact]],
    states: Iterable[ConnectorStatusChanged],
    clock: SessionClock,
    next_start_at: datetime | None,
    connector: int | None,
) -> bool:
    """Whether a vehicle charged after a stop that was told late, and before the next start there.

    By *states* of its place, that came with it, or events (*timed*) that its numbers put before
    the stop.
    """
    until = end.received_at - SKEW_MAX
    over = ended_at + SKEW_MAX
    if until <= over or type(end) is StopAttested:  # nearly always
        return False
    last = end.seq_no
    if last is not None and any(
        over < at < until and fact.seq_no is not None and fact.seq_no < last for at, fact in timed
    ):
        return True
    if next_start_at is not None:
        until = min(until, next_start_at - SKEW_MAX)
    return any(
        each.charging_state in _CHARGES
        and is_of(each, connector)
        and not clock.refutes(each.occurred_at, each.received_at)
        and over < clock.effective(each.occurred_at, each.received_at) < until
        for each in states
    )
