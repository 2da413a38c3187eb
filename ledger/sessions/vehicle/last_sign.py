"""Where the last sign of the vehicle ends: before the stop, or in a session without one.

A stop says when the station ended its count, not that somebody stood there until then. It comes
hours later where an operator closes what could not be stopped, or at the boot after a power loss:

    charging until 09:00, the plug free at 09:01, stop at 19:00
        -> the vehicle was gone at 09:01 (plug_free_before_stop)
    the same, but 3 kWh more after 09:01       -> a free plug draws nothing: free_plug_refuted
    reading at 08:50, boot at 14:00, stop at 14:00 for a loss of power
        -> the last sign is that of 08:50 (power_lost); the energy is still that of the stop

Whether time is billed until there or until the stop is policy (`billed_time`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final, NamedTuple

from ledger.facts.flags import Flag
from ledger.facts.station_clock import SKEW_MAX
from ledger.facts.station_facts import ChargingState, SessionEnded, StopAttested
from ledger.meter.series import Counted, PowerLimit
from ledger.sessions.session_end import SAME_STOP
from ledger.sessions.vehicle.activity import DRAWN_MIN_WH, StateChange

_SIGN_EVERY: Final = timedelta(minutes=15)
"""Stations that lost nothing are heard of at least that often."""
_LOSSES: Final = frozenset({"powerloss", "reboot", "hardreset", "softreset", "immediatereset"})
# Somebody stood there, or said so: no boot dated that stop.
_DELIBERATE: Final = frozenset(
    {"local", "remote", "evdisconnected", "stoppedbyev", "emergencystop", "unlockcommand"}
)
_FREE: Final = frozenset({ChargingState.AVAILABLE, ChargingState.IDLE})
_CHARGES: Final = frozenset(
    {
        ChargingState.CHARGING,
        ChargingState.SUSPENDED_EV,
        ChargingState.SUSPENDED_EVSE,
        ChargingState.EV_CONNECTED,
    }
)
_IS_THERE: Final = _CHARGES | {ChargingState.FINISHING}


class LastSign(NamedTuple):
    """Where the last sign of the vehicle ends; `at` None: the stop is it."""

    at: datetime | None
    flags: frozenset[str]


def last_sign_of(
    end: SessionEnded,
    bounds: tuple[datetime, datetime],
    changes: Iterable[StateChange],
    heard: Iterable[datetime],
    *,
    counted: Sequence[Counted],
    boots: Sequence[datetime],
    limit: PowerLimit,
) -> LastSign:
    """Return where the last sign of the vehicle ends in a session that *end* ended.

    Args:
        end: The stop that holds.
        bounds: Start and stop, as effective times.
        changes: States at its place.
        heard: When the session's readings were taken.
        counted: The energy, from the start to the stop.
        boots: When the station was heard to boot, in order.
        limit: What the connector can deliver.
    """
    started_at, ended_at = bounds
    inside = [(at, state) for at, _, state in changes if started_at <= at <= ended_at]
    free_at, flags = _free_at(inside, started_at, counted, limit)
    if free_at is not None and ended_at - free_at > SAME_STOP:
        flags |= {Flag.PLUG_FREE_BEFORE_STOP}
    else:
        free_at = None
    reason = (end.reason or "").casefold()
    is_said = reason in _DELIBERATE or type(end) is StopAttested
    boot = None if is_said else _boot_at(ended_at, boots)
    if boot is None and reason not in _LOSSES:
        return LastSign(free_at, flags)
    signs = [at for at in heard if started_at <= at < ended_at]
    signs += [at for at, state in inside if state in _CHARGES and at < ended_at]
    alive_until = max(signs, default=started_at)
    is_at_boot = boot is not None and boot > alive_until
    # Dated when the station came back, after nothing was heard for a while.
    silent_for = ended_at - alive_until
    if silent_for <= (SAME_STOP if is_at_boot else _SIGN_EVERY) or not (
        is_at_boot or reason in _LOSSES
    ):
        return LastSign(free_at, flags)
    flags |= {Flag.POWER_LOST}
    if alive_until == started_at and counted and counted[-1].energy_wh > DRAWN_MIN_WH:
        flags |= {Flag.LAST_SIGN_UNKNOWN}
    return LastSign(alive_until if free_at is None else min(alive_until, free_at), flags)


def _free_at(
    states: Sequence[tuple[datetime, str]],
    started_at: datetime,
    counted: Sequence[Counted],
    limit: PowerLimit,
) -> tuple[datetime | None, frozenset[str]]:
    """Return since when the plug is free for good; and the flag of a report that is refuted."""
    last_there = max((at for at, state in states if state in _IS_THERE), default=started_at)
    freed = sorted(at for at, state in states if state in _FREE and last_there <= at > started_at)
    believed = [at for at in freed if not _is_refuted(at, counted, limit)]
    refuted = frozenset({Flag.FREE_PLUG_REFUTED} if len(believed) < len(freed) else ())
    return next(iter(believed), None), refuted


def _is_refuted(free_at: datetime, counted: Sequence[Counted], limit: PowerLimit) -> bool:
    """Whether more energy flowed from *free_at* on than a meter counts without a vehicle."""
    index = bisect_left(counted, free_at, key=lambda each: each.reading.at)
    if not 0 < index < len(counted):
        return False
    earlier, later = counted[index - 1], counted[index]
    if counted[-1].energy_wh - later.energy_wh > DRAWN_MIN_WH:
        return True
    # Between two readings it may have flowed before, as far as the connector can deliver it.
    rise = later.energy_wh - earlier.energy_wh
    return rise > limit.energy_max_wh(earlier.reading.at, free_at)


def _boot_at(ended_at: datetime, boots: Sequence[datetime]) -> datetime | None:
    """Return the last boot about the moment of the stop."""
    # A boot carries no time of the station: ours stands in.
    index = bisect_right(boots, ended_at + SKEW_MAX) - 1
    return boots[index] if index >= 0 and boots[index] >= ended_at - SKEW_MAX else None


def provisional_end(
    started_at: datetime,
    next_start_at: datetime | None,
    counted: Sequence[Counted],
    told: Sequence[datetime],
    freed_at: Sequence[datetime],
) -> datetime:
    """Return the last sign of an open session, never after the next start there.

    Args:
        started_at: Its start.
        next_start_at: When the next session begins at its place.
        counted: Its energy so far.
        told: When its own frames happened.
        freed_at: When its connector was said to be free, in order.
    """
    last_drawn = started_at
    for earlier, later in pairwise(counted):
        if later.energy_wh > earlier.energy_wh:
            last_drawn = later.reading.at
    # A connector that was free before energy flowed tells of the time before the session.
    index = bisect_left(freed_at, last_drawn)
    if index < len(freed_at):
        last = freed_at[index]
    else:
        last = max([*told, *(each.reading.at for each in counted[-1:])])
    if next_start_at is not None:
        last = min(last, next_start_at)
    return max(last, started_at)
