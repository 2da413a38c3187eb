"""From what the EVSE reported to charging and parking.

Only a vehicle that asks for no power is parking. An EVSE that withholds energy, a fault, a power
of 0 and silence are not; nor is a vehicle that has drawn nothing yet, for it still negotiates or
waits for its hour.

A state that was told once and never taken back is a claim, and the meter is the witness: each
stretch of parking carries what flowed in it. Charging from 08:00 to 08:20, SuspendedEV until 09:00:

    5,000 Wh at 08:20 and at 09:00            -> parking from 08:20, 0 W
    only 5,000 Wh at 09:00, 22 kW connector   -> the same: it can all have flowed before
    5,000 Wh at 08:20 and 11,000 Wh at 09:00  -> parking from 08:20, with 9,000 W

How much may flow while an idle fee runs is policy (`billed_time`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final

from ledger.facts.station_facts import ChargingState
from ledger.meter.evidence import PowerReading
from ledger.meter.series import Counted, PowerLimit
from ledger.sessions.session import SessionSpan
from tariffs.model.usage import Activity

StateChange = tuple[datetime, int, str]
"""Effective time, sequence number (or 0), and the ChargingState from there on."""
Piece = tuple[datetime, datetime, Activity]
"""A stretch between two cuts, and what the station said of it."""
DRAWN_MIN_WH: Final = Decimal(10)
"""More than a meter counts for the station's own lamps: a vehicle drew it."""

_CHARGING = frozenset(
    {
        ChargingState.CHARGING,
        ChargingState.SUSPENDED_EVSE,
        ChargingState.UNAVAILABLE,
        ChargingState.FAULTED,
    }
)
_PARKING = frozenset({ChargingState.SUSPENDED_EV, ChargingState.IDLE, ChargingState.EV_CONNECTED})
_SECOND: Final = timedelta(seconds=1)
_HOUR_S: Final = Decimal(3600)
_ZERO: Final = Decimal(0)
_STEP_WH: Final = Decimal(1000)


def fold_activity(
    changes: Iterable[StateChange],
    started_at: datetime,
    ended_at: datetime | None,
    counted: Sequence[Counted] = (),
) -> tuple[SessionSpan, ...]:
    """Return the spans between *started_at* and *ended_at*; the first one is CHARGING by default.

    A state is parking only once the vehicle has drawn energy by what was *counted*; where nothing
    was, once it was CHARGING. PREPARING, FINISHING and AVAILABLE belong to what comes before or
    after a session.
    """
    # At one moment the station's own number says which state came last.
    ordered = sorted(set(changes))
    drawn_from = _drawn_from(ordered, started_at, counted)
    spans = [SessionSpan(started_at, Activity.CHARGING)]
    for at, _, state in ordered:
        if ended_at is not None and at > ended_at:
            break
        if state in _CHARGING:
            activity = Activity.CHARGING
        elif state in _PARKING and drawn_from is not None and at >= drawn_from:
            activity = Activity.PARKING
        else:
            continue
        # A state that held already when the session began counts from there.
        begins = max(at, started_at)
        if begins == spans[-1].starts_at:
            spans.pop()
        if not spans or activity is not spans[-1].activity:
            spans.append(SessionSpan(begins, activity))
    return tuple(spans)


def _drawn_from(
    ordered: Iterable[StateChange], started_at: datetime, counted: Sequence[Counted]
) -> datetime | None:
    """Return since when the vehicle may have drawn energy; None: it drew none."""
    charging = (max(at, started_at) for at, _, state in ordered if state == ChargingState.CHARGING)
    if not counted:
        return next(charging, None)
    index = bisect_right(counted, DRAWN_MIN_WH, key=lambda each: each.energy_wh)
    if index == len(counted):
        return None
    earlier, later = counted[index - 1].reading.at, counted[index].reading.at
    # It flowed somewhere between two readings: from when on the station said so, if it did.
    return next((max(at, earlier) for at in charging if at < later), earlier)


def with_power(
    spans: Sequence[SessionSpan],
    ended_at: datetime | None,
    counted: Sequence[Counted],
    powers: Sequence[PowerReading],
    limit: PowerLimit,
) -> tuple[SessionSpan, ...]:
    """Return *spans* with the power that must have flowed in those of PARKING, cut at readings.

    What a stretch between two readings counted flowed first of all while it was charging, at up to
    the connector's *limit*. Power that was measured counts where the register does not refute it.
    """
    if ended_at is None or all(span.activity is not Activity.PARKING for span in spans):
        return tuple(spans)
    moments = [each.reading.at for each in counted]
    cuts = sorted(
        {
            *(span.starts_at for span in spans),
            *(at for at in moments if spans[0].starts_at < at < ended_at),
            *(power.at for power in powers if spans[0].starts_at < power.at < ended_at),
            ended_at,
        }
    )
    begins = [span.starts_at for span in spans]
    pieces = [
        (since, until, spans[bisect_right(begins, since) - 1].activity)
        for since, until in pairwise(cuts)
    ]
    in_stretch: dict[int, list[Piece]] = {}
    for piece in pieces:
        in_stretch.setdefault(bisect_right(moments, piece[0]), []).append(piece)
    found: list[SessionSpan] = []
    for index, stretch in in_stretch.items():
        rise = _ZERO
        if 0 < index < len(counted):
            rise = counted[index].energy_wh - counted[index - 1].energy_wh
        charging_s = _seconds_of(Activity.CHARGING, stretch)
        parking_s = _seconds_of(Activity.PARKING, stretch)
        flowed_ws = rise * _HOUR_S - limit.max_power_w * charging_s
        for since, until, activity in stretch:
            power = _ZERO
            if activity is Activity.PARKING and parking_s:
                measured = _measured(since, until, begins, powers)
                most_wh = rise + (_STEP_WH if limit.coarse else DRAWN_MIN_WH)
                # A register that hardly moved refutes the power.
                is_seen = most_wh * _HOUR_S * 2 >= measured * parking_s
                power = max(_ZERO, flowed_ws / parking_s, measured if is_seen else _ZERO)
            if not found or (found[-1].activity, found[-1].power_w) != (activity, power):
                found.append(SessionSpan(since, activity, power))
    return tuple(found) or tuple(spans)


def _measured(
    since: datetime,
    until: datetime,
    begins: Sequence[datetime],
    powers: Sequence[PowerReading],
) -> Decimal:
    """Return the power that was measured at both ends of a stretch, within its span of parking."""
    index = bisect_right(begins, since)
    span_ends = begins[index] if index < len(begins) else None
    before = bisect_right(powers, since, key=lambda each: each.at) - 1
    after = bisect_left(powers, until, key=lambda each: each.at)
    near = []
    # A reading as the state came may still tell of the time before it.
    if before >= 0 and powers[before].at > begins[index - 1]:
        near.append(powers[before].power_w)
    if after < len(powers) and (span_ends is None or powers[after].at < span_ends):
        near.append(powers[after].power_w)
    return max(min(near, default=_ZERO), _ZERO)


def _seconds_of(activity: Activity, stretch: Iterable[Piece]) -> int:
    return sum((until - since) // _SECOND for since, until, each in stretch if each is activity)
