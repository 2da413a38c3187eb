"""From what the EVSE reported to charging and parking.

Only a vehicle that asks for no power is parking. An EVSE that withholds energy, a fault, a power
of 0 and silence are not.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from ledger.facts.station_facts import ChargingState
from ledger.sessions.session import SessionSpan
from tariffs.model.usage import Activity

StateChange = tuple[datetime, int, str]
"""Effective time, sequence number (or 0), and the ChargingState from there on."""

_CHARGING = frozenset(
    {
        ChargingState.CHARGING,
        ChargingState.SUSPENDED_EVSE,
        ChargingState.UNAVAILABLE,
        ChargingState.FAULTED,
    }
)
_PARKING = frozenset({ChargingState.SUSPENDED_EV, ChargingState.IDLE})


def fold_activity(
    changes: Iterable[StateChange], started_at: datetime, ended_at: datetime | None
) -> tuple[SessionSpan, ...]:
    """Return the spans between *started_at* and *ended_at*; the first one is CHARGING by default.

    EV_CONNECTED is parking only once the vehicle has charged (before, it still negotiates).
    PREPARING, FINISHING and AVAILABLE belong to what comes before or after a session.
    """
    spans = [SessionSpan(started_at, Activity.CHARGING)]
    has_charged = False
    # At one moment the station's own number says which state came last.
    for at, _, state in sorted(set(changes)):
        if ended_at is not None and at > ended_at:
            break
        if state in _CHARGING:
            has_charged = has_charged or state == ChargingState.CHARGING
            activity = Activity.CHARGING
        elif state in _PARKING or (state == ChargingState.EV_CONNECTED and has_charged):
            activity = Activity.PARKING
        else:
            continue
        if activity is spans[-1].activity:
            continue
        # A state that held already when the session began counts from there.
        begins = max(at, started_at)
        if begins == spans[-1].starts_at:
            spans.pop()
        if not spans or activity is not spans[-1].activity:
            spans.append(SessionSpan(begins, activity))
    return tuple(spans)
